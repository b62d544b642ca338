"""Request bodies as data: the JSON that a service documents, with slots where a call's values go."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from . import _checks
from .errors import SpecError
from .scorer import Image


class Slot(Enum):
    """What a call puts into a body.

    COUNT is the number of documents in the request. Only inside `Each`: TEXT, a document as it is (an image's URL or
    data URI); PICTURE, an image's URL or the bare base64 of its data URI; INDEX, a document's place, as a string.
    """

    MODEL = "model"
    QUERY = "query"
    COUNT = "count"
    TEXT = "text"
    PICTURE = "picture"
    INDEX = "index"


MODEL: Final = Slot.MODEL
QUERY: Final = Slot.QUERY
COUNT: Final = Slot.COUNT
TEXT: Final = Slot.TEXT
PICTURE: Final = Slot.PICTURE
INDEX: Final = Slot.INDEX


@dataclass(frozen=True, slots=True)
class Each:
    """A list with one ``item`` a document; an `Image` is written as ``image`` where the model reads images."""

    item: Any
    image: Any = None


@dataclass(frozen=True, slots=True)
class Lines:
    """A string with one line for each of the parts that has a value."""

    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Braces:
    """A string with names in braces, filled from the options; ``{model}`` is the model."""

    text: str


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of one service: the keyword of its scorer, and the slot in its body where it stands.

    None, the usual default, is never sent. ``env`` are environment variables that stand in for it, unless there is a
    value for the option ``unless``, which stands in for it too. ``choices`` are all values there are. ``changes`` says
    what else a value means, as fields of the `Endpoint`: ``{True: {"score_kind": "logit"}}``.
    """

    name: str
    kind: type | tuple[type, ...] = str
    default: Any = None
    env: tuple[str, ...] = ()
    required: bool = False
    unless: str = ""
    choices: tuple[Any, ...] = ()
    changes: Mapping[Any, Mapping[str, Any]] = field(default_factory=dict)

    def checked(self, scorer: str, value: Any) -> Any:
        """Return a value of the right kind. Raises `SpecError`."""
        kinds = self.kind if isinstance(self.kind, tuple) else (self.kind,)
        truth = isinstance(value, bool)
        fits = isinstance(value, kinds) and (not truth or bool in kinds) and value in (self.choices or (value,))
        if value is None or fits or (float in kinds and _checks.real(value) is not None and not truth):
            return value
        wanted = " or ".join(map(repr, self.choices)) if self.choices else " or ".join(kind.__name__ for kind in kinds)
        got = type(value).__name__ if dict in kinds else f"{value!r:.80}"  # what should be headers may be a key
        msg = f"option {self.name!r} of scorer {scorer!r} must be {wanted}; got {got}"
        raise SpecError(msg)


def options_in(template: Any) -> Iterator[Option]:
    """Give the options that stand in a body."""
    if isinstance(template, Option):
        yield template
    for part in _parts(template):
        yield from options_in(part)


def _parts(template: Any) -> Iterable[Any]:
    if isinstance(template, Mapping):
        return template.values()
    if isinstance(template, Lines):
        return template.parts
    return template if isinstance(template, list) else ()


def filled(template: Any, values: Mapping[Slot | str, Any], texts: Sequence[str]) -> Any:  # noqa: PLR0911 - one a node
    """Return the body with its slots filled; what has no value is left out, and so is an object left empty by that."""
    match template:
        case Each():
            return _each(template, values, texts)
        case Slot():
            return values.get(template)
        case Option():
            return values.get(template.name)
        case Braces():
            return braced(template.text, {**values, "model": values.get(MODEL)})
        case Lines():
            return "\n".join(part for part in filled(list(template.parts), values, texts) if part is not None)
        case Mapping():
            found = {name: filled(part, values, texts) for name, part in template.items()}
            return {name: part for name, part in found.items() if part is not None} or None
        case list():
            return [filled(part, values, texts) for part in template]
        case _:
            return template


def braced(text: str, values: Mapping[Any, Any], written: Callable[[str], str] = str) -> str:
    """Return a text with the names in braces replaced by their values as ``written``; what has no value stays."""
    return re.sub(r"\{(\w+)\}", lambda name: written(str(values[name[1]])) if name[1] in values else name[0], text)


def _each(each: Each, values: Mapping[Slot | str, Any], texts: Sequence[str]) -> list[Any]:
    if each.item is TEXT and not any(isinstance(text, Image) for text in texts):
        return list(texts)
    return [
        filled(
            each.image, {**values, TEXT: text, PICTURE: text.partition(";base64,")[2] or text, INDEX: str(place)}, ()
        )
        if isinstance(text, Image)
        else filled(each.item, {**values, TEXT: text, INDEX: str(place)}, ())
        for place, text in enumerate(texts)
    ]
