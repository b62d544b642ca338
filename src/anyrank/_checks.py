"""The rules of the arguments that several modules take."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

from .errors import ArgumentError, TextError

if TYPE_CHECKING:
    from collections.abc import Iterable


def top_n(value: int | None, name: str = "top_n") -> int | None:
    """Accept a positive whole number, or None for all."""
    return None if value is None else count(value, name, also=", or None for all")


def count(value: int | None, name: str, *, also: str = "") -> int:
    """Accept a positive whole number; ``also`` says what else the caller accepts."""
    try:
        whole = 0 if isinstance(value, bool) or value is None else operator.index(value)
    except TypeError:
        whole = 0
    if whole < 1:
        msg = f"{name} must be a whole number above 0{also}; got {value!r:.80}"
        raise ArgumentError(msg)
    return whole


def threshold(value: float | None, name: str = "min_score") -> float | None:
    """Accept a finite number, or None for no threshold."""
    if value is None:
        return None
    number = finite(value)
    if number is None:
        msg = f"{name} must be a finite number, or None for no threshold; got {value!r:.80}"
        raise ArgumentError(msg)
    return number


def finite(value: object) -> float | None:
    """Return a real number (numpy's too) as a float; None for a boolean and all that is not one finite number."""
    number = real(value)
    return number if number is not None and math.isfinite(number) else None


def real(value: object) -> float | None:
    """Return a real number as a float, NaN and infinity too; None for a boolean, a string and anything else."""
    if type(value) is float:
        return value
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__") or getattr(value, "shape", ()) != ():
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def query(value: object) -> str:
    """Accept a string; a blank one passes, and a picture does not: no scorer here looks for one."""
    from .scorer import Image

    if isinstance(value, Image):
        msg = "the query is an image, and scorers read its address as words: ask with a text"
        raise TextError(msg)
    if isinstance(value, str):
        return value
    msg = f"the query must be a str; got {type(value).__name__}: {value!r:.80}"
    raise TextError(msg)


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Say ``did you mean …?`` when a known name is close, then list the known ones."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(str(wrong), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(names)}"
