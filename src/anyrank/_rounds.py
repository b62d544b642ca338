"""One description, two colours: a generator of rounds, and the two small drivers that run it.

A round is a list of independent errands. The generator yields a round, is sent the outcomes in the same order, and
returns its result. It does no I/O and knows no event loop; concurrency, cancellation and context variables are
handled here, once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast

V_co = TypeVar("V_co", covariant=True)
V = TypeVar("V")
R = TypeVar("R")
A = TypeVar("A")

MAX_THREADS = 32


class Errand(Protocol[V_co]):
    """One independent piece of work, in both colours."""

    def do(self) -> V_co:
        """Do it in this thread."""
        ...

    async def ado(self) -> V_co:
        """Do it without blocking the event loop."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome(Generic[V]):
    """What an errand came to: a value, or the very exception it raised."""

    value: V | None = None
    error: Exception | None = None

    def unwrap(self) -> V:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("V", self.value)


@dataclass(frozen=True, slots=True)
class Chore(Generic[V]):
    """The errand of a plain function, which goes to a thread where it could hold the event loop."""

    work: Callable[[], V]
    quick: bool = False

    def do(self) -> V:
        """Call it here."""
        return self.work()

    async def ado(self) -> V:
        """Call it here if it is quick, else in a thread."""
        if self.quick:
            return self.work()
        from asyncio import to_thread

        return await to_thread(self.work)


Rounds: TypeAlias = Generator[Sequence[Errand[V]], list[Outcome[V]], R]


def run(rounds: Rounds[V, R]) -> R:
    """Drive a generator of rounds in this thread; a round of several errands gets a thread each."""
    try:
        round_ = next(rounds)
        while True:
            round_ = rounds.send(_outcomes(round_))
    except StopIteration as done:
        return cast("R", done.value)
    finally:
        rounds.close()


async def arun(rounds: Rounds[V, R]) -> R:
    """Drive a generator of rounds on the running event loop; cancelling cancels the errands under way."""
    try:
        round_ = next(rounds)
        while True:
            round_ = rounds.send(await _aoutcomes(round_))
    except StopIteration as done:
        return cast("R", done.value)
    finally:
        rounds.close()


def _outcome(errand: Errand[V]) -> Outcome[V]:
    try:
        return Outcome(errand.do())
    except Exception as error:  # noqa: BLE001 - an outcome holds whatever was raised; the generator decides
        return Outcome(error=error)


async def _aoutcome(errand: Errand[V]) -> Outcome[V]:
    try:
        return Outcome(await errand.ado())
    except Exception as error:  # noqa: BLE001 - as above
        return Outcome(error=error)


def _outcomes(round_: Sequence[Errand[V]]) -> list[Outcome[V]]:
    if len(round_) == 1:
        return [_outcome(round_[0])]
    return each(_outcome, round_, limit=None)


async def _aoutcomes(round_: Sequence[Errand[V]]) -> list[Outcome[V]]:
    if len(round_) == 1:
        return [await _aoutcome(round_[0])]
    return await aeach(_aoutcome, round_, limit=None)


def each(function: Callable[[A], R], items: Iterable[A], limit: int | None) -> list[R]:
    """Call ``function`` on each item, ``limit`` at a time in threads; the first error cancels those not begun.

    The threads are daemons, unlike an executor's: after Ctrl-C none that still reads keeps the process from ending.
    """
    from concurrent.futures import FIRST_EXCEPTION, Future, wait
    from threading import Thread

    work = [(Future[R](), copy_context(), item) for item in items]
    waiting = deque(work)

    def worker() -> None:
        while waiting:
            try:
                future, context, item = waiting.popleft()
            except IndexError:  # another took the last one
                return
            try:
                future.set_result(context.run(function, item))
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                waiting.clear()
                future.set_exception(error)
                del error

    futures = [future for future, _, _ in work]
    try:
        for _ in range(min(len(work), limit or MAX_THREADS)):
            Thread(target=worker, name="anyrank", daemon=True).start()
        done = wait(futures, return_when=FIRST_EXCEPTION).done
        failed = [future for future in futures if future in done and future.exception()]
        return [future.result() for future in (failed or futures)]
    finally:
        waiting.clear()


async def aeach(function: Callable[[A], Awaitable[R]], items: Iterable[A], limit: int | None) -> list[R]:
    """Await ``function`` on each item, ``limit`` at a time; the first error cancels the rest and is raised."""
    import asyncio

    gate: Any = asyncio.Semaphore(limit) if limit else None

    async def one(item: A) -> R:
        if gate is None:
            return await function(item)
        async with gate:
            return await function(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
