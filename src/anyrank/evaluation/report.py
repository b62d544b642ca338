"""A comparison as a table: for the terminal, to paste, for a spreadsheet, for a program."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from anyrank._checks import suggest
from anyrank._registry import require
from anyrank.errors import ArgumentError

from .crosstab import crossed
from .plots import milliseconds
from .significance import Difference, differences
from .style import fitting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

    from .results import Comparison, Evaluation

__all__ = ["rows_of", "to_csv", "to_json", "to_markdown", "to_rich"]

Cells: TypeAlias = dict[str, Any]

WORDS: Final = frozenset({"first stage", "reranker", "verdict"})
"""Columns that are no numbers."""


def rows_of(comparison: Comparison, metric: str | None = None) -> list[Cells]:
    """Return each row's figures by column: metrics, p50, p95 and p99 in seconds, what it took and what went wrong.

    ``metric`` (None: the first) is the one in which each reranked row is held against its first stage: ``gain``, ``p``
    (corrected) and ``verdict``. Raises `ArgumentError` for one that was not measured.
    """
    return cells_of(comparison, gained(comparison, metric))


def gained(comparison: Comparison, metric: str | None = None) -> dict[str, Difference]:
    """Return what each reranked row gained over its first stage, by the row's name; ``metric`` None is the first."""
    chosen = metric or comparison.metrics[0]
    comparison.rows[0].figures(chosen)
    return {one.row: one for one in differences(comparison, chosen)}


def cells_of(comparison: Comparison, found: Mapping[str, Difference]) -> list[Cells]:
    """Return `rows_of` where the differences are known."""
    return [_cells(row, found.get(row.name)) for row in comparison.rows]


def shown(rows: Sequence[Cells], columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Return the rows as a reader wants them: four places, milliseconds; by default every column with a figure."""
    chosen = _listed(columns or ()) or [name for name in rows[0] if any(_says_something(row[name]) for row in rows)]
    if unknown := set(chosen) - set(rows[0]):
        msg = f"there is no column {min(unknown)!r}; {suggest(min(unknown), rows[0])}"
        raise ArgumentError(msg)
    return [{name: _text(name, row[name]) for name in chosen} for row in rows]


def best_of(comparison: Comparison) -> dict[str, str]:
    """Return the best mean of each metric, as it is shown."""
    return {metric: _text(metric, comparison.best(metric).mean(metric)) for metric in comparison.metrics}


def to_markdown(
    comparison: Comparison,
    metric: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    crosstab: Sequence[str] | None = None,
) -> str:
    """Return the table in Markdown, best means in bold; ``columns`` are all that have a figure, unless named.

    ``crosstab`` names metrics for another table: a row a first stage, a column a reranker, in each cell the means.
    Raises `ArgumentError` for a column or a metric that there is not.
    """
    head, *rows = _cells_of(comparison, metric, columns, crosstab, _markdown, "**{}**".format)
    lines = [head, ["---" if _is_word(name) else "---:" for name in head], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_rich(
    comparison: Comparison,
    metric: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    crosstab: Sequence[str] | None = None,
) -> Table:
    """Return the table for a terminal, as `to_markdown` does. Needs ``rich``."""
    tables: Any = require("rich.table", needed_by="a table for the terminal", install="rich")
    escape: Callable[[str], str] = require("rich.markup", needed_by="this", install="rich").escape
    head, *rows = _cells_of(
        comparison, metric, columns, crosstab, lambda text: escape(fitting(text)), "[bold]{}[/]".format
    )
    said = _means_over(comparison) if crosstab else caption(comparison, metric)
    table: Table = tables.Table(caption=said, caption_justify="left")
    for name in head:
        table.add_column(name, justify="left" if _is_word(name) else "right", no_wrap=not _is_word(name))
    for row in rows:
        table.add_row(*row)
    return table


def _cells_of(
    comparison: Comparison,
    metric: str | None,
    columns: Sequence[str] | None,
    crosstab: Sequence[str] | None,
    escape: Callable[[str], str],
    bold: Callable[[str], str],
) -> list[list[str]]:
    """Return a table's header and rows, the best means marked."""
    if crosstab is None:
        rows, best = shown(rows_of(comparison, metric), columns), best_of(comparison)
        marked = [
            [bold(text) if text and text == best.get(name) else escape(text) for name, text in row.items()]
            for row in rows
        ]
        return [list(map(escape, rows[0])), *marked]
    if columns is not None:
        msg = "a crosstab has its own columns, the rerankers: leave columns= out"
        raise ArgumentError(msg)
    head, *lines = crossed(comparison, _listed(crosstab), bold=bold)
    return [list(map(escape, head)), *([escape(stage), *cells] for stage, *cells in lines)]


def _listed(names: Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _is_word(name: str) -> bool:
    return name.startswith("first stage") or name in WORDS


def _markdown(text: str) -> str:
    """Return a text that stays one cell."""
    return re.sub(r"([\\|])", r"\\\1", " ".join(fitting(text).split()))


def to_csv(comparison: Comparison, metric: str | None = None) -> str:
    """Return the table as CSV: every column, full precision, seconds."""
    rows = rows_of(comparison, metric)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return fitting(out.getvalue())


def to_json(comparison: Comparison, metric: str | None = None) -> str:
    """Return everything as JSON: the table, every query's figures and answers, and all differences."""
    found = gained(comparison, metric)
    said = {
        "queries": dict(comparison.queries),
        "without_relevant": comparison.without_relevant,
        "rows": [
            {
                **cells,
                "usage": row.usage,
                "fingerprint": row.fingerprint,
                "values": row.values,
                "answers": {query: answer.to_dict() for query, answer in row.answers.items()},
            }
            for cells, row in zip(cells_of(comparison, found), comparison.rows, strict=True)
        ],
        "differences": [one.to_dict() for one in found.values()],
    }
    text = json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)  # no file could hold it


def caption(comparison: Comparison, metric: str | None = None) -> str:
    """Say what the means are over, and what gain and verdict are of."""
    held = f"Gain, p (randomisation test, Holm) and verdict: {metric or comparison.metrics[0]} over the first stage."
    return f"{_means_over(comparison)} {held}"


def _means_over(comparison: Comparison) -> str:
    count = len(comparison.rows[0].values[comparison.metrics[0]])
    left_out = f"; {comparison.without_relevant} without one are left out" if comparison.without_relevant else ""
    return f"Means over {count} queries with a relevant document{left_out}. A query that failed counts 0."


def _cells(row: Evaluation, found: Difference | None) -> Cells:
    return {
        "first stage": row.first_stage,
        "reranker": row.reranker,
        **row.means,
        "gain": found and found.mean,
        "p": found and found.p_corrected,
        "verdict": found and found.verdict,
        **{f"p{share}": row.latency(share / 100) for share in (50, 95, 99)},
        "requests": row.requests,
        "cost": row.cost,
        "failed": len(row.failures),
        "degraded": len(row.degraded),
        "truncated": row.truncated,
    }


def _says_something(value: Any) -> bool:
    """Whether a figure is worth a column: not one that is missing, nor a count of nothing."""
    return value is not None and not (isinstance(value, int) and value == 0)


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("p50", "p95", "p99"):
        return milliseconds(value)
    if name == "gain":
        return f"{value:+.4f}"
    if name in ("p", "cost"):
        return f"{value:.2g}"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
