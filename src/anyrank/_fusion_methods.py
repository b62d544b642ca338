"""The fusion formulas, with ranx's definitions (https://amenra.github.io/ranx/fusion/).

Each takes the columns (one a source, duplicates gone, weight above 0) and how many distinct candidates there are, and
returns one total a candidate. Ranks count from 1. Sums are exact (`math.fsum`), so that equal votes tie whatever the
order of the sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Final

from . import _checks
from .errors import FusionError


@dataclass(frozen=True, slots=True)
class Column:
    """One source: the candidates it found, best first, and their scores where the method reads scores."""

    weight: float
    ids: Sequence[int]
    scores: Sequence[float]


Columns = Sequence[Column]
Votes = list[list[float]]


def rrf(columns: Columns, size: int, *, k: float = 60) -> list[float]:
    """Reciprocal rank fusion: sum of w / (k + rank). Cormack et al., SIGIR 2009, doi:10.1145/1571941.1572114."""
    _require(k >= 0, f"rrf needs k >= 0; got {k}")
    return _sums(_by_rank(columns, size, lambda rank: 1 / (k + rank)))


def mrr(columns: Columns, size: int) -> list[float]:
    """Weighted reciprocal rank: sum of w / rank, as LanceDB's ``MRRReranker`` without its division by the weights."""
    return _sums(_by_rank(columns, size, lambda rank: 1 / rank))


def isr(columns: Columns, size: int) -> list[float]:
    """Inverse square rank: hits x sum of w / rank². Mourão et al., 2014, doi:10.1016/j.compmedimag.2014.05.006."""
    return [len(votes) * math.fsum(votes) for votes in _inverse_squares(columns, size)]


def log_isr(columns: Columns, size: int) -> list[float]:
    """Logarithmic ISR: ln(hits) x sum of w / rank², so 0 for a single hit. Mourão et al., 2014."""
    return [math.log(len(votes) or 1) * math.fsum(votes) for votes in _inverse_squares(columns, size)]


def rbc(columns: Columns, size: int, *, phi: float = 0.8) -> list[float]:
    """Rank-biased centroids: sum of w (1 - phi) phi^(rank - 1).

    Bailey et al., SIGIR 2017, doi:10.1145/3077136.3080839.
    """
    _require(0 < phi < 1, f"rbc needs phi between 0 and 1; got {phi}")
    return _sums(_by_rank(columns, size, lambda rank: (1 - phi) * phi ** (rank - 1)))


def borda(columns: Columns, size: int) -> list[float]:
    """Borda count: w x (candidates - rank + 1); the candidates a list lacks share its leftover points.

    Aslam & Montague, SIGIR 2001, doi:10.1145/383952.384007.
    """
    votes: Votes = [[] for _ in range(size)]
    for column in columns:
        leftover = (size - len(column.ids) + 1) / 2
        points = [leftover] * size
        for place, candidate in enumerate(column.ids):
            points[candidate] = size - place
        for candidate, point in enumerate(points):
            votes[candidate].append(column.weight * point)
    return _sums(votes)


def condorcet(columns: Columns, size: int) -> list[float]:
    """Share of the other candidates that a weighted majority of the lists ranks lower; a tie counts half (Copeland).

    A list prefers what it holds to what it lacks. Deterministic, and a candidate that beats every other comes first,
    which sorting by pairwise majority (Montague & Aslam, CIKM 2002) gives up where the majorities go round in a
    circle. Takes time quadratic in the candidates.
    """
    weights = [column.weight for column in columns]
    ballots = [dict(zip(column.ids, range(size), strict=False)) for column in columns]
    places = [[ballot.get(candidate, size) for ballot in ballots] for candidate in range(size)]
    wins = [0.0] * size
    for one, mine in enumerate(places):
        for other, theirs in enumerate(places[:one]):
            lead = math.fsum([w * ((a < b) - (a > b)) for w, a, b in zip(weights, mine, theirs, strict=True)])
            mine_wins = 0.5 + 0.5 * ((lead > 0) - (lead < 0))
            wins[one] += mine_wins
            wins[other] += 1 - mine_wins
    return [win / (size - 1) if size > 1 else 1.0 for win in wins]


def weighted_sum(columns: Columns, size: int) -> list[float]:
    """Sum of w x score, 0 where a list lacks the candidate; scores are min-max normalised unless asked otherwise."""
    return _sums(_by_score(columns, size))


def comb_sum(columns: Columns, size: int) -> list[float]:
    """CombSUM: sum of w x score, scores as they are. Fox & Shaw, TREC-2, 1993 (as the other Comb methods)."""
    return _sums(_by_score(columns, size))


