"""LanceDB's queries: what they ask in words, and what they return."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from lancedb.query import BooleanQuery, BoostQuery, FullTextQuery, Occur

from anyrank.errors import ArgumentError, TextError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def words_of(query: Any) -> str:
    """Return what a query asks, as text.

    Of a full-text query object that is what it looks for, not what it boosts down or excludes; the quotes round a
    phrase are LanceDB's syntax and are left out. Raises `TextError` where no text is known.
    """
    if isinstance(query, str):
        return _unquoted(query)
    if isinstance(query, FullTextQuery):
        return " ".join(dict.fromkeys(map(_unquoted, _wanted(query))))
    msg = (
        f"reranking needs the query as text; got {type(query).__name__}: {query!r:.80}. A search by vector takes it in "
        ".rerank(reranker, query_string='…'), and rerank_multivector as query='…'"
    )
    raise TextError(msg)


def _wanted(query: FullTextQuery) -> Iterator[str]:
    if isinstance(query, BooleanQuery):
        for occurs, part in query.queries:
            if occurs != Occur.MUST_NOT:
                yield from _wanted(part)
    elif isinstance(query, BoostQuery):
        yield from _wanted(query.positive)
    else:
        yield query.query


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    return inner if text[:1] == text[-1:] == '"' and inner and '"' not in inner else text


def tables_of(results: Any) -> list[pa.Table]:
    """Return the result lists of several searches, running those that have not run.

    Raises `ArgumentError` for no list at all, and for what is neither a table nor a search.
    """
    tables = [_table(result) for result in _listed(results)]
    if not tables:
        msg = "vector_results must not be empty: give the result lists, or the searches, to rerank together"
        raise ArgumentError(msg)
    return tables


def asked_by(results: Any) -> str | FullTextQuery | None:
    """Return the text query of the first search that has one, None where only vectors were searched for."""
    queries = (getattr(result, name, None) for result in _listed(results) for name in ("_str_query", "_query", "_text"))
    return next((query for query in queries if isinstance(query, (str, FullTextQuery))), None)


def _listed(results: Any) -> Sequence[Any]:
    return results if isinstance(results, (list, tuple)) else [results]


def _table(result: Any) -> pa.Table:
    table = result.to_arrow() if hasattr(result, "to_arrow") else result
    if isinstance(table, pa.Table):
        return table
    given = f"a {type(result).__name__}"
    if isawaitable(table):
        table.close()  # type: ignore[attr-defined]  # a coroutine that is not to run
        given += ", which is to be awaited: give what `await search.to_arrow()` returns"
    msg = f"vector_results must be a list of pyarrow Tables or LanceDB searches; got {given}"
    raise ArgumentError(msg)
