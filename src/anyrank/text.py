"""From a candidate to the text that is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from .errors import ArgumentError, TextError

__all__ = ["Fields", "TextOf", "fields", "texts_of"]

T = TypeVar("T")

TextOf: TypeAlias = "Callable[[T], str | None] | str | Sequence[str] | Fields | None"
"""How to read a document's text: a function, a field's name, several names, or None for the usual ones."""

USUAL_FIELDS: Final = ("text", "page_content", "content")
"""Where a document without ``text=`` keeps its text; the first that any of the documents has is read in all."""

_MISSING: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Fields:
    """Reads fields of documents, mapping keys or attributes, and joins them; see `fields`."""

    names: tuple[str, ...]
    separator: str = "\n"

    def read(self, documents: Sequence[Any]) -> list[str]:
        """Return each document's text. Raises `TextError` for a field that no document has."""
        columns = [_column(documents, name) for name in self.names]
        if len(columns) == 1:
            return columns[0]
        return [self.separator.join(filter(None, parts)) for parts in zip(*columns, strict=True)]


def fields(*names: str, separator: str = "\n") -> Fields:
    """Return what ``text=`` takes to read these fields of every document.

    The parts of a document are joined by ``separator``, empty ones left out. A field that some documents lack is
    empty there; one that none of them has raises `TextError` with the fields there are.

    >>> from anyrank import Reranker
    >>> rows = [{"title": "heapq", "body": "merge sorted inputs"}, {"title": "bisect"}]
    >>> Reranker("lexical").rerank("merge", rows, text=fields("title", "body", separator=": "))[0].index
    0
    """
    if not names or not all(isinstance(name, str) and name for name in names):
        msg = f"text= needs the names of one or more fields; got {names!r}"
        raise ArgumentError(msg)
    return Fields(names, separator)


def texts_of(documents: Sequence[T], text: TextOf[T] = None) -> list[str]:
    """Return each document's text, in order; None becomes ``""``.

    Raises `TextError` when a text is not a string, or no document has a field.
    """
    if text is None:
        return _usual(documents)
    if isinstance(text, Fields):
        return text.read(documents)
    if isinstance(text, str):
        return fields(text).read(documents)
    if callable(text):
        return [_string(text(document), index) for index, document in enumerate(documents)]
    if isinstance(text, Sequence):
        return fields(*text).read(documents)
    msg = f"text= takes a function, a field's name or several names; got a {type(text).__name__}"
    raise ArgumentError(msg)


def _usual(documents: Sequence[Any]) -> list[str]:
    if all(document is None or isinstance(document, str) for document in documents):
        return ["" if document is None else document for document in documents]
    for name in USUAL_FIELDS:
        if any(_field(document, name) is not _MISSING for document in documents):
            return _column(documents, name, strings=True)
    stranger = next(document for document in documents if not isinstance(document, str) and document is not None)
    msg = (
        f"cannot tell where the text of a {type(stranger).__name__} is{_present(documents)}: "
        "pass text='field', text=['title', 'body'] or text=function"
    )
    raise TextError(msg)


def _column(documents: Sequence[Any], name: str, *, strings: bool = False) -> list[str]:
    return [_string(value, index, name) for index, value in enumerate(values_of(documents, name, strings=strings))]


def values_of(documents: Sequence[Any], name: str, *, strings: bool = False) -> list[Any]:
    """Return what a field holds in each document, None where it is missing; with ``strings``, a str is its own value.

    Raises `TextError` where no document has the field.
    """
    values = [document if strings and isinstance(document, str) else _field(document, name) for document in documents]
    if values and all(value is _MISSING for value in values):
        msg = f"no document has a field {name!r}{_present(documents)}"
        raise TextError(msg)
    return [None if value is _MISSING else value for value in values]


def _field(document: Any, name: str) -> Any:
    if isinstance(document, Mapping):
        return document.get(name, _MISSING)
    return getattr(document, name, _MISSING)


def _present(documents: Sequence[Any]) -> str:
    """Say which fields the first document has, for an error's reader."""
    first = next((document for document in documents if document is not None), None)
    names = list(first) if isinstance(first, Mapping) else sorted(_attributes(first))
    public = [str(name) for name in names if not str(name).startswith("_")]
    return f" (fields there are: {', '.join(public[:12])})" if public else ""


def _attributes(document: object) -> set[str]:
    """Return the names of what an object holds, in whichever way its class keeps it."""
    slots = getattr(type(document), "__slots__", ())
    named = getattr(type(document), "_fields", ())
    return {*getattr(document, "__dict__", {}), *([slots] if isinstance(slots, str) else slots), *named}


def _string(value: object, index: int, name: str | None = None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    where = f"document {index}" if name is None else f"field {name!r} of document {index}"
    msg = f"the text of {where} is of type {type(value).__name__}, not str: {value!r:.80}"
    raise TextError(msg)
