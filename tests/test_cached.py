"""What was scored once is not scored again, and comes out as it did."""

import asyncio
import copy
import json
import pickle
import shelve
import subprocess
import sys
import threading
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fake_service import KEY, running
from hypothesis import given
from hypothesis import strategies as st
from overlap import Overlap, overlap_installed  # noqa: F401 - a fixture

from anyrank import (
    Cached,
    Candidates,
    Chunked,
    Ensemble,
    Fallback,
    Image,
    Ranking,
    Report,
    Reranker,
    Scores,
    load,
    spec_of,
)
from anyrank.errors import ArgumentError, ScoresError, SpecError, TextError
from anyrank.scorers.cross_encoder import CrossEncoder
from anyrank.testing import ScorerContract

QUERY = "capital of France"
TEXTS = ["Berlin is in Germany.", "Paris is the capital of France.", "Bananas are rich in potassium."]


@pytest.mark.usefixtures("overlap_installed")
class TestCached(ScorerContract):
    """The contract, with the scores in memory."""

    @pytest.fixture
    def scorer(self):
        return Cached(Overlap())


class TestCachedInADict(ScorerContract):
    """The contract, with the scores in a dict of one's own."""

    @pytest.fixture
    def scorer(self):
        return Cached(Overlap(), {})

    @pytest.mark.xfail(raises=SpecError, reason="an open store cannot be written down")
    def test_the_spec_builds_an_equal_scorer(self, reranker):
        """There is none."""
        super().test_the_spec_builds_an_equal_scorer(reranker)


class TestCachedOnDisk(TestCachedInADict):
    """The contract, with the scores in a file."""

    @pytest.fixture
    def scorer(self, tmp_path):
        with shelve.open(str(tmp_path / "scores")) as store:
            yield Cached(Overlap(), store)


@pytest.mark.usefixtures("overlap_installed")
class TestCachedNearlyNothing(ScorerContract):
    """The contract, with room for fewer scores than there are texts."""

    @pytest.fixture
    def scorer(self):
        return Cached(Overlap(), max_entries=2)


def sync(scorer, query=QUERY, texts=TEXTS):
    """Rerank from sync code."""
    return Reranker(scorer).rerank(query, texts)


def awaited(scorer, query=QUERY, texts=TEXTS):
    """Rerank on an event loop of its own."""
    return asyncio.run(Reranker(scorer).arerank(query, texts))


BOTH = pytest.mark.parametrize("ask", [sync, awaited])
STORES = pytest.mark.parametrize("make", [lambda: None, dict], ids=["memory", "dict"])


# What is asked


@BOTH
@STORES
def test_the_second_identical_call_asks_nothing(ask, make):
    """The scorer is asked once; ranking, name and kind are the same."""
    scorer = Overlap()
    cached = Cached(scorer, make())
    first, again = ask(cached), ask(cached)
    assert first == again == ask(Overlap())
    assert len(scorer.asked) == 1
    assert (first.report.cached, again.report.cached) == (0, 3)
    assert (again.report.scorer, again.report.requests) == ("overlap", 0)


@BOTH
def test_only_the_misses_are_asked_about_in_one_question(ask):
    """They keep their order, and their first stage's scores."""
    scorer = Overlap()
    cached = Cached(scorer)
    ask(cached, texts=TEXTS[1:2])
    ranking = ask(cached, texts=Ranking.of([*TEXTS, "France"], [0.9, 0.8, 0.7, 0.6]))
    assert [list(texts) for texts in scorer.asked] == [TEXTS[1:2], [TEXTS[0], TEXTS[2], "France"]]
    assert scorer.asked[1].first_stage == (0.9, 0.7, 0.6)
    assert ranking == ask(Overlap(), texts=[*TEXTS, "France"])
    assert ranking.report.cached == 1


def test_a_text_that_stands_twice_is_scored_once():
    """Its score stands at all its places; nothing of that counts as cached before it was."""
    scorer = Overlap()
    cached = Cached(scorer)
    for hits in (0, 4):
        scores = cached.score("b", ["a", "b", "a", "a"])
        assert list(scores) == Overlap().score("b", ["a", "b", "a", "a"])
        assert scores.report.cached == hits
    assert scorer.asked == [("a", "b")]


