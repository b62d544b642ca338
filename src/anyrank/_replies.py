"""What a service answered: its scores, or what it says went wrong. Only index and score are trusted."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from . import _checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._http import Reply

SHOWN: Final = 300
"""Characters of a service's own words that an error quotes at most."""

MESSAGES: Final = (
    "message",
    "Message",
    "detail",
    "detail.0.msg",
    "error.metadata.raw",
    "error.message",
    "0.error.message",
    "message.detail.0.msg",
    "error",
    "errors.0.message",
    "detail.error",
    "errorMessage",
)
CODES: Final = ("code", "error.code", "error.type", "type", "status", "errors.0.code", "error.status", "errorCode")
ID_HEADERS: Final = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "nvcf-reqid",
    "x-global-transaction-id",
)

_ID: Final = re.compile(r"[\w.:=/+-]{1,128}")
"""What a service calls a request, in an error of ours: a name, and nothing that it was sent."""


class NoResultsError(ValueError):
    """A reply holds no list of results."""


@dataclass(frozen=True, slots=True)
class Results:
    """Where a reply has its results: paths are dotted, ``""`` is the reply itself, several are tried in order.

    ``index`` None means that the list is parallel to the request; ``score`` ``""`` that its items are bare numbers.
    ``id_is_index`` is for services that give back the `INDEX` they were sent, as a string.
    """

    at: str | tuple[str, ...] = "results"
    score: str | tuple[str, ...] = "relevance_score"
    index: str | None = "index"
    id_is_index: bool = False

    def read(self, items: Sequence[Any], expected: int) -> tuple[list[float], list[int]]:
        """Return the scores in the order of the request, and the places in the order of the reply.

        Raises ValueError, saying what is wrong, unless there is exactly one finite score a text.
        """
        scores: dict[int, float] = {}
        for position, item in enumerate(items):
            place = self._place(item, position, expected)
            if place in scores:
                msg = f"index {place} twice"
                raise ValueError(msg)
            scores[place] = self._score(item, place)
        if len(scores) != expected:
            missing = next(place for place in range(expected) if place not in scores)
            msg = f"{len(scores)} results for {expected} documents (none for index {missing})"
            raise ValueError(msg)
        return [scores[place] for place in range(expected)], list(scores)

    def items(self, payload: Any) -> list[Any]:
        """Return the list of results. Raises `NoResultsError` where there is none."""
        paths = (self.at,) if isinstance(self.at, str) else self.at
        for path in paths:
            if isinstance(found := dig(payload, path), list):
                return found
        msg = f"no {' or '.join(repr(path) if path else 'bare list' for path in paths)}"
        raise NoResultsError(msg)

    def _place(self, item: Any, position: int, expected: int) -> int:
        if self.index is None:
            found: Any = position
        else:
            found = dig(item, self.index)
            if self.id_is_index and isinstance(found, str) and found.isascii() and found.isdigit():
                found = int(found)
        if type(found) is not int or not 0 <= found < expected:
            msg = f"index {found!r:.40} for {expected} documents"
            raise ValueError(msg)
        return found

    def _score(self, item: Any, place: int) -> float:
        found = None
        for path in (self.score,) if isinstance(self.score, str) else self.score:
            if (found := dig(item, path)) is not None:
                break
        number = None if isinstance(found, (str, bool)) else _checks.real(found)
        if number is None or not math.isfinite(number):
            msg = f"score {found!r:.40} for index {place}"
            raise ValueError(msg)
        return number


def dig(payload: Any, path: str) -> Any:
    """Return what lies at a dotted path, None where there is nothing. A number is a place in a list."""
    if type(payload) is dict and path in payload:
        return payload[path]  # most paths are one step, and there are two for each result
    for step in path.split(".") if path else ():
        if isinstance(payload, dict):
            payload = payload.get(step)
        elif isinstance(payload, list) and step.isdigit() and int(step) < len(payload):
            payload = payload[int(step)]
        else:
            return None
    return payload


def payload_of(reply: Reply) -> Any:
    """Return a reply's JSON. Raises ValueError where it is none."""
    try:
        return json.loads(reply.body)
    except RecursionError:
        msg = "JSON nested too deep"
        raise ValueError(msg) from None


def words_of(reply: Reply) -> tuple[str, str]:
    """Return what a service says went wrong, cut short, and its code for it; empty where it says nothing."""
    try:
        payload = payload_of(reply)
    except ValueError:
        return " ".join(reply.body[:4096].decode(errors="replace").split())[: SHOWN * 4], ""
    if isinstance(payload, str):
        return payload[: SHOWN * 4], ""
    message = next((found for path in MESSAGES if isinstance(found := dig(payload, path), str) and found), "")
    codes = (dig(payload, path) for path in CODES)
    code = " ".join(found for found in codes if isinstance(found, str))
    return " ".join(message.split())[: SHOWN * 4], f"{code} {reply.headers.get('x-amzn-errortype', '')}".strip()


def request_id(reply: Reply, payload: Any = None) -> str | None:
    """Return the service's name for a request, from the headers or the body."""
    named: Iterable[Any] = [
        *(reply.headers.get(name) for name in ID_HEADERS),
        dig(payload, "request_id"),
        dig(payload, "id"),
    ]
    return next((found for found in named if isinstance(found, str) and _ID.fullmatch(found)), None)


def usage_of(payload: Any, wanted: Mapping[str, str | Sequence[str]]) -> dict[str, float]:
    """Return what a reply says was used, by the service's own units."""
    found: dict[str, float] = {}
    for unit, paths in wanted.items():
        for path in (paths,) if isinstance(paths, str) else paths:
            amount = dig(payload, path)
            if not isinstance(amount, str) and _checks.finite(amount) is not None:
                found[unit] = amount
                break
    return found
