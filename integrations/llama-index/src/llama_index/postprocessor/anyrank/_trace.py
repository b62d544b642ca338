"""What a reranking tells LlamaIndex's instrumentation: events, legacy callbacks and tags on the span under way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation import Dispatcher, get_dispatcher  # type: ignore[attr-defined]  # has no __all__
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.instrumentation.span import BaseSpan, active_span_id
from llama_index.core.schema import QueryBundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import NodeWithScore

    from anyrank import Report

    End: TypeAlias = Callable[[list[NodeWithScore], Report], list[NodeWithScore]]

dispatcher: Final = get_dispatcher("llama_index.postprocessor.anyrank")


@contextmanager
def rerank_events(start: ReRankStartEvent, callback_manager: CallbackManager) -> Iterator[End]:
    """Frame a reranking: say that it starts, and yield what says that it ended and hands the nodes on.

    When the block raises, the legacy callback ends with the exception; the span, which the caller opened, is dropped.
    """
    dispatcher.event(start)
    with callback_manager.event(CBEventType.RERANKING, payload=_payload(start)) as legacy:

        def end(nodes: list[NodeWithScore], report: Report) -> list[NodeWithScore]:
            tags = {f"anyrank.{name}": value for name, value in report.to_dict().items()}
            tag_span(tags)
            legacy.on_end(payload={EventPayload.NODES: nodes})
            dispatcher.event(ReRankEndEvent(nodes=nodes, tags=tags))
            return nodes

        yield end


def tag_span(tags: dict[str, Any]) -> None:
    """Add tags to the span under way, in every handler that keeps its open spans.

    The dispatcher itself hands a span its tags only when the span is entered, before there is a report.
    """
    reached: Dispatcher | None = dispatcher
    while reached is not None:
        for handler in reached.span_handlers:
            span = handler.open_spans.get(active_span_id.get() or "")
            if isinstance(span, BaseSpan):
                span.tags = {**span.tags, **tags}
        reached = reached.parent if reached.propagate else None


def query_str(start: ReRankStartEvent) -> str:
    """Return the query as text; users also hand over a str where a `QueryBundle` belongs."""
    return start.query.query_str if isinstance(start.query, QueryBundle) else str(start.query)


def _payload(start: ReRankStartEvent) -> dict[str, Any]:
    return {
        EventPayload.NODES: start.nodes,
        EventPayload.MODEL_NAME: start.model_name,
        EventPayload.QUERY_STR: query_str(start),
        EventPayload.TOP_K: start.top_n,
    }
