"""One call of a reranker: what RedisVL's users pass, looked at once, and what they get back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict

from anyrank.errors import ArgumentError

if TYPE_CHECKING:
    from anyrank import Ranking

CONTENT: Final = "content"
"""The field that RedisVL's rerankers read, and under which one of them returns plain strings."""

Record: TypeAlias = Mapping[str, Any]

Ranked: TypeAlias = tuple[list[Any], list[float]] | list[Any]
"""Documents and their scores, best first; without ``return_score``, the documents alone."""


class RankOptions(TypedDict, total=False):
    """The keywords of one call; without one, the reranker's own setting counts.

    ``rank_by`` names the field, or the fields, whose text is scored. ``limit`` documents come back at most (None:
    all). ``return_score`` False leaves the scores out.
    """

    rank_by: str | Sequence[str] | None
    limit: int | None
    return_score: bool


class InputTypeError(ArgumentError, TypeError):
    """An argument of the wrong type: RedisVL raises ``TypeError`` in some rerankers, ``ValueError`` in others."""


class Row(dict[str, Any]):
    """A document as steps see it: its fields, and the ``text`` that is scored."""

    __slots__ = ("text",)

    def __init__(self, fields: Record, text: str) -> None:
        super().__init__(fields)
        self.text = text


@dataclass(frozen=True, slots=True)
class Call:
    """A question, a row for each document, and what goes back of each."""

    query: str
    rows: Sequence[Row]
    documents: Sequence[Any]
    limit: int | None
    return_score: bool

    def answer(self, ranking: Ranking[Row]) -> Ranked:
        """Return the documents in the order of a ranking of their rows, in RedisVL's form."""
        found = [self.documents[hit.index] for hit in ranking]
        return (found, ranking.scores) if self.return_score else found  # type: ignore[return-value]  # none is None


def fields_of(row: Row) -> Record:
    """Return what steps look field names up in."""
    return {**row, "text": row.text}


def checked_query(query: object) -> str:
    """Accept a string that is not empty; raises `ArgumentError` and its kind, as RedisVL's cross-encoder does."""
    if not isinstance(query, str):
        msg = f"query must be a str; got a {type(query).__name__}: {query!r:.80}"
        raise InputTypeError(msg)
    if not query:
        msg = "query is empty: pass the text that the documents are to be ranked for"
        raise ArgumentError(msg)
    return query


def checked_docs(docs: object) -> list[Record | str | None]:
    """Return a list of documents; raises `InputTypeError`, saying what ``docs`` holds instead."""
    whole = isinstance(docs, (str, bytes, Mapping)) or not isinstance(docs, Iterable)
    found: list[Any] = [docs] if whole else list(docs)  # type: ignore[call-overload]  # an Iterable by now
    for doc in found:
        if whole or not isinstance(doc, (str, Mapping, type(None))):
            msg = f"docs must be a list of dicts or of strings; got a {type(doc).__name__}: {doc!r:.80}"
            raise InputTypeError(msg)
    return found


def checked_fields(rank_by: object) -> list[str] | None:
    """Return field names as a list, None where there are none; raises `InputTypeError`."""
    if rank_by is None:
        return None
    names = [rank_by] if isinstance(rank_by, str) else rank_by
    if not isinstance(names, Sequence) or not all(isinstance(name, str) and name for name in names):
        msg = f"rank_by must be a field's name or a list of names, such as ['title', 'body']; got {rank_by!r:.80}"
        raise InputTypeError(msg)
    return list(names) or None


def checked_flag(value: object, name: str) -> bool:
    """Accept True or False; raises `InputTypeError`."""
    if isinstance(value, bool):
        return value
    msg = f"{name} must be True or False; got {value!r:.80}"
    raise InputTypeError(msg)
