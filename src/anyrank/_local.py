"""A model in this process: loaded once, when first needed, and run on a worker of its own."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ._lifecycle import Closing
from .scorer import Candidates, Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

M = TypeVar("M")
R = TypeVar("R")
A = TypeVar("A")

TOGETHER: Final = 1024
"""Texts above which calls that wait for one model are no longer answered together."""

_starting = threading.Lock()
"""Held while a worker is looked up or started, in any scorer: an instance lock could not be pickled."""

if hasattr(os, "register_at_fork"):  # a fork may find it held by a thread that the child does not have
    os.register_at_fork(after_in_child=_starting._at_fork_reinit)  # type: ignore[attr-defined]  # noqa: SLF001


def _future() -> Future[Scores]:
    from concurrent.futures import Future

    return Future()


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One call that waits for its scores."""

    query: str
    texts: Candidates
    answer: Future[Scores] = field(default_factory=_future)
    context: Context = field(default_factory=copy_context)


class _Worker(Generic[M]):
    """One thread and the model that lives on it, in one process, and the calls that wait for them."""

    def __init__(self, name: str) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self.thread = ThreadPoolExecutor(1, thread_name_prefix=f"anyrank-{name}")
        self.pid = os.getpid()
        self.model: M | None = None
        self.lent_by: M | None = None  # the model whose tokenizer was copied, and the copy
        self.lent: Any = None
        self.waiting: deque[Job] = deque()

    def release(self) -> None:
        """Let go of the model, whoever still knows the worker."""
        self.model = self.lent_by = self.lent = None

    def taken(self) -> list[Job]:
        """Take the waiting calls that are still wanted, as many as are answered together."""
        jobs: list[Job] = []
        size = 0
        while self.waiting and (not jobs or size + len(self.waiting[0].texts) <= TOGETHER):
            job = self.waiting.popleft()
            if job.answer.set_running_or_notify_cancel():
                jobs.append(job)
                size += len(job.texts)
        return jobs


class LocalModel(Closing, ABC, Generic[M]):
    """Base of the scorers that run a model here.

    All work of one scorer, loading included, runs on one thread of its own: simultaneous first calls load once, no
    tokenizer is used from two threads, the event loop is never blocked and Ctrl-C reaches the caller at once. Calls
    that wait while another is under way are then answered together, in common batches. ``close`` lets go of model and
    thread once the calls made before have their answers; a later call loads again. Copies, pickles and forked
    processes start without a loaded model.
    """

    _worker: _Worker[M] | None = None

    @abstractmethod
    def _load(self) -> M:
        """Load the model. Runs on the worker."""

    @abstractmethod
    def _score(self, model: M, query: str, texts: Candidates) -> Scores:
        """Score texts, at least one. Runs on the worker."""

    def _score_all(self, model: M, jobs: Sequence[Job]) -> list[Scores]:
        """Score the texts of several calls, in common batches where a model can. Runs on the worker."""
        return list(map(self._score_one, repeat(model), jobs))  # a comprehension's closure would outlive `_clear`

    def _score_one(self, model: M, job: Job) -> Scores:
        return job.context.run(self._score, model, job.query, job.texts)

    def score(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the worker and wait. Raises what loading raises: `ModelError`, `MissingDependencyError`, OSError."""
        candidates = Candidates.of(texts)
        return self._asked(query, candidates).result() if candidates else Scores(())

    async def ascore(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the worker without blocking the event loop."""
        from asyncio import wrap_future

        candidates = Candidates.of(texts)
        return await wrap_future(self._asked(query, candidates)) if candidates else Scores(())

    def warm_up(self) -> None:
        """Load the model now."""
        self._submit(self._ready).result()

    async def awarm_up(self) -> None:
        """Load the model now, without blocking the event loop."""
        from asyncio import wrap_future

        await wrap_future(self._submit(self._ready))

    def close(self) -> None:
        """Let go of the model and its thread, after the calls that were made before."""
        with _starting:
            worker, self._worker = self._worker, None
        if worker is not None:
            if worker.pid == os.getpid():
                with suppress(RuntimeError):  # the interpreter ends, and all with it
                    worker.thread.submit(worker.release)
            worker.thread.shutdown(wait=False)

    async def aclose(self) -> None:
        """Let go of the model and its thread, which is quick."""
        self.close()

    def _asked(self, query: str, texts: Candidates) -> Future[Scores]:
        job = Job(_whole(query), Candidates(map(_whole, texts), texts.first_stage))
        self._submit(self._answer, job)
        return job.answer

    def _answer(self, worker: _Worker[M]) -> None:
        """Answer the calls that wait: this one's, and those of the turns to come, which then find none."""
        jobs = worker.taken()
        if jobs:
            self._answered(worker, jobs)

    def _answered(self, worker: _Worker[M], jobs: list[Job]) -> None:
        """Give every call its answer, and empty the list.

        An error knows the frames below it, which know those above: whoever keeps it, as a report does, keeps what they
        hold. So those below are cleared, and these let go of the calls and of the error.
        """
        answers, error = _caught(self._scored, worker, jobs)
        if error is None:
            for job, scores in zip(jobs, answers or (), strict=True):
                job.answer.set_result(scores)
            return
        _clear(error)
        common = len(jobs) == 1 or worker.model is None  # which could not be loaded, then
        while jobs:
            if common:
                jobs.pop(0).answer.set_exception(error)
            else:  # one that cannot be scored leaves the others their scores
                self._answered(worker, [jobs.pop(0)])
        del error

    def _scored(self, worker: _Worker[M], jobs: Sequence[Job]) -> list[Scores]:
        return self._score_all(self._ready(worker), jobs)

    def _ready(self, worker: _Worker[M]) -> M:
        if worker.model is None:
            worker.model = self._load()
        return worker.model

    def _submit(self, work: Callable[[_Worker[M]], R], job: Job | None = None) -> Future[R]:
        with _starting:
            worker = self._worker
            if worker is None or worker.pid != os.getpid():  # threads do not survive a fork
                worker = self._worker = _Worker(type(self).__name__)
            if job is not None:
                worker.waiting.append(job)
            return worker.thread.submit(copy_context().run, work, worker)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_worker"}


def _caught(work: Callable[..., R], *arguments: Any) -> tuple[R | None, BaseException | None]:
    try:
        return work(*arguments), None
    except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the callers
        return None, error


def _clear(error: BaseException) -> None:
    """Let go of what the frames held that an error, and those behind it, passed through: models, and their batches."""
    from traceback import clear_frames

    cause: BaseException | None = error
    cleared = set[int]()
    while cause is not None and id(cause) not in cleared:
        clear_frames(cause.__traceback__)
        cleared.add(id(cause))
        cause = cause.__cause__ or cause.__context__


def _whole(text: str) -> str:
    """Return the text with lone surrogates, which no tokenizer takes, as question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
