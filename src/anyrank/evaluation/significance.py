"""What is more than chance: paired tests of two rows on the same queries, corrected for how many are made.

The p-value is that of the paired randomisation test, which assumes nothing of how figures are distributed (Smucker,
Allan & Carterette, CIKM 2007, doi:10.1145/1321440.1321528); the paired t-test's stands beside it. Several tests at once
are corrected by Holm's method (1979, https://www.jstor.org/stable/4615733). The interval is the t-test's, at 95 %.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from anyrank._registry import require
from anyrank.errors import ArgumentError

from .metrics import mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .results import Comparison, Evaluation
    from .slices import Slices

__all__ = ["Difference", "difference", "differences", "verdicts"]

Verdict: TypeAlias = Literal["helps", "hurts", "no clear difference", "too few queries"]

LEVEL: Final = 0.05
"""A corrected p-value below this is called a difference."""

FEWEST: Final = 8
"""Fewer queries than this can hardly differ by more than chance: no order of signs has a probability below 1/128."""

RESAMPLES: Final = 10_000
AT_ONCE: Final = 100_000
"""So many signs are drawn at a time: as many as a processor's cache holds."""


@dataclass(frozen=True)
class Difference:
    """How much one row is better than another, in one metric, on the same queries.

    ``mean`` is the mean difference, ``low`` and ``high`` its 95 % interval; ``better``, ``worse`` and ``equal`` count
    queries. ``p`` is the randomisation test's, two-sided, ``p_t`` the t-test's, ``p_corrected`` is ``p`` after Holm's
    correction. ``slice`` says which queries, None for all.
    """

    row: str
    baseline: str
    metric: str
    before: float
    after: float
    low: float
    high: float
    better: int
    worse: int
    equal: int
    p: float
    p_t: float
    p_corrected: float
    slice: str | None = None

    @property
    def mean(self) -> float:
        """The mean difference."""
        return self.after - self.before

    @property
    def queries(self) -> int:
        """On how many queries."""
        return self.better + self.worse + self.equal

    @property
    def verdict(self) -> Verdict:
        """What may be said of it."""
        if self.queries < FEWEST:
            return "too few queries"
        if self.p_corrected >= LEVEL:
            return "no clear difference"
        return "helps" if self.mean > 0 else "hurts"

    def __str__(self) -> str:
        where = f" on {self.slice}" if self.slice else ""
        said = f"{self.row} against {self.baseline}{where}: {self.verdict}"
        counted = f"{self.queries} queries: {self.better} better, {self.worse} worse"
        return f"{said} ({self.metric} {self.before:.4f} to {self.after:.4f}, {self.summary}, {counted})"

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON values; an interval that is none, that of a single query, as None."""
        said = asdict(self) | {"mean": self.mean, "queries": self.queries, "verdict": self.verdict}
        endless = {name for name in ("low", "high") if not math.isfinite(said[name])}
        return said | dict.fromkeys(endless)

    @property
    def summary(self) -> str:
        """The mean difference with its interval, where there is one, and the corrected p-value."""
        interval = f", 95 % {self.low:+.4f} to {self.high:+.4f}" if math.isfinite(self.low) else ""
        return f"{self.mean:+.4f}{interval}, p = {self.p_corrected:.2g}"


def difference(
    row: Evaluation, baseline: Evaluation, metric: str, *, queries: Sequence[str] | None = None
) -> Difference:
    """Compare two rows in one metric, on some of the queries (None: all).

    The p-value is not corrected: where several are looked at, take `differences`. Raises `ArgumentError` for a metric
    that was not measured, for rows of other queries, and for queries that are none of theirs.
    """
    after, before = row.figures(metric), baseline.figures(metric)
    if after.keys() != before.keys():
        msg = f"{row.name!r} and {baseline.name!r} are not of the same queries"
        raise ArgumentError(msg)
    chosen = list(after) if queries is None else list(queries)
    if not chosen or not after.keys() >= set(chosen):
        msg = f"queries= are ids of queries that were measured, one or more; got {chosen!r:.80}"
        raise ArgumentError(msg)
    gains = [after[query] - before[query] for query in chosen]
    low, high, p_t = _t_test(gains)
    p = randomisation_test(gains)
    return Difference(
        row.name,
        baseline.name,
        metric,
        mean({query: before[query] for query in chosen}),
        mean({query: after[query] for query in chosen}),
        low,
        high,
        better=sum(gain > 0 for gain in gains),
        worse=sum(gain < 0 for gain in gains),
        equal=sum(gain == 0 for gain in gains),
        p=p,
        p_t=p_t,
        p_corrected=p,
    )


def differences(comparison: Comparison, metric: str, *, against: str | None = None) -> list[Difference]:
    """Compare every reranked row with its first stage, or every other row with the one named ``against``.

    The p-values are corrected for how many comparisons these are.
    """
    if against is not None:
        named = comparison[against]
        pairs = [(row, named) for row in comparison.rows if row is not named]
    else:
        pairs = [(row, row.baseline) for row in comparison.rows if row.baseline is not None]
    return corrected([difference(row, baseline, metric) for row, baseline in pairs])


def verdicts(
    row: Evaluation, slices: Mapping[str, Slices], metric: str, *, baseline: Evaluation | None = None
) -> list[Difference]:
    """Say for each slice of the queries whether the row helps or hurts there, beside its baseline.

    ``slices`` are ways to part the queries, by name: the label of each query (`slice_by`, `slice_by_length`,
    `slice_by_overlap`), in the order in which they are to be shown. The first verdict is over all queries. The p-values
    are corrected for how many there are. Raises `ArgumentError` for a first stage's own row without ``baseline``.
    """
    beside = baseline or row.baseline
    if beside is None:
        msg = f"{row.name!r} is a first stage as it is: say with baseline= what it is to be compared with"
        raise ArgumentError(msg)
    found = [difference(row, beside, metric)]
    for name, labels in slices.items():
        for label in dict.fromkeys(labels.values()):
            chosen = [query for query in row.values[metric] if labels.get(query) == label]
            if chosen:
                found.append(replace(difference(row, beside, metric, queries=chosen), slice=f"{name}: {label}"))
    return corrected(found)


def corrected(found: Sequence[Difference]) -> list[Difference]:
    """Return the differences with p-values corrected by Holm's method; those of too few queries are no tests."""
    tests = [one for one in found if one.queries >= FEWEST]
    p_values = iter(holm([one.p for one in tests]))
    return [replace(one, p_corrected=next(p_values)) if one.queries >= FEWEST else one for one in found]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's step-down method, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    result, highest = list(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        result[index] = highest
    return result


