"""Several rankings to one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack, overload

from . import _checks
from ._fusion_methods import METHODS, Column
from ._fusion_sources import Key, Pool, Source, default_key, read_source
from .errors import FusionError
from .normalize import NORMALIZERS
from .ranking import Hit, Ranking, Report

__all__ = ["METHODS", "Fuser", "fuse"]

T = TypeVar("T")

Scored: TypeAlias = Mapping[str, Ranking[T]] | Iterable[Ranking[T]]
Plain: TypeAlias = Mapping[str, Iterable[T]] | Iterable[Iterable[T]]
Weights: TypeAlias = Mapping[str, float] | Sequence[float] | None


class Settings(TypedDict, total=False):
    """The keywords of `fuse`; ``k`` and ``phi`` are the parameters of ``rrf`` and ``rbc``."""

    weights: Weights
    key: Key[Any] | None
    normalize: str | None
    top_n: int | None
    k: float
    phi: float


@overload
def fuse(rankings: Scored[T], method: str = ..., **settings: Unpack[Settings]) -> Ranking[T]: ...
@overload
def fuse(rankings: Plain[T], method: str = ..., **settings: Unpack[Settings]) -> Ranking[T]: ...
def fuse(
    rankings: Any,
    method: str = "rrf",
    *,
    weights: Weights = None,
    key: Key[Any] | None = None,
    normalize: str | None = None,
    top_n: int | None = None,
    **parameters: float,
) -> Ranking[Any]:
    """Return one ranking of the documents of several rankings, best first.

    ``rankings`` are `Ranking` objects or plain sequences in order, named (``{"bm25": …, "dense": …}``) or not.
    ``method`` is one of `METHODS`. ``weights`` go by name where the rankings are named, else by place; they are used
    as given, 1 each by default. ``key`` says when two documents are the same: by default a hashable document itself,
    or a mapping's ``id`` or ``_id``. ``normalize`` is one of `anyrank.normalize.NORMALIZERS`; None reads scores as
    they are, except that ``weighted_sum`` then uses ``min_max``. ``parameters`` are the method's own (``k=60``).

    Sources are taken in the order of the weights, else of the rankings: the first copy of a document survives, ties
    keep first-seen order, and ``Hit.index`` counts the distinct documents in that order. Duplicates inside a list
    are dropped first, later items move up. A weight without a list counts as an empty list.

    >>> fuse({"bm25": ["a", "b"], "dense": ["b", "c"]}, weights={"bm25": 0.7, "dense": 0.3}).documents
    ['b', 'a', 'c']

    Raises `FusionError` for an unknown method, source or parameter, for weights that are empty, negative, not finite
    or all zero, for documents that cannot be told apart, and when a method that reads scores meets a list whose
    scores are missing or rise.
    """
    fuser = Fuser(method, weights=weights, normalize=normalize, parameters=parameters, top_n=top_n)
    return fuser.fuse(rankings, key=key)


@dataclass(frozen=True)
class Fuser:
    """A fusion method with its settings, checked once: what `fuse`, `anyrank.Ensemble` and the adapters run.

    ``parameters`` are the method's own and may also hold ``normalize``; ``top_n`` documents come back (None: all).
    Raises `FusionError`, or `ArgumentError` for ``top_n``, at construction.
    """

    method: str = "rrf"
    weights: Weights = field(default=None, kw_only=True)
    normalize: str | None = field(default=None, kw_only=True)
    parameters: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    top_n: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check every setting."""
        if self.method not in METHODS:
            msg = f"no fusion method named {self.method!r}; {_checks.suggest(self.method, METHODS)}"
            raise FusionError(msg)
        if not isinstance(self.parameters, Mapping | None):
            msg = f"parameters must be a dict, such as {{'k': 60}}; got a {type(self.parameters).__name__}"
            raise FusionError(msg)
        parameters = dict(self.parameters or {})
        normalize = parameters.pop("normalize", None) or self.normalize
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "normalize", normalize)
        METHODS[self.method].checked(self.method, parameters)
        self._check_normalize(normalize)
        object.__setattr__(self, "weights", _checked_weights(self.weights))
        _checks.top_n(self.top_n)

    @property
    def score_kind(self) -> str:
        """The kind of the fused scores: a rank kind wherever only ranks were read."""
        return "rank" if self.normalize == "rank" else METHODS[self.method].score_kind

    @property
    def reads_scores(self) -> bool:
        """Whether every list must have scores that do not rise."""
        return METHODS[self.method].reads_scores and self.normalize != "rank"

    def expect(self, sources: Iterable[str]) -> None:
        """Raise `FusionError` unless the weights, if any, are for exactly these named sources."""
        names = list(sources)
        if self.weights is None:
            return
        if not isinstance(self.weights, Mapping):
            msg = f"these sources have names ({', '.join(names)}): give the weights by name"
            raise FusionError(msg)
        _refuse_unweighted(names, self.weights)
        for name in self.weights:
            if name not in names:
                msg = f"there is a weight for {name!r}, which is no source; {_checks.suggest(name, names)}"
                raise FusionError(msg)

    def weight(self, name: str) -> float:
        """Return the weight of a named source; 1 where no weights were given."""
        return self.weights[name] if isinstance(self.weights, Mapping) else 1.0

    def totals(self, columns: Sequence[Column], size: int) -> list[float]:
        """Return each of ``size`` candidates' fused score. Scores in the columns are raw; they are normalised here."""
        voting = [column for column in columns if column.weight > 0]
        totals = self._counted(voting, size)
        return totals if len(voting) == len(columns) else _silent_last(totals, voting)

    def _counted(self, voting: Sequence[Column], size: int) -> list[float]:
        try:
            totals = METHODS[self.method].totals(list(map(self._normalized, voting)), size, **self.parameters)
        except OverflowError:
            totals = [math.inf]
        if not all(map(math.isfinite, totals)):
            msg = f"fusing by {self.method!r} leaves the range of floats: scale the scores or the weights down"
            raise FusionError(msg)
        return totals

    @overload
    def fuse(self, rankings: Scored[T], *, key: Key[T] | None = ..., top_n: int | None = ...) -> Ranking[T]: ...
    @overload
    def fuse(self, rankings: Plain[T], *, key: Key[T] | None = ..., top_n: int | None = ...) -> Ranking[T]: ...
    def fuse(self, rankings: Any, *, key: Key[Any] | None = None, top_n: int | None = None) -> Ranking[Any]:
        """Fuse as `anyrank.fuse` does; ``top_n`` None keeps the fuser's own."""
        limit = _checks.top_n(top_n) or self.top_n
        pool: Pool[Any] = Pool(key or default_key)
        sources = self._sources(rankings)
        columns = [pool.column(source, needs_scores=self.reads_scores) for source in sources]
        totals = self.totals(columns, len(pool.documents))
        order = sorted(range(len(totals)), key=totals.__getitem__, reverse=True)[:limit]
        report = Report(scorer=self.method, score_kind=self.score_kind).including(
            {source.name: source.report for source in sources if source.report is not None}
        )
        return Ranking(tuple(Hit(pool.documents[i], i, totals[i]) for i in order), report)

    def _check_normalize(self, name: str | None) -> None:
        method = METHODS[self.method]
        if name is None:
            return
        if name not in NORMALIZERS:
            msg = f"no normaliser named {name!r}; {_checks.suggest(name, NORMALIZERS)}"
            raise FusionError(msg)
        if not method.reads_scores or method.fixed:
            why = f"always uses {method.normalize!r}" if method.fixed else "reads ranks, not scores"
            msg = f"fusion method {self.method!r} {why}: leave normalize out"
            raise FusionError(msg)

    def _normalized(self, column: Column) -> Column:
        method = METHODS[self.method]
        name = self.normalize or method.normalize
        if name is None or not method.reads_scores:
            return column
        scores = column.scores or [0.0] * len(column.ids)  # only 'rank' meets a column without scores
        return Column(column.weight, column.ids, NORMALIZERS[name](scores))

    def _sources(self, rankings: Any) -> list[Source[Any]]:
        if isinstance(rankings, (str, Ranking)) or not isinstance(rankings, Iterable):
            msg = f"fuse takes several rankings, a list or a dict of them; got one {type(rankings).__name__}"
            raise FusionError(msg)
        if isinstance(rankings, Mapping):
            return self._named(rankings)
        lists = list(rankings)
        if isinstance(self.weights, Mapping):
            msg = f"the weights are by name ({', '.join(self.weights)}): name the rankings too, as a dict"
            raise FusionError(msg)
        weights = [1.0] * len(lists) if self.weights is None else list(self.weights)
        if len(weights) != len(lists):
            msg = f"{len(weights)} weights for {len(lists)} rankings: give one a ranking"
            raise FusionError(msg)
        return [read_source(str(i), one, weights[i]) for i, one in enumerate(lists)]

    def _named(self, rankings: Mapping[str, Any]) -> list[Source[Any]]:
        if self.weights is not None and not isinstance(self.weights, Mapping):
            msg = f"the rankings are named ({', '.join(rankings)}): give the weights by name too, as a dict"
            raise FusionError(msg)
        if self.weights is not None:
            _refuse_unweighted(rankings, self.weights)
        names = rankings if self.weights is None else self.weights
        return [read_source(name, rankings.get(name, ()), self.weight(name)) for name in names]


