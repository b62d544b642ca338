"""What a trace shows of the ranker (H28)."""

import asyncio

import pytest
from haystack import Document, Pipeline
from haystack.tracing import tracer as proxy

from anyrank import Fallback, Scores
from anyrank.ranking import Report
from haystack_integrations.components.rankers.anyrank import AnyRankRanker

DOCUMENTS = [Document(id="1", content="secret text"), Document(id="2", content="b")]


def pipeline(scorer, **settings):
    """Return a pipeline of a ranker."""
    built = Pipeline()
    built.add_component("ranker", AnyRankRanker(scorer=scorer, **settings))
    return built


def run(built, colour):
    """Run the pipeline in one of its colours."""
    data = {"ranker": {"query": "secret query", "documents": DOCUMENTS}}
    return built.run(data) if colour == "sync" else asyncio.run(built.run_async(data))


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_span_inside_the_components_says_what_happened(tracer, colour):
    """One closed span a call, below the component's own, with the report's fields as tags and no text."""
    run(pipeline("lexical", top_k=1), colour)
    span = tracer.named("anyrank.rerank")
    assert span.parent is tracer.named("haystack.component.run")
    assert span.error is None
    assert span.tags.pop("anyrank.seconds") >= 0
    assert span.tags == {
        "anyrank.model": "lexical",
        "anyrank.candidates": 2,
        "anyrank.top_k": 1,
        "anyrank.scorer": "lexical",
        "anyrank.score_kind": "bm25",
        "anyrank.degraded": False,
    }


def test_usage_and_model_are_the_scorers(tracer):
    """What a hosted model counts is on the span in its own unit, its errors by their kind."""

    class Hosted:
        model = "rerank-9"

        def score(self, _query, texts):
            return Scores([0.0] * len(texts), report=Report(usage={"search_units": 1}))

    def broken(_query, _texts):
        raise OSError("secret")  # noqa: EM101

    AnyRankRanker(scorer=Fallback(broken, Hosted())).run(query="q", documents=DOCUMENTS)
    tags = tracer.named("anyrank.rerank").tags
    assert (tags["anyrank.scorer"], tags["anyrank.model"]) == ("Hosted", "rerank-9")
    assert tags["anyrank.usage"] == {"search_units": 1}
    assert tags["anyrank.degraded"] is True
    assert tags["anyrank.errors"] == ["OSError"]
    assert "secret" not in str(tags)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_error_ends_the_span(tracer, colour):
    """The span sees the scorer's error and lets it pass."""

    def broken(_query, _texts):
        raise OSError

    with pytest.raises(Exception, match=r"OSError|ranker"):
        run(pipeline(broken), colour)
    assert isinstance(tracer.named("anyrank.rerank").error, OSError)


def test_texts_are_behind_haystacks_switch(tracer, monkeypatch):
    """Query and documents are tagged where the host's content tracing is on, and only there."""
    run(pipeline("lexical"), "sync")
    assert "secret" not in str(tracer.named("anyrank.rerank").tags)
    tracer.spans.clear()
    monkeypatch.setattr(proxy, "is_content_tracing_enabled", True)
    output = run(pipeline("lexical"), "sync")
    tags = tracer.named("anyrank.rerank").tags
    assert tags["anyrank.input"] == {"query": "secret query", "documents": DOCUMENTS}
    assert tags["anyrank.output"] == output["ranker"]


def test_an_empty_list_has_a_balanced_span(tracer):
    """No documents: one span, opened and closed."""
    AnyRankRanker(scorer="lexical").run(query="q", documents=[])
    span = tracer.named("anyrank.rerank")
    assert span.error is None
    assert span.tags["anyrank.candidates"] == 0
