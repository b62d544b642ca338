"""When to send a request again, and how long to wait: one policy for every service.

A rerank request is a pure function, so that repeating it is safe; it costs what it costs.
"""

from __future__ import annotations

import random
import re
from time import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ._http import Reply

RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
LONGEST: Final = 60.0
"""Seconds that one wait takes at most, whatever a service asks for."""

FIRST: Final = 0.5
"""Seconds that the first wait takes at most where the service asks for none; each later one twice as many."""

_SPENT: Final = re.compile(
    r"insufficient[_ -]?(quota|balance|credit|fund)|credit[_ ]balance|out of credits|spend(ing)?[_ -]?limit|billing"
    r"|payment|arrear|overdue|api calls / month|hard[_ ]limit",
    re.IGNORECASE,
)
_TOO_LARGE: Final = re.compile(r"too large to process|physical batch size", re.IGNORECASE)
_DURATION: Final = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def spent(status: int, words: str) -> bool:
    """Whether a refusal means that the account has nothing left: waiting does not help."""
    return status == 402 or (status in (403, 429) and _SPENT.search(words) is not None)


def worth_it(reply: Reply, words: str, also: Collection[int] = ()) -> bool:
    """Whether the same request may succeed later; ``words`` are the service's message and code."""
    asked = reply.headers.get("x-should-retry")
    if spent(reply.status, words) or _TOO_LARGE.search(words) or asked == "false":
        return False
    return reply.status in RETRIED or reply.status in also or asked == "true"


def wait_before(attempt: int, reply: Reply | None = None) -> float:
    """Return the seconds to wait before retry number ``attempt`` (from 0): the service's wish, else full jitter."""
    asked = None if reply is None else _asked(reply.headers, limited=reply.status == 429)
    if asked is not None:
        return min(max(asked, 0.0), LONGEST)
    return random.uniform(0.0, min(FIRST * 2**attempt, LONGEST))  # noqa: S311 - spreads load, guards nothing


def _asked(headers: Mapping[str, str], *, limited: bool) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    after = headers.get("retry-after")
    if after is not None:
        seconds = _number(after)
        return _until(after, headers.get("date")) if seconds is None else seconds
    return _reset(headers.get("x-ratelimit-reset")) if limited else None


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\s*\d+(\.\d+)?\s*", text) else None


def _until(date: str, now: str | None) -> float | None:
    """Return the seconds until an HTTP date, by the service's own clock where it says the time."""
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    try:
        return then - (time() if now is None else parsedate_to_datetime(now).timestamp())
    except ValueError:
        return then - time()


def _reset(text: str | None) -> float | None:
    """Return the seconds until a rate limit's reset: a moment of the epoch, seconds, or a duration (``1m30s``)."""
    number = _number(text)
    if number is not None:
        return number - time() if number > 1e9 else number
    match = _DURATION.fullmatch(text.strip()) if text and text.strip() else None
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
