"""The search in LangChain."""

from collections.abc import Sequence

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore

from anyrank import Reranker
from langchain_anyrank import AnyRankCompressor, FusionRetriever

from .host import Corpus, Found, Host, Settings
from .passages import Passage


class BM25(BaseRetriever):
    """LangChain's core has no BM25: here is one, over anyrank's."""

    documents: list[Document]
    k: int

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:  # noqa: ARG002 - LangChain's signature
        return Reranker("lexical", top_n=self.k).rerank(query, self.documents).documents


class LangChain(Host[Document]):
    """`FusionRetriever` over both retrievers, then `AnyRankCompressor`."""

    name = "LangChain"

    def __init__(self, corpus: Corpus, settings: Settings) -> None:
        """Fill an `InMemoryVectorStore`, with the vectors there are already."""
        documents = [Document(id=passage.name, page_content=passage.text) for passage in corpus.passages]
        store = InMemoryVectorStore(_Ready(corpus))
        store.add_documents(documents)
        self._bm25 = BM25(documents=documents, k=settings.retrieved)
        self._dense = store.as_retriever(search_kwargs={"k": settings.retrieved})
        self._fused = FusionRetriever(
            retrievers={"bm25": self._bm25, "dense": self._dense}, method="rrf", top_n=settings.candidates
        )
        self._reranker = AnyRankCompressor(scorer=settings.scorer, top_n=settings.top_n)
        self._reranker.warm_up()

    def bm25(self, question: str) -> list[Document]:
        """Invoke the BM25 retriever."""
        return self._bm25.invoke(question)

    def dense(self, question: str) -> list[Document]:
        """Invoke the vector store's retriever."""
        return self._dense.invoke(question)

    def fused(self, question: str) -> list[Document]:
        """Invoke both at once, fused."""
        return self._fused.invoke(question)

    def reranked(self, question: str, candidates: Sequence[Document]) -> list[Document]:
        """Invoke the compressor."""
        return self._reranker.compress_documents(candidates, question)

    def documents(self, passages: Sequence[Passage], scores: Sequence[float]) -> list[Document]:
        """Make `Document` objects of passages, with scores where `Fusion` puts them."""
        return [
            Document(id=passage.name, page_content=passage.text, metadata={"relevance_score": score})
            for passage, score in zip(passages, scores, strict=True)
        ]

    def found(self, documents: Sequence[Document]) -> Found:
        """Read ids and ``metadata["relevance_score"]``."""
        return [(document.id or "", document.metadata.get("relevance_score", 0.0)) for document in documents]


class _Ready(Embeddings):
    """Gives the vectors that were computed already, and embeds only questions."""

    def __init__(self, corpus: Corpus) -> None:
        self._minilm = corpus.minilm
        texts = [passage.text for passage in corpus.passages]
        self._vectors = dict(zip(texts, corpus.vectors.tolist(), strict=True))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._vectors[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._minilm.of_question(text)
