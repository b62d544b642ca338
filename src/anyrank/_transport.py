"""The only module that touches the network, with its two colours beside it: a request out, a reply in.

It knows no provider. Nothing here follows a redirect, keeps a cookie or reads a password file: a key goes where the
request says, or nowhere.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ._transport_async import Sessions
from ._transport_sync import Connections

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from ._http import Limits, Reply, Request

THREADS: Final = 32
"""Threads of the async colour without aiohttp."""


@dataclass(frozen=True, slots=True)
class Send:
    """The errand of one request."""

    client: Client
    request: Request
    limits: Limits

    def do(self) -> Reply:
        """Send it from this thread. Raises `UndeliveredError`."""
        return self.client.send(self.request, self.limits)

    async def ado(self) -> Reply:
        """Send it without blocking the event loop. Raises `UndeliveredError`."""
        return await self.client.asend(self.request, self.limits)


class Client:
    """The connections of one scorer, opened when first needed and kept for the next call, in both colours.

    Async requests go over aiohttp where it is installed, else over the sync connections from threads. A forked
    process, a copy and a pickle start without connections.
    """

    def __init__(self) -> None:
        """Open nothing yet."""
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._connections: Connections | None = None
        self._sessions = Sessions()
        self._threads: ThreadPoolExecutor | None = None

    def __reduce__(self) -> tuple[type[Client], tuple[()]]:
        return Client, ()

    def open(self) -> None:
        """Import what sending from sync code needs, and be ready."""
        self._opened()

    async def aopen(self) -> None:
        """Import what sending on an event loop needs, and be ready."""
        self._forget_parent()
        await self._sessions.opened()

    def send(self, request: Request, limits: Limits) -> Reply:
        """Send a request and read its reply whole. Raises `UndeliveredError`."""
        return self._opened().send(request, limits)

    async def asend(self, request: Request, limits: Limits) -> Reply:
        """Send a request as `send` does; cancelling it closes its connection (with aiohttp)."""
        self._forget_parent()
        session = await self._sessions.opened()
        if session is not None:
            return await session.send(request, limits)
        from asyncio import get_running_loop

        return await get_running_loop().run_in_executor(self._pool(), self.send, request, limits)

    def close(self) -> None:
        """Let go of every connection; those of other event loops end on their loops. A later call opens anew."""
        with self._lock:
            connections, self._connections = self._connections, None
            threads, self._threads = self._threads, None
        if connections is not None:
            connections.close()
        if threads is not None:
            threads.shutdown(wait=False)
        self._sessions.close()

    async def aclose(self) -> None:
        """Let go of every connection, and wait for those of this event loop."""
        await self._sessions.aclose()
        self.close()

    def _forget_parent(self) -> None:
        """Start anew after a fork: the parent's connections, threads and event loops are not ours."""
        if self._pid != os.getpid():
            self._begin()

    def _opened(self) -> Connections:
        self._forget_parent()
        with self._lock:
            if self._connections is None:
                self._connections = Connections()
            return self._connections

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                from concurrent.futures import ThreadPoolExecutor

                self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="anyrank-http")
            return self._threads
