"""Warming up and closing: the same for everything that holds scorers. Whoever built a scorer closes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ._registry import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .scorer import AnyScorer, ScorerLike


class Held:
    """Scorers that something holds: some built here from specs, and ours to close, others only given."""

    __slots__ = ("owned", "scorers")

    def __init__(self, scorers: Iterable[ScorerLike]) -> None:
        """Resolve each; see `anyrank._registry.resolve` for what is refused."""
        resolved = [resolve(scorer) for scorer in scorers]
        self.scorers: tuple[AnyScorer, ...] = tuple(scorer for scorer, _ in resolved)
        self.owned: tuple[AnyScorer, ...] = tuple(scorer for scorer, built_here in resolved if built_here)


class Lifecycle:
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
        for scorer in self._held.owned:
            call(scorer, "close")

    async def aclose(self) -> None:
        """Let go as `close` does, on the running event loop."""
        for scorer in self._held.owned:
            await acall(scorer, "aclose", "close")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


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
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result
