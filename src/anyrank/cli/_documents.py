"""Documents as they are piped in, and as they go out again: lines of text, or JSON lines with a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from anyrank import _checks
from anyrank.errors import ArgumentError, TextError
from anyrank.text import texts_of

from . import _console
from ._lines import Line, is_json_lines, lines, read_object, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anyrank import Ranking
    from anyrank.adapter import HostReranker

__all__ = ["Document", "Documents"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document: the text that is scored, and the fields where it is a JSON object."""

    text: str
    fields: Mapping[str, Any] | None = None

    def seen(self) -> Mapping[str, Any]:
        """Return the fields that steps such as ``dedupe`` look at; ``text`` is what was scored."""
        return {**(self.fields or {}), "text": self.text}

    def scored(self, score: float | None) -> dict[str, Any]:
        """Return the document as it came, with its score."""
        fields = {"text": self.text} if self.fields is None else self.fields
        return {**fields, "score": score}


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents in the order they were given in, with the scores that they carry: the first stage's."""

    documents: list[Document]
    scores: list[float | None]

    @classmethod
    def of(cls, given: Sequence[Any], text: Sequence[str]) -> Self:
        """Take strings and objects; ``text`` names the fields of objects that are scored.

        Raises `ArgumentError` and its kind.
        """
        rows = [one if isinstance(one, dict) else None for one in given]
        read = iter(texts_of([row for row in rows if row is not None], list(text) or None))
        texts = [one if isinstance(one, str) else next(read) for one in given]
        scores = [None if row is None else _checks.finite(row.get("score")) for row in rows]
        return cls(list(map(Document, texts, rows)), scores)

    @classmethod
    def read(cls, path: Path | None, text: Sequence[str]) -> Self:
        """Read a file, or standard input: JSON lines where every line is an object, else lines of text.

        A file whose name says JSON, and any where fields are named, must hold objects. Raises `ArgumentError` and its
        kind.
        """
        found = list(lines(path))
        texts = [line.text for line in found]
        rows = _objects(found, must=bool(text) or is_json_lines(path))
        try:
            return cls.of(rows or texts, text)
        except TextError as error:
            error.add_note(f"that was {source_name(path)}, document 0 its first; --text FIELD says where the text is")
            raise

    def reranked(self, reranker: HostReranker, query: str) -> Ranking[Document]:
        """Ask a reranker."""
        return reranker.rerank(query, self.documents, text=lambda one: one.text, first_stage=self.scores)


def _objects(found: Sequence[Line], *, must: bool) -> list[dict[str, Any]]:
    """Return the objects that the lines are, none where one of them is not."""
    rows: list[dict[str, Any]] = []
    for line in found:
        try:
            rows.append(read_object(line))
        except ArgumentError as error:
            if must:
                raise
            if rows:
                _console.warn(f"{error}; so all lines are taken for plain text")
            return []
    return rows
