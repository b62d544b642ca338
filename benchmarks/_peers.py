"""What other packages have for reranking with Cohere, each with its own host's objects and beside our adapter.

They do not do quite the same: they ask the service for the best ten only, and never check what it answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from _service import KEY, QUERY
from anyrank import Reranker

MODEL = "rerank-v3.5"
TOP_N = 10

Build: TypeAlias = Callable[[str, list[str], Any], "Peer"]
"""Makes a peer for a service's URL, documents' texts, and a scorer of ours."""


@dataclass(frozen=True)
class Peer:
    """A framework's own reranker for the service beside ours, and how to read which texts came back."""

    name: str
    theirs: Callable[[], Any]
    ours: Callable[[], Any]
    atheirs: Callable[[], Awaitable[Any]]
    aours: Callable[[], Awaitable[Any]]
    texts: Callable[[Any], list[str]]


def langchain(url: str, texts: list[str], scorer: Any) -> Peer:
    """`CohereRerank` of langchain-cohere."""
    from langchain_cohere import CohereRerank
    from langchain_core.documents import Document

    from langchain_anyrank import AnyRankCompressor

    found = [Document(text, metadata={"page": page}) for page, text in enumerate(texts)]
    theirs = CohereRerank(model=MODEL, cohere_api_key=KEY, base_url=url, top_n=TOP_N)
    mine = AnyRankCompressor(scorer=scorer, top_n=TOP_N)
    return Peer(
        "LangChain",
        lambda: theirs.compress_documents(found, QUERY),
        lambda: mine.compress_documents(found, QUERY),
        lambda: theirs.acompress_documents(found, QUERY),
        lambda: mine.acompress_documents(found, QUERY),
        lambda documents: [document.page_content for document in documents],
    )


def llama_index(url: str, texts: list[str], scorer: Any) -> Peer:
    """`CohereRerank` of llama-index-postprocessor-cohere-rerank."""
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    from llama_index.postprocessor.anyrank import AnyRankPostprocessor

    found = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in texts]
    query = QueryBundle(QUERY)
    theirs = CohereRerank(model=MODEL, api_key=KEY, base_url=url, top_n=TOP_N)
    mine = AnyRankPostprocessor(scorer, top_n=TOP_N)
    return Peer(
        "LlamaIndex",
        lambda: theirs.postprocess_nodes(found, query),
        lambda: mine.postprocess_nodes(found, query),
        lambda: theirs.apostprocess_nodes(found, query),
        lambda: mine.apostprocess_nodes(found, query),
        lambda nodes: [node.text for node in nodes],
    )


def haystack(url: str, texts: list[str], scorer: Any) -> Peer:
    """`CohereRanker` of cohere-haystack."""
    from haystack import Document
    from haystack.utils import Secret
    from haystack_integrations.components.rankers.cohere import CohereRanker

    from haystack_integrations.components.rankers.anyrank import AnyRankRanker

    found = [Document(content=text, meta={"page": page}) for page, text in enumerate(texts)]
    theirs = CohereRanker(model=MODEL, api_key=Secret.from_token(KEY), api_base_url=url, top_k=TOP_N)
    mine = AnyRankRanker(scorer=scorer, top_k=TOP_N)
    return Peer(
        "Haystack",
        lambda: theirs.run(QUERY, found),
        lambda: mine.run(QUERY, found),
        lambda: theirs.run_async(QUERY, found),
        lambda: mine.run_async(QUERY, found),
        lambda result: [document.content for document in result["documents"]],
    )


def rerankers(url: str, texts: list[str], scorer: Any) -> Peer:
    """`Reranker` of rerankers, which asks for the documents to be sent back; beside our `Reranker`."""
    from rerankers.models.api_rankers import APIRanker

    theirs, mine = APIRanker(MODEL, KEY, "cohere", url=f"{url}/v1/rerank"), Reranker(scorer, top_n=TOP_N)
    return Peer(
        "rerankers",
        lambda: theirs.rank(QUERY, texts).top_k(TOP_N),
        lambda: mine.rerank(QUERY, texts),
        lambda: theirs.rank_async(QUERY, texts),
        lambda: mine.arerank(QUERY, texts),
        lambda hits: [getattr(hit.document, "text", hit.document) for hit in hits],
    )


PEERS: tuple[Build, ...] = (langchain, llama_index, haystack, rerankers)
