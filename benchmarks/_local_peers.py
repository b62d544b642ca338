"""What other packages have for reranking with a cross-encoder, each beside ours with the same host's documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from anyrank import Reranker

TOP_N: Final = 10

Build: TypeAlias = Callable[[str, Any], "Peer"]
"""Makes a peer for a model's folder and our scorer of it."""


@dataclass(frozen=True)
class Peer:
    """A framework's own reranker beside ours: from its documents to its documents, and how to make and read those."""

    name: str
    made: Callable[[list[str]], Any]
    theirs: Callable[[str, Any], Any]
    ours: Callable[[str, Any], Any]
    texts: Callable[[Any], list[str]]
    our_texts: Callable[[Any], list[str]] | None = None


def langchain(folder: str, scorer: Any) -> Peer:
    """`CrossEncoderReranker` with langchain-community's model."""
    from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
    from langchain_community.cross_encoders import HuggingFaceCrossEncoder
    from langchain_core.documents import Document

    from langchain_anyrank import AnyRankCompressor

    theirs = CrossEncoderReranker(model=HuggingFaceCrossEncoder(model_name=folder), top_n=TOP_N)
    mine = AnyRankCompressor(scorer=scorer, top_n=TOP_N)
    return Peer(
        "LangChain CrossEncoderReranker",
        lambda texts: [Document(text) for text in texts],
        lambda query, found: theirs.compress_documents(found, query),
        lambda query, found: mine.compress_documents(found, query),
        lambda documents: [document.page_content for document in documents],
    )


def llama_index(folder: str, scorer: Any) -> Peer:
    """`SentenceTransformerRerank` of llama-index-core."""
    from llama_index.core.postprocessor import SentenceTransformerRerank
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    from llama_index.postprocessor.anyrank import AnyRankPostprocessor

    theirs, mine = SentenceTransformerRerank(model=folder, top_n=TOP_N), AnyRankPostprocessor(scorer, top_n=TOP_N)
    return Peer(
        "LlamaIndex SentenceTransformerRerank",
        lambda texts: [NodeWithScore(node=TextNode(text=text), score=0.5) for text in texts],
        lambda query, found: theirs.postprocess_nodes(found, QueryBundle(query)),
        lambda query, found: mine.postprocess_nodes(found, QueryBundle(query)),
        lambda nodes: [node.text for node in nodes],
    )


def haystack(folder: str, scorer: Any) -> Peer:
    """`SentenceTransformersSimilarityRanker` of sentence-transformers-haystack."""
    from haystack import Document
    from haystack_integrations.components.rankers.sentence_transformers import SentenceTransformersSimilarityRanker

    from haystack_integrations.components.rankers.anyrank import AnyRankRanker

    theirs, mine = (
        SentenceTransformersSimilarityRanker(model=folder, top_k=TOP_N),
        AnyRankRanker(scorer=scorer, top_k=TOP_N),
    )
    theirs.warm_up()
    return Peer(
        "Haystack SentenceTransformersSimilarityRanker",
        lambda texts: [Document(content=text) for text in texts],
        lambda query, found: theirs.run(query=query, documents=found),
        mine.run,
        lambda result: [document.content for document in result["documents"]],
    )


def lancedb(folder: str, scorer: Any) -> Peer:
    """`CrossEncoderReranker` of lancedb, on a table, which cuts nothing; beside our `Reranker` on its texts."""
    import pyarrow as pa
    from lancedb.rerankers import CrossEncoderReranker

    theirs, mine = CrossEncoderReranker(folder), Reranker(scorer, top_n=TOP_N)
    return Peer(
        "LanceDB CrossEncoderReranker",
        lambda texts: pa.table({"text": texts, "_distance": [0.5] * len(texts)}),
        theirs.rerank_vector,
        lambda query, table: mine.rerank(query, table["text"].to_pylist()),
        lambda table: table["text"].to_pylist()[:TOP_N],
        _hits,
    )


def rerankers(folder: str, scorer: Any) -> Peer:
    """`Reranker` of rerankers, beside ours."""
    from rerankers import Reranker as Theirs

    theirs, mine = Theirs(folder, model_type="cross-encoder", verbose=0), Reranker(scorer, top_n=TOP_N)
    return Peer(
        "rerankers",
        list,
        lambda query, texts: theirs.rank(query, texts).top_k(TOP_N),
        mine.rerank,
        lambda hits: [hit.document.text for hit in hits],
        _hits,
    )


def _hits(ranking: Sequence[Any]) -> list[str]:
    return [hit.document for hit in ranking]


PEERS: Final[tuple[Build, ...]] = (langchain, llama_index, haystack, lancedb, rerankers)
