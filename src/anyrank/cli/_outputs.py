"""What becomes of a comparison: a table with verdicts below it, files, lines for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from anyrank.errors import ArgumentError

from . import _console
from ._tables import crosstab, fitted, of_verdicts

if TYPE_CHECKING:
    from anyrank.evaluation import Comparison, Difference, Slices

__all__ = ["Outputs"]


@dataclass(frozen=True)
class Outputs:
    """The options that say what a comparison is written as."""

    against: Annotated[
        str | None, Option("--against", metavar="ROW", help="Verdicts against this row, not against first stages.")
    ] = None
    html: Annotated[Path | None, Option("--html", metavar="FILE", help="Also a page with plots, in one file.")] = None
    csv: Annotated[Path | None, Option("--csv", metavar="FILE", help="Also CSV, every column at full precision.")] = (
        None
    )
    crosstab: Annotated[
        bool, Option("--crosstab", help="A row a first stage, a column a reranker: Hit@10 and MRR@10, unless -m says.")
    ] = False
    markdown: Annotated[bool, Option("--markdown", help="A Markdown table, to paste.")] = False
    as_json: Annotated[bool, Option("--json", help="Everything as JSON: rows, answers, differences.")] = False

    def expect(self) -> None:
        """Raise `ArgumentError`, before anything is measured, for what cannot be written."""
        results = [name for name in ("html", "csv") if str(getattr(self, name)) == "-"]
        results += [name for name in ("markdown", "json") if getattr(self, name.replace("json", "as_json"))]
        if len(results) > 1:
            msg = f"--{results[0]} and --{results[1]} both go to standard output: give one a file, or leave it out"
            raise ArgumentError(msg)
        for path in (self.html, self.csv):
            _console.expect_file(path)

    def write(self, comparison: Comparison, slices: Mapping[str, Slices], *, title: str) -> None:
        """Write to standard output, unless a file goes there, and then the files."""
        from anyrank.evaluation import to_csv, to_html

        if Path("-") not in (self.html, self.csv):
            self._shown(comparison, self._verdicts(comparison, slices), asked=bool(slices or self.against))
        if self.html:
            _write(self.html, to_html(comparison, title=f"Which reranker for {title}?", slices=slices))
        if self.csv:
            _write(self.csv, to_csv(comparison))

    def _shown(self, comparison: Comparison, found: Sequence[Difference], *, asked: bool) -> None:
        if self.as_json:
            _console.line(_json(comparison, found))
        elif self.markdown:
            for line in _markdown(comparison, found, self._crossed(comparison)):
                _console.line(line)
        elif _console.is_terminal():
            _person(comparison, found, self._crossed(comparison))
        else:
            table = _crosstab(comparison, crossed) if (crossed := self._crossed(comparison)) else _rows(comparison)
            for cells in [*table, *_verdicts(found if asked else ())]:
                _console.line(_console.tabbed(*cells))

    def _crossed(self, comparison: Comparison) -> Sequence[str] | None:
        """Return the metrics of the cells, None where the rows are to be seen one below the other."""
        from anyrank.evaluation import METRICS

        if not self.crosstab:
            return None
        return ("Hit@10", "MRR@10") if comparison.metrics == METRICS else comparison.metrics

    def _verdicts(self, comparison: Comparison, slices: Mapping[str, Slices]) -> list[Difference]:
        """Hold every row against its first stage or ``against``, on all queries and then on each slice."""
        from anyrank.evaluation import differences, verdicts

        metric = comparison.metrics[0]
        found = differences(comparison, metric, against=self.against)
        for one in list(found) if slices else ():
            found += verdicts(comparison[one.row], slices, metric, baseline=comparison[one.baseline])[1:]
        return found


def _write(path: Path, text: str) -> None:
    with _console.opened(path) as write:
        write(text.removesuffix("\n"))


def _person(comparison: Comparison, found: Sequence[Difference], crossed: Sequence[str] | None) -> None:
    """Show the table, what is said of all queries in words, and of parts of them as a table."""
    _console.show(crosstab(comparison, crossed) if crossed else fitted(comparison))
    for one in found:
        if one.slice is None:
            _console.show(_console.plain(str(one)))
    if parts := [one for one in found if one.slice]:
        _console.show(of_verdicts(parts))


def _markdown(comparison: Comparison, found: Sequence[Difference], crossed: Sequence[str] | None) -> Iterator[str]:
    from anyrank.evaluation import to_markdown

    yield from to_markdown(comparison, crosstab=crossed).splitlines()
    if found:
        yield ""
    yield from (f"* {one}" for one in found)


def _json(comparison: Comparison, found: Sequence[Difference]) -> str:
    from anyrank.evaluation import to_json

    said = json.loads(to_json(comparison)) | {"differences": [one.to_dict() for one in found]}
    return json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False)


def _rows(comparison: Comparison) -> Iterator[Sequence[Any]]:
    """Yield the table under its columns' names."""
    from anyrank.evaluation import rows_of

    rows = rows_of(comparison)
    yield list(rows[0])
    yield from (list(row.values()) for row in rows)


def _crosstab(comparison: Comparison, metrics: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Yield a line a first stage and metric, under the rerankers' names."""
    stages = dict.fromkeys(row.first_stage for row in comparison.rows)
    rerankers = dict.fromkeys(row.reranker for row in comparison.rows)
    means = {(row.first_stage, row.reranker): row.means for row in comparison.rows}
    yield ["first stage", "metric", *("as it is" if one is None else one for one in rerankers)]
    for stage in stages:
        for metric in metrics:
            yield [stage, metric, *(means[stage, one][metric] for one in rerankers)]


def _verdicts(found: Sequence[Difference]) -> Iterator[Sequence[Any]]:
    """Yield an empty line, and verdicts under the names of their columns."""
    if found:
        yield []
        yield ["row", "against", "slice", "queries", "before", "after", "gain", "p", "verdict"]
    for one in found:
        figures = (one.before, one.after, one.mean, one.p_corrected)
        yield [one.row, one.baseline, one.slice, one.queries, *figures, one.verdict]
