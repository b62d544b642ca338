"""A model in this process: loaded once, when first needed, and run on a worker of its own."""

from __future__ import annotations

import os
import re
import threading
from abc import ABC, abstractmethod
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _checks
from ._registry import require
from .errors import ArgumentError
from .scorer import Candidates, Scores, SpecFromFields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future, ThreadPoolExecutor

M = TypeVar("M")
R = TypeVar("R")

_starting = threading.Lock()
"""Held while a worker is looked up or started, in any scorer: an instance lock could not be pickled."""

if hasattr(os, "register_at_fork"):  # a fork may find it held by a thread that the child does not have
    os.register_at_fork(after_in_child=_starting._at_fork_reinit)  # type: ignore[attr-defined]  # noqa: SLF001


@dataclass(slots=True)
class _Worker(Generic[M]):
    """One thread and the model that lives on it, in one process."""

    thread: ThreadPoolExecutor
    pid: int
    model: M | None = None


class LocalModel(ABC, Generic[M]):
    """Base of the scorers that run a model here.

    All work of one scorer, loading included, runs on one thread of its own: simultaneous first calls load once, no
    tokenizer is used from two threads, the event loop is never blocked and Ctrl-C reaches the caller at once.
    ``close`` lets go of model and thread once the calls under way have their answers; a later call loads again.
    Copies, pickles and forked processes start without a loaded model.
    """

    _worker: _Worker[M] | None = None

    @abstractmethod
    def _load(self) -> M:
        """Load the model. Runs on the worker."""

    @abstractmethod
    def _score(self, model: M, query: str, texts: Candidates) -> Scores:
        """Score texts, at least one. Runs on the worker."""

    def score(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the worker and wait. Raises what loading raises: `ModelError`, `MissingDependencyError`, OSError."""
        candidates = Candidates.of(texts)
        return self._submit(self._run, query, candidates).result() if candidates else Scores(())

    async def ascore(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the worker without blocking the event loop."""
        from asyncio import wrap_future

        candidates = Candidates.of(texts)
        return await wrap_future(self._submit(self._run, query, candidates)) if candidates else Scores(())

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

    def _run(self, worker: _Worker[M], query: str, texts: Candidates) -> Scores:
        return self._score(self._ready(worker), _whole(query), Candidates(map(_whole, texts), texts.first_stage))

    def _ready(self, worker: _Worker[M]) -> M:
        if worker.model is None:
            worker.model = self._load()
        return worker.model

    def _submit(self, work: Callable[..., R], *arguments: Any) -> Future[R]:
        with _starting:
            worker = self._worker
            if worker is None or worker.pid != os.getpid():  # threads do not survive a fork
                from concurrent.futures import ThreadPoolExecutor

                name = f"anyrank-{type(self).__name__}"
                worker = self._worker = _Worker(ThreadPoolExecutor(1, thread_name_prefix=name), os.getpid())
            return worker.thread.submit(copy_context().run, work, worker, *arguments)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_worker"}


def _whole(text: str) -> str:
    """Return the text with lone surrogates, which no tokenizer takes, as question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


@dataclass(eq=False)
class LibraryModel(SpecFromFields, LocalModel[M]):
    """A local model that sentence-transformers loads; ``model`` is a repository id or a folder.

    ``device`` None lets the library choose. ``dtype`` ``"float32"`` gives sentence-transformers' scores to 1e-5,
    whatever else is in the batch; ``"bfloat16"`` and ``"float16"`` keep their order to a rank correlation of 0.999 or
    better (MiniLM-L6: logits within 0.015 and 0.002, cosines within 0.003 and 0.0004). ``revision`` pins a
    repository's commit; ``trust_remote_code`` runs the repository's own code and needs such a pin. Needs
    ``anyrank[local]``.
    """

    model: str
    device: str | None = None
    dtype: str = "float32"
    batch_size: int = 32
    max_length: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        _checks.top_n(self.batch_size, "batch_size")
        _checks.top_n(self.max_length, "max_length")
        pinned = re.fullmatch(r"[0-9a-f]{7,40}", self.revision or "")
        if self.trust_remote_code and not pinned and not Path(self.model).is_dir():
            msg = (
                f"{self.name} with trust_remote_code=True runs code from the repository {self.model!r}: pin it with "
                "revision='<commit hash>', after reading that commit"
            )
            raise ArgumentError(msg)

    def _open(self, kind: str, **settings: Any) -> M:
        """Load the model as a class of sentence-transformers."""
        library = require("sentence_transformers", needed_by=f"scorer {self.name!r}", install="anyrank[local]")
        model: M = getattr(library, kind)(
            self.model,
            device=self.device,
            revision=self.revision,
            trust_remote_code=self.trust_remote_code,
            model_kwargs={"dtype": self.dtype},
            **settings,
        )
        return model
