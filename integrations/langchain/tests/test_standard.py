"""LangChain's own suite over both retrievers."""

import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

from langchain_anyrank import FusionRetriever, RerankRetriever

standard = pytest.importorskip("langchain_tests.integration_tests", reason="langchain-tests is not installed")

FOUND = [Document(page_content=text) for text in ("count items", "merge sorted inputs", "open a file", "sort a list")]
SHELF = RunnableLambda(lambda _query: FOUND)


class TestRerankRetrieverStandard(standard.RetrieversIntegrationTests):
    """LangChain's own tests of a retriever."""

    retriever_constructor = RerankRetriever
    retriever_query_example = "merge sorted"

    @property
    def retriever_constructor_params(self):
        """Rerank a list in memory."""
        return {"retriever": SHELF, "reranker": "lexical"}


class TestFusionRetrieverStandard(standard.RetrieversIntegrationTests):
    """LangChain's own tests of a retriever."""

    retriever_constructor = FusionRetriever
    retriever_query_example = "merge sorted"

    @property
    def retriever_constructor_params(self):
        """Fuse two lists in memory."""
        return {"retrievers": {"bm25": SHELF, "dense": RunnableLambda(lambda _query: FOUND[::-1])}}
