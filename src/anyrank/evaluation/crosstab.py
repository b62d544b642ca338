"""A comparison as first stages by rerankers: the table in which the field shows hit rate and MRR."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Final, TypeAlias

from anyrank.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .results import Comparison

__all__ = ["crossed"]

Cell: TypeAlias = Sequence[float] | None
"""The mean of every metric; None where there is no such row."""

AS_IT_IS: Final = "as it is"
AVERAGE: Final = "average"


def crossed(comparison: Comparison, metrics: Sequence[str], *, bold: Callable[[str], str]) -> list[list[str]]:
    """Return a header and a row a first stage, with a cell a reranker, none first, and below them the averages.

    A cell holds the mean of every metric. ``bold`` marks the best of each metric, and the best of the averages. Raises
    `ArgumentError` for no metric, and for one that was not measured.
    """
    if not metrics:
        msg = f"crosstab= names one metric or more of {', '.join(comparison.metrics)}"
        raise ArgumentError(msg)
    means = {(row.first_stage, row.reranker): [row.mean(metric) for metric in metrics] for row in comparison.rows}
    stages = list(dict.fromkeys(stage for stage, _ in means))
    rerankers = list(dict.fromkeys(reranker for _, reranker in means))
    body = [[means.get((stage, one)) for one in rerankers] for stage in stages]
    averages = [[_averages(column) for column in zip(*body, strict=True)]] if len(stages) > 1 else []
    head = [f"first stage ({' / '.join(metrics)})", *(AS_IT_IS if one is None else one for one in rerankers)]
    lines = [*_marked(body, bold), *_marked(averages, bold)]
    return [head, *([stage, *line] for stage, line in zip([*stages, AVERAGE], lines, strict=False))]


def _averages(column: Sequence[Cell]) -> Cell:
    found = [cell for cell in column if cell is not None]
    return [fmean(figures) for figures in zip(*found, strict=True)]


def _marked(rows: Sequence[Sequence[Cell]], bold: Callable[[str], str]) -> list[list[str]]:
    """Write figures with four places, the best of each metric marked."""
    cells = [cell for row in rows for cell in row if cell is not None]
    best = [f"{max(column):.4f}" for column in zip(*cells, strict=True)]

    def written(cell: Cell) -> str:
        texts = [f"{figure:.4f}" for figure in cell or ()]
        return " / ".join(bold(text) if text == best[place] else text for place, text in enumerate(texts))

    return [list(map(written, row)) for row in rows]
