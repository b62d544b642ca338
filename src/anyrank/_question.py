"""One question to one scorer, and the only place where an answer is checked."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from inspect import isawaitable
from time import perf_counter
from typing import Any

from . import _checks
from ._lifecycle import Lifecycle
from ._rounds import Rounds, arun, run
from .errors import AsyncOnlyError, ScoresError, TextError
from .scorer import AnyScorer, Candidates, Image, Scores, Traits, traits


@dataclass(frozen=True, slots=True)
class Question:
    """How relevant is each of these texts to this query? Asked of one scorer; the answer is checked `Scores`."""

    scorer: AnyScorer
    query: str
    texts: Candidates

    def do(self) -> Scores:
        """Ask from sync code. Raises `AsyncOnlyError` for a scorer that can only be awaited."""
        known, started = self._begin(), perf_counter()
        if not self.texts:
            return checked(known, self.texts, (), 0.0)
        if not callable(getattr(self.scorer, "score", None)):
            raise AsyncOnlyError(_async_only(known.name))
        answer = self._answer(known.name)
        if isawaitable(answer):
            if hasattr(answer, "close"):
                answer.close()
            raise AsyncOnlyError(_async_only(known.name))
        return checked(known, self.texts, answer, perf_counter() - started)

    async def ado(self) -> Scores:
        """Ask without blocking the event loop: natively where the scorer can, else in a thread."""
        known, started = self._begin(), perf_counter()
        if not self.texts:
            return checked(known, self.texts, (), 0.0)
        answer: Any
        ascore = getattr(self.scorer, "ascore", None)
        if callable(ascore):
            answer = await ascore(self.query, self.texts)
        else:
            from asyncio import to_thread

            answer = await to_thread(self._answer, known.name)
            if isawaitable(answer):
                answer = await answer
        return checked(known, self.texts, answer, perf_counter() - started)

    def _answer(self, name: str) -> Any:
        try:
            return self.scorer.score(self.query, self.texts)  # type: ignore[union-attr]  # the callers looked
        except StopIteration as error:  # it would end the generator that asked, and no awaited future can hold it
            msg = f"scorer {name!r} raised StopIteration: a next() without a default, most likely"
            raise ScoresError(msg) from error

    def _begin(self) -> Traits:
        known = traits(self.scorer)
        if "image" not in known.modalities and any(isinstance(text, Image) for text in self.texts):
            msg = f"scorer {known.name!r} reads text only, and a document is an image: use one with image modality"
            raise TextError(msg)
        return known


def _async_only(name: str) -> str:
    return f"scorer {name!r} can only be awaited: use arerank (or the host's async call), or give it a sync score"


def checked(known: Traits, texts: Sequence[str], answer: object, seconds: float) -> Scores:
    """Return the answer as `Scores` with its report filled in.

    Raises `ScoresError` unless it is one finite float a text.
    """
    values = _floats(known.name, answer)
    given = answer if isinstance(answer, Scores) else Scores(())
    order = None if given.order is None else _floats(known.name, given.order)
    for what, row in (("scores", values), ("order values", order)):
        if row is not None:
            _fit(known.name, what, row, texts)
    report = replace(
        given.report,
        scorer=given.report.scorer or known.name,
        model=given.report.model or known.model,
        score_kind=given.report.score_kind or known.score_kind,
        seconds=seconds,
    )
    return Scores(values, order=order, report=report)


def _floats(name: str, answer: object) -> list[float]:
    zero_dimensional = getattr(answer, "shape", None) == ()
    if isinstance(answer, (str, bytes, Mapping, AbstractSet)) or not isinstance(answer, Iterable) or zero_dimensional:
        msg = f"scorer {name!r} returned {type(answer).__name__} instead of one float a text: {answer!r:.80}"
        raise ScoresError(msg)
    given = list(answer)
    return given if all(type(value) is float for value in given) else [_float(name, *pair) for pair in enumerate(given)]


def _float(name: str, index: int, value: object) -> float:
    number = _checks.real(value)
    if number is None:
        msg = f"scorer {name!r} returned for text {index} {type(value).__name__}, not a float: {value!r:.80}"
        raise ScoresError(msg)
    return number


def _fit(name: str, what: str, values: Sequence[float], texts: Sequence[str]) -> None:
    if len(values) != len(texts):
        msg = f"scorer {name!r} returned {len(values)} {what} for {len(texts)} texts: it must give one a text, in order"
        raise ScoresError(msg)
    if not all(map(math.isfinite, values)):
        index, value = next(pair for pair in enumerate(values) if not math.isfinite(pair[1]))
        msg = f"scorer {name!r} returned {value} among its {what}, for text {index}: {texts[index]!r:.80}"
        raise ScoresError(msg)


class Composition(Lifecycle):
    """Base of the combinators: both colours of ``score`` from the one description in ``rounds``."""

    @property
    def modalities(self) -> frozenset[str]:
        """What every member reads."""
        return frozenset.intersection(*(traits(scorer).modalities for scorer in self._held.scorers))

    @abstractmethod
    def rounds(self, query: str, texts: Candidates) -> Rounds[Scores, Scores]:
        """Yield rounds of questions to other scorers; return the scores."""

    def score(self, query: str, texts: Iterable[str]) -> Scores:
        """Score from sync code, members of a round in threads of their own."""
        return run(self.rounds(query, Candidates.of(texts)))

    async def ascore(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the running event loop, members of a round concurrently."""
        return await arun(self.rounds(query, Candidates.of(texts)))
