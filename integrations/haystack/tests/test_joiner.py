"""The joiner: every list keeps its name and weight, whatever arrives, in whatever order."""

import asyncio
import copy
import dataclasses
import inspect
import math

import pytest
from haystack import Document, Pipeline
from hypothesis import given as forall
from hypothesis import strategies as st

from anyrank import Ranking, fuse
from anyrank.errors import FusionError
from anyrank.fusion import METHODS
from haystack_integrations.components.joiners.anyrank import FusionJoiner

WEIGHTS = {"bm25": 0.7, "dense": 0.3}


def documents(*names, **fields):
    """Return a document a name, scores falling from 1."""
    return [Document(id=name, content=name, score=1 - i / 8, **fields) for i, name in enumerate(names)]


def found(output):
    """Return ids and scores of an output, in order."""
    assert set(output) == {"documents"}
    return [(document.id, document.score) for document in output["documents"]]


def votes(**scores):
    """Return what `found` should say, scores to the last digits that addition leaves open."""
    return [(name, pytest.approx(score)) for name, score in scores.items()]


def wired(joiner, branches):
    """Return a pipeline that sends each branch, a component and the name of an input, into the joiner."""
    pipeline = Pipeline()
    pipeline.add_component("fuse", joiner)
    for name, (component, socket) in branches.items():
        pipeline.add_component(name, component)
        pipeline.connect(name, f"fuse.{socket}")
    return pipeline


def test_there_is_an_input_for_every_weight():
    """Each takes a list of documents and may stay empty; ``top_k`` is the only other one."""
    sockets = FusionJoiner(WEIGHTS).__haystack_input__._sockets_dict
    assert {name: (socket.type, socket.default_value) for name, socket in sockets.items()} == {
        "bm25": (list[Document], None),
        "dense": (list[Document], None),
        "top_k": (int | None, None),
    }
    assert inspect.signature(FusionJoiner.run) == inspect.signature(FusionJoiner.run_async)


@pytest.mark.parametrize("names", [("bm25", "dense"), ("z", "a")])
def test_a_weight_belongs_to_its_list(given, names):
    """H40: 0.7 counts for ``bm25`` whatever its retriever is called and whenever it is connected."""
    lexical, dense = names
    branches = [(lexical, documents("x", "y"), "bm25"), (dense, documents("y", "z"), "dense")]
    expected = votes(y=0.7 / 62 + 0.3 / 61, x=0.7 / 61, z=0.3 / 62)
    for order in (branches, branches[::-1]):
        wiring = {name: (given(sent), socket) for name, sent, socket in order}
        assert found(wired(FusionJoiner(WEIGHTS), wiring).run({})["fuse"]) == expected


def test_real_retrievers_are_fused(retrieval, question):
    """H17, H40: both colours of a hybrid pipeline over one store give the same."""
    retrieval.add_component("fuse", FusionJoiner(WEIGHTS))
    retrieval.connect("bm25.documents", "fuse.bm25")
    retrieval.connect("dense.documents", "fuse.dense")
    sync = retrieval.run(question)["fuse"]
    assert [name for name, _ in found(sync)] == ["merge", "sort", "heap"]
    assert asyncio.run(retrieval.run_async(question))["fuse"] == sync


@pytest.mark.parametrize("first", ["bm25", "dense"])
def test_arrival_order_does_not_matter(given, first):
    """H41: whichever branch of an async run ends first, weights, ties and copies are the same."""
    lexical, dense = given(documents("x", "y", meta={"from": "bm25"})), given(documents("y", "x"))
    if first == "bm25":
        dense.after = lexical
    else:
        lexical.after = dense
    pipeline = wired(FusionJoiner({"bm25": 1, "dense": 1}), {"a": (dense, "dense"), "b": (lexical, "bm25")})
    output = asyncio.run(pipeline.run_async({"a": {"start": 0}, "b": {"start": 0}}))["fuse"]
    assert found(output) == votes(x=1 / 61 + 1 / 62, y=1 / 61 + 1 / 62)
    assert [document.meta for document in output["documents"]] == [{"from": "bm25"}] * 2


