"""Judgments, runs and queries from whatever holds them: files, data frames, Arrow tables, rows, dicts and lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from anyrank import _checks
from anyrank.errors import ArgumentError
from anyrank.ranking import Ranking

from .files import QRELS_COLUMNS, RUN_COLUMNS, Row, read_rows

__all__ = ["Qrels", "read_qrels", "read_queries", "read_run"]

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
"""The grade of each judged document by query id and document id; 0 is not relevant."""

NAMES: Final[Mapping[str, Sequence[str]]] = {
    "query": ("query_id", "query-id", "qid", "query"),
    "document": ("doc_id", "corpus-id", "docid", "docno", "document_id", "id"),
    "grade": ("relevance", "score", "grade", "label", "rel"),
    "text": ("text", "query", "question"),
    "id": ("query_id", "query-id", "qid", "_id", "id"),
}
"""What the columns of a table may be called, the likeliest first."""


def read_qrels(source: Any) -> dict[str, dict[str, int]]:
    """Return judgments as grades by query id and document id; ids become str.

    ``source`` is a file (TREC's four columns, BEIR's three under a header, JSON lines), a table (pandas, polars,
    Arrow, a list of rows) with the columns of `NAMES`, a mapping or list by query of ``{document id: grade}``, of the
    ids of what is relevant, or of one such id. A pair judged twice must have one grade. Raises `ArgumentError`.
    """
    if _is_table(source):
        return _judged(
            (place, _cell(place, row, "query"), _cell(place, row, "document"), _cell(place, row, "grade"))
            for place, row in _rows(source, QRELS_COLUMNS)
        )
    return _judged(
        (f"the judgments of query {query!r}", query, document, grade)
        for query, judged in by_query(source, "judgments").items()
        for document, grade in _grades(judged).items()
    )


def read_run(source: Any) -> dict[str, Ranking[Any]]:
    """Return a run as one ranking a query, by query id.

    ``source`` is a file (TREC's six columns, JSON lines), a table with the columns of `NAMES` and ``rank`` or
    ``score``, or a mapping or list by query of a `Ranking`, of documents in order, or of ``{document id: score}``. The
    rank decides the order; without one the score does, higher first, and equal ones stay as they stand. Raises
    `ArgumentError`, also for a document that a query has twice in a file or table, as ``trec_eval`` does.
    """
    if not _is_table(source):
        return {query: ranking_of(query, found) for query, found in by_query(source, "a run").items()}
    found: dict[str, dict[str, tuple[float, float | None]]] = {}
    for place, row in _rows(source, RUN_COLUMNS):
        query, document = str(_cell(place, row, "query")), str(_cell(place, row, "document"))
        rank, score = _number(place, row, "rank"), _number(place, row, "score")
        hits = found.setdefault(query, {})
        if document in hits:
            msg = f"{place}: query {query!r} has document {document!r} twice"
            raise ArgumentError(msg)
        hits[document] = (rank if rank is not None else -(score or 0.0), score)
    return {query: _ordered(hits) for query, hits in found.items()}


def read_queries(source: Any) -> dict[str, str]:
    """Return queries by id from a file of JSON lines, a table, a mapping, or a list, whose places are the ids then."""
    if isinstance(source, Sequence) and not isinstance(source, str) and all(isinstance(one, str) for one in source):
        texts: Mapping[str, Any] = by_query(source, "queries")
    elif _is_table(source):
        texts = {
            str(_cell(place, row, "id")): _cell(place, row, "text") for place, row in _rows(source, {2: ("id", "text")})
        }
    else:
        texts = by_query(source, "queries")
    return {query: _checks.query(text) for query, text in texts.items()}


def by_query(source: Any, what: str) -> dict[str, Any]:
    """Return what a mapping holds by query id, or a list by place, under ids that are str."""
    if isinstance(source, Mapping):
        return {str(query): value for query, value in source.items()}
    if isinstance(source, Iterable) and not isinstance(source, (str, bytes)):
        return {str(place): value for place, value in enumerate(source)}
    msg = f"{what} must be a mapping by query id or a list, one a query; got a {type(source).__name__}"
    raise ArgumentError(msg)


def _is_table(source: Any) -> bool:
    if isinstance(source, (str, Path)) or hasattr(source, "columns") or hasattr(source, "column_names"):
        return True
    rows = isinstance(source, Sequence) and bool(source) and all(isinstance(row, Mapping) for row in source)
    return rows and any(name in source[0] for name in NAMES["id"])


def _rows(source: Any, columns: Mapping[int, tuple[str, ...]]) -> Iterator[tuple[str, Row]]:
    if isinstance(source, (str, Path)):
        yield from read_rows(source, columns)
        return
    if hasattr(source, "to_pylist"):  # Arrow
        source = source.to_pylist()
    elif hasattr(source, "to_dicts"):  # polars
        source = source.to_dicts()
    elif hasattr(source, "to_dict"):  # pandas
        source = source.to_dict("records")
    for number, row in enumerate(source):
        yield f"row {number}", row


def _cell(place: str, row: Row, what: str) -> Any:
    for name in NAMES[what]:
        if row.get(name) is not None:
            return row[name]
    msg = f"{place}: no {what}; its column may be called {', '.join(NAMES[what])}, and there are {', '.join(row)}"
    raise ArgumentError(msg)


def _number(place: str, row: Row, name: str) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    try:
        number = _checks.finite(float(value) if isinstance(value, str) else value)
    except ValueError:
        number = None
    if number is None:
        msg = f"{place}: {name} must be a finite number; got {value!r:.80}"
        raise ArgumentError(msg)
    return number


def _grades(judged: Any) -> Mapping[Any, Any]:
    if isinstance(judged, Mapping):
        return judged
    relevant = [judged] if isinstance(judged, (str, int)) else judged
    return dict.fromkeys(relevant, 1)


def _judged(rows: Iterable[tuple[str, Any, Any, Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for place, query, document, given in rows:
        number = _number(place, {"grade": given}, "grade")
        if number is None or number != int(number):
            msg = f"{place}: a grade is a whole number; got {given!r:.80}"
            raise ArgumentError(msg)
        grades = found.setdefault(str(query), {})
        if grades.setdefault(str(document), int(number)) != number:
            had = grades[str(document)]
            msg = f"{place}: document {document!r} of query {query!r} has grade {had} already, and now {given}"
            raise ArgumentError(msg)
    return found


def ranking_of(query: str, found: Any) -> Ranking[Any]:
    """Return a ranking from one, from scores by id, or from documents in order, which may carry a score each."""
    if isinstance(found, Ranking):
        return found
    if not isinstance(found, Mapping):
        documents = list(found)
        scores = [number for one in documents if (number := _checks.finite(getattr(one, "score", None))) is not None]
        return Ranking.of(documents, scores if len(scores) == len(documents) else None)
    hits: dict[str, tuple[float, float | None]] = {}
    for document, given in found.items():
        score = _number(f"the ranking of query {query!r}", {"score": given}, "score")
        hits[str(document)] = (-(score or 0.0), score)
    return _ordered(hits)


def _ordered(hits: Mapping[str, tuple[float, float | None]]) -> Ranking[str]:
    order = sorted(hits, key=lambda document: hits[document][0])
    scores = [score for document in order if (score := hits[document][1]) is not None]
    return Ranking.of(order, scores if len(scores) == len(order) else None)
