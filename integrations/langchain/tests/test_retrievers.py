"""`RerankRetriever`: a retriever, then a reranker."""

import asyncio
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import ConfigurableField, RunnableConfig, RunnableLambda
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import ValidationError

from anyrank import Cascade, Reranker
from langchain_anyrank import AnyRankCompressor, RerankRetriever

TEXTS = ("count items", "merge sorted inputs", "open a file", "sort a list")
FOUND = [Document(page_content=text, id=text) for text in TEXTS]
SHELF = RunnableLambda(lambda _query: FOUND)


def by_length(_query: str, texts: Any) -> list[float]:
    """Score by length."""
    return [float(len(text)) for text in texts]


def texts(documents: list[Document]) -> list[str]:
    """Return the documents' texts."""
    return [document.page_content for document in documents]


@pytest.mark.parametrize(
    "reranker",
    [
        AnyRankCompressor(scorer="lexical"),
        AnyRankCompressor(scorer="lexical").with_retry(),
        "lexical",
        {"cascade": {"stages": [["first_stage", 3], ["lexical", 2]]}},
        Reranker("lexical"),
        Cascade(("lexical", 2)),
    ],
    ids=["compressor", "runnable", "spec", "mapping", "reranker", "cascade"],
)
def test_any_reranker(reranker):
    """A compressor, another Runnable, or whatever a compressor takes as its scorer."""
    retriever = RerankRetriever(retriever=SHELF, reranker=reranker, top_n=1)
    assert texts(retriever.invoke("merge sorted")) == ["merge sorted inputs"]
    assert texts(asyncio.run(retriever.ainvoke("merge sorted"))) == ["merge sorted inputs"]


def test_a_function_is_a_scorer():
    """So is a plain function, though LangChain would take one for a Runnable."""
    assert texts(RerankRetriever(retriever=SHELF, reranker=by_length, top_n=1).invoke("q")) == ["merge sorted inputs"]


def test_numbers_of_the_reranker_hold_unless_overridden():
    """``top_n`` None keeps the reranker's own; its own goes before, and a call's ``k`` before that."""
    reranker = AnyRankCompressor(scorer="lexical", top_n=2)
    assert len(RerankRetriever(retriever=SHELF, reranker=reranker).invoke("q")) == 2
    retriever = RerankRetriever(retriever=SHELF, reranker=reranker, top_n=1)
    assert len(retriever.invoke("q")) == 1
    assert len(retriever.invoke("q", k=3)) == 3
    assert len(asyncio.run(retriever.ainvoke("q", k=3))) == 3


@pytest.mark.parametrize("settings", [{"top_n": 0}, {"k": 0}, {"top_n": True}, {"k": "3"}])
def test_bad_numbers_are_refused(settings):
    """``top_n``, by either name, is checked at construction."""
    for reranker in ("lexical", AnyRankCompressor(scorer="lexical")):
        with pytest.raises(ValidationError, match="whole number above 0"):
            RerankRetriever(retriever=SHELF, reranker=reranker, **settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"reranker": "lexicla"}, "did you mean 'lexical'"), ({"reranker": 3}, "no scorer"), ({"rerank": 1}, "rerank")],
)
def test_bad_settings_are_refused(settings, says):
    """An unknown reranker or field is an error at construction."""
    with pytest.raises(ValidationError, match=says):
        RerankRetriever(**{"retriever": SHELF, "reranker": "lexical", **settings})


@pytest.mark.parametrize("k", [0, True, "3"])
def test_a_bad_k_is_refused(k):
    """A per-call ``k`` is checked, with nothing found too."""
    with pytest.raises(ValueError, match="whole number above 0"):
        RerankRetriever(retriever=RunnableLambda(lambda _query: []), reranker="lexical").invoke("q", k=k)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_whole_config_reaches_the_retriever(colour):
    """Tags, metadata and configurable of a direct call arrive; ContextualCompressionRetriever loses them."""
    seen: list[RunnableConfig] = []

    def looks(_query: str, config: RunnableConfig) -> list[Document]:
        seen.append(config)
        return FOUND

    retriever = RerankRetriever(retriever=RunnableLambda(looks), reranker="lexical")
    config: RunnableConfig = {"configurable": {"user": "u"}, "tags": ["t"], "metadata": {"m": 1}, "run_name": "mine"}
    retriever.invoke("q", config) if colour == "sync" else asyncio.run(retriever.ainvoke("q", config))
    [config] = seen
    assert (config["configurable"]["user"], config["tags"], config["metadata"]["m"]) == ("u", ["t"], 1)
    assert "run_name" not in config


def test_a_configurable_retriever_is_configured():
    """A vector store's configurable search reaches it through the reranking."""
    store = InMemoryVectorStore.from_documents(FOUND, DeterministicFakeEmbedding(size=8))
    search = ConfigurableField(id="search")
    base = store.as_retriever(search_kwargs={"k": 4}).configurable_fields(search_kwargs=search)
    retriever = RerankRetriever(retriever=base, reranker="lexical")
    assert len(retriever.invoke("q")) == 4
    assert len(retriever.invoke("q", {"configurable": {"search": {"k": 1}}})) == 1


def test_batch_and_chain():
    """It is a Runnable like any retriever."""
    retriever = RerankRetriever(retriever=SHELF, reranker="lexical", top_n=1)
    assert [texts(found) for found in retriever.batch(["merge", "open"])] == [["merge sorted inputs"], ["open a file"]]
    assert (retriever | texts).invoke("open") == ["open a file"]


def test_a_reranker_from_a_spec_can_be_closed():
    """A spec becomes a compressor, to be reached where it was given."""
    retriever = RerankRetriever(retriever=SHELF, reranker="lexical")
    assert isinstance(retriever.reranker, AnyRankCompressor)
    retriever.reranker.warm_up()
    retriever.reranker.close()


def test_a_tool_keeps_the_scores():
    """The retriever's tool hands over content, and documents with their scores as the artifact."""
    retriever = RerankRetriever(retriever=SHELF, reranker="lexical", top_n=2)
    tool = create_retriever_tool(retriever, "docs", "Searches.", response_format="content_and_artifact")
    message = tool.invoke({"type": "tool_call", "id": "1", "name": "docs", "args": {"query": "merge sorted"}})
    assert message.content.startswith("merge sorted inputs")
    assert [document.metadata["relevance_score"] > 0 for document in message.artifact] == [True, False]
