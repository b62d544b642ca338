"""Scores as trec_eval reads them: in 32 bits."""

from __future__ import annotations

import math
import struct
from ctypes import c_float
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["falling"]


def falling(scores: Iterable[float]) -> Iterator[float]:
    """Yield scores that never rise, each lower than the one before in 32 bits too.

    trec_eval keeps no more of a score, and orders equal ones by id. One that would tie is put a step of 32 bits below
    the one before; all others are as they were.
    """
    above = math.inf
    for score in scores:
        read = c_float(score).value
        if read < above:
            yield score
        else:
            read = _below(above)
            yield read
        above = read


def _below(value: float) -> float:
    """Return the next lower number of 32 bits."""
    if value == 0.0:
        return -struct.unpack("<f", b"\1\0\0\0")[0]  # type: ignore[no-any-return]
    [bits] = struct.unpack("<i", struct.pack("<f", value))
    return struct.unpack("<f", struct.pack("<i", bits - 1 if value > 0 else bits + 1))[0]  # type: ignore[no-any-return]
