"""What the sections of `local.py` share: a model, opened by its library and by us, work for it, and its scores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from statistics import correlation
from threading import Barrier
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from anyrank.scorers.cross_encoder import scorer as cross_encoder

if TYPE_CHECKING:
    from pathlib import Path

    from _minilm import Work
    from _timing import Call

Score: TypeAlias = Callable[[str, list[str]], Sequence[float]]

DEFAULTS: Final = "CrossEncoder.predict, defaults"
OURS: Final = "anyrank, defaults"
INT8: Final = "anyrank, dtype='int8'"

TOLERANCE: Final = 0.002
"""How far logits may lie from those in float32, which spread by 0.012: bfloat16 comes as near as 0.0005."""

INT8_TOLERANCE: Final = 0.006
"""The same for int8."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    repeats: int
    passages: int = 100
    callers: int = 32
    each: int = 20
    long: int = 2000
    judged: int = 100


@dataclass(frozen=True)
class Bench:
    """What all sections measure: a model on disk, opened by its library, and work for it."""

    folder: str
    work: Work
    sizes: Sizes
    collection: Path | None = None

    @cached_property
    def library(self) -> CrossEncoder:
        """The model as sentence-transformers opens it."""
        model: CrossEncoder = CrossEncoder(self.folder)
        return model

    def predict(self, query: str, texts: list[str], **options: Any) -> Sequence[float]:
        """Score as sentence-transformers does; raw, since the random head saturates no sigmoid worth looking at."""
        pairs = [(query, text) for text in texts]
        found: Any = self.library.predict(
            pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False, convert_to_numpy=True, **options
        )
        return [float(score) for score in found]

    def ours(self, **options: Any) -> Any:
        """Return our scorer, which the caller closes."""
        return cross_encoder(self.folder, **options)

    @cached_property
    def parts(self) -> list[tuple[str, list[str]]]:
        """Query and passages of every caller."""
        return [self.work.part(number, self.sizes.each) for number in range(self.sizes.callers)]

    @cached_property
    def exact(self) -> list[Sequence[float]]:
        """The scores that every caller has to get."""
        return [self.predict(*part) for part in self.parts]


def check(who: str, scores: Sequence[float], exact: Sequence[float]) -> None:
    """Raise RuntimeError for scores that are not the library's."""
    off = np.abs(np.subtract(scores, exact)).max()
    if not off <= (INT8_TOLERANCE if who == INT8 else TOLERANCE):
        msg = f"{who}: a score is {off:.1e} away from sentence-transformers' in float32"
        raise RuntimeError(msg)


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the rank correlation."""
    first, second = (np.argsort(np.argsort(scores)) for scores in (one, other))
    return correlation(first.tolist(), second.tolist())


def at_once(calls: Sequence[Call]) -> tuple[list[Any], list[float]]:
    """Return what calls in threads of their own give, and the seconds from the common start until each had it."""
    ready = Barrier(len(calls) + 1)

    def timed(call: Call) -> tuple[Any, float]:
        ready.wait()
        return call(), time.perf_counter()

    with ThreadPoolExecutor(len(calls)) as pool:
        waiting = [pool.submit(timed, call) for call in calls]
        ready.wait()
        started = time.perf_counter()
        done = [each.result() for each in waiting]
    return [found for found, _ in done], [end - started for _, end in done]


def awaited_at_once(calls: Sequence[Callable[[], Awaitable[Any]]]) -> tuple[list[Any], list[float]]:
    """Return the same of tasks on one event loop."""

    async def timed(call: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
        return await call(), time.perf_counter()

    async def together() -> tuple[list[Any], list[float]]:
        started = time.perf_counter()
        done = await asyncio.gather(*map(timed, calls))
        return [found for found, _ in done], [end - started for _, end in done]

    return asyncio.run(together())
