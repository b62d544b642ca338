"""Candidates in, `Ranking` out: the one place that sorts, cuts and re-attaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Self, TypeAlias, TypedDict, TypeVar, Unpack, final, overload

from . import _checks
from ._lifecycle import Held, Lifecycle, unique
from ._question import Question
from ._rounds import Chore, Rounds, aeach, arun, each, run
from .errors import ArgumentError
from .ranking import Hit, Ranking, Report
from .scorer import RANK_KINDS, AnyScorer, Candidates, ScorerLike, traits
from .text import TextOf, texts_of

__all__ = ["Reranker"]

T = TypeVar("T")

Then: TypeAlias = Callable[[Ranking[Any]], Ranking[Any]]
"""A step after the order and before the cut, such as one that drops near-duplicates: ranking in, ranking out."""

FirstScores: TypeAlias = Iterable[float | None] | None


class Options(TypedDict, total=False):
    """The keywords of one call.

    ``text`` says how to read a document: a function, a field's name or several names; by default a str itself, else
    its ``text``, ``page_content`` or ``content``. ``first_stage`` are the retriever's own scores, one a document,
    higher for better. ``top_n`` and ``min_score`` override the constructor's; None keeps those.
    """

    text: TextOf[Any]
    first_stage: FirstScores
    top_n: int | None
    min_score: float | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A scorer and how many documents it passes on (None: all)."""

    scorer: AnyScorer
    keep: int | None


class StagedReranker(Lifecycle):
    """What `Reranker` and `anyrank.Cascade` share: the whole public surface, over one stage or several."""

    _stages: tuple[Stage, ...]
    _names: list[str]
    _min_score: float | None
    _then: tuple[Then, ...]

    def _set_up(
        self, stages: Iterable[tuple[ScorerLike, int | None]], min_score: float | None, then: Iterable[Then]
    ) -> None:
        given = list(stages)
        held = Held(scorer for scorer, _ in given)
        keeps = [_checks.top_n(keep) for _, keep in given]
        vars(self).update(
            _held=held,
            _stages=tuple(map(Stage, held.scorers, keeps)),
            _names=unique(traits(scorer).name for scorer in held.scorers),
            _then=tuple(then),
            _min_score=_checks.threshold(min_score),
        )
        self.refuse_threshold(self._min_score)

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"a {type(self).__name__} cannot be changed (here its {name!r}): build another one"
        raise AttributeError(msg)

    def followed_by(self, steps: Iterable[Then]) -> Self:
        """Return a copy that shares the scorers and takes further steps before the cut."""
        other = copy(self)
        vars(other).update(_then=(*self._then, *steps))
        return other

    @property
    def scorer(self) -> AnyScorer:
        """The scorer whose scores the ranking shows (a cascade's last), built if a spec was given."""
        return self._stages[-1].scorer

    @property
    def top_n(self) -> int | None:
        """How many hits a ranking has at most; None for all."""
        return self._stages[-1].keep

    @property
    def min_score(self) -> float | None:
        """The lowest score a hit may have, inclusive; None for no threshold."""
        return self._min_score

    @overload
    def rerank(self, query: str, documents: Ranking[T], **options: Unpack[Options]) -> Ranking[T]: ...
    @overload
    def rerank(self, query: str, documents: Iterable[T], **options: Unpack[Options]) -> Ranking[T]: ...
    def rerank(self, query: str, documents: Iterable[Any], **options: Any) -> Ranking[Any]:
        """Return the documents as a `Ranking`, most relevant to the query first.

        ``documents`` may be anything: strings, mappings, objects, or a `Ranking` (whose scores then are the first
        stage's). They are neither copied nor changed. The keywords are those of `Options`.

        Equal scores keep the order of the input. No documents give an empty ranking, and nothing is loaded or sent.
        Raises `ArgumentError` or `TextError` for bad input, `ScoresError` for a bad answer, and whatever the scorer
        raises.
        """
        return run(self._rounds(query, documents, **options))

    @overload
    async def arerank(self, query: str, documents: Ranking[T], **options: Unpack[Options]) -> Ranking[T]: ...
    @overload
    async def arerank(self, query: str, documents: Iterable[T], **options: Unpack[Options]) -> Ranking[T]: ...
    async def arerank(self, query: str, documents: Iterable[Any], **options: Any) -> Ranking[Any]:
        """Rerank as `rerank` does, without ever blocking the event loop."""
        return await arun(self._rounds(query, documents, **options))

    def rerank_many(
        self,
        pairs: Iterable[tuple[str, Iterable[T]]],
        *,
        max_concurrency: int | None = None,
        **options: Unpack[Options],
    ) -> list[Ranking[T]]:
        """Rerank several ``(query, documents)`` pairs, at most ``max_concurrency`` at a time.

        The rankings come in the order of the pairs; the first error cancels the rest and is raised. ``options`` are
        `rerank`'s and hold for all pairs.
        """
        return each(
            lambda pair: self.rerank(*pair, **options), pairs, _checks.top_n(max_concurrency, "max_concurrency")
        )

    async def arerank_many(
        self,
        pairs: Iterable[tuple[str, Iterable[T]]],
        *,
        max_concurrency: int | None = None,
        **options: Unpack[Options],
    ) -> list[Ranking[T]]:
        """Rerank several pairs as `rerank_many` does, without blocking the event loop."""
        limit = _checks.top_n(max_concurrency, "max_concurrency")
        return await aeach(lambda pair: self.arerank(*pair, **options), pairs, limit)

    def _rounds(
        self,
        query: str,
        documents: Iterable[Any],
        *,
        text: TextOf[Any] = None,
        first_stage: FirstScores = None,
        top_n: int | None = None,
        min_score: float | None = None,
    ) -> Rounds[Any, Ranking[Any]]:
        started = perf_counter()
        query = _checks.query(query)
        limit = _checks.top_n(top_n) or self.top_n
        floor = self._min_score if min_score is None else _checks.threshold(min_score)
        self.refuse_threshold(floor)
        items, texts = _candidates(documents, text, first_stage)
        places: Sequence[int] = range(len(items))
        reports: list[Report] = []
        for stage in self._stages:
            [outcome] = yield [Question(stage.scorer, query, texts)]
            scores = outcome.unwrap()
            reports.append(scores.report.at(places))
            last = stage is self._stages[-1]
            order = scores.ranked()[: None if last else stage.keep]
            places, values = [places[i] for i in order], [scores[i] for i in order]
            if not last:
                texts = Candidates((texts[i] for i in order), values)
        report = replace(self._report(reports), seconds=perf_counter() - started)
        if reports[-1].degraded:
            floor = None  # it is meant for another scorer's scores
        found = list(zip(places, values, strict=True))
        [outcome] = yield [Chore(lambda: self._cut(items, found, report, floor, limit), quick=not self._then)]
        ranking: Ranking[Any] = outcome.unwrap()
        return ranking

    def _report(self, reports: Sequence[Report]) -> Report:
        return reports[0]

    def _cut(
        self,
        items: Sequence[T],
        found: Sequence[tuple[int, float]],
        report: Report,
        floor: float | None,
        limit: int | None,
    ) -> Ranking[T]:
        """Apply threshold, further steps and cut, in this order; ``found`` are places and scores, best first."""
        if floor is not None and found:
            self.refuse_threshold(floor, report.score_kind)
            found = [pair for pair in found if pair[1] >= floor]
        if not self._then:
            found = found[:limit]
        ranking = Ranking(tuple(Hit(items[place], place, score) for place, score in found), report)
        for step in self._then:
            ranking = _stepped(step, ranking)
        return ranking[:limit]

    def refuse_threshold(self, min_score: float | None, kind: str | None = None) -> None:
        """Raise `ArgumentError` for a threshold on scores that only say a place.

        ``kind`` is what an answer said; without it, what the last stage's scorer declares counts.
        """
        if min_score is None:
            return
        last = traits(self.scorer)
        if (kind or last.score_kind) in RANK_KINDS:
            msg = (
                f"a score threshold means nothing here: scorer {last.name!r} gives scores of kind "
                f"{kind or last.score_kind!r}, which only say a place in this list; use top_n instead"
            )
            raise ArgumentError(msg)


