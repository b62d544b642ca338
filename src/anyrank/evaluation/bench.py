"""Measures one fusion after another on the same first stages: what no setting changes is done once."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from anyrank._fusion_methods import Column
from anyrank._registry import require
from anyrank.fusion import METHODS, Fuser
from anyrank.normalize import NORMALIZERS

from .asking import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyrank.ranking import Ranking

    from .metrics import Judge

__all__ = ["Bench", "Fused", "Pool", "Settings"]

Settings: TypeAlias = dict[str, Any]
"""Keywords of `anyrank.fuse`."""

OF_VOTES: Final = {
    **dict.fromkeys(("rrf", "rbc", "mrr", "weighted_sum", "comb_sum", "relative_score", "dbsf"), "comb_sum"),
    **dict.fromkeys(("isr", "comb_mnz"), "comb_mnz"),
    "comb_max": "comb_max",
}
"""Methods that only add up, count or compare what each first stage alone would give, and the method that does that."""


@dataclass(frozen=True)
class Bench:
    """Measures settings, each once.

    ``known`` are the figures of every query by the settings' ``repr``. A metric with a cutoff needs no more of a
    ranking than that.
    """

    judge: Judge
    pools: Mapping[str, Pool]
    on_progress: Callable[[Progress], object] | None = None
    known: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def figures(self, settings: Settings) -> Mapping[str, float]:
        """Return the metric of every query."""
        name = repr(settings)
        if name not in self.known:
            fused = Fused(settings)
            orders = {query: pool.order(fused, self.judge.depth) for query, pool in self.pools.items()}
            [self.known[name]] = self.judge.measure(orders).values()
            if self.on_progress is not None:
                self.on_progress(Progress("tuning", len(self.known), 0))
        return self.known[name]


class Fused:
    """Settings as what fuses votes: what a first stage alone would give each candidate."""

    def __init__(self, settings: Settings) -> None:
        self.parameters = dict(settings)
        self.method, self.weights = self.parameters.pop("method"), self.parameters.pop("weights")
        self.normalize = self.parameters.pop("normalize", None) or METHODS[self.method].normalize
        self.name = repr((self.method, self.normalize, self.parameters))
        self.of_votes = self.method in OF_VOTES
        if self.of_votes:
            self.fuser = Fuser(OF_VOTES[self.method])
        else:
            self.fuser = Fuser(self.method, normalize=self.normalize, parameters=self.parameters)

    def votes(self, column: Column, size: int) -> list[float]:
        """Return what a first stage alone gives its candidates, of ``size`` in all."""
        scores = NORMALIZERS[self.normalize](column.scores) if self.normalize else column.scores
        alone = METHODS[self.method].totals([Column(1.0, column.ids, scores)], size, **self.parameters)
        return [alone[number] for number in column.ids]


class Pool:
    """The documents of one query: the distinct ones, and each first stage's as numbers of these, with their scores.

    The rankings are of ids, each once; documents are numbered as they are first seen, as `anyrank.fuse` does.
    """

    def __init__(self, rankings: Mapping[str, Ranking[str]]) -> None:
        numpy = _numpy()
        numbers: dict[str, int] = {}
        self._columns = {
            name: Column(
                1.0,
                [numbers.setdefault(document, len(numbers)) for document in ranking.documents],
                [score for score in ranking.scores if score is not None],
            )
            for name, ranking in rankings.items()
        }
        self._documents = list(numbers)
        places = [(row, number) for row, column in enumerate(self._columns.values()) for number in column.ids]
        self._places = tuple(numpy.array(places, dtype=int).reshape(-1, 2).T)
        self._given = numpy.zeros((len(self._columns), len(numbers)), dtype=bool)
        self._given[self._places] = True
        self._votes: dict[str, Any] = {}

    def order(self, fused: Fused, depth: int | None) -> list[str]:
        """Return the best documents, equal ones as first seen."""
        weights = [fused.weights[name] for name in self._columns]
        numbers: Sequence[int] = range(len(self._documents))
        columns = list(self._columns.values())
        if fused.of_votes:
            table = self._table(fused)
            numbers = self._short(fused.fuser.method, weights, table, depth) if depth else numbers
            columns = _columns(self._given[:, numbers], table[:, numbers])
        voting = [Column(weight, column.ids, column.scores) for weight, column in zip(weights, columns, strict=True)]
        totals = fused.fuser.totals(voting, len(numbers))
        best = nlargest(depth or len(totals), range(len(totals)), key=totals.__getitem__)
        return [self._documents[numbers[place]] for place in best]

    def _table(self, fused: Fused) -> Any:
        """Return votes as a table: a row a first stage, a column a candidate, 0 where there is none."""
        numpy = _numpy()
        if fused.name not in self._votes:
            votes = [fused.votes(column, len(self._documents)) for column in self._columns.values()]
            self._votes[fused.name] = numpy.array([vote for found in votes for vote in found])
        table = numpy.zeros(self._given.shape)
        table[self._places] = self._votes[fused.name]
        return table

    def _short(self, method: str, weights: Sequence[float], table: Any, depth: int) -> list[int]:
        """Return the candidates that may be among the best, as sums that are not exact have it."""
        numpy = _numpy()
        weight = numpy.array(weights)[:, None]
        voting = self._given & (weight > 0)
        hits = voting.sum(axis=0)
        if numpy.count_nonzero(hits) <= depth:
            return list(range(len(self._documents)))
        if method == "comb_max":
            totals = numpy.where(voting, weight * table, -numpy.inf).max(axis=0)
        else:
            sums = (weight * table).sum(axis=0) * (hits if method == "comb_mnz" else 1)
            totals = numpy.where(hits > 0, sums, -numpy.inf)
        slack = 1e-9 * numpy.abs(totals[hits > 0]).max()
        short: list[int] = numpy.flatnonzero(totals >= numpy.partition(totals, -depth)[-depth] - slack).tolist()
        return short


def _numpy() -> Any:
    return require("numpy", needed_by="anyrank.evaluation", install="anyrank[eval]")


def _columns(given: Any, table: Any) -> list[Column]:
    rows = zip(given, table, strict=True)
    return [Column(1.0, present.nonzero()[0].tolist(), row[present].tolist()) for present, row in rows]