def comb_mnz(columns: Columns, size: int) -> list[float]:
    """CombMNZ: hits x sum of w x score."""
    return [len(votes) * math.fsum(votes) for votes in _by_score(columns, size)]


def comb_anz(columns: Columns, size: int) -> list[float]:
    """CombANZ: sum of w x score / hits."""
    return [math.fsum(votes) / len(votes) if votes else 0.0 for votes in _by_score(columns, size)]


def comb_max(columns: Columns, size: int) -> list[float]:
    """CombMAX: the largest w x score among the lists that hold the candidate."""
    return [max(votes, default=0.0) for votes in _by_score(columns, size)]


def comb_min(columns: Columns, size: int) -> list[float]:
    """CombMIN: the smallest w x score among the lists that hold the candidate."""
    return [min(votes, default=0.0) for votes in _by_score(columns, size)]


def comb_med(columns: Columns, size: int) -> list[float]:
    """CombMED: the median w x score among the lists that hold the candidate."""
    return [_median(votes) if votes else 0.0 for votes in _by_score(columns, size)]


def _by_rank(columns: Columns, size: int, vote: Callable[[int], float]) -> Votes:
    longest = max((len(column.ids) for column in columns), default=0)
    worth = [vote(rank) for rank in range(1, longest + 1)]
    votes: Votes = [[] for _ in range(size)]
    for column in columns:
        weight = column.weight
        for candidate, value in zip(column.ids, worth, strict=False):
            votes[candidate].append(weight * value)
    return votes


def _inverse_squares(columns: Columns, size: int) -> Votes:
    return _by_rank(columns, size, lambda rank: 1 / rank**2)


def _by_score(columns: Columns, size: int) -> Votes:
    votes: Votes = [[] for _ in range(size)]
    for column in columns:
        weight = column.weight
        for candidate, score in zip(column.ids, column.scores, strict=True):
            votes[candidate].append(weight * score)
    return votes


def _median(votes: list[float]) -> float:
    """Return the middle vote, or the mean of the middle two (``statistics`` loads two dozen modules for this)."""
    ordered, half = sorted(votes), len(votes) // 2
    return ordered[half] if len(votes) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _sums(votes: Votes) -> list[float]:
    return [math.fsum(vote) for vote in votes]


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise FusionError(message)


@dataclass(frozen=True, slots=True)
class Method:
    """A fusion formula, the kind of score it gives, and which scores it reads.

    ``normalize`` is None where the scores are read as they are by default; ``fixed`` marks a preset whose normaliser
    is part of its name.
    """

    totals: Callable[..., list[float]]
    score_kind: str
    reads_scores: bool = False
    normalize: str | None = None
    fixed: bool = False

    def checked(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Raise `FusionError` unless the formula takes these parameters, with these values."""
        if not parameters:
            return
        known = [p.name for p in signature(self.totals).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
        for parameter, value in parameters.items():
            if parameter not in known:
                takes = ", ".join(known) or "no parameters"
                msg = f"fusion method {name!r} has no parameter {parameter!r}; it takes {takes}"
                raise FusionError(msg)
            if _checks.finite(value) is None:
                msg = f"fusion parameter {parameter!r} must be a finite number; got {value!r}"
                raise FusionError(msg)
        self.totals((), 0, **parameters)


METHODS: Final[Mapping[str, Method]] = {
    "rrf": Method(rrf, "reciprocal_rank"),
    "weighted_sum": Method(weighted_sum, "fused", reads_scores=True, normalize="min_max"),
    "mrr": Method(mrr, "reciprocal_rank"),
    "isr": Method(isr, "rank"),
    "log_isr": Method(log_isr, "rank"),
    "comb_sum": Method(comb_sum, "fused", reads_scores=True),
    "comb_mnz": Method(comb_mnz, "fused", reads_scores=True),
    "comb_anz": Method(comb_anz, "fused", reads_scores=True),
    "comb_max": Method(comb_max, "fused", reads_scores=True),
    "comb_min": Method(comb_min, "fused", reads_scores=True),
    "comb_med": Method(comb_med, "fused", reads_scores=True),
    "borda": Method(borda, "rank"),
    "condorcet": Method(condorcet, "win_rate"),
    "rbc": Method(rbc, "rank"),
    "relative_score": Method(weighted_sum, "fused", reads_scores=True, normalize="min_max", fixed=True),
    "dbsf": Method(comb_sum, "fused", reads_scores=True, normalize="dbsf", fixed=True),
}
"""Every method and preset by the name that ``method=`` takes."""
