"""Normalisers: the scores of one list made comparable with another list's.

Each takes the scores of one list, best first, and returns as many; an empty list gives an empty list. The formulas
are those of ranx (https://amenra.github.io/ranx/normalization/) unless a docstring says otherwise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .errors import FusionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["NORMALIZERS", "dbsf", "max_", "min_max", "rank", "sum_", "z_score"]


def min_max(scores: Sequence[float]) -> list[float]:
    """(s - min) / (max - min); a constant list gives 1.0, where ranx gives 0: a sole hit is a hit."""
    low, span = min(scores, default=0.0), max(scores, default=0.0) - min(scores, default=0.0)
    return [(score - low) / span for score in scores] if span else [1.0] * len(scores)


def max_(scores: Sequence[float]) -> list[float]:
    """Divide by the best score. Raises `FusionError` unless that is above 0: dividing would turn the order round."""
    best = max(scores, default=1.0)
    if best <= 0:
        msg = f"normalize='max' divides by the best score, which is {best} here: use 'min_max' for scores below 0"
        raise FusionError(msg)
    return [score / best for score in scores]


def sum_(scores: Sequence[float]) -> list[float]:
    """(s - min) / sum of (s - min), so that a list sums to 1; a constant list shares it equally, where ranx gives 0."""
    low = min(scores, default=0.0)
    total = math.fsum(score - low for score in scores)
    return [(score - low) / total if total else 1 / len(scores) for score in scores]


def z_score(scores: Sequence[float]) -> list[float]:
    """(s - mean) / standard deviation (of the population); a constant list gives 0."""
    mean, deviation = _moments(scores)
    return [(score - mean) / deviation if deviation else 0.0 for score in scores]


def dbsf(scores: Sequence[float]) -> list[float]:
    """Distribution-based score fusion: mean - 3 sd maps to 0, mean + 3 sd to 1, clipped; a constant list gives 0.5.

    The population's deviation, as in Haystack's ``DocumentJoiner``; 0.5 for a constant list as in Qdrant
    (https://qdrant.tech/documentation/concepts/hybrid-queries/).
    """
    mean, deviation = _moments(scores)
    spread = 6 * deviation
    return [min(1.0, max(0.0, (s - mean) / spread + 0.5)) if spread else 0.5 for s in scores]


def rank(scores: Sequence[float]) -> list[float]:
    """1 - place / length, the place counted from 0: reads only the order."""
    size = len(scores)
    return [1 - place / size for place in range(size)]


def _moments(scores: Sequence[float]) -> tuple[float, float]:
    if not scores:
        return 0.0, 0.0
    mean = math.fsum(scores) / len(scores)
    if min(scores) == max(scores):
        return mean, 0.0
    return mean, math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / len(scores))


NORMALIZERS: Final[Mapping[str, Callable[[Sequence[float]], list[float]]]] = {
    "min_max": min_max,
    "max": max_,
    "sum": sum_,
    "z_score": z_score,
    "dbsf": dbsf,
    "rank": rank,
}
