"""What goes over the wire, as plain values: nothing here sends."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out. ``headers`` may hold a key, and are hidden from ``repr``."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url})"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, unpacked; the names of ``headers`` in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, seconds without a byte, and the moment (of ``time.monotonic``) when all must be over."""

    connect: float
    read: float
    until: float

    def left(self) -> float:
        """Return the seconds left, at least a little: zero would mean no timeout at all."""
        return max(self.until - monotonic(), 0.001)

    def passed(self) -> bool:
        """Whether that moment has come."""
        return monotonic() > self.until


class UndeliveredError(Exception):
    """No whole reply came: why, and whether trying again could help."""

    def __init__(self, why: str, *, timeout: bool = False, again: bool = True) -> None:
        super().__init__(why)
        self.timeout = timeout
        self.again = again
