"""LanceDB's contract for a reranker, with what its own base class gets wrong put right."""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import lancedb.rerankers

from anyrank.errors import ArgumentError
from anyrank_lancedb._queries import asked_by, tables_of
from anyrank_lancedb._rows import (
    concatenated,
    distinct,
    enrolled,
    indices,
    require_row_ids,
    scored,
    taken,
    without_found,
)

if TYPE_CHECKING:
    import pyarrow as pa

ReturnScore: TypeAlias = Literal["relevance", "all"]


class Reranker(lancedb.rerankers.Reranker):  # type: ignore[misc]  # an untyped package's class
    """Base of a reranker of your own, as ``lancedb.rerankers.Reranker`` is: write ``rerank_hybrid``.

    ``return_score`` is ``"relevance"``, or ``"all"`` to keep the columns ``_distance`` and ``_score`` too. The helpers
    have LanceDB's names. They copy whole columns: types, metadata and ``_rowid`` stay as they are.
    Raises `anyrank.errors.ArgumentError`, a ``ValueError``.
    """

    def __init__(self, return_score: ReturnScore = "relevance") -> None:
        if return_score not in ("relevance", "all"):
            msg = f"return_score must be 'relevance' or 'all'; got {return_score!r:.80}"
            raise ArgumentError(msg)
        super().__init__(return_score)

    def rerank_multivector(self, vector_results: Any, query: str | None = None, deduplicate: bool = False) -> pa.Table:  # noqa: FBT001, FBT002 - LanceDB's signature
        """Rerank the lists of several searches as one, by ``rerank_vector``.

        ``vector_results`` are tables or searches, which are run. ``query`` None takes the text that one of them asked.
        ``deduplicate`` keeps one copy of each row, by ``_rowid``, before anything is scored.
        Raises `anyrank.errors.ArgumentError` for no list, and for lists without ``_rowid`` if they are to be
        deduplicated.
        """
        lists = tables_of(vector_results)
        if deduplicate:
            require_row_ids(lists)
        combined = concatenated(lists)
        asked = asked_by(vector_results) if query is None else query
        return self.rerank_vector(asked, self._deduplicate(combined) if deduplicate else combined)

    async def arerank_hybrid(self, query: Any, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:
        """Rerank as ``rerank_hybrid`` does, without blocking the event loop: in a thread, unless overridden."""
        return await to_thread(self.rerank_hybrid, query, vector_results, fts_results)

    async def arerank_vector(self, query: Any, vector_results: pa.Table) -> pa.Table:
        """Rerank as ``rerank_vector`` does, without blocking the event loop."""
        return await to_thread(self.rerank_vector, query, vector_results)

    async def arerank_fts(self, query: Any, fts_results: pa.Table) -> pa.Table:
        """Rerank as ``rerank_fts`` does, without blocking the event loop."""
        return await to_thread(self.rerank_fts, query, fts_results)

    def merge_results(self, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:
        """Return the rows of both lists, each once, those of the vector search first."""
        lists, roll = enrolled([vector_results, fts_results])
        return concatenated(lists).take(indices(roll.first(roll.rows)))

    def _merge_and_keep_scores(self, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:
        """Merge, and give rows that both searches found their distance and their score."""
        lists, roll = enrolled([vector_results, fts_results])
        return taken(lists, roll, roll.rows, everything=True)

    def _deduplicate(self, table: pa.Table) -> pa.Table:
        """Return the table with each row once, by ``_rowid``: its first copy."""
        require_row_ids([table])
        return distinct(table)

    def _handle_empty_results(self, results: pa.Table) -> pa.Table:
        """Return a table without rows with the column ``_relevance_score``, any other as it is."""
        return results if results.num_rows else scored(results, ())

    def _keep_relevance_score(self, combined_results: pa.Table) -> pa.Table:
        """Return the table without what the searches left, unless all scores were asked for."""
        return without_found(combined_results) if self.score == "relevance" else combined_results