@pytest.mark.parametrize(
    ("other", "query", "text"),
    [
        (Overlap(), "q", "t"),
        (Overlap(fingerprint="overlap 2"), "q", "text"),
        (Overlap(), "qt", "ext"),
        (Overlap(), "", "qtext"),
        (Overlap(), "q", "text\x00"),
        (Overlap(), "q", "\ud800"),
    ],
)
def test_another_scorer_query_or_text_is_another_question(other, query, text):
    """No two of them share a key, however the pieces are put together."""
    store = {}
    Cached(Overlap(), store).score("q", ["text"])
    assert Cached(other, store).score(query, [text]).report.cached == 0
    assert len(store) == 2


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=5), max_size=6), st.integers(1, 4))
def test_whatever_was_asked_before_the_answer_is_the_scorers(calls, room):
    """Hits, misses, duplicates and eviction in any mixture change nothing."""
    cached = Cached(lambda query, texts: [float(ord(text) ^ len(query)) for text in texts], key="xor", max_entries=room)
    for texts in calls:
        assert list(cached.score("q", texts)) == [float(ord(text) ^ 1) for text in texts]


def test_what_was_used_last_stays():
    """In memory the score that was not used for longest goes first."""
    scorer = Overlap()
    cached = Cached(scorer, max_entries=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        cached.score("q", [text])
    assert [text for [text] in scorer.asked] == ["a", "b", "c", "b"]


def test_an_image_is_no_text_of_the_same_characters():
    """It is kept under a key of its own, and refused where the scorer reads text only."""

    class Pictures(Overlap):
        modalities = frozenset({"text", "image"})

        def score(self, query, texts):
            super().score(query, texts)
            return [float(isinstance(text, Image)) for text in texts]

    cached = Cached(Pictures())
    url = "https://example.org/cat.png"
    for hits in (0, 2):
        scores = cached.score("cat", [url, Image(url)])
        assert (tuple(scores), scores.report.cached) == ((0.0, 1.0), hits)
    with pytest.raises(TextError, match="reads text only"):
        Reranker(Cached(Overlap())).rerank("cat", [Image(url)])


# What comes out


def finer(_query, texts):
    """Return scores that saturate, and what decides behind them."""
    return Scores([min(float(len(text)), 2.0) for text in texts], order=[float(len(text)) for text in texts])


@STORES
def test_order_values_are_kept(make):
    """Scores that tie are ordered by what stands behind them, from the store too and beside new ones."""
    cached = Cached(finer, make(), key="finer")
    assert cached.score("q", ["aaa", "aaaa"]).order == (3.0, 4.0)
    mixed = cached.score("q", ["aaa", "b", "aaaaa", "aaaa"])
    assert (tuple(mixed), mixed.order) == ((2.0, 1.0, 2.0, 2.0), (3.0, 1.0, 5.0, 4.0))
    assert mixed.report.cached == 2


def test_order_values_of_several_answers_never_contradict_the_scores():
    """A service's own sequence is one of its reply: it decides between equal scores only."""

    def service(_query, texts):
        values = [float(text[0]) for text in texts]
        tied = len(set(values)) < len(values)
        return Scores(values, order=[-float(place) for place in range(len(texts))] if tied else None)

    cached = Cached(service, key="service")
    for texts in (["9a", "9b"], ["5a", "5b"], ["7"]):
        cached.score("q", texts)
    scores = cached.score("q", ["5b", "9b", "7", "5a", "9a"])
    assert scores.report.cached == 5
    assert [tuple(scores)[place] for place in scores.ranked()] == [9.0, 9.0, 7.0, 5.0, 5.0]
    assert scores.ranked()[:2] == [4, 1]


@BOTH
def test_what_was_cut_is_said_of_kept_scores_too(ask):
    """Truncation and best spans are kept with the score, and told by the place in the list at hand."""

    def cutting(_query, texts):
        report = Report(truncated={0: 7}, spans={0: (2, 5)}, members={"part": Report(truncated={0: 7})})
        return Scores([0.0 for _ in texts], report=report)

    cached = Cached(cutting, json_store(), key="cutting")
    fresh = ask(cached, texts=["a", "a"]).report
    assert (fresh.truncated, fresh.spans) == ({0: 7, 1: 7}, {0: (2, 5), 1: (2, 5)})
    kept = ask(cached, texts=["x", "b", "a"]).report
    assert (kept.truncated, kept.spans) == ({0: 7, 2: 7}, {0: (2, 5), 2: (2, 5)})
    assert ask(cached, texts=["a"]).report.truncated == {0: 7}
    assert cached.score(QUERY, ["a", "y"]).report.members["part"].truncated == {1: 7}


def json_store():
    """Return a store that keeps JSON, in which a tuple is a list."""

    class Store(dict):
        def get(self, key):
            return json.loads(super().get(key, "null"))

        def __setitem__(self, key, value):
            super().__setitem__(key, json.dumps(value))

    return Store()


def test_values_are_floats_or_small_tuples_and_keys_are_str():
    """So that any store can hold them."""
    store = {}
    Cached(Overlap(), store).score("q", ["a"])
    Cached(finer, store, key="finer").score("q", ["a"])
    assert [type(key) for key in store] == [str, str]
    assert [*store.values()] == [-1e-6, (1.0, 1.0, 0, None)]


def test_keys_are_the_same_in_every_process():
    """A store on disk serves whoever opens it."""
    script = "from anyrank import Cached; s = {}; Cached(lambda q, t: [1.0], s, key='k').score('q', ['é']); print(*s)"
    keys = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(keys) == 1
    store = {}
    Cached(lambda _query, _texts: [1.0], store, key="k").score("q", ["é"])
    assert keys == {f"{next(iter(store))}\n".encode()}


def test_usage_is_that_of_what_was_asked():
    """Hits use nothing; what an inner report says is passed on."""

    def billed(_query, texts):
        return Scores([0.0 for _ in texts], report=Report(model="m-1", usage={"tokens": len(texts)}, requests=1))

    cached = Cached(billed, key="billed")
    assert cached.score("q", ["a", "b"]).report.usage == {"tokens": 2}
    report = cached.score("q", ["a", "c"]).report
    assert (report.usage, report.requests, report.model, report.cached) == ({"tokens": 1}, 1, "m-1", 1)
    assert report.to_dict()["cached"] == 1


# What is not kept


@BOTH
def test_a_stand_ins_scores_are_not_kept_nor_mixed_with_others(ask):
    """When a stand-in answers about the misses, it is asked about all: scores of two scorers make no list."""
    down = []

    def first(_query, texts):
        if down:
            raise OSError(down.pop())
        return [100.0 + len(text) for text in texts]

    second = Overlap()
    cached = Cached(Fallback(first, second), key="fallback")
    ask(cached, texts=["a"])
    down[:] = ["once more", "down"]
    ranking = ask(cached, texts=["a", "capital"])
    assert ranking.documents == ["capital", "a"]
    assert ranking.report.degraded
    assert [list(texts) for texts in second.asked] == [["capital"], ["a", "capital"]]
    assert ranking.report.cached == 0
    again = ask(cached, texts=["a", "capital"])
    assert (again.scores, again.report.cached, again.report.degraded) == ([107.0, 101.0], 1, False)


def test_a_scorer_that_is_back_when_asked_again_is_not_degraded():
    """The failure stays in the report; the scores are the preferred scorer's, and kept."""
    down = []

    def first(_query, texts):
        if down:
            raise OSError(down.pop())
        return [float(len(text)) for text in texts]

    cached = Cached(Fallback(first, Overlap()), key="fallback")
    cached.score("q", ["a"])
    down.append("down")
    scores = cached.score("q", ["a", "bb"])
    assert (tuple(scores), scores.report.degraded, scores.report.cached) == ((1.0, 2.0), False, 0)
    assert [str(error) for error in scores.report.errors] == ["down"]
    assert cached.score("q", ["a", "bb"]).report.cached == 2


@BOTH
def test_the_floor_of_a_blank_text_is_not_kept(ask):
    """It lies below the scores of its list, whatever the list was when the others were scored."""
    with running("cohere") as service:
        scorer = load("cohere", base_url=service.url, api_key=KEY, score_kind="logit")
        cached, texts = Cached(scorer), ["capital", "", "bananas"]
        ask(cached, texts=["bananas"])
        for requests in (2, 2):
            ranking = ask(cached, texts=texts)
            assert ranking == ask(load("cohere", base_url=service.url, api_key=KEY, score_kind="logit"), texts=texts)
            assert ranking.documents == ["capital", "bananas", ""]
            assert ranking.report.blank == 1
            assert len([body for body in service.bodies if "bananas" not in body["documents"]]) == requests - 1
        assert ask(cached, texts=["", " "]).scores == [0.0, 0.0]
        assert ask(cached, "", texts).report.blank == 3
        scorer.close()


def test_a_blank_text_that_was_scored_is_kept():
    """Where the scorer reads blank texts like any other."""
    cached = Cached(Overlap())
    cached.score("q", [""])
    assert cached.score("q", [""]).report.cached == 1


# Which scorers


@pytest.mark.parametrize(
    "scorer", ["lexical", Ensemble({"a": Overlap()}), Fallback(Overlap(), "first_stage"), "jina:jina-reranker-v3"]
)
def test_a_score_that_depends_on_the_other_texts_is_not_cached(scorer):
    """Refused by name at construction."""
    with pytest.raises(ArgumentError, match=r"Cached needs a scorer whose scores depend on each text alone .* whole"):
        Cached(scorer, key="k")


def nameless(_query, texts):
    """Return a score of 0 for each text."""
    return [0.0 for _ in texts]


@pytest.mark.parametrize(
    "scorer", [nameless, Fallback(nameless, Overlap()), Chunked(nameless)], ids=["function", "fallback", "chunked"]
)
def test_a_scorer_that_nothing_tells_apart_needs_a_key(scorer):
    """A function's scores could be any function's: say whose they are."""
    with pytest.raises(ArgumentError, match=r"cannot tell the scores of .* has no spec.* Give key="):
        Cached(scorer)
    assert Cached(scorer, key="zeros, version 1").score("q", ["a"]) == (0.0,)


@pytest.mark.parametrize(
    ("store", "options", "says"),
    [
        (None, {"max_entries": 0}, "max_entries must be a whole number above 0"),
        ({}, {"max_entries": 5}, "a store of your own has its own bounds"),
        (["a"], {}, "store= takes a mutable mapping"),
        (None, {"key": ""}, "key= is a str"),
        (None, {"key": 5}, "key= is a str"),
    ],
)
def test_options_are_checked_at_construction(store, options, says):
    """What cannot be right is said before any call."""
    with pytest.raises(ArgumentError, match=says):
        Cached(Overlap(), store, **options)


@pytest.mark.parametrize(
    "spec",
    [
        {"cached": {"scorer": "cross_encoder:some/model"}},
        {"cached": {"scorer": {"chunked": {"scorer": "embedding:m", "size": 100}}, "max_entries": 5, "key": "k"}},
        {"fallback": {"scorers": [{"cached": {"scorer": "cohere"}}, "first_stage"]}},
    ],
    ids=str,
)
def test_a_spec_survives_the_round_trip(spec):
    """`spec_of` writes what `load` reads."""
    assert spec_of(load(spec)) == spec


def test_a_store_of_ones_own_has_no_spec():
    """It is an open file, or a connection."""
    with pytest.raises(SpecError, match="Cached with a dict as its store has no spec"):
        spec_of(Cached("embedding:m", {}))


def test_the_spec_tells_local_scorers_apart():
    """Model, revision and every option that was given are in the fingerprint."""
    specs = [
        "cross_encoder:a",
        "cross_encoder:b",
        {"cross_encoder": {"model": "a", "revision": "abcdef1"}},
        {"chunked": {"scorer": "cross_encoder:a"}},
        {"fallback": {"scorers": ["cross_encoder:a", "cross_encoder:b"]}},
        {"fallback": {"scorers": ["cross_encoder:b", "cross_encoder:a"]}},
    ]
    prints = [Cached(spec).fingerprint for spec in specs]
    assert len({*prints}) == len(specs)
    assert prints == [Cached(spec).fingerprint for spec in specs]


def test_a_hosted_scorers_fingerprint_is_what_its_scores_depend_on(monkeypatch):
    """Service, model, URL and options, wherever they come from; neither keys nor how requests are sent."""
    monkeypatch.delenv("ANYRANK_COHERE_BASE_URL", raising=False)
    base = load("cohere", api_key="s3cr3t")
    same = [
        load("cohere"),
        load("cohere:rerank-v4.0-fast", timeout=3, max_documents=7, deadline=None, max_concurrency=1, max_retries=0),
        load("cohere", headers={"Authorization": "s3cr3t"}),
    ]
    others = [
        load("cohere:rerank-v3.5"),
        load("cohere", base_url="https://example.org"),
        load("cohere", max_tokens_per_doc=5),
        load("cohere", extra_body={"new": 1}),
        load("cohere", score_kind="logit"),
        load("cohere_v1"),
    ]
    assert {scorer.fingerprint for scorer in same} == {base.fingerprint}
    assert len({scorer.fingerprint for scorer in [base, *others]}) == len(others) + 1
    monkeypatch.setenv("ANYRANK_COHERE_BASE_URL", "https://example.org")
    assert base.fingerprint == others[1].fingerprint
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    here = load("bedrock").fingerprint
    assert Cached("bedrock").fingerprint == here
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert load("bedrock").fingerprint != here


def test_a_fallback_of_services_is_told_apart_by_its_members(monkeypatch):
    """A URL from the environment stands in no spec, yet the scores are another server's."""
    cached = Cached({"fallback": {"scorers": ["tei", "cohere"]}})
    monkeypatch.setenv("ANYRANK_TEI_BASE_URL", "http://one.example.org")
    one = cached.fingerprint
    monkeypatch.setenv("ANYRANK_TEI_BASE_URL", "http://other.example.org")
    assert cached.fingerprint != one


# Stores


class Failing(MutableMapping):
    """A store whose reading or writing fails."""

    def __init__(self, at):
        self.at = at
        self.kept = {}

    def act(self, what):
        """Fail where it is meant to."""
        if what == self.at:
            raise OSError(what)

    def __getitem__(self, key):
        self.act("reading")
        return self.kept[key]

    def __setitem__(self, key, value):
        self.act("writing")
        self.kept[key] = value

    def __delitem__(self, key):
        del self.kept[key]

    def __iter__(self):
        return iter(self.kept)

    def __len__(self):
        return len(self.kept)


@BOTH
@pytest.mark.parametrize("at", ["reading", "writing"])
def test_what_a_store_raises_reaches_the_caller(ask, at):
    """As the same kind of error; `Fallback` goes on without the store, visibly."""
    cached = Cached(Overlap(), Failing(at))
    with pytest.raises(OSError, match=at):
        ask(cached)
    ranking = ask(Fallback(cached, Overlap()))
    assert ranking == ask(Overlap())
    assert ranking.report.degraded
    assert ask(Cached(Overlap(), Failing("never"))) == ranking


def test_a_store_that_holds_something_else_is_named():
    """What was never put there is no score."""
    for value in ("high", (1.0,), ("a", None, 0, None), (1.0, "b", 0, None), float("nan")):
        store = dict.fromkeys(["x"], value)
        cached = Cached(Overlap(), type("Store", (dict,), {"get": lambda self, _key: self["x"]})(store))
        with pytest.raises(ScoresError, match="the store of Cached holds under"):
            cached.score("q", ["a"])


def test_a_store_is_off_the_event_loop():
    """One that waits, for a disk or a server, holds nobody else up."""
    seen = []

    class Slow(dict):
        def get(self, key):
            seen.append(threading.current_thread())
            return super().get(key)

        def __setitem__(self, key, value):
            seen.append(threading.current_thread())
            super().__setitem__(key, value)

    awaited(Cached(Overlap(), Slow()))
    assert len(seen) == 6
    assert threading.main_thread() not in seen


def test_many_texts_are_hashed_off_the_event_loop():
    """A megabyte takes long enough to hold one."""
    assert awaited(Cached(Overlap()), texts=["capital " * 50_000, "b"])[0].index == 0


# Concurrency


def test_threads_and_tasks_at_once():
    """Whatever overlaps, each answer is the scorer's own, and few texts are asked about twice."""
    scorer = Overlap()
    reranker = Reranker(Cached(scorer, max_entries=40))
    lists = [[f"capital {number % 17} {number % 7}" for number in range(start, start + 30)] for start in range(40)]
    expected = [sync(Overlap(), texts=texts) for texts in lists]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda texts: reranker.rerank(QUERY, texts), lists)) == expected

    async def tasks():
        return await reranker.arerank_many([(QUERY, texts) for texts in lists], max_concurrency=8)

    assert asyncio.run(tasks()) == expected


