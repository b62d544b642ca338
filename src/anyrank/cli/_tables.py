"""Tables of figures for a person: as wide as the terminal, and no name of a document or query read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from . import _console

if TYPE_CHECKING:
    from rich.table import Table

    from anyrank.evaluation import Comparison, Difference

__all__ = ["crosstab", "fitted", "of_queries", "of_verdicts"]

DISPENSABLE: Final = ("p99", "p95", "truncated", "requests", "p", "degraded", "cost", "p50", "gain")
"""Columns that a narrow terminal does without, after the metrics behind the first."""


def fitted(comparison: Comparison) -> Table:
    """Return the comparison's table, without the least columns where the terminal is too narrow for all."""
    from anyrank.evaluation import to_rich

    table = to_rich(comparison)
    if without := _narrowed(table, [*DISPENSABLE[:4], *reversed(comparison.metrics[1:]), *DISPENSABLE[4:]]):
        table.caption = f"{table.caption} For want of room without {', '.join(without)}: see --json."
    return table


def crosstab(comparison: Comparison, metrics: Sequence[str]) -> Table:
    """Return first stages by rerankers; where the terminal is too narrow, figures stand one below the other."""
    from anyrank.evaluation import to_rich

    table = to_rich(comparison, crosstab=metrics)
    if not _console.fits(table):
        for column in table.columns:
            column.no_wrap, column.overflow = False, "fold"
    return table


def of_queries(comparison: Comparison) -> Table:
    """Return every query's figures, run by run."""
    rows = (
        [row.name, query, *(f"{row.values[metric][query]:.4f}" for metric in comparison.metrics)]
        for row in comparison.rows
        for query in row.values[comparison.metrics[0]]
    )
    table = _table(["run", "query"], comparison.metrics, rows)
    _narrowed(table, reversed(comparison.metrics[1:]), wrapped=True)
    return table


def of_verdicts(found: Iterable[Difference]) -> Table:
    """Return what is said of parts of the queries."""
    rows = (
        [
            *(one.row, one.slice or "all", one.verdict),
            *(str(one.queries), f"{one.before:.4f}", f"{one.after:.4f}", f"{one.mean:+.4f}", f"{one.p_corrected:.2g}"),
        ]
        for one in found
    )
    table = _table(["row", "queries", "verdict"], ["number", "before", "after", "gain", "p"], rows)
    _narrowed(table, ("before", "after", "p", "number"), wrapped=True)
    return table


def _narrowed(table: Table, names: Iterable[str], *, wrapped: bool = False) -> list[str]:
    """Take columns of these names from a table, one after the other until it fits, and return which."""
    without: list[str] = []
    for name in names:
        if _console.fits(table, wrapped=wrapped):
            break
        left = [column for column in table.columns if column.header != name]
        if len(left) < len(table.columns):
            table.columns = left
            without.append(name)
    return without


def _table(words: Sequence[str], figures: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table

    table = Table(*words)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(_console.plain, row))
    return table
