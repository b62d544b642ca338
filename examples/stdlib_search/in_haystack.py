"""The search in Haystack."""

from collections.abc import Sequence

from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

from haystack_integrations.components.joiners.anyrank import FusionJoiner
from haystack_integrations.components.rankers.anyrank import AnyRankRanker

from .host import Corpus, Found, Host, Settings
from .passages import Passage


class Haystack(Host[Document]):
    """A pipeline of both retrievers and a `FusionJoiner`, then `AnyRankRanker`."""

    name = "Haystack"

    def __init__(self, corpus: Corpus, settings: Settings) -> None:
        """Fill an `InMemoryDocumentStore`, which has a BM25 of its own, with documents and their vectors."""
        store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        store.write_documents(
            [
                Document(id=passage.name, content=passage.text, embedding=vector)
                for passage, vector in zip(corpus.passages, corpus.vectors.tolist(), strict=True)
            ]
        )
        self._minilm = corpus.minilm
        self._bm25 = InMemoryBM25Retriever(store, top_k=settings.retrieved)
        self._dense = InMemoryEmbeddingRetriever(store, top_k=settings.retrieved)
        self._retrieval = Pipeline()
        self._retrieval.add_component("bm25", self._bm25)
        self._retrieval.add_component("dense", self._dense)
        self._retrieval.add_component("fusion", FusionJoiner({"bm25": 1, "dense": 1}, top_k=settings.candidates))
        self._retrieval.connect("bm25.documents", "fusion.bm25")
        self._retrieval.connect("dense.documents", "fusion.dense")
        self._ranker = AnyRankRanker(scorer=settings.scorer, top_k=settings.top_n)
        self._ranker.warm_up()

    def bm25(self, question: str) -> list[Document]:
        """Run the store's own BM25."""
        return self._bm25.run(query=question)["documents"]

    def dense(self, question: str) -> list[Document]:
        """Run the embedding retriever."""
        return self._dense.run(query_embedding=self._minilm.of_question(question))["documents"]

    def fused(self, question: str) -> list[Document]:
        """Run the pipeline of both and the joiner."""
        embedding = self._minilm.of_question(question)
        outputs = self._retrieval.run({"bm25": {"query": question}, "dense": {"query_embedding": embedding}})
        return list(outputs["fusion"]["documents"])

    def reranked(self, question: str, candidates: Sequence[Document]) -> list[Document]:
        """Run the ranker."""
        return list(self._ranker.run(query=question, documents=list(candidates))["documents"])

    def documents(self, passages: Sequence[Passage], scores: Sequence[float]) -> list[Document]:
        """Make `Document` objects of passages."""
        return [
            Document(id=passage.name, content=passage.text, score=score)
            for passage, score in zip(passages, scores, strict=True)
        ]

    def found(self, documents: Sequence[Document]) -> Found:
        """Read ids and scores."""
        return [(document.id, document.score or 0.0) for document in documents]
