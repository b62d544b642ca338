"""From what a model wrote to what it means: only identifiers count, and nothing is read that is no answer.

A reading has a status: ``ok``; ``repaired`` (identifiers missing, repeated or unknown); ``truncated`` (the answer, or
its thinking, stopped at the limit of tokens); ``refused``; ``unparsable``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .chat import ChatReply

A = TypeVar("A")

Status: TypeAlias = Literal["ok", "repaired", "truncated", "refused", "unparsable"]

STATUSES: Final[tuple[Status, ...]] = ("ok", "repaired", "truncated", "refused", "unparsable")


@dataclass(frozen=True, slots=True)
class Reading(Generic[A]):
    """What an answer came to; ``answer`` is None where it cannot be used, and ``why`` says so to the model."""

    status: Status
    answer: A | None = None
    why: str = ""


def read_ranking(reply: ChatReply, count: int, min_coverage: float = 0.0) -> Reading[tuple[int, ...]]:
    """Read a ranking of passages 1 to ``count``, as their places from 0, best first.

    The first mention of a passage counts; those that are not named follow in the order they had. An answer that names
    less than ``min_coverage`` of the passages is not used.
    """
    text, unusable = _said(reply)
    if unusable is not None:
        return unusable
    found = _identifiers(text)
    places = list(dict.fromkeys(number - 1 for number in found if 1 <= number <= count))
    if not places:
        return Reading("unparsable", why="it names no passage in the form that was asked for")
    exact = len(found) == len(places) == count
    if len(places) < min_coverage * count:
        return Reading("repaired", why=f"it names only {len(places)} of the {count} passages")
    named = set(places)
    rest = (place for place in range(count) if place not in named)
    return Reading("ok" if exact else "repaired", (*places, *rest))


def read_choice(reply: ChatReply, choices: Iterable[str]) -> Reading[str]:
    """Read which of a few words the answer is, in JSON or on its own, whatever the case."""
    text, unusable = _said(reply)
    if unusable is not None:
        return unusable
    known = {choice.lower(): choice for choice in choices}
    words = [word.lower() for word in _words(text)]
    found = {known[word] for word in (*words[:1], *words[-1:]) if word in known}  # "A." or "The better one is A"
    if len(found) == 1:
        return Reading("ok", found.pop())
    return Reading("unparsable", why=f"it must be one of {', '.join(known.values())}")


def _said(reply: ChatReply) -> tuple[str, Reading[Any] | None]:
    """Return what a model said after its thinking, or the reading of an answer that is none."""
    if reply.refused:
        return "", Reading("refused", why="it was a refusal")
    text = _THOUGHT.sub("", reply.text)
    text = text.rpartition("</think>")[2]  # some servers leave out the opening tag
    if reply.cut or "<think>" in text:
        return "", Reading("truncated", why="it was cut off before it was complete")
    return normalize("NFKC", text).translate(_BRACKETS).strip(), None


_THOUGHT: Final = re.compile(r"<think>.*?</think>", re.DOTALL)
_BRACKETS: Final = str.maketrans("\u3010\u3011\u3014\u3015", "[][]")  # of Chinese and Japanese
_THAN: Final = r"(?:>=?|[\u2265\u2192\u203a\u227b,;/])"
_MARKER: Final = r"(?:\n[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+)"
_RUN: Final = re.compile(rf"\[\s*\d+\s*\](?:\s*{_THAN}?(?:{_MARKER}|\s*)\[\s*\d+\s*\])*")
_NOUN: Final = r"(?:passage|document|doc)[ _]?#?(?=\d)"
_SCANNED: Final = 20_000
"""Characters of an answer, its last, in which JSON and rankings are looked for."""


def _identifiers(text: str) -> list[int]:
    """Return the identifiers of an answer, in its order.

    An answer that is JSON is read as such. Of several lists and bracketed runs in other text the longest is the
    ranking, the last one where they tie: a lone ``[2]`` is a mention. Else the answer may be bare numbers and nothing
    else.
    """
    try:
        return _listed(json.loads(text))
    except (ValueError, RecursionError):
        text = text[-_SCANNED:]
    found = [_listed(value) for value in _embedded(text) if isinstance(value, dict) or len(value) > 1]
    found += [_numbers(run[0], r"\[\s*(\d+)") for run in _RUN.finditer(text) if _counts(text, run)]
    if any(found):
        return max(reversed(found), key=len)
    return _bare(text)


def _counts(text: str, run: re.Match[str]) -> bool:
    """Whether a run is more than the number before a passage that is quoted, or one that a sentence mentions."""
    return run[0].count("[") > 1 or re.match(r"[^\w\n]*(\n|$)", text[run.end() :]) is not None


def _bare(text: str) -> list[int]:
    """Return the numbers of an answer that is nothing else, but for a label in front and words for "passage"."""
    unlabelled = re.sub(r"\A[a-zA-Z ]{1,40}:", "", text)
    parts = re.sub(_NOUN, "", unlabelled, flags=re.IGNORECASE)
    parts = re.sub(r"[\s>=\u2265\u2192\u203a\u227b,;/]+", " ", parts).strip(" .")
    return _numbers(parts) if re.fullmatch(r"[\d ]+", parts) else []


def _numbers(text: str, pattern: str = r"(\d+)") -> list[int]:
    return [int(digits[:10]) for digits in re.findall(pattern, text)]  # one of ten digits names nothing anyway


def _embedded(text: str) -> Iterator[Any]:
    """Give the JSON objects and lists that stand in a text, the outermost of each."""
    decoder = json.JSONDecoder()
    start = 0
    while opening := _OPENING.search(text, start):
        start = opening.end()
        try:
            value, start = decoder.raw_decode(text, opening.start())
        except ValueError:
            continue
        except RecursionError:
            return
        yield value


_OPENING: Final = re.compile(r"[{\[]")


def _listed(value: Any) -> list[int]:
    """Return the identifiers in a JSON value: a list's, or those of an object's list that is the ranking."""
    if isinstance(value, dict):
        lists = {str(name).lower(): part for name, part in value.items() if isinstance(part, list)}
        name = next((name for name in _RANKINGS if name in lists), "")
        return _listed(lists.get(name) or (next(iter(lists.values())) if len(lists) == 1 else []))
    items = value if isinstance(value, list) else [value]
    return [number for item in items if (number := _identifier(item)) is not None]


_RANKINGS: Final = ("ranking", "rankings", "ranked", "order", "ids", "passages", "results", "documents")
_IDS: Final = ("id", "index", "passage", "passage_id", "number", "document", "doc_id", "identifier")


def _identifier(item: Any) -> int | None:
    match item:
        case bool() | None:
            return None
        case int():
            return item
        case str():
            named = re.fullmatch(rf"\s*\[?\s*(?:{_NOUN})?\d+\s*\]?\s*", item, re.IGNORECASE)
            return _numbers(item)[0] if named else None
        case [only]:
            return _identifier(only)
        case dict():
            return next((_identifier(item[name]) for name in _IDS if name in item), None)
    return None


def _words(text: str) -> list[str]:
    """Return the words of an answer: of JSON its one value, or the one of an object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = next(_embedded(text[-_SCANNED:]), text)
    if isinstance(value, dict):
        value = next(iter(value.values()), "")
    return re.findall(r"\w+", str(value))
