"""A bound on what goes on at once, which threads and event loops share."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from concurrent.futures import Future


class Gate:
    """Lets ``limit`` holders in at a time, whatever thread or event loop they come from, in the order they came.

    ``limit`` None lets everybody in. A copy, a pickle and a forked process start with an empty one.
    """

    def __init__(self, limit: int | None) -> None:
        """Start with nobody inside."""
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._free = self._limit or 0
        self._lock = threading.Lock()
        self._waiting: deque[Future[None]] = deque()

    def __reduce__(self) -> tuple[type[Gate], tuple[int | None]]:
        return Gate, (self._limit,)

    @contextmanager
    def held(self, left: Callable[[], float | None], late: Callable[[], Exception]) -> Iterator[None]:
        """Wait in this thread, and hold a place for the block's time; raise ``late()`` when nothing is left."""
        ticket = self._ticket()
        try:
            if ticket is not None:
                _waited(ticket, left(), late)
            yield
        finally:
            self._leave(ticket)

    @asynccontextmanager
    async def aheld(self, left: Callable[[], float | None], late: Callable[[], Exception]) -> AsyncIterator[None]:
        """Wait as `held` does, without blocking the event loop."""
        ticket = self._ticket()
        try:
            if ticket is not None and not ticket.done():
                await _awaited(ticket, left(), late)
            yield
        finally:
            self._leave(ticket)

    def _ticket(self) -> Future[None] | None:
        """Return what will say that there is a place; None where there always is."""
        if self._limit is None:
            return None
        if self._pid != os.getpid():
            self._begin()
        from concurrent.futures import Future

        ticket: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                ticket.set_result(None)
            else:
                self._waiting.append(ticket)
        return ticket

    def _leave(self, ticket: Future[None] | None) -> None:
        """Give the place to the next who still waits for one."""
        if ticket is None or ticket.cancel() or ticket.cancelled():
            return  # there never was a place, or we went away before there was one
        with self._lock:
            while self._waiting:
                heir = self._waiting.popleft()
                if heir.set_running_or_notify_cancel():
                    heir.set_result(None)
                    return
            self._free += 1


def _waited(ticket: Future[None], seconds: float | None, late: Callable[[], Exception]) -> None:
    try:
        ticket.result(seconds)
    except TimeoutError:
        raise late() from None


async def _awaited(ticket: Future[None], seconds: float | None, late: Callable[[], Exception]) -> None:
    from asyncio import timeout, wrap_future

    try:
        async with timeout(seconds):  # not wait_for, which up to Python 3.11 can swallow a cancellation
            await wrap_future(ticket)
    except TimeoutError:
        raise late() from None
