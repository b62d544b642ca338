"""The ranker: what every adapter does, and what Haystack asks for besides."""

import asyncio
import copy
import dataclasses
import importlib
import inspect
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from haystack import Document, Pipeline
from haystack.dataclasses import ByteStream
from haystack.utils import Secret
from haystack.utils.misc import _deduplicate_documents
from hypothesis import given as forall
from hypothesis import strategies as st

from anyrank.diversity import dedupe
from anyrank.errors import ArgumentError, SpecError
from anyrank.testing import AdapterContract, installed_scorers
from haystack_integrations.common.anyrank.documents import distinct
from haystack_integrations.components.rankers.anyrank import AnyRankRanker


def by_length(_query, texts):
    """Score by length."""
    return [float(len(text)) for text in texts]


def dumped(component):
    """Write a component down as the only one of a pipeline."""
    pipeline = Pipeline()
    pipeline.add_component("ranker", component)
    return pipeline.dumps()


class TestContract(AdapterContract):
    """What every adapter does (H02-H10, H12-H15, H19-H21, H23, H24, H29)."""

    def build(self, scorer, **settings):
        if "top_n" in settings:
            settings["top_k"] = settings.pop("top_n")
        return AnyRankRanker(scorer=scorer, **settings)

    def documents(self, texts):
        return [
            Document(id=f"d{i}", content=text, meta={"source": {"page": [i]}}, score=1 - i / 64)
            for i, text in enumerate(texts)
        ]

    def rerank(self, adapter, query, documents):
        return adapter.run(query=query, documents=documents)["documents"]

    async def arerank(self, adapter, query, documents):
        return (await adapter.run_async(query=query, documents=documents))["documents"]

    def text(self, document):
        return document.content

    def score(self, document):
        return document.score

    def rest(self, document):
        return type(document), dataclasses.replace(document, score=None)

    def save(self, adapter):
        return dumped(adapter)

    def restore(self, saved):
        return Pipeline.loads(saved).get_component("ranker")

    def api_key(self, key):
        return Secret.from_token(key)

    def test_the_key_is_read_at_the_first_call_that_needs_it(self, keyed, monkeypatch):
        """H12: construction, saving, loading and empty calls work without the key; a scoring call raises."""
        monkeypatch.delenv("KEYED_API_KEY", raising=False)
        ranker = self.build(keyed, api_key=Secret.from_env_var("KEYED_API_KEY"))
        restored = self.restore(self.save(ranker))
        assert self.rerank(restored, "q", []) == []
        with pytest.raises(ValueError, match="KEYED_API_KEY"):
            self.rerank(restored, "q", self.documents(["text"]))
        monkeypatch.setenv("KEYED_API_KEY", "s3cr3t")
        assert len(self.rerank(restored, "q", self.documents(["text"]))) == 1

    def test_a_token_is_not_written_down(self, keyed):
        """H32: only a key from the environment can be saved."""
        ranker = self.build(keyed, api_key=Secret.from_token("s3cr3t"))
        with pytest.raises(ValueError, match="token-based secret"):
            self.save(ranker)

    def test_a_key_in_clear_is_refused(self, keyed):
        """A str as key is an error that does not repeat it."""
        with pytest.raises(ArgumentError, match="must be a Secret") as refusal:
            self.build(keyed, api_key="s3cr3t")
        assert "s3cr3t" not in str(refusal.value)


def documents(*texts, **fields):
    """Return a document a text, with the text as id."""
    return [Document(id=text, content=text, **fields) for text in texts]


def ids(output):
    """Return the ids of an output, in order."""
    assert set(output) == {"documents"}
    return [document.id for document in output["documents"]]


def seen(ranker, given):
    """Return the texts that a ranker over `by_length` is asked about."""
    texts = []

    def spy(query, candidates):
        texts.extend(candidates)
        return by_length(query, candidates)

    AnyRankRanker(scorer=spy, **ranker).run(query="q", documents=given)
    return texts


