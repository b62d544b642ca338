"""LanceDB's three rerankers without a model, by their names: upstream's numbers where these are right."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anyrank.errors import ArgumentError, FusionError
from anyrank.fusion import Fuser
from anyrank_lancedb._formulas import Normalize, reciprocal_ranks, relevances
from anyrank_lancedb._queries import tables_of
from anyrank_lancedb._rows import DISTANCE, NOTHING, SCORE, column_of, enrolled, require_row_ids, scored, taken
from anyrank_lancedb.base import Reranker, ReturnScore

if TYPE_CHECKING:
    import pyarrow as pa

    from anyrank_lancedb._roll import Floats

SOURCES = ("vector", "fts")
"""The names of a hybrid search's two lists."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """What lists vote on their rows, and on rows that they lack; the sums are then divided by ``voters``."""

    votes: Sequence[Floats]
    misses: Sequence[float]
    voters: float = 1.0


class FusionReranker(Reranker):
    """What the rerankers without a model share: several lists in, one out, by places or by scores alone.

    They take hybrid searches, the lists of several searches (``rerank_multivector``), and the list of one search, which
    counts as a hybrid search whose other list is empty. A row that a list holds twice counts once there, where it is
    best, and what comes after it moves up. Equal totals keep the order, vector search first. The query plays no part.
    """

    def rerank_hybrid(self, query: Any, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:  # noqa: ARG002 - LanceDB's signature
        """Fuse the two lists of a hybrid search. Raises `anyrank.errors.ArgumentError` for one without ``_rowid``."""
        return self._fused([vector_results, fts_results], self._hybrid)

    def rerank_vector(self, query: Any, vector_results: pa.Table) -> pa.Table:
        """Score the rows of a vector search as a hybrid search that found nothing else."""
        return self.rerank_hybrid(query, vector_results, NOTHING)

    def rerank_fts(self, query: Any, fts_results: pa.Table) -> pa.Table:
        """Score the rows of a full-text search as a hybrid search that found nothing else."""
        return self.rerank_hybrid(query, NOTHING, fts_results)

    def rerank_multivector(
        self,
        vector_results: Any,
        query: Any = None,  # noqa: ARG002 - LanceDB's signature
        deduplicate: bool = True,  # noqa: ARG002, FBT001, FBT002 - fused rows stand once
        *,
        weights: Sequence[float] | None = None,
    ) -> pa.Table:
        """Fuse the lists of several searches, which all need ``_rowid``; each row comes back once.

        ``weights`` has one number a list; without it all count the same.
        Raises `anyrank.errors.ArgumentError` for no list and for one without ``_rowid``, `anyrank.errors.FusionError`
        for weights that cannot be any.
        """
        lists = tables_of(vector_results)
        require_row_ids(lists)
        checked = _weights(weights, len(lists))
        return self._fused(lists, lambda once: self._several(once, checked))

    @abstractmethod
    def _hybrid(self, lists: Sequence[pa.Table]) -> Ballots:
        """Return the votes of a vector search's and a full-text search's list."""

    @abstractmethod
    def _several(self, lists: Sequence[pa.Table], weights: Sequence[float]) -> Ballots:
        """Return the votes of several vector searches' lists."""

    def _fused(self, lists: Sequence[pa.Table], voting: Callable[[Sequence[pa.Table]], Ballots]) -> pa.Table:
        once, roll = enrolled(lists)
        ballots = voting(once)
        rows, totals = roll.elected(ballots.votes, ballots.misses)
        if ballots.voters != 1:
            totals = np.asarray(totals) / ballots.voters
        return scored(taken(once, roll, rows, everything=self.score == "all"), totals)


class RRFReranker(FusionReranker):
    """Reciprocal rank fusion: the sum of 1 / (K + rank), ranks from 1 (LanceDB's Rust and Node count from 0).

    ``weights`` multiplies the votes of a hybrid search's lists, ``{"vector": 0.7, "fts": 0.3}``; 1 each by default.
    Raises `anyrank.errors.ArgumentError` unless ``K`` is above 0, `anyrank.errors.FusionError` for bad weights.
    """

    def __init__(
        self,
        K: float = 60,  # noqa: N803 - LanceDB's name
        return_score: ReturnScore = "relevance",
        *,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(return_score)
        if not 0 < K < math.inf:
            msg = f"K must be greater than 0; got {K!r:.80}"
            raise ArgumentError(msg)
        fuser = Fuser("rrf", weights=weights)
        fuser.expect(SOURCES)
        self.K = K
        self.weights = {name: fuser.weight(name) for name in SOURCES}

    def __str__(self) -> str:
        return f"RRFReranker(K={self.K})"

    def _hybrid(self, lists: Sequence[pa.Table]) -> Ballots:
        return self._several(lists, [self.weights[name] for name in SOURCES])

    def _several(self, lists: Sequence[pa.Table], weights: Sequence[float]) -> Ballots:
        return Ballots(_by_rank(lists, weights, self.K), [0.0] * len(lists))


class MRRReranker(FusionReranker):
    """Mean reciprocal rank: ``weight_vector`` / rank + ``weight_fts`` / rank, 0 where a list lacks the row.

    Of several searches it is the mean over all lists, weighted where `rerank_multivector` is given weights.
    Raises `anyrank.errors.ArgumentError` unless both weights are between 0 and 1 and sum to 1.
    """

    def __init__(
        self, weight_vector: float = 0.5, weight_fts: float = 0.5, return_score: ReturnScore = "relevance"
    ) -> None:
        super().__init__(return_score)
        self.weight_vector = _share(weight_vector, "weight_vector")
        self.weight_fts = _share(weight_fts, "weight_fts")
        if abs(weight_vector + weight_fts - 1) > 1e-6:
            msg = f"weight_vector + weight_fts must equal 1.0; got {weight_vector} + {weight_fts}: give both"
            raise ArgumentError(msg)

    def __str__(self) -> str:
        return f"MRRReranker(weight_vector={self.weight_vector}, weight_fts={self.weight_fts})"

    def _hybrid(self, lists: Sequence[pa.Table]) -> Ballots:
        return Ballots(_by_rank(lists, [self.weight_vector, self.weight_fts]), [0.0, 0.0])

    def _several(self, lists: Sequence[pa.Table], weights: Sequence[float]) -> Ballots:
        return Ballots(_by_rank(lists, weights), [0.0] * len(lists), voters=sum(weights))


class LinearCombinationReranker(FusionReranker):
    """``weight`` x the vector search's relevance + (1 - ``weight``) x the full-text search's.

    A row that a list lacks, or has with a null or NaN, counts 1 - ``fill`` there. ``normalize`` says how distances and
    BM25 scores become relevances. ``"lancedb"`` is LanceDB's own min-max, in which the worst hit of a list, and the
    only one of the full-text search, count like a miss. ``"corrected"`` gives every hit a relevance above 0, and a sole
    hit 1. None takes the values as they come, 1 - distance and score; a query has normalised them before.

    Of several searches it is the weighted mean of their relevances; ``weight`` then means nothing.
    Raises `anyrank.errors.ArgumentError` at construction, `anyrank.errors.TextError` for a list without the column
    ``_distance`` or ``_score``.
    """

    def __init__(
        self,
        weight: float = 0.7,
        fill: float = 1.0,
        return_score: ReturnScore = "relevance",
        *,
        normalize: Normalize = "lancedb",
    ) -> None:
        super().__init__(return_score)
        if not math.isfinite(fill):
            msg = f"fill must be a finite number; got {fill!r:.80}"
            raise ArgumentError(msg)
        if normalize not in ("lancedb", "corrected", None):
            msg = f"normalize must be 'lancedb', 'corrected' or None; got {normalize!r:.80}"
            raise ArgumentError(msg)
        self.weight = _share(weight, "weight")
        self.fill = fill
        self.normalize = normalize

    def __str__(self) -> str:
        return f"LinearCombinationReranker(weight={self.weight}, fill={self.fill})"

    def merge_results(self, vector_results: pa.Table, fts_results: pa.Table, fill: float | None = None) -> pa.Table:
        """Fuse the two lists as `rerank_hybrid` does, here with another ``fill``: LanceDB's helper of that name."""
        return self._fused([vector_results, fts_results], lambda once: self._hybrid(once, fill))

    def _hybrid(self, lists: Sequence[pa.Table], fill: float | None = None) -> Ballots:
        votes, misses = self._votes(lists, (DISTANCE, SCORE), (self.weight, 1 - self.weight), fill)
        return Ballots(votes, misses)

    def _several(self, lists: Sequence[pa.Table], weights: Sequence[float]) -> Ballots:
        votes, misses = self._votes(lists, [DISTANCE] * len(lists), weights)
        return Ballots(votes, misses, voters=sum(weights))

    def _votes(
        self, lists: Sequence[pa.Table], columns: Sequence[str], weights: Sequence[float], fill: float | None = None
    ) -> tuple[list[Floats], list[float]]:
        missing = 1 - (self.fill if fill is None else fill)
        votes = []
        for table, name, weight in zip(lists, columns, weights, strict=True):
            found = relevances(_floats(table, name), self.normalize, distances=name == DISTANCE)
            votes.append(weight * np.where(np.isnan(found), missing, found))
        return votes, [weight * missing for weight in weights]


def _floats(table: pa.Table, name: str) -> Floats:
    """Return a column as float64, null as NaN; nothing of a list without rows."""
    return column_of(table, name).to_numpy().astype(np.float64) if table.num_rows else np.empty(0)


def _by_rank(lists: Sequence[pa.Table], weights: Sequence[float], k: float = 0) -> list[Floats]:
    votes = [reciprocal_ranks(table.num_rows, k) for table in lists]
    return [vote if weight == 1 else weight * vote for vote, weight in zip(votes, weights, strict=True)]


def _share(value: float, name: str) -> float:
    if not 0 <= value <= 1:
        msg = f"{name} must be between 0 and 1; got {value!r:.80}"
        raise ArgumentError(msg)
    return value


def _weights(given: Sequence[float] | None, count: int) -> list[float]:
    """Return one weight a list. Raises `anyrank.errors.FusionError` for weights that cannot be any."""
    weights = Fuser("rrf", weights=given).weights
    if weights is None:
        return [1.0] * count
    if isinstance(weights, Mapping) or len(weights) != count:
        msg = f"weights= has one number for each of the {count} result lists, in their order; got {given!r:.80}"
        raise FusionError(msg)
    return list(weights)
