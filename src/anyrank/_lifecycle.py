"""Warming up and closing: the same for everything that holds scorers. Whoever built a scorer closes it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Self

from ._registry import resolve
from .errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scorer import AnyScorer, ScorerLike


class Held:
    """Scorers that something holds: some built here from specs, and ours to close, others only given."""

    __slots__ = ("owned", "scorers")

    def __init__(self, scorers: Iterable[ScorerLike]) -> None:
        """Resolve each; see `anyrank._registry.resolve` for what is refused."""
        resolved = [resolve(scorer) for scorer in scorers]
        self.scorers: tuple[AnyScorer, ...] = tuple(scorer for scorer, _ in resolved)
        self.owned: tuple[AnyScorer, ...] = tuple(scorer for scorer, built_here in resolved if built_here)


class Closing:
    """For what has ``close`` and ``aclose``: a ``with`` block, or an ``async with`` block, ends with them."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what was opened."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go as `close` does, on the running event loop."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Lifecycle(Closing):
    """``warm_up`` / ``awarm_up`` bring models and clients early, ``close`` / ``aclose`` let go of them.

    All are safe to call twice. Closing reaches only the scorers built here from specs, never an object that was
    given.
    """

    _held: Held

    def warm_up(self) -> None:
        """Load what the scorers need now instead of at the first non-empty call."""
        for scorer in self._held.scorers:
            call(scorer, "warm_up")

    async def awarm_up(self) -> None:
        """Load what the scorers need, without blocking the event loop."""
        for scorer in self._held.scorers:
            await acall(scorer, "awarm_up", "warm_up")

    def close(self) -> None:
        """Let go of models, connections and threads of the scorers that were built here."""
        with ExitStack() as stack:  # one that fails does not keep the others open
            for scorer in self._held.owned:
                stack.callback(call, scorer, "close")

    async def aclose(self) -> None:
        """Let go as `close` does, on the running event loop."""
        async with AsyncExitStack() as stack:
            for scorer in self._held.owned:
                stack.push_async_callback(acall, scorer, "aclose", "close")


def call(scorer: object, method: str) -> None:
    """Call a method that a scorer may have."""
    bound: Callable[[], Any] | None = getattr(scorer, method, None)
    if bound is not None:
        bound()


async def acall(scorer: object, native: str, sync: str) -> None:
    """Await a method that a scorer may have, else call its sync twin in a thread."""
    if hasattr(scorer, native):
        await getattr(scorer, native)()
    elif hasattr(scorer, sync):
        from asyncio import to_thread

        await to_thread(getattr(scorer, sync))


def unique(names: Iterable[str]) -> list[str]:
    """Number the names that stand more than once: ``jina``, ``jina 2``."""
    result: list[str] = []
    for name in names:
        number, free = 1, name
        while free in result:
            number += 1
            free = f"{name} {number}"
        result.append(free)
    return result


def listed(value: object, option: str) -> list[Any]:
    """Return the value of a composition's option as a list; raises `SpecError` for a lone string or mapping."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        msg = f"{option} is a list, such as ['lexical', 'first_stage']; got {value!r:.80}"
        raise SpecError(msg)
    return list(value)
