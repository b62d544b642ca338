"""Judgments, runs and queries from whatever holds them: files, data frames, Arrow tables, rows, dicts and lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from anyrank import _checks
from anyrank.errors import ArgumentError
from anyrank.ranking import Ranking

from .files import QRELS_COLUMNS, QUERY_COLUMNS, RUN_COLUMNS, Row, read_json, read_rows

__all__ = ["Qrels", "read_qrels", "read_queries", "read_run"]

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
"""The grade of each judged document by query id and document id; 0 is not relevant."""

Placed: TypeAlias = tuple[float | None, float | None]
"""A document's rank and score."""

NAMES: Final[Mapping[str, Sequence[str]]] = {
    "query": ("query_id", "query-id", "qid", "query"),
    "document": ("doc_id", "corpus-id", "docno", "docid", "document_id", "id"),
    "grade": ("relevance", "score", "grade", "label", "rel"),
    "text": ("text", "query", "question"),
    "id": ("query_id", "query-id", "qid", "_id", "id"),
}
"""What the columns of a table may be called, the likeliest first (PyTerrier's ``docid`` is a number of its own)."""

KNOWN: Final = frozenset({"iteration", "rank", "tag"}.union(*NAMES.values()))
"""What the first line of a file is told by to be a header."""

HIGHEST: Final = 1_000_000
"""trec_eval takes memory by the highest grade."""


def read_qrels(source: Any) -> dict[str, dict[str, int]]:
    """Return judgments as grades by query id and document id; ids become str.

    ``source`` is a file (TREC's four columns, BEIR's three, JSON lines, JSON), a table (pandas, polars, Arrow, a list
    of rows, also of named tuples as ir-measures has them) with the columns of `NAMES`, a mapping or list by query of
    ``{document id: grade}``, of the ids of what is relevant, or of one such id. A pair judged twice must have one
    grade. Raises `ArgumentError`.
    """
    if _is_table(source := _given(source)):
        return _judged(
            (place, _cell(place, row, "query"), _cell(place, row, "document"), _cell(place, row, "grade"))
            for place, row in _rows(source, QRELS_COLUMNS)
        )
    return _judged(
        (f"the judgments of query {query!r}", query, document, grade)
        for query, judged in by_query(source, "judgments").items()
        for document, grade in _grades(query, judged).items()
    )


def read_run(source: Any) -> dict[str, Ranking[Any]]:
    """Return a run as one ranking a query, by query id.

    ``source`` is a file (TREC's six columns, JSON lines, JSON), a table with the columns of `NAMES` and ``rank`` or
    ``score``, or a mapping or list by query of a `Ranking`, of documents in order, or of ``{document id: score}``. The
    rank decides the order; without one, or between equal ones, the score does, higher first, and what is equal in both
    stays as it stands. Raises `ArgumentError`, also for a document that a query has twice in a file or table, as
    ``trec_eval`` does, and for a query with ranks or scores in some rows only.
    """
    if not _is_table(source := _given(source)):
        return {query: ranking_of(query, found) for query, found in by_query(source, "a run").items()}
    found: dict[str, dict[str, Placed]] = {}
    kinds: dict[str, list[bool]] = {}
    for place, row in _rows(source, RUN_COLUMNS):
        query, document = _cell(place, row, "query"), _cell(place, row, "document")
        placed = (_number(place, row, "rank"), _number(place, row, "score"))
        hits = found.setdefault(query, {})
        if document in hits:
            msg = f"{place}: query {query!r} has document {document!r} twice"
            raise ArgumentError(msg)
        hits[document] = placed
        if kinds.setdefault(query, [one is None for one in placed]) != [one is None for one in placed]:
            msg = f"{place}: query {query!r} has ranks or scores in some rows and none in others"
            raise ArgumentError(msg)
    return {query: _ordered(hits) for query, hits in found.items()}


def read_queries(source: Any) -> dict[str, str]:
    """Return queries by id.

    ``source`` is a file (JSON lines, JSON, or an id and a text parted by a tab), a table, a mapping, or a list, whose
    places are the ids then. Raises `ArgumentError`, also for an id with two texts.
    """
    if _is_table(source := _given(source)):
        rows = (
            (place, _cell(place, row, "id"), _cell(place, row, "text")) for place, row in _rows(source, QUERY_COLUMNS)
        )
    else:
        rows = (("queries", query, text) for query, text in by_query(source, "queries").items())
    texts: dict[str, str] = {}
    for place, query, text in rows:
        if not isinstance(text, str):
            msg = f"{place}: the text of query {query!r} must be a str; got {text!r:.80}"
            raise ArgumentError(msg)
        if texts.setdefault(query, text) != text:
            msg = f"{place}: query {query!r} stands twice, with another text"
            raise ArgumentError(msg)
    return texts


def by_name(**arguments: Any) -> dict[str, Any]:
    """Return what an argument holds by name. Raises `ArgumentError` for one that does not."""
    [(argument, given)] = arguments.items()
    if not isinstance(given, Mapping):
        msg = f"{argument}= takes a mapping by name, as in {{'name': …}}; got a {type(given).__name__}"
        raise ArgumentError(msg)
    return {str(name): value for name, value in given.items()}


