"""What `AnyRankPostprocessor` promises in LlamaIndex's own terms, beyond the shared contract."""

import asyncio
import json
import pickle

import numpy as np
import pytest
from llama_index.core.bridge.pydantic import SecretStr, ValidationError
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import (
    Document,
    ImageNode,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from anyrank.diversity import dedupe
from anyrank.testing import KEYED, installed_scorers
from llama_index.postprocessor.anyrank import AnyRankPostprocessor

PLACES = [0.0, 2.0, 1.0]


def by_place(_query, texts):
    """Put the second text first and the first one last."""
    return PLACES[: len(texts)]


def ids(found):
    """Give the nodes' ids."""
    return [one.node_id for one in found]


@pytest.fixture
def keyed(tmp_path):
    """Give the spec of an installed scorer that needs the key ``s3cr3t``."""
    with installed_scorers(tmp_path, "li_keyed_scorer", KEYED, {"li_keyed": "Keyed"}):
        yield "li_keyed"


def test_it_is_a_node_postprocessor_with_a_name():
    """The type is the host's, and the name is the class's own (I01)."""
    assert isinstance(AnyRankPostprocessor("lexical"), BaseNodePostprocessor)
    assert AnyRankPostprocessor.class_name() == "AnyRankPostprocessor"


def test_scores_of_numpy_can_be_written_down(nodes):
    """Whatever number a scorer gives, a result is a float that ``to_json`` takes (I03)."""
    found = AnyRankPostprocessor(lambda *_: np.float32(PLACES)).postprocess_nodes(nodes, query_str="q")
    assert [json.loads(one.to_json())["score"] for one in found] == [2.0, 1.0, 0.0]


def test_the_node_is_the_very_same(nodes):
    """Only the wrapper is new: hash and prompt text of a node cannot change (I04, I05)."""
    before = {one.node_id: (one.node, one.node.hash, one.node.get_content(MetadataMode.LLM)) for one in nodes}
    for one in AnyRankPostprocessor(by_place).postprocess_nodes(nodes, query_str="q"):
        node, hash_, prompt = before[one.node_id]
        assert one.node is node
        assert (one.node.hash, one.node.get_content(MetadataMode.LLM)) == (hash_, prompt)


def test_retrieval_scores_are_kept_out_of_sight(nodes):
    """``keep_retrieval_score`` notes the incoming score in a copy, where no model reads it (I06)."""
    found = AnyRankPostprocessor(by_place, keep_retrieval_score=True).postprocess_nodes(nodes, query_str="q")
    assert [one.metadata["retrieval_score"] for one in found] == [nodes[1].score, nodes[2].score, nodes[0].score]
    for one, given in zip(found, (nodes[1], nodes[2], nodes[0]), strict=True):
        for mode in (MetadataMode.LLM, MetadataMode.EMBED):
            assert one.node.get_content(mode) == given.node.get_content(mode)


def test_keeping_retrieval_scores_leaves_the_callers_nodes_alone(nodes):
    """The caller's node gets no key, and type and id of the copy are the node's (I04, I06)."""
    before = [one.to_dict() for one in nodes]
    postprocessor = AnyRankPostprocessor(by_place, keep_retrieval_score=True)
    once = postprocessor.postprocess_nodes(nodes, query_str="q")
    twice = postprocessor.postprocess_nodes(once, query_str="q")
    assert [one.to_dict() for one in nodes] == before
    assert [(type(one.node), one.node_id) for one in once] == [(TextNode, id_) for id_ in ("n1", "n2", "n0")]
    assert twice[0].node.excluded_llm_metadata_keys == ["retrieval_score"]


def test_what_is_scored_is_the_text_for_embedding():
    """Metadata counts, except for the keys that the node keeps from embedding models (I07)."""
    texts = []
    node = TextNode(text="body", metadata={"title": "T", "path": "/x"}, excluded_embed_metadata_keys=["path"])
    AnyRankPostprocessor(lambda _, seen: texts.extend(seen) or PLACES[:1]).postprocess_nodes(
        [NodeWithScore(node=node)], query_str="q"
    )
    assert texts == ["title: T\n\nbody"]


def test_steps_know_the_node(nodes):
    """Their fields are its metadata, ids and embedding, their text is its own; nodes without text are no copies."""

    def ranked(given, *then):
        return ids(AnyRankPostprocessor("first_stage", then=then).postprocess_nodes(given, query_str="q"))

    for place, one in enumerate(nodes):
        one.node.metadata["file_name"] = "ab"[place // 2]
        one.node.embedding = [1.0, place // 2]
        one.node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="one document")
    assert ranked(nodes, {"cap": {"by": "file_name", "per_group": 1}}) == ["n0", "n2"]
    assert ranked(nodes, {"cap": {"by": "ref_doc_id", "per_group": 1}}) == ["n0"]
    assert ranked(nodes, {"cap": {"by": "id", "per_group": 1}}) == ["n0", "n1", "n2"]
    assert ranked(nodes, {"diversify": {"vectors": "embedding", "weight": 0}}) == ["n0", "n2", "n1"]
    assert ranked(nodes, dedupe(text=lambda one: one.node.metadata["file_name"])) == ["n0", "n2"]
    copies = [NodeWithScore(node=TextNode(text="same", id_=id_, metadata={"page": id_})) for id_ in "ab"]
    images = [NodeWithScore(node=ImageNode(image_url=id_, id_=id_)) for id_ in "cd"]
    assert ranked([*copies, *images], "dedupe") == ["a", "c", "d"]


def test_every_kind_of_node_is_taken():
    """Documents are scored by their text; images and nodes without any count as ``""`` and stay (I25, I26)."""
    texts = []

    def scorer(_query, seen):
        texts.extend(seen)
        return [float(len(text)) for text in seen]

    given = [NodeWithScore(node=node) for node in (ImageNode(image_url="u"), Node(), Document(text="text"))]
    found = AnyRankPostprocessor(scorer).postprocess_nodes(given, query_str="q")
    assert texts == ["", "", "text"]
    assert [type(one.node) for one in found] == [Document, ImageNode, Node]


def test_a_node_that_came_twice_stays_twice(nodes):
    """Dropping duplicates is another postprocessor's work (I27)."""
    found = AnyRankPostprocessor("lexical").postprocess_nodes([nodes[1], nodes[0], nodes[1]], query_str="merge")
    assert ids(found) == ["n1", "n1", "n0"]


@pytest.mark.parametrize("query", [QueryBundle("merge"), "merge"], ids=["bundle", "str"])
def test_queries_come_as_bundle_or_text(nodes, query):
    """A `QueryBundle` is the host's way; a str in its place means the same (I10)."""
    postprocessor = AnyRankPostprocessor("lexical", top_n=1)
    assert ids(postprocessor.postprocess_nodes(nodes, query)) == ["n1"]
    assert ids(asyncio.run(postprocessor.apostprocess_nodes(nodes, query))) == ["n1"]


def test_a_first_stage_has_its_say(nodes):
    """The scores that the nodes came with reach the scorers that ask for them."""
    found = AnyRankPostprocessor("first_stage:score").postprocess_nodes(nodes, query_str="q")
    assert [one.score for one in found] == [one.score for one in nodes]


@pytest.mark.parametrize("setting", ["top_n", "score_threshold"])
@pytest.mark.parametrize("value", [True, "3", float("nan")])
def test_numbers_are_not_guessed(setting, value):
    """Booleans and strings are no numbers: anyrank says what must be given (I12)."""
    with pytest.raises(ValueError, match=f"{setting} must be a"):
        AnyRankPostprocessor("lexical", **{setting: value})


def test_numbers_of_numpy_are_written_down_as_plain_ones():
    """What counts as a number is kept as the host's int or float (I22)."""
    written = AnyRankPostprocessor("lexical", top_n=np.int64(3), score_threshold=np.float32(0.5)).to_json()
    assert json.loads(written)["top_n"] == 3
    assert json.loads(written)["score_threshold"] == 0.5


def test_a_misspelt_setting_is_refused_without_repeating_its_value():
    """A key given under a wrong name does not end up in an error message (I13, I23)."""
    with pytest.raises(ValidationError, match="apikey") as refusal:
        AnyRankPostprocessor("lexical", apikey="s3cr3t")
    assert "s3cr3t" not in str(refusal.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("scorer", "first_stage"), ("scorer_options", {}), ("top_n", 1), ("score_threshold", 0.5), ("then", [])],
)
def test_settings_are_settled(setting, value):
    """A setting that is changed afterwards could not take effect, so it is an error."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(AnyRankPostprocessor("lexical"), setting, value)


def test_a_dict_brings_it_back(nodes):
    """``from_dict`` undoes ``to_dict``, and neither changes what it was given (I22)."""
    written = AnyRankPostprocessor("lexical", scorer_options={"k1": 0.5}, top_n=2, keep_retrieval_score=True).to_dict()
    assert written == {
        "class_name": "AnyRankPostprocessor",
        "scorer": "lexical",
        "scorer_options": {"k1": 0.5},
        "top_n": 2,
        "score_threshold": None,
        "then": None,
        "keep_retrieval_score": True,
    }
    restored = AnyRankPostprocessor.from_dict(written)
    assert restored.to_dict() == written
    assert ids(restored.postprocess_nodes(nodes, query_str="merge")) == ["n1", "n0"]


@pytest.mark.parametrize("write", ["to_dict", "to_json"])
def test_a_live_scorer_is_not_written_down(write):
    """The error says which object has no spec (I22)."""
    with pytest.raises(ValueError, match=r"scorer=<function by_place.* is a live object"):
        getattr(AnyRankPostprocessor(by_place), write)()


@pytest.mark.parametrize("key", ["s3cr3t", SecretStr("s3cr3t")], ids=["str", "SecretStr"])
def test_the_key_stays_private(keyed, nodes, key):
    """The scorer gets the key; repr, dict, JSON, ``vars`` and pickle do not (I23)."""
    postprocessor = AnyRankPostprocessor(keyed, api_key=key)
    assert len(postprocessor.postprocess_nodes(nodes, query_str="q")) == 3
    shown = [repr(postprocessor), str(postprocessor), str(vars(postprocessor)), str(dict(postprocessor))]
    written = [str(postprocessor.to_dict()), postprocessor.to_json(), str(postprocessor.model_dump())]
    assert not any("s3cr3t" in text for text in (*shown, *written))
    assert b"s3cr3t" not in pickle.dumps(postprocessor)


@pytest.mark.parametrize("scorer", ["lexical", {"fallback": {"scorers": ["lexical", "first_stage"]}}, by_place])
def test_pickle_brings_it_back(nodes, scorer):
    """A pickled postprocessor ranks the same; a function in a module is found again (I24)."""
    postprocessor = AnyRankPostprocessor(scorer, top_n=2)
    restored = pickle.loads(pickle.dumps(postprocessor))
    assert restored.postprocess_nodes(nodes, query_str="merge") == postprocessor.postprocess_nodes(
        nodes, query_str="merge"
    )


def test_pickle_leaves_what_is_of_this_process_behind(nodes):
    """Neither report function nor callbacks travel (I24)."""
    reports, callbacks = [], CallbackManager([LlamaDebugHandler(print_trace_on_end=False)])
    postprocessor = AnyRankPostprocessor("lexical", on_report=reports.append, callback_manager=callbacks)
    restored = pickle.loads(pickle.dumps(postprocessor))
    restored.postprocess_nodes(nodes, query_str="q")
    assert reports == []
    assert restored.callback_manager.handlers == []
    assert "on_report" not in postprocessor.to_dict()


def test_pickle_refuses_what_it_cannot_hold():
    """A lambda is an error at once, never a postprocessor without its scorer (I24)."""
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(AnyRankPostprocessor(lambda *_: PLACES))


class Lifecycle:
    """Counts what is asked of it."""

    def __init__(self):
        self.calls = []

    def score(self, _query, texts):
        """Score nothing much."""
        return [0.0 for _ in texts]

    def warm_up(self):
        """Count a warm-up."""
        self.calls.append("warm_up")

    def close(self):
        """Count a close."""
        self.calls.append("close")


def test_warming_up_reaches_the_scorer():
    """``warm_up`` and ``awarm_up`` load early."""
    scorer = Lifecycle()
    postprocessor = AnyRankPostprocessor(scorer)
    postprocessor.warm_up()
    asyncio.run(postprocessor.awarm_up())
    assert scorer.calls == ["warm_up", "warm_up"]


def test_closing_spares_what_was_given():
    """``close`` and ``aclose`` reach only a scorer that was built from a spec."""
    scorer = Lifecycle()
    postprocessor = AnyRankPostprocessor(scorer)
    postprocessor.close()
    asyncio.run(postprocessor.aclose())
    assert scorer.calls == []


def test_closing_reaches_what_was_built(tmp_path, nodes):
    """A scorer from a spec is closed in both colours, and can be used again."""
    source = "closed = []\nclass Closing:\n    def score(self, q, t):\n        return [0.0] * len(t)\n"
    source += "    def close(self):\n        closed.append(1)\n"
    with installed_scorers(tmp_path, "li_closing", source, {"li_closing": "Closing"}):
        postprocessor = AnyRankPostprocessor("li_closing")
        import li_closing

        postprocessor.close()
        asyncio.run(postprocessor.aclose())
        assert li_closing.closed == [1, 1]
        assert len(postprocessor.postprocess_nodes(nodes, query_str="q")) == 3


def test_a_copy_with_other_settings_is_refused():
    """Settings are fixed, and a copy that only looked as if it had others would be worse than an error."""
    with pytest.raises(ValueError, match="are fixed: build a new one with top_n"):
        AnyRankPostprocessor("lexical").model_copy(update={"top_n": 1})
    assert AnyRankPostprocessor("lexical", top_n=1).model_copy().top_n == 1