def test_two_that_miss_at_once_are_both_right():
    """Both may ask; neither waits for the other."""
    meeting = threading.Barrier(2, timeout=20)

    def scorer(_query, texts):
        meeting.wait()
        return [float(len(text)) for text in texts]

    cached = Cached(scorer, key="meeting")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: cached.score("q", ["a", "bb"]), range(2)))
    assert answers == [(1.0, 2.0)] * 2
    assert cached.score("q", ["a"]).report.cached == 1


def test_copies_and_pickles_start_empty_and_work():
    """Scores in memory stay with their object; a store that is a plain dict goes along."""
    cached = Cached("embedding:m", key="k")
    for twin in (copy.deepcopy(cached), pickle.loads(pickle.dumps(cached))):
        assert spec_of(twin) == spec_of(cached)
    filled = Cached(Overlap())
    filled.score("q", ["a"])
    assert copy.deepcopy(filled).score("q", ["a"]).report.cached == 0
    filled = Cached(Overlap(), {})
    filled.score("q", ["a"])
    assert pickle.loads(pickle.dumps(filled)).score("q", ["a"]).report.cached == 1


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_a_forked_process_waits_for_no_thread_of_its_parent():
    """A lock that was held at the fork is not the child's."""
    script = """
import os, threading, warnings
warnings.simplefilter("ignore")
from anyrank import Cached
cached = Cached(lambda query, texts: [1.0 for _ in texts], key="k")
cached._shelf._lock.acquire()
child = os.fork()
if not child:
    cached.score("q", ["a"])
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "7\n"


# Around a model


class Counting(CrossEncoder):
    """A cross-encoder that counts the texts it is given."""

    read = 0

    def score(self, query, texts):
        """Count them, and score."""
        self.read += len(texts)
        return super().score(query, texts)


def test_the_second_call_runs_no_model(models):
    """Scores and what decides behind them come back bit by bit; a third call reads its new text only."""
    scorer = Counting(models["one_label"], activation="sigmoid", backend="torch")
    with Reranker(Cached(scorer)) as reranker:
        first = reranker.rerank(QUERY, TEXTS)
        assert reranker.rerank(QUERY, TEXTS) == first
        assert scorer.read == 3
        reranker.rerank(QUERY, [*TEXTS, "a heap"])
        assert scorer.read == 4
    scorer.close()


def test_without_texts_nothing_is_loaded_or_kept():
    """An empty list is an empty answer."""
    store = {}
    assert Cached("cross_encoder:not/there", store).score("q", Candidates([])) == ()
    assert not store


def test_the_report_of_a_place_says_more_than_one_text_has():
    """Cuts of texts that fall together are added up, in members too."""
    report = Report(truncated={0: 1, 1: 2, 2: 3}, spans={2: (0, 4)}).including({"m": Report(truncated={2: 3})})
    moved = report.at([5, 5, 7])
    assert (moved.truncated, moved.spans, moved.members["m"].truncated) == ({5: 3, 7: 3}, {7: (0, 4)}, {7: 3})
    assert replace(moved, members={}).to_dict()["spans"] == {"7": [0, 4]}
