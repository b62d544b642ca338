"""Asking a reranker about every query: bounded, counted, and from where a killed run left off."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from anyrank import errors
from anyrank._question import Composition
from anyrank._rounds import each
from anyrank.cached import fingerprint_of
from anyrank.cascade import Cascade
from anyrank.diversity import Step
from anyrank.reranker import Reranker, StagedReranker
from anyrank.scorer import FunctionScorer
from anyrank.text import TextOf, texts_of

from .results import Answer
from .retrievers import with_ids
from .waiting import Loop

if TYPE_CHECKING:
    from anyrank.adapter import RerankerLike
    from anyrank.ranking import Ranking

__all__ = ["Asking", "Progress", "Store"]

Store: TypeAlias = MutableMapping[str, Any]
"""Where answers are kept: any mutable mapping of str to JSON values."""

HOPELESS: Final = (
    errors.ArgumentError,
    errors.AuthenticationError,
    errors.MissingDependencyError,
    errors.ModelError,
    errors.QuotaError,
    errors.SettingError,
)
"""What would be raised at every further query too."""


ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an evaluation is: ``done`` of ``total`` queries of the row of that name."""

    row: str
    done: int
    total: int


@dataclass(frozen=True)
class Asking:
    """How queries are asked: the options of `anyrank.evaluation.evaluate` that are not about measuring."""

    text: TextOf[Any]
    key: Callable[[Any], object]
    max_concurrency: int | None
    store: Store | None
    on_progress: Callable[[Progress], object] | None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def asked(
        self, row: str, reranker: StagedReranker, queries: Mapping[str, str], candidates: Mapping[str, Ranking[Any]]
    ) -> dict[str, Answer]:
        """Return the reranker's answer to each query; those of an earlier run are taken from the store.

        An error is the answer of its query and is not kept; one of `HOPELESS` is raised. The model is loaded before
        the first call, so that no call's time holds it. A scorer that can only be awaited is, in a loop of its own.
        """
        who = identity(reranker, row) if self.store is not None else ""
        keys = {query: self._key(who, text, candidates[query]) for query, text in queries.items()}
        answers = {query: kept for query, key in keys.items() if (kept := self._kept(key))}
        open_ = [query for query in queries if query not in answers]
        if open_:
            reranker.warm_up()
        done = len(answers)

        def ask(query: str) -> Answer:
            nonlocal done
            answer = self._answer(reranker, queries[query], candidates[query], loop)
            with self._lock:
                if self.store is not None and answer.error is None:
                    self.store[keys[query]] = answer.to_dict()
                done += 1
                self._tell(row, done, len(queries))
            return answer

        self._tell(row, done, len(queries))
        with _named(row), Loop() as loop:
            answers |= zip(open_, each(ask, open_, self.max_concurrency), strict=True)
        return {query: answers[query] for query in queries}

    def _answer(self, reranker: StagedReranker, query: str, documents: Ranking[Any], loop: Loop) -> Answer:
        try:
            ranking = _ranking(reranker, query, documents, text=self.text, loop=loop)
        except HOPELESS:
            raise
        except Exception as error:  # noqa: BLE001 - a scorer may raise anything; it is counted and shown
            return Answer((), error=f"{type(error).__name__}: {error}"[:500])
        return answer_of(ranking, self.key)

    def _key(self, who: str, query: str, documents: Ranking[Any]) -> str:
        if self.store is None:
            return ""
        ids, _ = with_ids(documents, self.key)
        parts = [who, query, ids, texts_of(documents.documents, self.text), documents.scores]
        return blake2b(json.dumps(parts).encode(), digest_size=20, person=b"anyrank eval 1").hexdigest()

    def _kept(self, key: str) -> Answer | None:
        """Return what an earlier run was answered; None also for what another version wrote."""
        kept = None if self.store is None else self.store.get(key)
        try:
            return None if kept is None else Answer.from_dict(kept)
        except (AttributeError, LookupError, TypeError):
            return None

    def _tell(self, row: str, done: int, total: int) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(row, done, total))


def _ranking(
    reranker: StagedReranker, query: str, documents: Ranking[Any], *, text: TextOf[Any], loop: Loop
) -> Ranking[Any]:
    if not loop.begun:
        with suppress(errors.AsyncOnlyError):
            return reranker.rerank(query, documents, text=text)
    return loop.result(reranker.arerank(query, documents, text=text))


def answer_of(ranking: Ranking[Any], key: Callable[[Any], object]) -> Answer:
    """Return a ranking as an answer, with what its report says."""
    order, scores = with_ids(ranking, key)
    report = ranking.report
    return Answer(
        tuple(order),
        tuple(scores),
        report.seconds or None,
        requests=report.requests,
        usage=dict(report.usage),
        degraded=report.degraded,
        truncated=len(report.truncated),
    )


@contextmanager
def opened(reranker: RerankerLike) -> Iterator[StagedReranker]:
    """Give a reranker for whatever stands for one; what is built here is closed afterwards."""
    if isinstance(reranker, StagedReranker):
        yield reranker
        return
    built = _cascade(reranker) or Reranker(reranker)
    try:
        yield built
    finally:
        built.close()


def _cascade(spec: object) -> Cascade | None:
    if not isinstance(spec, Mapping) or list(spec) != ["cascade"]:
        return None
    from anyrank import load

    built = load(spec)
    return built if isinstance(built, Cascade) else None


def fingerprint(reranker: StagedReranker) -> str | None:
    """Return what tells the last scorer's scores from another's; None for a mere function."""
    try:
        return fingerprint_of(reranker.scorer)
    except errors.ArgumentError:
        return None


def identity(reranker: StagedReranker, row: str) -> str:
    """Return what a reranker's answers are kept under.

    That is its scorers' fingerprints with its numbers and steps. A scorer that has none, or a step that is a mere
    function, is known by what it shows of itself and by the row's name: who changes a function changes one of them, or
    empties the store. Raises `ArgumentError` for what shows too little: a lambda, a function with variables of another
    one, an object that is only told by its address.
    """
    stages = [(_told_apart(stage.scorer, row), stage.keep) for stage in reranker._stages]  # noqa: SLF001 - ours
    steps = [repr(step) if isinstance(step, Step) else _shown(step, row) for step in reranker._then]  # noqa: SLF001 - ours
    return json.dumps([stages, reranker.min_score, steps])


def _told_apart(scorer: object, row: str) -> str:
    try:
        return fingerprint_of(scorer)
    except errors.ArgumentError:
        if not isinstance(scorer, Composition):
            return _shown(scorer, row)
        members = [_told_apart(member, row) for member in scorer._held.scorers]  # noqa: SLF001 - it is a base of ours
        return json.dumps([ADDRESS.sub("", repr(scorer)), members])


def _shown(thing: object, row: str) -> str:
    thing = thing.function if isinstance(thing, FunctionScorer) else thing
    said = repr(thing)
    if "<lambda>" in said or " object at 0x" in said or getattr(thing, "__closure__", None):
        msg = (
            f"store= cannot tell {said:.120} from another one that does something else: give it a fingerprint, such as "
            "scorer.fingerprint = 'by length, version 1'"
        )
        raise errors.ArgumentError(msg)
    return f"{row}: {ADDRESS.sub('', said)}"


@contextmanager
def _named(row: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"while evaluating {row!r}")
        raise
