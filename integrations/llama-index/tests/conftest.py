"""Nodes, retrievers and a recording of LlamaIndex's instrumentation, for all tests here."""

from dataclasses import dataclass

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.bridge.pydantic import Field
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.schema import NodeWithScore, TextNode

TEXTS = ("count the items", "merge sorted inputs lazily", "open a file")


class Recorder(BaseEventHandler):
    """Keeps every event."""

    seen: list = Field(default_factory=list)

    def handle(self, event, **_):
        """Keep it."""
        self.seen.append(event)


@dataclass
class Trace:
    """What was recorded."""

    events: Recorder
    spans: SimpleSpanHandler

    def names(self, *kinds):
        """Give the class names of the events of these kinds, in order."""
        return [event.class_name() for event in self.reranks() if not kinds or event.class_name() in kinds]

    def reranks(self):
        """Give the events of rerankers."""
        return [event for event in self.events.seen if event.class_name().startswith("ReRank")]

    def span(self, id_):
        """Give the finished span with this id."""
        return next(span for span in self.spans.completed_spans if span.id_ == id_)


@pytest.fixture
def trace():
    """Record what the root dispatcher hears during the test."""
    root, recorded = get_dispatcher(), Trace(Recorder(), SimpleSpanHandler())
    root.add_event_handler(recorded.events)
    root.add_span_handler(recorded.spans)
    yield recorded
    root.event_handlers.remove(recorded.events)
    root.span_handlers.remove(recorded.spans)


@pytest.fixture
def nodes():
    """Give three scored nodes; "merge" is about the second."""
    return [
        NodeWithScore(node=TextNode(text=text, id_=f"n{place}", metadata={"page": place}), score=0.9 - place / 10)
        for place, text in enumerate(TEXTS)
    ]


class ListRetriever(BaseRetriever):
    """Gives the nodes it was built with: what a store's retriever looks like from outside."""

    def __init__(self, nodes, **host):
        self.nodes = nodes
        super().__init__(**host)

    def _retrieve(self, _query_bundle):
        return self.nodes


@pytest.fixture
def retriever(nodes):
    """Retrieve the three nodes in their order."""
    return ListRetriever(nodes)


@pytest.fixture
def retrieving():
    """Give the class of retriever over a given list."""
    return ListRetriever
