"""Reranking and rank fusion for RedisVL.

`AnyRankReranker` is any anyrank scorer as a RedisVL reranker. `HFCrossEncoderReranker`, `CohereReranker` and
`VoyageAIReranker` stand in for RedisVL's own: only the import changes. `fuse_results` makes one list of several.
"""

from anyrank_redisvl.drop_ins import CohereReranker, HFCrossEncoderReranker, VoyageAIReranker
from anyrank_redisvl.fusion import fuse_results
from anyrank_redisvl.reranker import AnyRankReranker

__all__ = ["AnyRankReranker", "CohereReranker", "HFCrossEncoderReranker", "VoyageAIReranker", "fuse_results"]
