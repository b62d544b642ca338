"""Host parts that several tests use: a real store with two real retrievers, components that wait, a tracer."""

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar

import pytest
from haystack import Document, Pipeline, component, tracing
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore

from anyrank.testing import WAIT

QUERY = "merge sorted lists"
VECTOR = [1.0, 0.0]
DOCUMENTS = {
    "merge": ("merge yields sorted items of several sorted lists", [0.9, 0.1]),
    "sort": ("sorted returns a new list", [0.8, 0.3]),
    "heap": ("a heap keeps its smallest item first", [0.99, 0.05]),
    "count": ("count adds up", [0.0, 1.0]),
}


@pytest.fixture
def store():
    """Return a store whose documents carry their embeddings."""
    filled = InMemoryDocumentStore()
    filled.write_documents(
        [Document(id=name, content=text, embedding=vector) for name, (text, vector) in DOCUMENTS.items()]
    )
    return filled


@pytest.fixture
def retrieval(store):
    """Return a pipeline with a lexical and a dense retriever, and nothing behind them."""
    pipeline = Pipeline()
    pipeline.add_component("bm25", InMemoryBM25Retriever(store, top_k=3))
    pipeline.add_component("dense", InMemoryEmbeddingRetriever(store, top_k=3))
    return pipeline


@pytest.fixture
def question():
    """Return what the retrievers of `retrieval` are asked."""
    return {"bm25": {"query": QUERY}, "dense": {"query_embedding": VECTOR}}


@component
class Given:
    """Sends the documents it was made with; in async runs, only after another one did."""

    def __init__(self, documents, after=None):
        self.documents = documents
        self.after = after
        self.done = asyncio.Event()

    @component.output_types(documents=list[Document])
    def run(self, start: int = 0):
        return {} if self.documents is None else {"documents": self.documents[start:]}

    @component.output_types(documents=list[Document])
    async def run_async(self, start: int = 0):
        if self.after is not None:
            await asyncio.wait_for(self.after.done.wait(), WAIT)
        self.done.set()
        return self.run(start)


@pytest.fixture
def given():
    """Return the component class `Given`."""
    return Given


class Span(tracing.Span):
    """A span that remembers its tags, its parent and whether it was closed in order."""

    def __init__(self, name, tags, parent):
        self.name, self.tags, self.parent, self.error = name, dict(tags or {}), parent, "open"

    def set_tag(self, key, value):
        self.tags[key] = value


class Tracer(tracing.Tracer):
    """A tracer that keeps its spans, each context with its own current one, as OpenTelemetry's does."""

    def __init__(self):
        self.spans = []
        self._current = ContextVar("current span", default=None)

    @contextmanager
    def trace(self, operation_name, tags=None, parent_span=None):
        span = Span(operation_name, tags, parent_span)
        self.spans.append(span)
        token = self._current.set(span)
        try:
            yield span
            span.error = None
        except BaseException as error:
            span.error = error
            raise
        finally:
            self._current.reset(token)

    def current_span(self):
        return self._current.get()

    def named(self, name):
        """Return the only span of this name."""
        [span] = [span for span in self.spans if span.name == name]
        return span


@pytest.fixture
def tracer():
    """Turn tracing on for one test."""
    spans = Tracer()
    tracing.enable_tracing(spans)
    yield spans
    tracing.disable_tracing()