def test_steps_know_the_document():
    """Their fields are those of ``meta``, the id and the embedding; their text is the content without meta fields."""
    given = [
        Document(id=name, content=text, meta={"file": file, "title": name}, embedding=[1.0, direction])
        for name, text, file, direction in (("a", "x", "f", 0.0), ("b", "x", "f", 0.0), ("c", None, "g", 1.0))
    ]

    def ranked(*then):
        ranker = AnyRankRanker(scorer="first_stage", then=list(then), meta_fields_to_embed=["title"])
        return ids(ranker.run(query="q", documents=given))

    assert ranked({"cap": {"by": "file", "per_group": 1}}) == ["a", "c"]
    assert ranked({"cap": {"by": "id", "per_group": 1}}) == ["a", "b", "c"]
    assert ranked("dedupe") == ranked(dedupe()) == ["a", "c"]
    assert ranked(dedupe(text=lambda document: document.meta["file"])) == ["a", "c"]
    assert ranked({"diversify": {"vectors": "embedding", "weight": 0}}) == ["a", "c", "b"]


def test_it_is_a_component_with_the_sockets_of_a_ranker():
    """H01: inputs ``query``, ``documents`` and an optional ``top_k``; output ``documents``."""
    ranker = AnyRankRanker(scorer="lexical")
    inputs = ranker.__haystack_input__._sockets_dict
    assert {name: socket.is_mandatory for name, socket in inputs.items()} == {
        "query": True,
        "documents": True,
        "top_k": False,
    }
    assert inputs["documents"].type == list[Document]
    assert ranker.__haystack_output__.get("documents").type == list[Document]


def test_both_colours_have_one_signature():
    """H16: ``run`` and ``run_async`` are called alike, and ``run_async`` is a coroutine function."""
    assert inspect.signature(AnyRankRanker.run) == inspect.signature(AnyRankRanker.run_async)
    assert inspect.iscoroutinefunction(AnyRankRanker.run_async)


def test_settings_are_keywords():
    """No setting can be given by place, so none can be mistaken for another."""
    with pytest.raises(TypeError, match="positional"):
        AnyRankRanker("lexical")


def test_documents_stay_json():
    """H03: a ranked document can be written as JSON."""
    [found] = AnyRankRanker(scorer="lexical").run(query="q", documents=documents("text"))["documents"]
    assert json.loads(json.dumps(found.to_dict()))["score"] == 0.0


