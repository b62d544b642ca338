"""Inside LangChain's own chains and agents."""

import asyncio
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import create_retriever_tool

from langchain_anyrank import AnyRankCompressor, RerankRetriever

TEXTS = ("count items", "merge sorted inputs", "open a file", "sort a list")
FOUND = [Document(page_content=text, id=text) for text in TEXTS]
SHELF = RunnableLambda(lambda _query: FOUND)


def texts(documents: list[Document]) -> list[str]:
    """Return the documents' texts."""
    return [document.page_content for document in documents]


def test_contextual_compression_retriever(recorder):
    """The classic retriever takes the compressor, in both colours, and its run nests in the trace (L17)."""
    classic = pytest.importorskip("langchain_classic.retrievers", reason="langchain-classic is not installed")
    retriever = classic.ContextualCompressionRetriever(
        base_compressor=AnyRankCompressor(scorer="lexical", top_n=1), base_retriever=SHELF
    )
    config = {"callbacks": [recorder]}
    assert texts(retriever.invoke("merge sorted", config)) == ["merge sorted inputs"]
    assert texts(asyncio.run(retriever.ainvoke("merge sorted", config))) == ["merge sorted inputs"]
    names = [[child.name for child in trace.child_runs] for trace in recorder.traces]
    assert names == [["RunnableLambda", "AnyRankCompressor"]] * 2


def test_document_compressor_pipeline(recorder):
    """It is a step among others of the classic pipeline, before and after its like (L27)."""
    compressors = pytest.importorskip("langchain_classic.retrievers.document_compressors", reason="as above")
    steps = [AnyRankCompressor(scorer="lexical", top_n=3), AnyRankCompressor(scorer="first_stage", top_n=2)]
    pipeline = compressors.DocumentCompressorPipeline(transformers=steps)
    found = pipeline.compress_documents(FOUND, "merge sorted", callbacks=[recorder])
    assert [found[0].page_content, len(found)] == ["merge sorted inputs", 2]
    assert asyncio.run(pipeline.acompress_documents(FOUND, "merge sorted")) == found
    assert [trace.name for trace in recorder.traces] == ["AnyRankCompressor"] * 2


class ToolCaller(GenericFakeChatModel):
    """A chat model that says what it was given to say, tools or no tools."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:  # noqa: ARG002 - LangChain's signature
        """Need no tools."""
        return self


def test_an_agent_searches():
    """An agent calls the reranking retriever as a tool and sees the best document first."""
    agents = pytest.importorskip("langchain.agents", reason="langchain is not installed")
    retriever = RerankRetriever(retriever=SHELF, reranker="lexical", top_n=1)
    tool = create_retriever_tool(retriever, "docs", "Searches.", response_format="content_and_artifact")
    call = {"name": "docs", "args": {"query": "merge sorted"}, "id": "1"}
    model = ToolCaller(messages=iter([AIMessage(content="", tool_calls=[call]), AIMessage(content="heapq.merge")]))
    agent = agents.create_agent(model, tools=[tool])
    messages = agent.invoke({"messages": [("user", "How do I merge sorted inputs?")]})["messages"]
    [found] = [message for message in messages if isinstance(message, ToolMessage)]
    assert found.content == "merge sorted inputs"
    assert found.artifact[0].metadata["relevance_score"] > 0
    assert messages[-1].content == "heapq.merge"
