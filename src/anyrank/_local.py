"""A model in this process: loaded once, when first needed, and run on a worker of its own."""

from __future__ import annotations

import os
import re
import threading
from abc import ABC, abstractmethod
from collections import deque
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from . import _checks
from ._lifecycle import Closing
from ._registry import require
from .errors import ArgumentError, ModelError
from .scorer import Candidates, Scores, SpecFromFields

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


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One call that waits for its scores."""

    query: str
    texts: Candidates
    answer: Future[Scores]


class _Worker(Generic[M]):
    """One thread and the model that lives on it, in one process, and the calls that wait for them."""

    def __init__(self, name: str) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self.thread = ThreadPoolExecutor(1, thread_name_prefix=f"anyrank-{name}")
        self.pid = os.getpid()
        self.model: M | None = None
        self.waiting: deque[Job] = deque()

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
        return [self._score(model, job.query, job.texts) for job in jobs]

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
            worker.thread.shutdown(wait=False)

    async def aclose(self) -> None:
        """Let go of the model and its thread, which is quick."""
        self.close()

    def _asked(self, query: str, texts: Candidates) -> Future[Scores]:
        from concurrent.futures import Future

        job = Job(_whole(query), Candidates(map(_whole, texts), texts.first_stage), Future())
        self._submit(self._answer, job)
        return job.answer

    def _answer(self, worker: _Worker[M]) -> None:
        """Answer the calls that wait: this one's, and those of the turns to come, which then find none."""
        jobs = worker.taken()
        if not jobs:
            return
        try:
            model = self._ready(worker)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the callers
            for job in jobs:
                job.answer.set_exception(error)
        else:
            self._answered(model, jobs)

    def _answered(self, model: M, jobs: Sequence[Job]) -> None:
        try:
            answers = self._score_all(model, jobs)
        except BaseException as error:  # noqa: BLE001 - as above
            if len(jobs) == 1:
                jobs[0].answer.set_exception(error)
                return
            for job in jobs:  # one that cannot be scored leaves the others their scores
                self._answered(model, [job])
        else:
            for job, scores in zip(jobs, answers, strict=True):
                job.answer.set_result(scores)

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


def _whole(text: str) -> str:
    """Return the text with lone surrogates, which no tokenizer takes, as question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


DTYPES: Final = ("auto", "float32", "bfloat16", "float16")
BACKENDS: Final = ("auto", "torch", "openvino")


@dataclass(eq=False)
class LibraryModel(SpecFromFields, LocalModel[M]):
    """A local model that sentence-transformers loads; ``model`` is a repository id or a folder.

    ``device`` None takes a GPU where there is one. ``backend`` ``"auto"`` runs the model with OpenVINO on a CPU, where
    it is installed (``anyrank[fast]``) and reads out what torch does, else with torch; the other names force one.
    ``dtype`` ``"auto"`` is bfloat16 where the hardware computes in it (a GPU's torch, a CPU's OpenVINO), which keeps
    the order to a rank correlation of 0.999 or better; ``"float32"`` gives sentence-transformers' scores to 1e-5,
    whatever else is in the batch. ``batch_size`` None is what suits the device. ``max_length`` cuts texts to so many
    tokens. ``revision`` pins a repository's commit; ``trust_remote_code`` runs the repository's own code and needs such
    a pin. Needs ``anyrank[local]``.
    """

    model: str
    device: str | None = None
    dtype: str = "auto"
    backend: str = "auto"
    batch_size: int | None = None
    max_length: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        _checks.top_n(self.batch_size, "batch_size")
        _checks.top_n(self.max_length, "max_length")
        self._one_of("dtype", DTYPES)
        self._one_of("backend", BACKENDS)
        pinned = re.fullmatch(r"[0-9a-f]{7,40}", self.revision or "")
        if self.trust_remote_code and not pinned and not Path(self.model).is_dir():
            msg = (
                f"{self.name} with trust_remote_code=True runs code from the repository {self.model!r}: pin it with "
                "revision='<commit hash>', after reading that commit"
            )
            raise ArgumentError(msg)

    def _one_of(self, option: str, known: Sequence[str | None]) -> None:
        value = getattr(self, option)
        if value not in known:
            msg = f"{self.name} has no {option} {value!r}; known: {', '.join(map(repr, known))}"
            raise ArgumentError(msg)

    def _open(self, kind: str, **settings: Any) -> M:
        """Load the model as a class of sentence-transformers, on torch."""
        library = require("sentence_transformers", needed_by=f"scorer {self.name!r}", install="anyrank[local]")
        device = self.device or library.util.get_device_name()
        model: M = getattr(library, kind)(
            self.model,
            device=device,
            revision=self.revision,
            trust_remote_code=self.trust_remote_code,
            model_kwargs={"dtype": self._torch_dtype(device)},
            **settings,
        )
        return model

    def _torch_dtype(self, device: str) -> str:
        if self.dtype != "auto":
            return "float32" if self.backend == "openvino" else self.dtype
        if not device.startswith("cuda"):
            return "float32"
        from torch import cuda

        return "bfloat16" if cuda.is_bf16_supported() else "float16"

    def _accelerated(self, model: Any) -> None:
        """Let OpenVINO run a loaded model's transformer, where that is asked for, or possible and faster.

        Raises `ModelError` or `MissingDependencyError` where it is asked for and not possible.
        """
        if self.backend == "openvino":
            require("openvino", needed_by="backend='openvino'", install="anyrank[fast]")
        elif self.backend == "torch" or self.dtype == "float16" or str(model.device) != "cpu" or not _installed():
            return
        from ._openvino import accelerate

        try:
            accelerate(model[0], self.dtype)
        except ModelError as error:
            if self.backend == "openvino":
                raise
            from logging import getLogger

            getLogger("anyrank").info("%s runs on torch: %s", self.model, error)

    def _together(self, model: Any) -> int:
        """Return how many texts make a batch: a CPU is fastest with few, which waste no padding."""
        return self.batch_size or (8 if str(model.device) == "cpu" else 128)


def fitted(work: Callable[[list[A]], Any], items: list[A]) -> Any:
    """Return the tensor of ``work(items)``, from halves of the items where memory does not hold them all."""
    import torch

    try:
        return work(items)
    except (MemoryError, RuntimeError) as error:
        if len(items) < 2 or not (isinstance(error, (MemoryError, torch.OutOfMemoryError)) or _out_of_memory(error)):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return torch.cat([fitted(work, items[:half]), fitted(work, items[half:])])


def _out_of_memory(error: Exception) -> bool:
    return "out of memory" in str(error) or "can't allocate memory" in str(error)


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("openvino") is not None
