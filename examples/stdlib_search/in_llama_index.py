"""The search in LlamaIndex."""

from collections.abc import Sequence
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from anyrank import Reranker
from llama_index.postprocessor.anyrank import AnyRankPostprocessor, FusionRetriever

from .host import Corpus, Found, Host, Settings
from .minilm import MiniLM
from .passages import Passage


class BM25(BaseRetriever):
    """LlamaIndex's core has no BM25: here is one, over anyrank's."""

    def __init__(self, nodes: Sequence[TextNode], k: int) -> None:
        self._nodes = nodes
        self._reranker = Reranker("lexical", top_n=k)
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._reranker.rerank(query_bundle.query_str, self._nodes)
        return [NodeWithScore(node=hit.document, score=hit.score) for hit in hits]


class LlamaIndex(Host[NodeWithScore]):
    """`FusionRetriever` over both retrievers, then `AnyRankPostprocessor`."""

    name = "LlamaIndex"

    def __init__(self, corpus: Corpus, settings: Settings) -> None:
        """Fill a `VectorStoreIndex` with nodes that have their vectors already."""
        nodes = [
            TextNode(id_=passage.name, text=passage.text, embedding=vector)
            for passage, vector in zip(corpus.passages, corpus.vectors.tolist(), strict=True)
        ]
        index = VectorStoreIndex(nodes, embed_model=_Questions(corpus.minilm))
        self._bm25 = BM25(nodes, settings.retrieved)
        self._dense = index.as_retriever(similarity_top_k=settings.retrieved)
        self._fused = FusionRetriever(
            retrievers={"bm25": self._bm25, "dense": self._dense}, method="rrf", top_n=settings.candidates
        )
        self._reranker = AnyRankPostprocessor(scorer=settings.scorer, top_n=settings.top_n)
        self._reranker.warm_up()

    def bm25(self, question: str) -> list[NodeWithScore]:
        """Ask the BM25 retriever."""
        return self._bm25.retrieve(question)

    def dense(self, question: str) -> list[NodeWithScore]:
        """Ask the index."""
        return self._dense.retrieve(question)

    def fused(self, question: str) -> list[NodeWithScore]:
        """Ask both at once, fused."""
        return self._fused.retrieve(question)

    def reranked(self, question: str, candidates: Sequence[NodeWithScore]) -> list[NodeWithScore]:
        """Run the postprocessor."""
        return self._reranker.postprocess_nodes(list(candidates), query_str=question)

    def documents(self, passages: Sequence[Passage], scores: Sequence[float]) -> list[NodeWithScore]:
        """Make nodes of passages."""
        return [
            NodeWithScore(node=TextNode(id_=passage.name, text=passage.text), score=score)
            for passage, score in zip(passages, scores, strict=True)
        ]

    def found(self, documents: Sequence[NodeWithScore]) -> Found:
        """Read node ids and scores."""
        return [(node.node_id, node.score or 0.0) for node in documents]


class _Questions(BaseEmbedding):
    """Embeds questions; the nodes come with their vectors."""

    def __init__(self, minilm: MiniLM, **fields: Any) -> None:
        super().__init__(model_name="all-MiniLM-L6-v2", **fields)
        self._minilm = minilm

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._minilm.of_question(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._minilm.of_question(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._minilm.of_question(text)