def randomisation_test(gains: Sequence[float], *, seed: int = 0) -> float:
    """Return the two-sided p-value of the paired randomisation test: how often signs by chance give as large a sum.

    Exact over all signs for up to 12 gains that are not 0, else from 10 000 draws, of which the observed one is one.
    """
    numpy: Any = require("numpy", needed_by="anyrank.evaluation", install="anyrank[eval]")
    moved = numpy.array([gain for gain in gains if gain])
    if not moved.size:
        return 1.0
    if moved.size <= 12:
        bits = numpy.arange(2**moved.size)[:, None] >> numpy.arange(moved.size)
        return float(numpy.mean(_as_large(numpy, bits & 1, moved)))
    random = numpy.random.default_rng(seed)
    size = max(1, AT_ONCE // moved.size)
    parts = (min(size, RESAMPLES - start) for start in range(0, RESAMPLES, size))
    hits = sum(int(_as_large(numpy, random.integers(0, 2, (part, moved.size)), moved).sum()) for part in parts)
    return (hits + 1) / (RESAMPLES + 1)


def _as_large(numpy: Any, bits: Any, gains: Any) -> Any:
    """Whether the sums under these signs are at least as large as the observed one, but for rounding."""
    total = gains.sum()
    return numpy.abs(2 * (bits @ gains) - total) >= abs(total) - 1e-9


def _t_test(gains: Sequence[float]) -> tuple[float, float, float]:
    """Return the 95 % interval of the mean and the two-sided p-value; one gain alone has none."""
    if len(gains) < 2:
        return -math.inf, math.inf, 1.0
    if max(gains) - min(gains) < 1e-9:  # all the same but for rounding: no deviation to divide by
        return gains[0], gains[0], 1.0 if abs(gains[0]) < 1e-9 else 0.0
    stats: Any = require("scipy.stats", needed_by="anyrank.evaluation", install="anyrank[eval]")
    test = stats.ttest_1samp(gains, 0.0)
    interval = test.confidence_interval(0.95)
    return float(interval.low), float(interval.high), float(test.pvalue)