def by_query(source: Any, what: str) -> dict[str, Any]:
    """Return what a mapping holds by query id, or a list by place, under ids that are str."""
    if isinstance(source, Mapping):
        return _by_id(source, what)
    if isinstance(source, Iterable) and not isinstance(source, (str, bytes)):
        return {str(place): value for place, value in enumerate(source)}
    msg = f"{what} must be a mapping by query id or a list, one a query; got a {type(source).__name__}"
    raise ArgumentError(msg)


def _by_id(given: Mapping[Any, Any], what: str) -> dict[str, Any]:
    """Return a mapping under ids that are str. Raises `ArgumentError` where two of them are one then."""
    found = {identifier(key): value for key, value in given.items()}
    if len(found) < len(given):
        [(twice, _)] = Counter(map(identifier, given)).most_common(1)
        msg = f"{what}: the id {twice!r} stands there twice, as a str and as a number; let ids be one or the other"
        raise ArgumentError(msg)
    return found


def identifier(value: Any) -> str:
    """Return an id as a str; a float that is a whole number, as tables with gaps make of them, as that number."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _given(source: Any) -> Any:
    """Return what a file of one JSON value holds, and the rows of a list of named tuples; all else as it is."""
    if isinstance(source, (str, Path)) and ".json" in Path(source).suffixes:
        held = read_json(Path(source))
        return source if held is None or (isinstance(held, dict) and held.keys() & {*NAMES["id"]}) else held
    if isinstance(source, Sequence) and source and all(hasattr(row, "_asdict") for row in source):
        return [row._asdict() for row in source]
    return source


def _is_table(source: Any) -> bool:
    if isinstance(source, (str, Path)) or hasattr(source, "columns") or hasattr(source, "column_names"):
        return True
    rows = isinstance(source, Sequence) and bool(source) and all(isinstance(row, Mapping) for row in source)
    return rows and any(name in source[0] for name in NAMES["id"])


def _rows(source: Any, columns: Mapping[int, tuple[str, ...]]) -> Iterator[tuple[str, Row]]:
    if isinstance(source, (str, Path)):
        yield from read_rows(source, columns, KNOWN)
        return
    if hasattr(source, "to_pylist"):  # Arrow
        source = source.to_pylist()
    elif hasattr(source, "to_dicts"):  # polars
        source = source.to_dicts()
    elif hasattr(source, "columns") and hasattr(source, "to_dict"):  # pandas
        source = source.to_dict("records")
    for number, row in enumerate(source):
        yield f"row {number}", row


def _cell(place: str, row: Row, what: str) -> Any:
    """Return a cell, an id as a str; NaN is what pandas makes of one that is missing."""
    for name in NAMES[what]:
        value = row.get(name)
        if value is not None and (isinstance(value, str) or str(value) not in ("nan", "NaT", "<NA>")):
            return value if what in ("grade", "text") else identifier(value)
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


def _grades(query: str, judged: Any) -> Mapping[str, Any]:
    if isinstance(judged, Mapping):
        return _by_id(judged, f"the judgments of query {query!r}")
    if isinstance(judged, (str, int)):
        return {str(judged): 1}
    if not isinstance(judged, Iterable):
        msg = f"the judgments of query {query!r} must be grades by document id, or ids; got {judged!r:.80}"
        raise ArgumentError(msg)
    return dict.fromkeys(map(identifier, judged), 1)


def _judged(rows: Iterable[tuple[str, str, str, Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for place, query, document, given in rows:
        number = float(given) if isinstance(given, bool) else _number(place, {"grade": given}, "grade")
        if number is None or number != int(number) or abs(number) > HIGHEST:
            msg = f"{place}: a grade is a whole number, such as 0, 1 or 2; got {given!r:.80}"
            raise ArgumentError(msg)
        grades = found.setdefault(query, {})
        if grades.setdefault(document, int(number)) != number:
            had = grades[document]
            msg = f"{place}: document {document!r} of query {query!r} has grade {had} already, and now {given}"
            raise ArgumentError(msg)
    return found


def ranking_of(query: str, found: Any) -> Ranking[Any]:
    """Return a ranking from one, from scores by id, or from documents in order, which may carry a score each."""
    if isinstance(found, Ranking):
        return found
    if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
        msg = f"the ranking of query {query!r} must be a list of documents, or scores by id; got {found!r:.80}"
        raise ArgumentError(msg)
    if not isinstance(found, Mapping):
        documents = list(found)
        scores = [number for one in documents if (number := _checks.finite(getattr(one, "score", None))) is not None]
        return Ranking.of(documents, scores if len(scores) == len(documents) else None)
    place = f"the ranking of query {query!r}"
    hits: dict[str, Placed] = {}
    for document, score in _by_id(found, place).items():
        hits[document] = (None, _number(place, {"score": score}, "score"))
        if hits[document][1] is None:
            msg = f"{place}: document {document!r} has no score"
            raise ArgumentError(msg)
    return _ordered(hits)


def _ordered(hits: Mapping[str, Placed]) -> Ranking[str]:
    places = {document: (rank or 0.0, -(score or 0.0)) for document, (rank, score) in hits.items()}
    order = sorted(places, key=places.__getitem__)
    scores = [score for document in order if (score := hits[document][1]) is not None]
    return Ranking.of(order, scores if len(scores) == len(order) else None)