def _silent_last(totals: Sequence[float], voting: Iterable[Column]) -> list[float]:
    """Put what only sources of weight 0 have found behind all that has a vote."""
    voted = set[int]().union(*(column.ids for column in voting))
    lowest = min((totals[candidate] for candidate in voted), default=1.0)
    silent = 0.0 if lowest > 0 else lowest - 1
    return [total if candidate in voted else silent for candidate, total in enumerate(totals)]


def _checked_weights(weights: Weights) -> Weights:
    """Return the weights as floats in a collection of our own."""
    if weights is None:
        return None
    if isinstance(weights, (str, bytes)) or not isinstance(weights, (Mapping, Sequence)):
        msg = f"weights must be a dict by source name or a list; got a {type(weights).__name__}"
        raise FusionError(msg)
    given: Mapping[Any, float] = weights if isinstance(weights, Mapping) else dict(enumerate(weights))
    if not given:
        msg = "weights are empty: give one a source, or None for equal ones"
        raise FusionError(msg)
    checked = {source: _weight(source, weight) for source, weight in given.items()}
    if not any(checked.values()):
        msg = "all weights are zero: at least one source must have a say"
        raise FusionError(msg)
    return checked if isinstance(weights, Mapping) else tuple(checked.values())


def _weight(source: Any, weight: object) -> float:
    number = _checks.finite(weight)
    if number is None or number < 0:
        msg = f"the weight of source {source!r} must be a finite number of at least 0; got {weight!r:.80}"
        raise FusionError(msg)
    return number


def _refuse_unweighted(names: Iterable[str], weights: Mapping[str, float]) -> None:
    for name in names:
        if name not in weights:
            msg = f"there is no weight for source {name!r}; {_checks.suggest(name, weights)}"
            raise FusionError(msg)
