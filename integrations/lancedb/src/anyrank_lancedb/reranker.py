"""Any scorer as a LanceDB reranker."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from anyrank import Cascade
from anyrank.adapter import ApiKey, HostLifecycle, HostReranker, OnReport, RerankerLike, StepLike, checked_top_n
from anyrank.diversity import cap
from anyrank.scorer import traits
from anyrank_lancedb._formulas import reciprocal_ranks
from anyrank_lancedb._queries import asked_by, tables_of, words_of
from anyrank_lancedb._roll import Roll
from anyrank_lancedb._rows import (
    DISTANCE,
    RELEVANCE,
    ROW_ID,
    SCORE,
    concatenated,
    copies,
    enrolled,
    has,
    indices,
    require_row_ids,
    scored,
    taken,
)
from anyrank_lancedb._texts import Column, Row, by_column, checked_column, texts_of
from anyrank_lancedb.base import Reranker, ReturnScore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anyrank import Ranking

RRF_K = 60


@dataclass(frozen=True, slots=True)
class Found:
    """What searches found: rows of the roll of these lists, in the order in which the scorer sees them.

    ``first_stage`` are their scores by the searches, higher for better, where these mean something together.
    """

    lists: Sequence[pa.Table]
    roll: Roll
    rows: Sequence[Any]
    first_stage: Sequence[float | None] | None = None


class AnyRankReranker(HostLifecycle, Reranker):
    """Reranks what a LanceDB search found with any anyrank scorer: ``table.search(…).rerank(reranker)``.

    ``scorer`` is a spec such as ``"lexical"`` or ``"cross_encoder:BAAI/bge-reranker-v2-m3"``, with
    ``scorer_options`` and ``api_key`` for it; or a scorer object, a function ``(query, texts) -> floats``, an
    `anyrank.Reranker` or an `anyrank.Cascade`, without them. ``column`` is the column whose text is scored, or several.
    ``top_n`` rows come back at most (None: all, or the wrapped reranker's own number), of those that score at least
    ``score_threshold``; ``dedupe_by`` keeps of all rows with the same value in that column the best one (rows without a
    value stay). ``then`` lists further steps before that cut: functions from ranking to ranking, or specs of
    `anyrank.diversity`; they see a row as a mapping from column to value, with the scored text as ``"text"``.
    ``on_report`` is called with the `anyrank.Report` of every call.

    The score is in the last column, ``_relevance_score``, as float32, best first; equal scores keep LanceDB's order,
    vector search first. ``return_score="all"`` also keeps ``_distance`` and ``_score``, of hybrid searches for rows
    that both lists found too. All other columns stay as they are. A scorer that looks at the order, such as
    `anyrank.FirstStage`, gets the rows of several lists in the order of their reciprocal rank fusion.

    Raises `anyrank.errors.ArgumentError`, a ``ValueError``, at construction; when asked, `anyrank.errors.TextError` for
    a column that is not there, and whatever the scorer raises.
    """

    def __init__(  # noqa: PLR0913 - a reranker's settings, which its users write side by side
        self,
        scorer: RerankerLike,
        column: Column = "text",
        *,
        return_score: ReturnScore = "relevance",
        top_n: int | None = None,
        dedupe_by: str | None = None,
        scorer_options: Mapping[str, Any] | None = None,
        api_key: ApiKey | None = None,
        score_threshold: float | None = None,
        then: Iterable[StepLike] | None = None,
        on_report: OnReport | None = None,
    ) -> None:
        super().__init__(return_score)
        self.column = checked_column(column)
        self.top_n = checked_top_n(top_n, "top_n")
        self._host = HostReranker(
            scorer,
            scorer_options=scorer_options,
            api_key=api_key,
            score_threshold=score_threshold,
            then=then if dedupe_by is None else [cap(by_column(dedupe_by), 1), *(then or ())],
            on_report=on_report,
        )

    def __str__(self) -> str:
        return f"{type(self).__name__}({self._host.model_name})"

    def rerank_vector(self, query: Any, vector_results: pa.Table) -> pa.Table:
        """Rerank what a vector search found."""
        return self._reranked(query, _alone(vector_results))

    def rerank_fts(self, query: Any, fts_results: pa.Table) -> pa.Table:
        """Rerank what a full-text search found; ``query`` may be one of LanceDB's query objects."""
        return self._reranked(query, _alone(fts_results))

    def rerank_hybrid(self, query: Any, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:
        """Rerank what either search found, each row once."""
        return self._reranked(query, self._together([vector_results, fts_results]))

    async def arerank_vector(self, query: Any, vector_results: pa.Table) -> pa.Table:
        """Rerank as `rerank_vector` does, without blocking the event loop."""
        return await self._areranked(query, _alone(vector_results))

    async def arerank_fts(self, query: Any, fts_results: pa.Table) -> pa.Table:
        """Rerank as `rerank_fts` does, without blocking the event loop."""
        return await self._areranked(query, _alone(fts_results))

    async def arerank_hybrid(self, query: Any, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:
        """Rerank as `rerank_hybrid` does, without blocking the event loop."""
        return await self._areranked(query, self._together([vector_results, fts_results]))

    def rerank_multivector(self, vector_results: Any, query: Any = None, deduplicate: bool = False) -> pa.Table:  # noqa: FBT001, FBT002 - LanceDB's signature
        """Rerank the lists of several searches as one.

        ``vector_results`` are tables or searches, which are run. ``query`` None takes the text that one of them asked.
        A row is scored once, however many lists have it, where they have ``_rowid``; without ``deduplicate`` each of
        its copies comes back.
        Raises `anyrank.errors.ArgumentError` for no list, and for lists without ``_rowid`` if they are to be
        deduplicated.
        """
        lists = tables_of(vector_results)
        if deduplicate:
            require_row_ids(lists)
        asked = asked_by(vector_results) if query is None else query
        if not all(has(table, ROW_ID) for table in lists):
            return self._reranked(asked, _apart(lists))
        ranked = self._reranked(asked, self._together(lists))
        return ranked if deduplicate else self._copied(concatenated(lists), ranked)

    def _reranked(self, query: Any, found: Found) -> pa.Table:
        return self._answer(found, self._host.rerank(**self._call(query, found)))

    async def _areranked(self, query: Any, found: Found) -> pa.Table:
        return self._answer(found, await self._host.arerank(**self._call(query, found)))

    def _call(self, query: Any, found: Found) -> dict[str, Any]:
        table, places = concatenated(found.lists), found.roll.first(found.rows)
        texts = texts_of(table, places, self.column)
        rows = [Row(table, place, text) for place, text in zip(places, texts, strict=True)]
        call = {"documents": rows, "text": attrgetter("text"), "first_stage": found.first_stage, "top_n": self.top_n}
        return {"query": words_of(query), **call}

    def _answer(self, found: Found, ranking: Ranking[Row]) -> pa.Table:
        rows = [found.rows[place] for place in ranking.indices]
        return scored(taken(found.lists, found.roll, rows, everything=self.score == "all"), ranking.scores)

    def _together(self, lists: Sequence[pa.Table]) -> Found:
        """Take in each row of several lists once."""
        once, roll = enrolled(lists)
        if not self._looks_at_order():
            return Found(once, roll, roll.rows)
        votes = [reciprocal_ranks(table.num_rows, RRF_K) for table in once]
        rows, totals = roll.elected(votes, [0.0] * len(once))
        return Found(once, roll, rows, np.asarray(totals).tolist())

    def _looks_at_order(self) -> bool:
        reranker = self._host.reranker
        return isinstance(reranker, Cascade) or traits(reranker.scorer).scope == "order"

    def _copied(self, table: pa.Table, ranked: pa.Table) -> pa.Table:
        """Return a ranked row as often as the table has it."""
        places, matches = copies(table, ranked)
        kept = slice(self.top_n or self._host.top_n)
        rows = table.take(indices(places[kept]))
        return scored(self._keep_relevance_score(rows), ranked.column(RELEVANCE).to_numpy()[matches[kept]])


def _alone(table: pa.Table) -> Found:
    """Take in one search's list as it is."""
    return _apart([table], _first_scores(table))


def _apart(lists: Sequence[pa.Table], first_stage: Sequence[float | None] | None = None) -> Found:
    """Take in the rows of lists that do not say which are the same."""
    roll = Roll.of([pa.array(range(sum(table.num_rows for table in lists)), pa.uint64())])
    return Found(lists, roll, roll.rows, first_stage)


def _first_scores(table: pa.Table) -> list[float | None] | None:
    """Return one search's own scores, higher for better: distances are turned round."""
    if has(table, DISTANCE):
        return [None if distance is None else -distance for distance in table.column(DISTANCE).to_pylist()]
    if has(table, SCORE):
        scores: list[float | None] = table.column(SCORE).to_pylist()
        return scores
    return None
