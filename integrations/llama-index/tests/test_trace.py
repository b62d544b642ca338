"""What a trace of LlamaIndex shows of a reranking: events, spans, tags and the legacy callbacks."""

import asyncio

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.dispatcher import instrument_tags
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from llama_index.core.schema import QueryBundle

from anyrank import Fallback, FirstStage, Reranker, Scores
from anyrank.ranking import Report
from llama_index.postprocessor.anyrank import AnyRankPostprocessor


def sync(postprocessor, *arguments, **keywords):
    """Call the sync method."""
    return postprocessor.postprocess_nodes(*arguments, **keywords)


def through_asyncio(postprocessor, *arguments, **keywords):
    """Call the async method."""
    return asyncio.run(postprocessor.apostprocess_nodes(*arguments, **keywords))


METHOD = {sync: "_postprocess_nodes", through_asyncio: "_apostprocess_nodes"}

both_colours = pytest.mark.parametrize("call", list(METHOD), ids=["sync", "async"])


def broken(_query, _texts):
    """Fail."""
    msg = "out of order"
    raise OSError(msg)


@both_colours
def test_start_and_end_are_told_on_the_own_span(trace, nodes, call):
    """Both events say what went in and came out, on the postprocessor's own span (I14)."""
    found = call(AnyRankPostprocessor("lexical", top_n=2), nodes, QueryBundle("merge"))
    start, end = trace.reranks()
    assert (start.query, start.nodes, start.top_n, start.model_name) == (QueryBundle("merge"), nodes, 2, "lexical")
    assert all(one is other for one, other in zip(start.nodes, nodes, strict=True))
    assert end.nodes == found
    assert start.span_id == end.span_id
    assert start.span_id.startswith(f"AnyRankPostprocessor.{METHOD[call]}-")
    assert trace.span(start.span_id).duration > 0


@pytest.mark.parametrize(
    ("settings", "top_n"),
    [({"scorer": "lexical"}, 3), ({"scorer": Reranker("lexical", top_n=2)}, 2)],
    ids=["all", "wrapped"],
)
def test_the_event_always_has_a_number(trace, nodes, settings, top_n):
    """Without ``top_n`` the event says how many can come back (I15)."""
    AnyRankPostprocessor(**settings).postprocess_nodes(nodes, query_str="q")
    assert trace.reranks()[0].top_n == top_n


@both_colours
def test_no_nodes_are_told_too(trace, call):
    """An empty list has a start and an end (I08)."""
    assert call(AnyRankPostprocessor("lexical"), [], query_str="q") == []
    assert trace.names() == ["ReRankStartEvent", "ReRankEndEvent"]
    assert trace.reranks()[0].span_id.startswith(f"AnyRankPostprocessor.{METHOD[call]}-")


@both_colours
@pytest.mark.parametrize("given", ["nodes", "none"])
def test_a_missing_query_is_an_error_before_any_event(trace, nodes, call, given):
    """Without a query nothing starts, whether there are nodes or not (I09)."""
    with pytest.raises(ValueError, match="needs the query"):
        call(AnyRankPostprocessor("lexical"), nodes if given == "nodes" else [])
    assert trace.names() == []
    assert [span.id_.partition("-")[0] for span in trace.spans.dropped_spans] == [
        f"AnyRankPostprocessor.{METHOD[call]}"
    ]


@both_colours
def test_an_error_drops_the_span_and_is_raised(trace, nodes, call):
    """What the scorer raised is in the dropped span and reaches the caller (I18)."""
    with pytest.raises(OSError, match="out of order"):
        call(AnyRankPostprocessor(broken), nodes, query_str="q")
    assert trace.names() == ["ReRankStartEvent"]
    [dropped] = trace.spans.dropped_spans
    assert dropped.id_.startswith(f"AnyRankPostprocessor.{METHOD[call]}-")
    assert "out of order" in dropped.metadata["error"]
    assert trace.spans.open_spans == {}


@both_colours
def test_callbacks_come_in_a_pair(nodes, call):
    """Handlers of the legacy callback manager hear of the reranking, with its payload (I17)."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    postprocessor = AnyRankPostprocessor("lexical", top_n=2)
    postprocessor.callback_manager = CallbackManager([debug])
    found = call(postprocessor, nodes, query_str="merge")
    [(start, end)] = debug.get_event_pairs(CBEventType.RERANKING)
    assert start.payload == {
        EventPayload.NODES: nodes,
        EventPayload.MODEL_NAME: "lexical",
        EventPayload.QUERY_STR: "merge",
        EventPayload.TOP_K: 2,
    }
    assert end.payload == {EventPayload.NODES: found}


@both_colours
def test_callbacks_come_in_a_pair_when_it_fails(nodes, call):
    """The end of a failed reranking holds what was raised (I17, I18)."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    postprocessor = AnyRankPostprocessor(broken, callback_manager=CallbackManager([debug]))
    with pytest.raises(OSError, match="out of order"):
        call(postprocessor, nodes, query_str="merge")
    [(_, end)] = debug.get_event_pairs(CBEventType.RERANKING)
    assert isinstance(end.payload[EventPayload.EXCEPTION], OSError)


@both_colours
def test_the_report_is_in_the_tags(trace, nodes, call):
    """Span and end event carry the report as tags, beside those that the user set."""
    with instrument_tags({"tenant": "t1"}):
        call(AnyRankPostprocessor(Fallback(broken, FirstStage())), nodes, query_str="q")
    end = trace.reranks()[-1]
    for tags in (end.tags, trace.span(end.span_id).tags):
        assert tags["tenant"] == "t1"
        assert tags["anyrank.degraded"] is True
        assert tags["anyrank.errors"] == ["OSError"]
        assert tags["anyrank.scorer"]


def test_usage_and_truncation_are_in_the_tags(trace, nodes):
    """What a provider counted is tagged by its own unit."""

    def scorer(_query, texts):
        report = Report(model="m-1", usage={"search_units": 2}, requests=1, truncated={0: 7})
        return Scores([0.0 for _ in texts], report=report)

    AnyRankPostprocessor(scorer).postprocess_nodes(nodes, query_str="q")
    tags = trace.reranks()[-1].tags
    expected = {"model": "m-1", "usage": {"search_units": 2}, "requests": 1, "truncated": {"0": 7}}
    assert {name: tags[f"anyrank.{name}"] for name in expected} == expected


class Strings(BaseSpanHandler):
    """Keeps ids where other handlers keep spans."""

    def new_span(self, id_, *_, **__):
        """Keep the id."""
        return id_

    def prepare_to_exit_span(self, id_, *_, **__):
        """Let go of it."""
        return id_

    prepare_to_drop_span = prepare_to_exit_span


def test_handlers_of_any_kind_are_left_in_peace(nodes):
    """A span handler whose open spans are something else gets no tags and does no harm."""
    root, handler = get_dispatcher(), Strings()
    root.add_span_handler(handler)
    try:
        assert len(AnyRankPostprocessor("lexical").postprocess_nodes(nodes, query_str="q")) == len(nodes)
    finally:
        root.span_handlers.remove(handler)
