"""From what a model wrote to what it means: only identifiers count, and nothing is read that is no answer.

A reading has a status: ``ok``; ``repaired`` (identifiers missing, repeated or unknown); ``truncated`` (the answer, or
its thinking, stopped at the limit of tokens); ``refused``; ``unparsable`` (nothing, or too little, in a form that was
asked for).
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
    found = _identifiers(text, count)
    places = list(dict.fromkeys(number - 1 for number in found if 1 <= number <= count))
    if not places:
        return Reading("unparsable", why="it names no passage in the form that was asked for")
    if len(places) / count < min_coverage:
        return Reading("unparsable", why=f"it names only {len(places)} of the {count} passages")
    named = set(places)
    rest = (place for place in range(count) if place not in named)
    exact = len(found) == len(places) == count
    return Reading("ok" if exact else "repaired", (*places, *rest))


def read_choice(reply: ChatReply, choices: Iterable[str]) -> Reading[str]:
    """Read which of a few words the answer is, whatever the case: in JSON, or first in a text that names no other.

    Another may be named where the first stands apart: "No, since yes would …", but not "1 is worse than 2".
    """
    text, unusable = _said(reply)
    if unusable is not None:
        return unusable
    known = {choice.lower(): choice for choice in choices}
    said = _LEAD.sub("", _value(text).lower())
    first, named = _WORD.match(said), {word for word in _WORD.findall(said) if word in known}
    if first and first[0] in known and (len(named) == 1 or _APART.match(said, first.end())):
        return Reading("ok", known[first[0]])
    return Reading("unparsable", why="it is not one of the answers that were asked for")


def _said(reply: ChatReply) -> tuple[str, Reading[Any] | None]:
    """Return what a model said after its thinking, or the reading of an answer that is none."""
    if reply.refused:
        return "", Reading("refused", why="it was a refusal")
    text = _THOUGHT.split(reply.text)[-1]  # some servers leave out the opening tag
    if reply.cut or _THINKING.search(text):
        return "", Reading("truncated", why="it was cut off before it was complete")
    return _FENCE.sub("", normalize("NFKC", text)).translate(_PLAIN).strip(), None


_THINKING: Final = re.compile(r"<(?:think|thinking|thought|reasoning)>|\[THINK\]|\u25c1think\u25b7")
_THOUGHT: Final = re.compile(r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|\u25c1/think\u25b7")
_FENCE: Final = re.compile(r"```\w*")
_PLAIN: Final = str.maketrans("\u3010\u3011\u3014\u3015", "[][]", "*`")  # brackets of Chinese and Japanese; Markdown
_LEAD: Final = re.compile(
    r"\A(?:\W|(?:the|answer|passage|document|best|better|most|relevant|one|is|choice|number|grade|relevance)\b)*"
)
_WORD: Final = re.compile(r"\w+")
_APART: Final = re.compile(r"\s*(?:[.,:;!)\]\n\u2013\u2014-]|\Z)")
_THAN: Final = r"(?:>=?|&gt;|[\u2265\u2192\u203a\u227b,;/])"
_ONE: Final = r"\[ ?\d+ ?\]"
_RUN: Final = re.compile(rf"{_ONE}(?:\s?{_THAN}?(?:\n ?(?:\d{{1,3}}[.)]|[-\u2022]) ?|\s?){_ONE})+")
_NOUN: Final = re.compile(r"(?:passage|document|doc)[ _]?#?(?=\d)", re.IGNORECASE)
_LABEL: Final = re.compile(
    r"\A[a-z ]{0,40}(?:rank|order|answer|passage|result|list|relevan|sort)[a-z ]{0,40}:", re.IGNORECASE
)
_SCANNED: Final = 20_000
"""Characters of an answer, its last, in which JSON and rankings are looked for."""


def _identifiers(text: str, count: int) -> list[int]:
    """Return the identifiers of an answer, in its order; 0 for what stands among them and is none.

    An answer that is JSON is read as such. In other text the ranking is the list, or the run of bracketed numbers,
    that names most of the passages, the last one where they tie; a lone ``[2]`` is a mention. Else the answer may be
    bare numbers and nothing else.
    """
    try:
        return _listed(json.loads(text), count)
    except (ValueError, RecursionError):
        text = _NOUN.sub("", re.sub(r"\n\s+", "\n", re.sub(r"[^\S\n]+", " ", text[-_SCANNED:])))
    lists = (value for value in _embedded(text) if isinstance(value, dict) or len(value) > 1)
    found = [_listed(value, count) for value in lists]
    found += [[_number(digits) for digits in re.findall(r"\[ ?(\d+)", run)] for run in _RUN.findall(text)]
    best = max(reversed(found), key=lambda numbers: _coverage(numbers, count), default=[])
    return best if _coverage(best, count) else _bare(text)


def _coverage(numbers: Iterable[int], count: int) -> int:
    return len({number for number in numbers if 1 <= number <= count})


def _bare(text: str) -> list[int]:
    """Return the numbers of an answer that is nothing else, but for a label in front."""
    parts = re.sub(rf"{_THAN}|=", " ", _LABEL.sub("", text)).strip(" .\n[]")
    return [_number(digits) for digits in parts.split()] if re.fullmatch(r"[\d\s]+", parts) else []


def _number(digits: str) -> int:
    return int(digits[:10])  # one of ten digits names nothing anyway


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


def _listed(value: Any, count: int) -> list[int]:
    """Return the identifiers in a JSON value: a list's, or those in the part of an object that is the ranking."""
    while isinstance(value, dict):
        value = _part(value, _RANKINGS, (list, dict))
    if isinstance(value, str):
        return _identifiers(value, count)
    return [_identifier(item) for item in value] if isinstance(value, list) else []


_RANKINGS: Final = ("ranking", "rankings", "ranked", "order", "ids", "passages", "results", "documents", "answer")
_CHOICES: Final = ("better", "best", "answer", "choice", "passage", "number", "id", "grade", "relevant")
_IDS: Final = ("id", "index", "passage", "passage_id", "number", "document", "doc_id", "identifier")


def _part(value: dict[str, Any], names: Iterable[str], kinds: tuple[type, ...] = (object,)) -> Any:
    """Return the part of an object that has one of the names, the first of them, else its only one of these kinds."""
    named = {name.lower(): part for name, part in value.items()}
    if not named.keys().isdisjoint(("error", "errors")):
        return None
    for name in names:
        if name in named:
            return named[name]
    parts = [part for part in named.values() if isinstance(part, kinds)]
    return parts[0] if len(parts) == 1 else None


def _identifier(item: Any) -> int:
    """Return the identifier that an item of a list is, or has; 0 where it has none."""
    if isinstance(item, dict):
        item = next((item[name] for name in _IDS if name in item), None)
    if isinstance(item, list) and len(item) == 1:
        item = item[0]
    if isinstance(item, str):
        digits = _IDENTIFIER.fullmatch(_NOUN.sub("", item))
        return _number(digits[1]) if digits else 0
    return item if isinstance(item, int) and not isinstance(item, bool) else 0


_IDENTIFIER: Final = re.compile(r"\s*\[?\s*(\d+)\s*\]?\s*")


def _value(text: str) -> str:
    """Return what an answer is, of JSON its one value, or the one of an object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = next((value for value in _embedded(text[-_SCANNED:]) if isinstance(value, dict)), text)
    if isinstance(value, dict):
        value = _part(value, _CHOICES)
    return str(value) if isinstance(value, (str, int)) else str(_identifier(value))
