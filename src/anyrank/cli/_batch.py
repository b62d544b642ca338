"""Many queries, each with documents of its own, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from anyrank.errors import ArgumentError

from ._console import said
from ._documents import Documents
from ._lines import lines, read_object, written
from ._streaming import in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from anyrank import Report
    from anyrank.adapter import HostReranker

    from ._lines import Line

__all__ = ["Answer", "answers"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a line: the line to write, and the report, or the error that it says."""

    place: str
    text: str
    report: Report | None = None
    error: Exception | None = None


def answers(path: Path | None, reranker: HostReranker, text: Sequence[str], limit: int) -> Iterator[Answer]:
    """Rerank the lines of a file, or of standard input, ``limit`` at a time, and yield their answers in order.

    A line is an object with a ``query`` and ``documents``, strings or objects; its other fields stay.
    """
    for future in in_order(partial(_answered, reranker, text), lines(path), limit):
        yield future.result()


def _answered(reranker: HostReranker, text: Sequence[str], line: Line) -> Answer:
    try:
        return _reranked(reranker, text, line)
    except Exception as error:  # noqa: BLE001 - of this line; the command decides what becomes of the others
        if line.place not in str(error):
            error.add_note(f"that was {line.place}")
        return Answer(line.place, _failed(line, said(error)), error=error)


def _reranked(reranker: HostReranker, text: Sequence[str], line: Line) -> Answer:
    row = read_object(line)
    query, documents = row.get("query"), row.get("documents")
    given = documents if isinstance(documents, list) else [None]
    if not isinstance(query, str) or not all(isinstance(one, (str, dict)) for one in given):
        msg = f"{line.place}: 'query', a string, and 'documents', a list of strings or objects, are needed"
        raise ArgumentError(msg)
    ranking = Documents.of(given, text).reranked(reranker, query)
    found = [hit.document.scored(hit.score) for hit in ranking]
    return Answer(line.place, written({**row, "documents": found}), ranking.report)


def _failed(line: Line, why: str) -> str:
    """Return the line with its error; of one that is no object, the error alone."""
    try:
        row = read_object(line)
    except ArgumentError:
        row = {}
    return written({**row, "error": why})
