"""The async colour of the transport, on aiohttp."""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ._http import Limits, Reply, Request, UndeliveredError
from ._secrets import Hidden
from ._transport_sync import bare, proxies, reason, trusted, within

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncIterator


@dataclass(frozen=True, slots=True)
class Session:
    """The connections of one event loop. ``lifetime`` is the generator that closes them when it ends.

    An event loop ends its generators before it closes, so that no connection is left on a dead loop.
    """

    lifetime: AsyncIterator[Any]
    session: Any

    async def send(self, request: Request, limits: Limits) -> Reply:
        """Send a request and read its reply whole. Raises `UndeliveredError`."""
        import aiohttp

        try:
            return await self._sent(request, limits)
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
            timeout = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError)
            permanent = isinstance(error, (aiohttp.ClientSSLError, aiohttp.InvalidURL, ValueError))
            failure: BaseException = UndeliveredError(reason(error), timeout=timeout, again=not permanent)
        except BaseException as error:  # noqa: BLE001 - cancellation, above all
            failure = bare(error)
        raise failure  # outside of the block: the library's own frames, which hold the key, stay behind

    async def _sent(self, request: Request, limits: Limits) -> Reply:
        from aiohttp import ClientTimeout
        from yarl import URL

        left, found = limits.left(), proxies(request.url)
        sending = self.session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=Hidden(request.headers),
            data=request.body,
            timeout=ClientTimeout(
                total=None if left == math.inf else left,
                connect=limits.connect,
                sock_connect=limits.connect,
                sock_read=limits.read,
            ),
            allow_redirects=False,
            proxy=found.get(request.url.partition(":")[0]) or found.get("all"),
        )
        async with sending as response:
            pieces, size = [], 0
            async for piece in response.content.iter_any():
                size = within(size + len(piece), limits)
                pieces.append(piece)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, b"".join(pieces))


class Sessions:
    """A `Session` for each event loop that asks."""

    def __init__(self) -> None:
        """Open none yet."""
        self._lock = threading.Lock()
        self._by_loop: dict[AbstractEventLoop, Session] = {}

    async def opened(self) -> Session | None:
        """Return this event loop's session, None without aiohttp."""
        from asyncio import get_running_loop, to_thread

        loop = get_running_loop()
        if (held := self._by_loop.get(loop)) is not None:
            return held
        found = await to_thread(_aiohttp)  # the import and the certificates take a tenth of a second
        if found is None:
            return None
        held = self._by_loop.get(loop)  # a simultaneous first call may have been faster
        if held is None:
            lifetime = _lifetime(*found)
            held = Session(lifetime, await anext(lifetime))  # does not wait: no other task comes in between
            with self._lock:
                living = {known: other for known, other in self._by_loop.items() if not known.is_closed()}
                self._by_loop = {**living, loop: held}
        return held

    def close(self) -> None:
        """Have every session end on its own event loop."""
        with self._lock:
            sessions, self._by_loop = self._by_loop, {}
        for loop, session in sessions.items():
            if not loop.is_closed():
                with suppress(RuntimeError):  # it has just closed, and its sessions with it
                    loop.call_soon_threadsafe(_end_soon, loop, session)

    async def aclose(self) -> None:
        """End this event loop's session."""
        from asyncio import get_running_loop

        with self._lock:
            session = self._by_loop.pop(get_running_loop(), None)
        if session is not None:
            await _end(session)


async def _lifetime(aiohttp: Any, certificates: Any) -> AsyncIterator[Any]:
    """Give a session of aiohttp, and close it in the end."""
    connector = aiohttp.TCPConnector(limit=0, ssl=certificates)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@lru_cache(maxsize=1)
def _aiohttp() -> tuple[Any, Any] | None:
    """Return aiohttp and the certificates that the sync colour trusts; None where it is not installed."""
    from ssl import create_default_context

    import requests  # the package first: two threads that begin at different modules of it get half of one

    try:
        aiohttp = import_module("aiohttp")
    except ModuleNotFoundError:
        return None
    found = Path(trusted() or requests.utils.DEFAULT_CA_BUNDLE_PATH)
    if not found.exists():
        msg = f"no certificates at {found}, where REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE says they are"
        raise UndeliveredError(msg, again=False)
    if found.is_dir():
        return aiohttp, create_default_context(capath=str(found))
    return aiohttp, create_default_context(cafile=str(found))


def _end_soon(loop: AbstractEventLoop, session: Session) -> None:
    task = loop.create_task(_end(session))
    _ending.add(task)
    task.add_done_callback(_ending.discard)


async def _end(session: Any) -> None:
    with suppress(RuntimeError):  # its event loop is ending it at this moment
        await session.lifetime.aclose()


_ending: Final[set[Any]] = set()
"""Sessions being closed: an event loop holds its tasks only weakly."""
