"""A chat model that orders windows of passages, on a schedule."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from anyrank import _checks
from anyrank.errors import ArgumentError

from . import _schedules
from ._asking import asked, led, parts
from ._reading import Reading, read_ranking
from ._schemas import ranking_schema
from ._scorer import LLMScorer, builder, reciprocal_ranks
from .prompts import LISTWISE, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyrank._rounds import Rounds

    from ._asking import Reader
    from ._questions import Asking
    from ._schedules import Schedule, Window
    from .chat import ChatRequest

__all__ = ["Listwise"]

WORDS = 8
"""Tokens of an answer for each passage: its number, brackets or a comma, and some to spare."""


@dataclass(eq=False)
class Listwise(LLMScorer):
    """Orders windows of passages; the scores are reciprocal ranks.

    ``schedule`` says which windows: ``"blocks"`` ranks two covers of all passages at once and then the best of them
    together, in two rounds, or three for more than eight windows' worth; ``"sliding"`` slides a window from the back to
    the front in steps of ``stride`` (half a window unless given), as the literature does, and is sure of the first
    ``stride`` places only; ``"tournament"`` lets the best of each block meet again; ``"single"`` shows all at once.
    ``window`` is how many are shown at a time, ``keep`` how many of the first places matter: a window's worth for
    blocks, half of one for each block of a tournament. ``shuffles`` shows each window in so many orders and merges the
    answers by Borda count (permutation self-consistency, Tang et al. 2023, arXiv 2310.07712). ``max_rounds`` refuses
    longer schedules.

    An answer need not be perfect: one that names at least ``min_coverage`` of its window is mended, another is asked
    for once more, then in windows half as large; what is still without an answer keeps its order, and the report is
    ``degraded``. The other options are those of every LLM reranker, see `anyrank.llm.LLMScorer`.
    """

    name: ClassVar[str] = "listwise"
    default_prompt: ClassVar[Prompt] = LISTWISE

    schedule: str = field(default="blocks", kw_only=True)
    window: int = field(default=20, kw_only=True)
    stride: int | None = field(default=None, kw_only=True)
    keep: int | None = field(default=None, kw_only=True)
    shuffles: int = field(default=1, kw_only=True)
    min_coverage: float = field(default=0.5, kw_only=True)
    max_rounds: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options. Raises `ArgumentError`."""
        super().__post_init__()
        self._check("window", "shuffles")
        self._check("stride", "keep", "max_rounds", optional=True)
        if self.schedule not in _schedules.SCHEDULES:
            msg = f"no schedule {self.schedule!r}; {_checks.suggest(self.schedule, _schedules.SCHEDULES)}"
            raise ArgumentError(msg)
        if self.window < 2 or (self.stride or 1) > self.window:
            msg = f"window={self.window} must be 2 or more, and stride={self.stride} no longer than it"
            raise ArgumentError(msg)
        share = _checks.finite(self.min_coverage)
        if share is None or not 0.0 <= share <= 1.0:
            msg = f"min_coverage must be a share from 0 to 1; got {self.min_coverage!r}"
            raise ArgumentError(msg)

    def plan(self, count: int) -> list[int]:
        """Return how many questions each round has for ``count`` passages that fit the context, if no answer fails."""
        return [size * self.shuffles for size in _schedules.rounds_of(self._scheduled(count, self.window))]

    def _words(self, count: int) -> int:
        return WORDS * count

    def _ranked(self, asking: Asking) -> Rounds[Any, list[float]]:
        if len(asking) == 1:
            return [1.0]
        order = yield from led(self._fitting(asking), partial(self._round, asking))
        return reciprocal_ranks(order)

    def _round(self, asking: Asking, windows: list[Window]) -> Rounds[Any, list[Window]]:
        asking.talk.rounds += 1
        return (yield from parts(asking.talk, [partial(self._window, asking, window) for window in windows]))

    def _fitting(self, asking: Asking) -> Schedule:
        """Return the schedule, with windows that the context has room for. Raises `ArgumentError`."""
        count = len(asking)
        wanted = count if self.schedule == "single" else min(self.window, count)
        size = asking.together(wanted)
        if self.schedule == "single" and size < count:
            msg = (
                f"{count} passages do not fit into context_tokens={self.context_tokens} together, {size} would: use "
                "schedule='blocks', rerank fewer, or raise context_tokens if the model has more"
            )
            raise ArgumentError(msg)
        rounds = len(_schedules.rounds_of(self._scheduled(count, size)))
        if self.max_rounds is not None and rounds > self.max_rounds:
            msg = f"schedule {self.schedule!r} needs {rounds} rounds for {count} passages; max_rounds={self.max_rounds}"
            raise ArgumentError(msg)
        return self._scheduled(count, size)

    def _scheduled(self, count: int, size: int) -> Schedule:
        match self.schedule:
            case "sliding":
                return _schedules.sliding(count, size, min(self.stride or max(size // 2, 1), size))
            case "tournament":
                return _schedules.tournament(count, size, self.keep or max(size // 2, 1))
            case "single":
                return _schedules.single(count)
            case _:
                return _schedules.blocks(count, size, self.keep or size)

    def _window(self, asking: Asking, window: Window) -> Rounds[Any, Window]:
        """Return a window best first: merged from its orders of showing, halved where no answer can be used."""
        shown = _presented(window, self.shuffles)
        readings = yield from parts(asking.talk, [partial(self._asked, asking, order) for order in shown])
        orders = [
            tuple(order[place] for place in reading.answer)
            for order, reading in zip(shown, readings, strict=True)
            if reading.answer is not None
        ]
        return _borda(orders, window) if orders else (yield from self._halved(asking, window, readings[0]))

    def _asked(self, asking: Asking, window: Window) -> Rounds[Any, Reading[tuple[int, ...]]]:
        return (yield from asking.asked(self._request(asking, window), self._reader(window)))

    def _halved(self, asking: Asking, window: Window, failed: Reading[Any]) -> Rounds[Any, Window]:
        """Rank a window by windows half as large; what still has no usable answer keeps its order."""
        if len(window) < 4:
            asking.talk.lost.append(failed.status)
            return window
        half = (len(window) + 1) // 2
        smaller = _schedules.sliding(len(window), half, half // 2)
        order = yield from led(smaller, partial(self._half, asking, window))
        return tuple(window[place] for place in order)

    def _half(self, asking: Asking, window: Window, smaller: list[Window]) -> Rounds[Any, list[Window]]:
        [part] = smaller
        shown = tuple(window[place] for place in part)
        reading = yield from asked(asking.talk, self._request(asking, shown), self._reader(shown))
        if reading.answer is None:
            asking.talk.lost.append(reading.status)
            return smaller
        return [tuple(part[place] for place in reading.answer)]

    def _request(self, asking: Asking, window: Window) -> ChatRequest:
        return asking.request(window, schema=ranking_schema(len(window)))

    def _reader(self, window: Window) -> Reader[tuple[int, ...]]:
        return partial(read_ranking, count=len(window), min_coverage=self.min_coverage)


def _presented(window: Window, shuffles: int) -> list[Window]:
    """Return the orders in which a window is shown: its own first, then shuffled ones, the same in every process."""
    orders = [window]
    for number in range(1, shuffles):
        shuffled = list(window)
        random.Random(repr((window, number))).shuffle(shuffled)  # noqa: S311 - spreads position bias, guards nothing
        orders.append(tuple(shuffled))
    return orders


def _borda(orders: Sequence[Window], window: Window) -> Window:
    """Merge orders of the same passages by the sum of their places; ties as they stood in the window."""
    places = {one: sum(order.index(one) for order in orders) for one in window}
    return tuple(sorted(window, key=places.__getitem__))


scorer = builder(Listwise)