@pytest.mark.parametrize("first", ["a", "b"])
def test_two_shards_share_an_input(given, first):
    """Retrievers on one input are one source: merged by score, each document once, whichever arrives first."""
    shards = {
        "a": given([Document(id=n, score=s) for n, s in (("1", 0.9), ("6", 0.2), ("3", 0.1), ("4", None))]),
        "b": given([Document(id=n, score=s) for n, s in (("3", 0.5), ("2", 0.2), ("5", None))]),
    }
    last = "b" if first == "a" else "a"
    shards[last].after = shards[first]
    pipeline = wired(FusionJoiner({"dense": 1}), {name: (shard, "dense") for name, shard in shards.items()})
    expected = [(name, 1 / (60 + rank)) for rank, name in enumerate("132645", 1)]
    assert found(asyncio.run(pipeline.run_async({"a": {"start": 0}, "b": {"start": 0}}))["fuse"]) == expected
    assert found(pipeline.run({"a": {"start": 0}, "b": {"start": 0}})["fuse"]) == expected


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_skipped_branch_is_an_empty_list(given, colour):
    """H42: a branch that sends nothing leaves the other one's weight where it was."""
    branches = {"a": (given(None), "bm25"), "b": (given(documents("x")), "dense")}
    pipeline = wired(FusionJoiner(WEIGHTS), branches)
    output = pipeline.run({}) if colour == "sync" else asyncio.run(pipeline.run_async({}))
    assert found(output["fuse"]) == votes(x=0.3 / 61)


def test_an_unconnected_input_is_an_empty_list(given):
    """H43: inputs may wait for a later day."""
    pipeline = wired(FusionJoiner(WEIGHTS), {"b": (given(documents("x")), "dense")})
    assert found(pipeline.run({})["fuse"]) == votes(x=0.3 / 61)


def test_no_lists_are_no_documents():
    """Nothing in, nothing out, under the same key."""
    assert FusionJoiner(WEIGHTS).run() == {"documents": []}
    assert FusionJoiner(WEIGHTS).run(bm25=[], dense=None) == {"documents": []}


@pytest.mark.parametrize("weights", [WEIGHTS, dict(reversed(WEIGHTS.items()))], ids=["sorted", "not"])
def test_yaml_keeps_the_order_of_the_weights(weights):
    """H44: a saved joiner comes back with ties and copies decided as before, though YAML sorts keys."""
    pipeline = Pipeline()
    pipeline.add_component("fuse", FusionJoiner(weights, method="rrf", parameters={"k": 10}, top_k=3))
    loaded = Pipeline.loads(pipeline.dumps()).get_component("fuse")
    assert list(loaded.weights.items()) == list(weights.items())
    lists = {"bm25": documents("x", meta={"a": 1}), "dense": documents("x", "y")}
    assert loaded.run(**lists) == pipeline.get_component("fuse").run(**lists)


def test_all_settings_come_back():
    """H44: the dict holds plain values, and reading it leaves it as it was."""
    settings = {"weights": WEIGHTS, "method": "comb_sum", "parameters": {"normalize": "max"}, "top_k": 2}
    written = FusionJoiner(**settings).to_dict()
    assert written["init_parameters"] == settings
    before = copy.deepcopy(written)
    assert FusionJoiner.from_dict(written).to_dict() == before == written


