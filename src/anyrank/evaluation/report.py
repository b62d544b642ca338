"""A comparison as a table: for the terminal, to paste, for a spreadsheet, for a program."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from anyrank._checks import suggest
from anyrank._registry import require
from anyrank.errors import ArgumentError

from .plots import milliseconds
from .significance import Difference, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from .results import Comparison, Evaluation

__all__ = ["rows_of", "to_csv", "to_json", "to_markdown", "to_rich"]

Cells: TypeAlias = dict[str, Any]

WORDS: Final = frozenset({"first stage", "reranker", "verdict"})
"""Columns that are no numbers."""


def rows_of(comparison: Comparison, metric: str | None = None) -> list[Cells]:
    """Return each row's figures by column: metrics, p50, p95 and p99 in seconds, what it took and what went wrong.

    ``metric`` (None: the first) is the one in which each reranked row is held against its first stage: ``gain``, ``p``
    (corrected) and ``verdict``.
    """
    found = {one.row: one for one in differences(comparison, metric or comparison.metrics[0])}
    return [_cells(row, found.get(row.name)) for row in comparison.rows]


def shown(
    comparison: Comparison, metric: str | None = None, columns: Sequence[str] | None = None
) -> list[dict[str, str]]:
    """Return the rows as a reader wants them: four places, milliseconds; by default every column with a figure."""
    rows = rows_of(comparison, metric)
    chosen = columns or [name for name in rows[0] if any(_says_something(row[name]) for row in rows)]
    if unknown := set(chosen) - set(rows[0]):
        msg = f"there is no column {min(unknown)!r}; {suggest(min(unknown), rows[0])}"
        raise ArgumentError(msg)
    return [{name: _text(name, row[name]) for name in chosen} for row in rows]


def best_of(comparison: Comparison) -> dict[str, str]:
    """Return the best mean of each metric, as it is shown."""
    return {metric: _text(metric, comparison.best(metric).means[metric]) for metric in comparison.metrics}


def to_markdown(comparison: Comparison, metric: str | None = None, *, columns: Sequence[str] | None = None) -> str:
    """Return the table in Markdown, best means in bold; ``columns`` are all that have a figure, unless named."""
    rows, best = shown(comparison, metric, columns), best_of(comparison)
    lines = [list(rows[0]), ["---" if name in WORDS else "---:" for name in rows[0]]]
    for row in rows:
        cells = {name: text.replace("|", r"\|") for name, text in row.items()}
        lines.append([f"**{text}**" if text and text == best.get(name) else text for name, text in cells.items()])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_rich(comparison: Comparison, metric: str | None = None, *, columns: Sequence[str] | None = None) -> Table:
    """Return the table for a terminal, as `to_markdown` does. Needs ``rich``."""
    tables: Any = require("rich.table", needed_by="a table for the terminal", install="rich")
    escape: Callable[[str], str] = require("rich.markup", needed_by="this", install="rich").escape
    rows, best = shown(comparison, metric, columns), best_of(comparison)
    table: Table = tables.Table(caption=caption(comparison, metric), caption_justify="left")
    for name in rows[0]:
        table.add_column(escape(name), justify="left" if name in WORDS else "right", no_wrap=name not in WORDS)
    for row in rows:
        cells = {name: escape(text) for name, text in row.items()}
        table.add_row(
            *(f"[bold]{text}[/]" if text and text == best.get(name) else text for name, text in cells.items())
        )
    return table


def to_csv(comparison: Comparison, metric: str | None = None) -> str:
    """Return the table as CSV: every column, full precision, seconds."""
    rows = rows_of(comparison, metric)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def to_json(comparison: Comparison, metric: str | None = None) -> str:
    """Return everything as JSON: the table, every query's figures and answers, and all differences."""
    chosen = metric or comparison.metrics[0]
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
            for cells, row in zip(rows_of(comparison, chosen), comparison.rows, strict=True)
        ],
        "differences": [_plain(one) for one in differences(comparison, chosen)],
    }
    return json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False)


def caption(comparison: Comparison, metric: str | None = None) -> str:
    """Say what the means are over, and what gain and verdict are of."""
    held = f"Gain, p (randomisation test, Holm) and verdict: {metric or comparison.metrics[0]} over the first stage."
    count = len(comparison.rows[0].values[comparison.metrics[0]])
    left_out = f"; {comparison.without_relevant} without one are left out" if comparison.without_relevant else ""
    return f"Means over {count} queries with a relevant document{left_out}. A query that failed counts 0. {held}"


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


def _plain(one: Difference) -> dict[str, Any]:
    said = asdict(one) | {"mean": one.mean, "queries": one.queries, "verdict": one.verdict}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in said.items()
    }
