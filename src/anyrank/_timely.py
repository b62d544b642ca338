"""Requests' adapter with connections that are read to a deadline.

A socket's timeout bounds the wait for each byte, so that a reply which drips, head or body, would outlast any deadline.
Here it is set anew before each read, to what is left. Imported when the first request is sent, not before.
"""

from __future__ import annotations

import threading
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any

import requests  # the package first: two threads that begin at different modules of it get half of one
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from ._http import Limits

_under_way = threading.local()
"""The limits of the request that this thread sends: http.client has no other way to hand them on."""


class Adapter(requests.adapters.HTTPAdapter):
    """Opens the connections below, directly and through proxies (but SOCKS, whose connections are its own)."""

    def send_within(self, limits: Limits, prepared: Any, **settings: Any) -> Any:
        """Send a prepared request as requests' own adapter does, in time."""
        _under_way.limits = limits
        left = limits.left()
        timeout = (min(limits.connect, left), min(limits.read, left))
        return self.send(prepared, stream=True, timeout=timeout, **settings)

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        """Open the pools of direct connections."""
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """Open the pools of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = POOLS
        return manager


class _Timely(RawIOBase):
    """A socket's bytes, each read of them bounded by the time left."""

    def __init__(self, raw: Any, sock: Any, limits: Limits) -> None:
        self._raw, self._sock, self._limits = raw, sock, limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        if self._limits.passed():
            msg = "the deadline came before the end of the reply"
            raise TimeoutError(msg)
        self._sock.settimeout(min(self._limits.read, self._limits.left()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimelyResponse(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp = BufferedReader(_Timely(self.fp.detach(), sock, _under_way.limits))


def _timely(pool: Any) -> Any:
    connection = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), {"response_class": _TimelyResponse})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


POOLS = {"http": _timely(HTTPConnectionPool), "https": _timely(HTTPSConnectionPool)}
