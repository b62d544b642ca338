"""The components among Haystack's own parts: pipelines, YAML, super components, tools."""

import asyncio
import json
import subprocess
import sys

import pytest
from haystack import Document, Pipeline, SuperComponent
from haystack.core.errors import PipelineRuntimeError
from haystack.tools import ComponentTool

from haystack_integrations.components.joiners.anyrank import FusionJoiner
from haystack_integrations.components.rankers.anyrank import AnyRankRanker

FRESH = """
import json, sys
from haystack import Document, Pipeline
saved, lists = sys.argv[1:]
lists = {name: [Document(**fields) for fields in documents] for name, documents in json.loads(lists).items()}
output = Pipeline.loads(saved).run({"fuse": lists, "ranker": {"query": "b"}})
print(json.dumps([(document.id, document.score) for document in output["ranker"]["documents"]]))
"""


@pytest.fixture
def hybrid(retrieval):
    """Return the pipeline with a joiner and a ranker behind the retrievers."""
    retrieval.add_component("fuse", FusionJoiner(weights={"dense": 0.3, "bm25": 0.7}))
    retrieval.add_component("ranker", AnyRankRanker(scorer="lexical", top_k=2))
    retrieval.connect("bm25.documents", "fuse.bm25")
    retrieval.connect("dense.documents", "fuse.dense")
    retrieval.connect("fuse", "ranker.documents")
    return retrieval


@pytest.fixture
def question(question):
    """Return what the whole pipeline is asked."""
    return question | {"ranker": {"query": question["bm25"]["query"]}}


def found(output):
    """Return ids and scores of what came out of the ranker."""
    assert set(output) == {"ranker"}
    return [(document.id, document.score) for document in output["ranker"]["documents"]]


def test_both_colours_find_the_same(hybrid, question):
    """H17: `run` and `run_async` of a hybrid pipeline give the same documents and scores."""
    sync = found(hybrid.run(question))
    assert [name for name, _ in sync] == ["merge", "sort"]
    assert found(asyncio.run(hybrid.run_async(question))) == sync


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_two_retrievers_lead_into_one_ranker(retrieval, question, colour):
    """H18: without a joiner Haystack strings the lists together; each document is ranked once."""
    retrieval.add_component("ranker", AnyRankRanker(scorer="lexical"))
    retrieval.connect("bm25", "ranker")
    retrieval.connect("dense", "ranker")
    output = retrieval.run(question) if colour == "sync" else asyncio.run(retrieval.run_async(question))
    assert sorted(name for name, _ in found(output)) == ["heap", "merge", "sort"]


def test_top_k_is_a_pipeline_input(hybrid, question):
    """H08: callers of a pipeline may override it."""
    question["ranker"]["top_k"] = 1
    assert len(found(hybrid.run(question))) == 1


def test_an_error_is_the_pipelines(given):
    """H22: in a pipeline what a scorer raises is wrapped, with the scorer's error as cause."""

    def broken(_query, _texts):
        raise OSError

    pipeline = Pipeline()
    pipeline.add_component("first", given([Document(content="text")]))
    pipeline.add_component("ranker", AnyRankRanker(scorer=broken))
    pipeline.connect("first", "ranker")
    with pytest.raises(PipelineRuntimeError, match="AnyRankRanker") as failure:
        pipeline.run({"ranker": {"query": "q"}})
    assert isinstance(failure.value.__cause__, OSError)
    with pytest.raises(PipelineRuntimeError, match="AnyRankRanker"):
        asyncio.run(pipeline.run_async({"ranker": {"query": "q"}}))


@pytest.mark.parametrize(
    "scorer",
    ["lexical", {"ensemble": {"scorers": {"z": "lexical", "a": "first_stage"}, "weights": {"z": 2, "a": 1}}}],
    ids=["spec", "mapping"],
)
def test_yaml_runs_in_a_fresh_process(scorer):
    """H14, H15, H44: both components load without ``allowed_modules``, key or class known, and rank the same."""
    lists = {"z": [{"id": "1", "content": "b a"}], "a": [{"id": "2", "content": "a b"}]}
    pipeline = Pipeline()
    pipeline.add_component("fuse", FusionJoiner(weights={"z": 1, "a": 1}, parameters={"k": 10}))
    pipeline.add_component("ranker", AnyRankRanker(scorer=scorer))
    pipeline.connect("fuse", "ranker.documents")
    documents = {name: [Document(**fields) for fields in given] for name, given in lists.items()}
    expected = found(pipeline.run({"fuse": documents, "ranker": {"query": "b"}}))
    command = [sys.executable, "-c", FRESH, pipeline.dumps(), json.dumps(lists)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert [tuple(pair) for pair in json.loads(done.stdout)] == expected


def test_it_works_inside_a_super_component(hybrid, question):
    """H27: the pipeline as one component with one ``query``."""
    search = SuperComponent(
        pipeline=hybrid,
        input_mapping={
            "query": ["bm25.query", "ranker.query"],
            "vector": ["dense.query_embedding"],
        },
        output_mapping={"ranker.documents": "documents"},
    )
    documents = search.run(query=question["ranker"]["query"], vector=question["dense"]["query_embedding"])["documents"]
    assert [document.id for document in documents] == ["merge", "sort"]


def test_it_works_as_a_tool():
    """H27: an agent may call the ranker; the tool's schema comes from its signature."""
    tool = ComponentTool(component=AnyRankRanker(scorer="lexical"), name="rerank", description="Orders documents.")
    assert set(tool.parameters["properties"]) == {"query", "documents", "top_k"}
    documents = [{"id": "1", "content": "a"}, {"id": "2", "content": "b"}]
    output = tool.invoke(query="b", documents=documents, top_k=1)
    assert [document.id for document in output["documents"]] == ["2"]
