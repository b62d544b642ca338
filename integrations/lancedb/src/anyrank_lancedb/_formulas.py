"""The fusion formulas of LanceDB's rerankers, in one place: what a list votes on its rows, best first."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from anyrank_lancedb._roll import Floats

Normalize: TypeAlias = Literal["lancedb", "corrected"] | None


@lru_cache(maxsize=64)
def reciprocal_ranks(size: int, k: float = 0) -> Floats:
    """Return 1 / (k + rank) for ranks from 1; Cormack et al., SIGIR 2009, doi:10.1145/1571941.1572114, has k = 60."""
    votes: Floats = 1 / (k + np.arange(1, size + 1))
    votes.flags.writeable = False
    return votes


def relevances(values: Floats, normalize: Normalize, *, distances: bool) -> Floats:
    """Return one list's distances, or BM25 scores, as relevances: higher is better, NaN where there is no number.

    ``"lancedb"`` is what its hybrid query does, and changes nothing that comes from there: (x - min) / (max - min),
    0 for a constant list, and then 1 - x for distances. ``"corrected"`` gives hits values in (0, 1], so that none
    counts like a miss: the worst of n has 1 / (n + 1), the best 1, and so has each of a constant list. None takes
    the values as they are, 1 - x for distances.
    """
    finite = np.isfinite(values)
    hits = values if finite.all() else values[finite]
    low, high = (hits.min(), hits.max()) if len(hits) else (0.0, 0.0)
    span = (high - low) or 1.0
    if normalize == "corrected":
        best, share = low if distances else high, len(hits) / (len(hits) + 1)
        found = 1 - share * abs(values - best) / span
    else:
        scaled = values if normalize is None else (values - low) / span
        found = 1 - scaled if distances else scaled
    return found if len(hits) == len(values) else np.where(finite, found, np.nan)
