"""The sync colour of the transport, on requests; and what both colours take from the environment."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ._http import Limits, Reply, Request, UndeliveredError
from ._urls import loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_REPLY: Final = 64 * 2**20
"""Bytes of a reply, unpacked, above which it is refused: some servers echo every document, none needs this much."""

KEPT: Final = 256
"""Idle connections kept to one host: more than any sensible number of calls at once."""

PIECE: Final = 2**16

_USER_INFO: Final = re.compile(r"[^\s/'\"@]+@")
"""A proxy's user and password, which errors quote with its URL."""


class Connections:
    """Connections that all threads share: requests' adapter without the session around it.

    Threads may share an adapter, and not a session; which would also follow redirects, keep cookies and take keys out
    of a netrc file.
    """

    def __init__(self) -> None:
        """Import requests; connect to nothing yet."""
        from ._timely import Adapter

        self._adapter = Adapter(pool_connections=4, pool_maxsize=KEPT)

    def close(self) -> None:
        """Close the idle ones; those under way close with their reply."""
        self._adapter.close()

    def send(self, request: Request, limits: Limits) -> Reply:
        """Send a request and read its reply whole. Raises `UndeliveredError`."""
        import requests
        from urllib3.exceptions import HTTPError

        try:
            return self._sent(request, limits)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure: BaseException = _undelivered(error, requests)
        except BaseException as error:  # noqa: BLE001 - Ctrl-C, above all
            failure = bare(error)
        raise failure  # outside of the block: the library's own frames, which hold the key, stay behind

    def _sent(self, request: Request, limits: Limits) -> Reply:
        from requests import PreparedRequest

        prepared = PreparedRequest()
        prepared.prepare(request.method, request.url, headers=dict(request.headers), data=request.body)
        prepared.url = request.url
        response = self._adapter.send_within(limits, prepared, verify=trusted() or True, proxies=proxies(request.url))
        try:
            body = b"".join(_pieces(response.raw, limits))
        except BaseException:
            response.close()
            raise
        response.raw.release_conn()
        return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def _pieces(raw: Any, limits: Limits) -> Iterator[bytes]:
    """Give a body piece by piece as it arrives, so that one that only drips ends at the deadline."""
    read: Callable[..., bytes] = getattr(raw, "read1", raw.read)
    size = 0
    while piece := read(PIECE, decode_content=True):
        size = within(size + len(piece), limits)
        yield piece


def within(size: int, limits: Limits) -> int:
    """Return the size of what has come so far. Raises `UndeliveredError` when it is too much or too late."""
    if size > MAX_REPLY:
        msg = f"the reply is larger than {MAX_REPLY >> 20} MiB"
        raise UndeliveredError(msg, again=False)
    if limits.passed():
        msg = "the deadline came before the end of the reply"
        raise UndeliveredError(msg, timeout=True, again=False)
    return size


def bare(error: BaseException) -> BaseException:
    """Return an error without the frames that it came through."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _undelivered(error: Exception, requests: Any) -> UndeliveredError:
    from urllib3.exceptions import ReadTimeoutError

    timeout = isinstance(error, (requests.Timeout, ReadTimeoutError, TimeoutError))
    connecting = isinstance(error, requests.ConnectTimeout)
    permanent = isinstance(error, (requests.exceptions.SSLError, requests.exceptions.InvalidURL, UnicodeError))
    return UndeliveredError(reason(error), timeout=timeout and not connecting, again=not permanent)


def reason(error: BaseException) -> str:
    """Return what lies at the bottom of a library's error, in its own short words."""
    seen = 0
    while seen < 8:
        inner = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        error, seen = inner, seen + 1
    words = next((arg for arg in reversed(error.args) if isinstance(arg, str)), "") or str(error)
    words = _USER_INFO.sub("", " ".join(words.rpartition(">: ")[2].split()))
    return f"{type(error).__name__}: {words:.200}"


def proxies(url: str) -> dict[str, str]:
    """Return the environment's proxies for a URL's host, read once; none for this machine itself."""
    return _proxies("/".join(url.split("/", 3)[:3]))


@lru_cache(maxsize=64)
def _proxies(host: str) -> dict[str, str]:
    import requests

    return {} if loopback(host) else requests.utils.get_environ_proxies(host)


def trusted() -> str | None:
    """Return the file of certificates that the environment asks for, by the names that requests knows."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or None