@final
class Reranker(StagedReranker):
    """A scorer plus what to keep: the one thing most users need.

    ``scorer`` is a spec such as ``"lexical"`` or ``"cross_encoder:BAAI/bge-reranker-v2-m3"``, a function
    ``(query, texts) -> floats``, or an object with ``score`` or ``ascore``. ``top_n`` keeps that many hits (None:
    all), ``min_score`` those that score at least that much (inclusive; an error for kinds where it means nothing),
    ``then`` are steps from ranking to ranking after the order and before the cut. Not to be subclassed: another
    behaviour is another scorer.

    >>> ranking = Reranker("lexical", top_n=1).rerank("sorted inputs", ["count items", "merge sorted inputs"])
    >>> ranking[0].document, ranking[0].index
    ('merge sorted inputs', 1)
    """

    def __init__(
        self,
        scorer: ScorerLike,
        *,
        top_n: int | None = None,
        min_score: float | None = None,
        then: Iterable[Then] = (),
    ) -> None:
        """Build the scorer if it is a spec; raises `SpecError` for a bad one, `ArgumentError` for bad numbers."""
        self._set_up([(scorer, top_n)], min_score, then)

    def __repr__(self) -> str:
        return f"Reranker({self.scorer!r}, top_n={self.top_n}, min_score={self.min_score})"


def _candidates(
    documents: Iterable[T] | Ranking[T], text: TextOf[T], first_stage: FirstScores
) -> tuple[Sequence[T], Candidates]:
    if isinstance(documents, (str, bytes, Mapping)) or not isinstance(documents, Iterable):
        msg = f"documents must be a list (or another iterable) of documents; got one {type(documents).__name__}"
        raise ArgumentError(msg)
    items: Sequence[T]
    if isinstance(documents, Ranking):
        items, scores = documents.documents, documents.scores
        first_stage = scores if first_stage is None else first_stage
    else:
        items = list(documents)
    return items, Candidates(texts_of(items, text), first_stage)


def _stepped(step: Then, ranking: Ranking[T]) -> Ranking[T]:
    result = step(ranking)
    given = {hit.index: hit.document for hit in ranking}
    selected = (
        isinstance(result, Ranking)
        and len(set(result.indices)) == len(result)
        and all(hit.index in given and hit.document is given[hit.index] for hit in result)
    )
    if not selected:
        msg = f"the step {step!r:.80} in then= must return a Ranking of hits it was given, each at most once"
        raise ArgumentError(msg)
    return Ranking(result.hits, result.report if result.report.scorer else ranking.report)