def test_nothing_warns_of_a_mutation():
    """H04, H05: documents with everything in them come back equal but for the score, and Haystack sees no mutation."""
    given = [
        Document(
            id=str(i),
            content="text",
            blob=ByteStream(b"x", mime_type="text/plain"),
            meta={"nested": {"list": [i]}},
            embedding=[0.1, 0.2],
            score=9.0,
        )
        for i in range(3)
    ]
    before = copy.deepcopy(given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = AnyRankRanker(scorer=by_length, top_k=2).run(query="q", documents=given)["documents"]
    assert given == before
    assert found == [dataclasses.replace(document, score=4.0) for document in given[:2]]


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("given", [[], documents("a")], ids=["empty", "one"])
@pytest.mark.parametrize("top_k", [0, -1, True, 1.5])
def test_a_bad_top_k_is_refused_at_run_time(colour, given, top_k):
    """H07: 0, negatives, booleans and fractions are errors in Haystack's word, also for an empty list."""
    ranker = AnyRankRanker(scorer=by_length, top_k=1)
    run = ranker.run if colour == "sync" else lambda **inputs: asyncio.run(ranker.run_async(**inputs))
    with pytest.raises(ValueError, match="top_k must be a whole number above 0"):
        run(query="q", documents=given, top_k=top_k)


@pytest.mark.parametrize("top_k", [0, -1, True, 1.5])
def test_a_bad_top_k_is_refused_at_construction(top_k):
    """H07: with the word the user wrote."""
    with pytest.raises(ValueError, match="top_k must be a whole number above 0"):
        AnyRankRanker(scorer="lexical", top_k=top_k)


@pytest.mark.parametrize(("own", "for_this_run", "count"), [(2, None, 2), (2, 3, 3), (2, 1, 1), (None, 2, 2)])
def test_the_run_time_top_k_overrides(own, for_this_run, count):
    """H08: the number given at run time wins over the component's."""
    ranker = AnyRankRanker(scorer=by_length, top_k=own)
    assert len(ranker.run(query="q", documents=documents("a", "b", "c"), top_k=for_this_run)["documents"]) == count


def test_the_best_copy_of_a_document_counts():
    """H09: of several copies the one with the best first-stage score is ranked, at the place of the first."""
    first, best = Document(id="x", content="old", score=0.1), Document(id="x", content="new", score=0.9)
    found = AnyRankRanker(scorer=lambda _query, texts: [0.0] * len(texts)).run(
        query="q", documents=[first, *documents("y"), best, Document(id="x", content="none")]
    )["documents"]
    assert [(document.id, document.content) for document in found] == [("x", "new"), ("y", "y")]


copies = st.lists(
    st.builds(Document, id=st.sampled_from("abc"), score=st.none() | st.floats(-2, 2), content=st.text(max_size=2))
)


@forall(copies)
def test_duplicates_go_as_in_haystacks_own_rankers(given):
    """H09: the very objects that the host's own function keeps, in its order."""
    assert list(map(id, distinct(given))) == list(map(id, _deduplicate_documents(given)))


def test_the_first_stage_is_the_documents_scores():
    """A scorer that reads the retriever's scores finds them, each beside its own text."""
    given = [Document(id=name, content=name, score=score) for name, score in {"a": 0.5, "b": None, "c": 0.1}.items()]
    handed = []

    def scorer(_query, candidates):
        handed.extend(zip(candidates, candidates.first_stage, strict=True))
        return [0.0] * len(candidates)

    AnyRankRanker(scorer=scorer).run(query="q", documents=[*given, Document(id="c", content="c", score=0.2)])
    assert handed == [("a", 0.5), ("b", None), ("c", 0.2)]


def test_a_document_without_text_is_kept():
    """H10: no content is an empty text."""
    assert seen({}, [Document(id="x"), Document(id="y", content="y")]) == ["", "y"]


def test_meta_fields_are_embedded():
    """H11: the values stand before the content; 0 and False count, None and missing ones do not."""
    given = [Document(content="text", meta={"page": 0, "draft": False, "title": None}), Document(meta={"page": 7})]
    settings = {"meta_fields_to_embed": ["title", "page", "draft", "absent"], "meta_data_separator": " | "}
    assert seen(settings, given) == ["0 | False | text", "7 | "]


def test_the_separator_is_a_new_line():
    """The default separator is the host's."""
    assert seen({"meta_fields_to_embed": ["title"]}, [Document(content="b", meta={"title": "a"})]) == ["a\nb"]


def test_one_name_instead_of_a_list_is_refused():
    """A bare str would be read letter by letter: an error that says what to write."""
    with pytest.raises(ArgumentError, match=r"write \['title'\]"):
        AnyRankRanker(scorer="lexical", meta_fields_to_embed="title")


def test_all_settings_come_back():
    """H13: the dict holds plain values for every setting but ``on_report``, and reading it leaves it as it was."""
    settings = {
        "scorer": {"lexical": {"k1": 0.5}},
        "scorer_options": {"b": 0.5},
        "api_key": None,
        "top_k": 3,
        "meta_fields_to_embed": ["title"],
        "meta_data_separator": " ",
        "score_threshold": 0.25,
    }
    written = AnyRankRanker(**settings, on_report=print).to_dict()
    assert written == {
        "type": "haystack_integrations.components.rankers.anyrank.ranker.AnyRankRanker",
        "init_parameters": settings,
    }
    before = copy.deepcopy(written)
    assert AnyRankRanker.from_dict(written).to_dict() == before == written


def test_a_live_scorer_is_not_written_down():
    """The error names the object."""
    with pytest.raises(SpecError, match="by_length"):
        AnyRankRanker(scorer=by_length).to_dict()


RECORDED = """
events = []
class Recorded:
    def score(self, query, texts):
        events.append("score")
        return [0.0] * len(texts)
    def warm_up(self):
        events.append("warm_up")
    def close(self):
        events.append("close")
"""


@pytest.fixture
def recorded(tmp_path):
    """Install a scorer that writes down what is asked of it, and return its module."""
    with installed_scorers(tmp_path, "recorded_scorer", RECORDED, {"recorded": "Recorded"}):
        yield importlib.import_module("recorded_scorer")


def test_it_works_without_warm_up():
    """H25: standalone, a call is all it needs."""
    assert ids(AnyRankRanker(scorer="lexical").run(query="b", documents=documents("a", "b"))) == ["b", "a"]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_lifecycle_can_be_repeated(recorded, colour):
    """H26: what a spec built is warmed up and closed in both colours, as often as asked, and still works."""
    ranker = AnyRankRanker(scorer="recorded")

    async def twice():
        for _ in range(2):
            await ranker.warm_up_async()
        for _ in range(2):
            await ranker.close_async()

    if colour == "async":
        asyncio.run(twice())
    else:
        for step in (ranker.warm_up, ranker.warm_up, ranker.close, ranker.close):
            step()
    assert recorded.events[0] == "warm_up"
    assert recorded.events[-1] == "close"
    assert ids(ranker.run(query="b", documents=documents("a", "b"))) == ["a", "b"]


def test_a_given_scorer_is_warmed_up_and_left_open(recorded):
    """H26: warming up reaches the scorer; closing it is its giver's business."""
    ranker = AnyRankRanker(scorer=recorded.Recorded())
    ranker.warm_up()
    ranker.close()
    asyncio.run(ranker.close_async())
    assert recorded.events == ["warm_up"]


def test_telemetry_names_the_model_only():
    """What Haystack counts is the model, or the scorer where it has none."""
    assert AnyRankRanker(scorer="lexical")._get_telemetry_data() == {"model": "lexical"}


LIGHT = """
import sys, haystack, haystack.utils
from haystack import Document, component, default_from_dict, default_to_dict
before = set(sys.modules)
import haystack_integrations.components.rankers.anyrank, haystack_integrations.components.joiners.anyrank
new = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert new == {"anyrank", "haystack_integrations"}, new
"""


def test_import_is_light():
    """H31: importing the components loads anyrank and no third-party module beyond Haystack's own."""
    subprocess.run([sys.executable, "-c", LIGHT], check=True, timeout=120)


@pytest.mark.parametrize("documents", [["a"], "a", None, Document(content="a")])
def test_what_is_no_list_of_documents_is_refused(documents):
    """With an error that says what came instead."""
    with pytest.raises(ValueError, match="documents must be a list of Haystack Documents; got a"):
        AnyRankRanker(scorer="lexical").run("q", documents)


def test_settings_are_fixed():
    """A number that had no effect but stood in the YAML would be worse than an error."""
    ranker = AnyRankRanker(scorer="lexical", top_k=2, score_threshold=np.float32(0.5))
    for name in ("top_k", "score_threshold"):
        with pytest.raises(AttributeError):
            setattr(ranker, name, 1)
    assert ranker.to_dict()["init_parameters"]["score_threshold"] == 0.5


@pytest.mark.parametrize("first", ["a", "b"])
@pytest.mark.parametrize("scorer", ["lexical", "first_stage", "first_stage:score"])
def test_branches_into_one_input_count_in_the_order_of_their_scores(given, first, scorer):
    """Whichever retriever answers first, sync or async, ties and the first stage are the same."""
    branches = {
        "a": given([Document(id="1", content="x", score=0.3), Document(id="2", content="x", score=0.1)]),
        "b": given([Document(id="3", content="x", score=0.4), Document(id="1", content="x", score=0.2)]),
    }
    last = "b" if first == "a" else "a"
    branches[last].after = branches[first]
    pipeline = Pipeline()
    pipeline.add_component("ranker", AnyRankRanker(scorer=scorer))
    for name, branch in branches.items():
        pipeline.add_component(name, branch)
        pipeline.connect(name, "ranker.documents")
    question = {"a": {"start": 0}, "b": {"start": 0}, "ranker": {"query": "x"}}
    for output in (asyncio.run(pipeline.run_async(question)), pipeline.run(question)):
        assert [document.id for document in output["ranker"]["documents"]] == ["3", "1", "2"]