def test_a_duplicate_counts_once():
    """H45: a document that a list holds twice has one vote from it, and later ones move up."""
    output = FusionJoiner({"bm25": 1}).run(bm25=documents("x", "x", "y"))
    assert found(output) == [("x", 1 / 61), ("y", 1 / 62)]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "empty"),
        ({"a": -1}, "at least 0"),
        ({"a": math.nan}, "finite"),
        ({"a": math.inf}, "finite"),
        ({"a": True}, "number"),
        ({"a": 0, "b": 0}, "all weights are zero"),
        ([0.7, 0.3], "dict by input name"),
        (None, "dict by input name"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    """H46: at construction, with what is wrong."""
    with pytest.raises(FusionError, match=message):
        FusionJoiner(weights)


@pytest.mark.parametrize("name", ["top_k", "self", "get", "_hidden", "two words", "a.b", "", 1])
def test_a_weight_needs_a_name_that_can_be_an_input(name):
    """Names that Haystack or `run` has for something else, or that are no Python names, are refused."""
    with pytest.raises(FusionError, match="cannot be the name of an input"):
        FusionJoiner({name: 1.0})


@pytest.mark.parametrize(
    "settings",
    [{"method": "rff"}, {"parameters": {"kk": 1}}, {"top_k": 0}, {"top_k": True}, {"parameters": {"normalize": "x"}}],
)
def test_bad_settings_are_refused(settings):
    """An unknown method, parameter or normaliser and an impossible ``top_k`` are errors at construction."""
    with pytest.raises(ValueError, match=r"rff|kk|top_k|normali"):
        FusionJoiner(WEIGHTS, **settings)


@pytest.mark.parametrize(("own", "for_this_run", "count"), [(None, None, 3), (2, None, 2), (2, 3, 3), (2, 1, 1)])
def test_the_run_time_top_k_overrides(own, for_this_run, count):
    """The number given at run time wins over the component's."""
    assert len(found(FusionJoiner(WEIGHTS, top_k=own).run(for_this_run, bm25=documents("x", "y", "z")))) == count


@pytest.mark.parametrize("top_k", [0, -1, True])
def test_a_bad_top_k_is_refused_at_run_time(top_k):
    """Also without any documents."""
    with pytest.raises(ValueError, match="top_k must be"):
        FusionJoiner(WEIGHTS).run(top_k=top_k)


def test_an_unknown_list_is_refused():
    """Standalone, a list without a weight is an error that suggests the right name."""
    with pytest.raises(FusionError, match="did you mean 'dense'"):
        FusionJoiner(WEIGHTS).run(dens=documents("x"))


def test_missing_scores_are_refused_where_they_are_read():
    """A method over scores names the input whose documents have none."""
    with pytest.raises(FusionError, match="source 'bm25' has no finite score"):
        FusionJoiner(WEIGHTS, method="comb_sum").run(bm25=[Document(id="x")], dense=documents("y"))


def test_the_first_copy_survives_with_the_fused_score():
    """The copy of the first list in the order of the weights comes out; inputs stay as they were."""
    lists = {"dense": documents("x", embedding=[1.0]), "bm25": documents("x", meta={"nested": {"page": [1]}})}
    before = copy.deepcopy(lists)
    [document] = FusionJoiner(WEIGHTS).run(**lists)["documents"]
    assert document == dataclasses.replace(lists["bm25"][0], score=1 / 61)
    assert document is not lists["bm25"][0]
    assert type(document.score) is float
    assert lists == before


lists = st.fixed_dictionaries({name: st.lists(st.sampled_from("uvwxyz"), max_size=6) for name in WEIGHTS})


@forall(lists, st.sampled_from(sorted(METHODS)))
def test_every_method_is_the_cores(names, method):
    """The joiner is `anyrank.fuse` over the documents' ids and scores."""
    given = {source: documents(*found) for source, found in names.items()}
    rankings = {name: Ranking.of([d.id for d in ds], [d.score for d in ds]) for name, ds in given.items()}
    expected = [(hit.document, hit.score) for hit in fuse(rankings, method, weights=WEIGHTS)]
    joiner = FusionJoiner(WEIGHTS, method=method)
    assert found(joiner.run(**given)) == expected
    assert found(asyncio.run(joiner.run_async(**given))) == expected
