"""Reranking and rank fusion for LanceDB.

`AnyRankReranker` is any anyrank scorer in ``.rerank(…)`` of a LanceDB search. The other classes have the names of
``lancedb.rerankers``, its arguments and its defaults: change the import. `rerank` and `arerank` run a search that
fetches more candidates than it returns, `arerank` without blocking the event loop.
"""

from anyrank_lancedb.base import Reranker
from anyrank_lancedb.fusion import LinearCombinationReranker, MRRReranker, RRFReranker
from anyrank_lancedb.models import (
    AnswerdotaiRerankers,
    CohereReranker,
    ColbertReranker,
    CrossEncoderReranker,
    JinaReranker,
    OpenaiReranker,
    VoyageAIReranker,
)
from anyrank_lancedb.reranker import AnyRankReranker
from anyrank_lancedb.search import arerank, rerank

__all__ = [
    "AnswerdotaiRerankers",
    "AnyRankReranker",
    "CohereReranker",
    "ColbertReranker",
    "CrossEncoderReranker",
    "JinaReranker",
    "LinearCombinationReranker",
    "MRRReranker",
    "OpenaiReranker",
    "RRFReranker",
    "Reranker",
    "VoyageAIReranker",
    "arerank",
    "rerank",
]
