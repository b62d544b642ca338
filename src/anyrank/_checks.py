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
    if value is None:
        return None
    whole = None if isinstance(value, bool) or not hasattr(value, "__index__") else operator.index(value)
    if whole is None or whole < 1:
        msg = f"{name} must be a whole number above 0, or None for all; got {value!r}"
        raise ArgumentError(msg)
    return whole


def threshold(value: float | None, name: str = "min_score") -> float | None:
    """Accept a finite number, or None for no threshold."""
    if value is None:
        return None
    if not is_number(value) or not math.isfinite(value):
        msg = f"{name} must be a finite number, or None for no threshold; got {value!r}"
        raise ArgumentError(msg)
    return float(value)


def is_number(value: object) -> bool:
    """Whether a value is a real number (numpy's too) and not a boolean."""
    return hasattr(value, "__float__") and not isinstance(value, bool)


def query(value: object) -> str:
    """Accept a string; a blank one passes."""
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
