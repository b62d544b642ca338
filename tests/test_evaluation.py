"""Evaluations: what was asked, answered, measured and counted, and from where a killed run goes on."""

import asyncio
import doctest
import importlib
import json
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Cascade, Ensemble, Fallback, FirstStage, Ranking, Report, Reranker, Scores, evaluation
from anyrank.diversity import dedupe
from anyrank.errors import ArgumentError, MissingDependencyError, SettingError, UnknownScorerError
from anyrank.evaluation import Comparison, Folder, compare, evaluate
from anyrank.evaluation.results import percentile

QUERIES = {"q1": "france", "q2": "potassium", "q3": "nothing"}
TEXTS = {"fr": "Paris is the capital of France", "ba": "Bananas are rich in potassium", "es": "Spain"}
QRELS = {"q1": {"fr": 1}, "q2": {"ba": 1, "fr": 0}, "q3": {"es": 0}}
DOCUMENTS = [{"id": name, "text": TEXTS[name]} for name in ("es", "fr", "ba")]
CANDIDATES = dict.fromkeys(QUERIES, DOCUMENTS)


class Counting:
    """A scorer by length that counts what it is asked, fails where it is told, and says what it used."""

    name = "counting"
    fingerprint = "by length"

    def __init__(self, failing=()):
        self.failing = set(failing)
        self.asked = []

    def score(self, query, texts):
        self.asked.append(query)
        if query in self.failing:
            msg = f"no answer to {query}"
            raise ConnectionError(msg)
        report = Report(usage={"tokens": 10.0, "searches": 1.0}, requests=2, truncated={0: 3})
        return Scores([float(len(text)) for text in texts], report=report)


def measured(reranker, **options):
    """Evaluate on the three queries, of which two count."""
    return evaluate(reranker, QUERIES, candidates=CANDIDATES, qrels=QRELS, **{"metrics": ["MRR"], **options})


@pytest.fixture
def counting():
    """Return a scorer that counts."""
    return Counting()


def test_what_one_call_says(counting):
    """Figures by query, the first stage beside, and what it took; queries that do not count are not asked."""
    found = measured(counting, price={"searches": 0.002})
    assert sorted(counting.asked) == ["france", "potassium"]
    assert found.values == {"MRR": {"q1": 1.0, "q2": 0.5}}
    assert found.baseline.values == {"MRR": {"q1": 0.5, "q2": 1 / 3}}
    assert found.answers["q1"].order == ("fr", "ba", "es")
    assert (found.requests, found.usage, found.truncated) == (4, {"tokens": 20.0, "searches": 2.0}, 2)
    assert found.cost == pytest.approx(0.004)
    assert 0 < found.latency(0.5) <= found.latency(0.99)
    assert found.baseline.latency(0.5) is None
    assert (found.fingerprint, found.failures, found.degraded) == ("by length", {}, [])


@pytest.mark.parametrize(
    "reranker",
    ["lexical", {"ensemble": {"scorers": {"a": "lexical", "b": "lexical"}}}, Reranker("lexical"), Cascade("lexical")],
)
def test_whatever_stands_for_a_reranker(reranker):
    """Specs, rerankers and cascades."""
    assert measured(reranker).means == {"MRR": 1.0}


def test_plain_lists_go_by_place():
    """The first query's candidates and judgments are the first ones."""
    found = evaluate("lexical", ["france", "spain"], candidates=[DOCUMENTS, DOCUMENTS], qrels=["fr", {"es": 1}])
    assert found.values["MRR@10"] == {"0": 1.0, "1": 1.0}


def test_a_cascade_by_its_spec():
    """It is a reranker, and loaded as one."""
    assert measured({"cascade": {"stages": [["lexical", 1], "first_stage"]}}).answers["q1"].order == ("fr",)


def test_a_failing_query_is_counted_named_and_nothing(counting):
    """It counts 0, and the others go on."""
    counting.failing = {"potassium"}
    found = measured(counting)
    assert found.failures == {"q2": "ConnectionError: no answer to potassium"}
    assert found.values == {"MRR": {"q1": 1.0, "q2": 0.0}}


def test_a_stand_in_is_counted_and_measured(counting):
    """With a fallback the first stage's order counts, and is named as degraded."""
    counting.failing = {"potassium"}
    found = measured(Fallback(counting, FirstStage()))
    assert (found.degraded, found.failures) == (["q2"], {})
    assert found.values == {"MRR": {"q1": 1.0, "q2": 1 / 3}}


@pytest.mark.parametrize("wrap", [lambda scorer: scorer, lambda scorer: Ensemble({"a": scorer, "b": "lexical"})])
@pytest.mark.parametrize("limit", [1, 4])
def test_a_scorer_that_can_only_be_awaited(wrap, limit):
    """All calls meet one loop, as their clients need it; what fails is counted, and nothing is left running."""
    loops, threads = [], threading.active_count()

    async def awaited(query, texts):
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        if query == "potassium":
            raise ConnectionError
        return [float(len(text)) for text in texts]

    found = measured(wrap(awaited), max_concurrency=limit)
    assert (list(found.failures), found.values["MRR"]["q1"]) == (["q2"], 1.0)
    assert found.latency(0.5) > 0
    assert len(set(map(id, loops))) == 1
    assert all(loop.is_closed() for loop in loops)
    assert threading.active_count() == threads


@pytest.mark.parametrize(("reranker", "error"), [("lexicla", UnknownScorerError), ("cohere", SettingError)])
def test_what_every_query_would_meet_is_raised(reranker, error, monkeypatch):
    """Not counted query by query."""
    for name in ("CO_API_KEY", "COHERE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(error):
        measured(reranker)


def test_the_model_is_loaded_before_the_clock_starts_and_closed_by_whom_it_belongs_to():
    """An object that was given is warmed up and left open."""
    events = []

    class Model(Counting):
        def warm_up(self):
            events.append("warm")

        def close(self):
            events.append("closed")

        def score(self, query, texts):
            events.append("asked")
            return super().score(query, texts)

    measured(Model())
    assert events == ["warm", "asked", "asked"]


def test_at_most_so_many_at_once():
    """``max_concurrency`` queries wait for one another, one more never runs."""
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=20)

    def meeting(_query, texts):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1
        return [1.0] * len(texts)

    queries = {str(n): "x" for n in range(6)}
    documents = [{"id": "d", "text": "x"}]
    evaluate(
        meeting,
        queries,
        candidates=dict.fromkeys(queries, documents),
        qrels=dict.fromkeys(queries, "d"),
        metrics=["MRR"],
        max_concurrency=2,
    )
    assert most == 2


def test_progress_is_told():
    """From none to all, under the row's name."""
    told = []
    measured("lexical", on_progress=told.append)
    assert [(one.row, one.done, one.total) for one in told] == [
        ("first stage > reranker", done, 2) for done in range(3)
    ]


@pytest.mark.parametrize("where", [dict, lambda: "folder"])
def test_a_second_run_asks_nothing_again(counting, where, tmp_path):
    """Answers come from the store, equal in all they say; only what failed is asked once more."""
    store = tmp_path if where() == "folder" else {}
    counting.failing = {"potassium"}
    measured(counting, store=store)
    counting.failing = set()
    second = measured(counting, store=store)
    assert counting.asked == ["france", "potassium", "potassium"]
    third = measured(Counting(), store=store)
    assert counting.asked == ["france", "potassium", "potassium"]
    assert third.answers == second.answers


@pytest.mark.parametrize(
    "changed",
    [
        {"candidates": {query: documents[::-1] for query, documents in CANDIDATES.items()}},
        {
            "candidates": {
                query: [{**one, "text": one["text"] + "!"} for one in documents]
                for query, documents in CANDIDATES.items()
            }
        },
        {"queries": {query: text + "?" for query, text in QUERIES.items()}},
        {"reranker": lambda scorer: Reranker(scorer, top_n=1)},
        {"reranker": lambda scorer: Reranker(scorer, min_score=2)},
        {"reranker": lambda scorer: Reranker(scorer, then=[dedupe()])},
    ],
    ids=["order", "texts", "queries", "top_n", "min_score", "steps"],
)
def test_what_makes_another_answer_is_asked_again(counting, changed):
    """Everything that the answer depends on is in the key."""
    store = {}
    measured(counting, store=store)
    before = len(counting.asked)
    reranker = changed.get("reranker", lambda scorer: scorer)(counting)
    evaluate(
        reranker,
        changed.get("queries", QUERIES),
        candidates=changed.get("candidates", CANDIDATES),
        qrels=QRELS,
        metrics=["MRR"],
        store=store,
    )
    assert len(counting.asked) == before + 2


KILLED = """
import os, sys
from anyrank.evaluation import evaluate
done = 0
def scorer(query, texts):
    global done
    if done == 3:
        os._exit(9)
    done += 1
    return [1.0] * len(texts)
scorer.fingerprint = "by length"
queries = {str(n): f"query {n}" for n in range(8)}
evaluate(scorer, queries, candidates=dict.fromkeys(queries, [{"id": "d", "text": "x"}]),
         qrels=dict.fromkeys(queries, "d"), metrics=["MRR"], store=sys.argv[1])
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    """Three answers were kept when the process died: the next one gives the other five."""
    result = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False, capture_output=True)
    assert result.returncode == 9, result.stderr
    found, asked = asked_of(Counting(), tmp_path)
    assert asked == [f"query {n}" for n in range(3, 8)]
    assert found.means == {"MRR": 1.0}


def asked_of(scorer, store):
    """Evaluate on eight queries, and return also which of them were asked."""
    queries = {str(n): f"query {n}" for n in range(8)}
    documents = {key: [{"id": "d", "text": "x"}] for key in queries}
    found = evaluate(
        scorer, queries, candidates=documents, qrels=dict.fromkeys(queries, "d"), metrics=["MRR"], store=store
    )
    return found, scorer.asked


INTERRUPTED = KILLED.replace("os._exit(9)", "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)").replace(
    "import os", "import os, signal, time"
)


def test_an_interrupted_run_ends_and_goes_on_where_it_was(tmp_path):
    """Ctrl-C while a call hangs: the process ends at once, and what was answered before is kept."""
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, tmp_path], check=False, capture_output=True, text=True, timeout=30
    )
    assert result.stderr.rstrip().endswith("KeyboardInterrupt")
    assert asked_of(Counting(), tmp_path)[1] == [f"query {n}" for n in range(3, 8)]


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))" + KILLED.replace("== 3", "== 9")


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path):
    """The error is the system's own, with the row; what was kept before is read, and the next run goes on."""
    result = subprocess.run([sys.executable, "-c", FULL, tmp_path], check=False, capture_output=True, text=True)
    assert "File too large\nwhile evaluating 'first stage > reranker'" in result.stderr
    assert asked_of(Counting(), tmp_path)[1] in ([f"query {n}" for n in range(kept, 8)] for kept in (1, 2, 3))


@pytest.mark.parametrize(
    "kept", [3, None, [], {}, {"order": None, "scores": []}, {"order": [], "scores": [], "new": 1}]
)
def test_what_another_version_kept_is_asked_again(counting, kept):
    """It is neither an error nor an answer."""
    store = {}
    measured(counting, store=store)
    measured(counting, store=(other := dict.fromkeys(store, kept)))
    assert len(counting.asked) == 4
    assert other.keys() == store.keys()
    assert all(answer["order"] for answer in other.values())


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    """Whatever a kill leaves of the last line; anything else that is no result is an error with its line."""
    folder = Folder(tmp_path / "results")
    folder["a"], folder["b"] = {"order": ["é"]}, 2
    [file] = (tmp_path / "results").iterdir()
    whole = file.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole) - 1):
        file.write_bytes(whole[:cut])
        assert dict(Folder(tmp_path / "results")) == {"a": {"order": ["é"]}}
    for line in (b"nonsense", b"3", b'{"a": 1, "b": 2}', b'[["x"], 1]', b'"ab"'):
        file.write_bytes(line + b"\n" + whole)
        with pytest.raises(ArgumentError, match="line 1: no result of an evaluation"):
            Folder(tmp_path / "results")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_a_folder_is_a_mapping_that_lasts(tmp_path_factory, entries):
    """Two writers at a time; what was written last under a key is what another process reads."""
    path = tmp_path_factory.mktemp("results")
    for key, value in entries:
        Folder(path)[key] = value
    assert dict(Folder(path)) == dict(entries)
    assert len(Folder(path)) == len(dict(entries))


def test_a_folder_is_only_added_to(tmp_path):
    """Nothing is removed, and a file is no folder."""
    folder = Folder(tmp_path)
    folder["a"] = 1
    with pytest.raises(TypeError, match="only added to"):
        del folder["a"]
    with pytest.raises(ArgumentError, match="is a file"):
        Folder(next(tmp_path.iterdir()))


def test_a_grid():
    """Every first stage and fusion as it is and under every reranker, measured on the same queries."""
    reverse = {query: documents[::-1] for query, documents in CANDIDATES.items()}
    found = compare(
        {"words": "lexical", "length": Counting()},
        QUERIES,
        first_stages={"a": CANDIDATES, "b": reverse},
        qrels=QRELS,
        fusions={"both": {"method": "rrf", "k": 1}, "one": {"weights": {"a": 1}}},
        metrics=["MRR", "NDCG@3"],
        prices={"length": {"tokens": 1.0}},
    )
    assert isinstance(found, Comparison)
    assert [row.name for row in found.rows] == [
        f"{stage}{reranker}" for stage in ("a", "b", "both", "one") for reranker in ("", " > words", " > length")
    ]
    assert found.metrics == ("MRR", "NDCG@3")
    assert found["one"].values == found["a"].values
    assert found["both > words"].baseline is found["both"]
    assert found.best("MRR").name == "a > words"
    assert (found["a > length"].cost, found["a > words"].cost) == (20.0, None)
    assert (found.without_relevant, list(found.queries)) == (1, ["q1", "q2"])


def test_runs_of_ids_are_compared_without_texts():
    """No queries, no documents: rankings and judgments are enough where nothing is reranked."""
    found = compare({}, None, first_stages={"a": {"q": ["x", "y"]}, "b": {"q": ["y", "x"]}}, qrels={"q": "y"})
    assert found["b"].means["MRR@10"] == 1.0
    assert found["a"].means["MRR@10"] == 0.5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"queries": {"q1": "x"}}, "1 of 2 judged queries have no text, such as 'q2'"),
        ({"candidates": {"q1": ["zz"], "q2": ["zz"]}}, "do the ids go together"),
        ({"ties": "random"}, "got 'random'"),
        ({"store": []}, "store= takes a folder or a mutable mapping"),
        ({"key": "id"}, "key= a function; got None and 'id'"),
        ({"price": 0.1}, "price= takes a mapping"),
        ({"metric": "MRR"}, "an option 'metric', which is unknown; did you mean 'metrics'"),
        ({"candidates": {"q1": ["fr", "ba"], "q2": ["es"]}}, "holds ids and no texts .*text=str if these"),
        ({"candidates": {"q1": "fr", "q2": "ba"}}, "the ranking of query 'q1' must be a list"),
        ({"max_concurrency": 0}, "max_concurrency must be a whole number above 0"),
        ({"key": lambda _: None, "candidates": {"q1": [3]}}, "do the ids go together"),
    ],
)
def test_arguments_that_do_not_go_together(wrong, said):
    """What does not fit is named before anything is asked."""
    arguments = {"queries": QUERIES, "candidates": CANDIDATES, "qrels": QRELS, **wrong}
    with pytest.raises(ArgumentError, match=said):
        evaluate("lexical", arguments.pop("queries"), **arguments)


class Weighed:
    """A scorer that does not show its weight."""

    def __init__(self, weight):
        self.weight = weight

    def score(self, _query, texts):
        return [self.weight] * len(texts)


def weighed(weight):
    """Return a function that does not show its weight."""

    def scorer(_query, texts):
        return [weight] * len(texts)

    return scorer


@pytest.mark.parametrize("wrap", [lambda scorer: scorer, lambda scorer: Ensemble({"only": scorer})])
@pytest.mark.parametrize("scorer", [lambda _query, texts: [1.0] * len(texts), Weighed(1), Weighed(1).score, weighed(1)])
def test_what_cannot_be_told_apart_cannot_be_kept(wrap, scorer):
    """One is like the other: its answers would be another's."""
    with pytest.raises(ArgumentError, match="give it a fingerprint"):
        measured(wrap(scorer), store={})


def test_functions_with_other_arguments_are_told_apart():
    """A partial function shows them."""
    store = {}
    for factor in (1, -1, 1):
        found = measured(partial(times, factor=factor), store=store)
        assert found.answers["q1"].order[0] == ("fr" if factor == 1 else "es")
    assert len(store) == 4


def times(_query, texts, *, factor):
    """Score by length."""
    return [float(factor * len(text)) for text in texts]


def test_ensembles_of_functions_are_told_apart():
    """By what they show of themselves: weights, and their members' names."""
    store = {}

    def scores(weight, **settings):
        ensemble = Ensemble({"same": same, "words": "lexical"}, weights={"same": 1, "words": weight}, **settings)
        return measured(ensemble, store=store).answers["q1"].scores

    assert scores(0.0) != scores(1.0)
    assert scores(0.0) == scores(0.0)
    assert scores(1.0) != scores(1.0, k=1)
    assert len(store) == 6


def same(_query, texts):
    """Score every text alike."""
    return [1.0] * len(texts)


def test_an_unknown_row_is_named():
    """With those there are."""
    found = compare({}, None, first_stages={"bm25": {"q": ["x"]}}, qrels={"q": "x"})
    with pytest.raises(ArgumentError, match="no row named 'bm52'; did you mean 'bm25'"):
        found["bm52"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rerankers": ["lexical"]}, "rerankers= takes a mapping by name"),
        ({"rerankers": "lexical"}, "rerankers= takes a mapping by name"),
        ({"first_stages": [CANDIDATES]}, "first_stages= takes a mapping by name"),
        ({"first_stages": CANDIDATES}, "these are by query id: q1, q2, q3"),
        ({"first_stages": {}}, "got no first stage"),
        ({"fusions": {"a": {}}}, "a name of their own; got 'a', 'a > words', 'a', 'a > words'"),
        ({"fusions": ["rrf"]}, "fusions= takes a mapping by name"),
        ({"fusions": {"both": "rrf"}}, "by the keywords of fuse"),
        ({"fusions": {"both": {"weights": {"a": 1, "z": 1}}}}, "a weight for 'z', which is no first stage"),
        (
            {"prices": {"word": {"tokens": 1}}},
            "a price for the reranker 'word', which is unknown; did you mean 'words'",
        ),
    ],
)
def test_a_grid_that_does_not_go_together(wrong, said):
    """It is refused before anything is asked."""
    arguments = {"rerankers": {"words": "lexical"}, "first_stages": {"a": CANDIDATES}, "qrels": QRELS, **wrong}
    with pytest.raises(ValueError, match=said):
        compare(arguments.pop("rerankers"), QUERIES, **arguments)


def test_an_error_names_its_row():
    """In a grid of many it must be known which reranker it was."""
    with pytest.raises(ArgumentError) as caught:
        measured("lexical", text="titel")
    assert "first stage > reranker" in caught.value.__notes__[0]


def test_a_document_that_stands_twice_counts_once():
    """At its best place, with that score."""
    found = evaluate("first_stage", {"q": "x"}, candidates={"q": ["a", "b", "a"]}, qrels={"q": "b"}, metrics=["MRR"])
    assert found.answers["q"].order == ("a", "b")
    assert found.means == {"MRR": 0.5}


def test_candidates_keep_their_scores():
    """A first stage's scores reach scorers that ask for them."""
    run = {"q": Ranking.of(["a", "b"], [0.9, 0.1])}
    found = evaluate("first_stage:score", {"q": "x"}, candidates=run, qrels={"q": "b"}, metrics=["MRR"])
    assert found.answers["q"].scores == (0.9, 0.1)


def test_a_share_is_no_percentage():
    """Of 95 there is none."""
    with pytest.raises(ArgumentError, match=r"between 0 and 1, such as 0\.95; got 95"):
        measured("lexical").latency(95)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_percentiles_lie_between_the_extremes(values, share):
    """Of one value, it; at 0 the least, at 1 the largest."""
    assert min(values) <= percentile(values, share) <= max(values)
    assert (percentile(values, 0), percentile(values, 1)) == (min(values), max(values))


def test_the_package_is_light_and_its_names_are_there():
    """Importing it loads no third-party package; every public name exists."""
    script = "import sys; before = set(sys.modules); import anyrank.evaluation; print(*set(sys.modules) - before)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    foreign = {name.partition(".")[0] for name in result.stdout.split()} - set(sys.stdlib_module_names)
    assert foreign == {"anyrank"}
    assert all(hasattr(evaluation, name) for name in evaluation.__all__)


def test_the_examples_in_docstrings_hold():
    """Every ``>>>`` gives what it says."""
    result = doctest.testmod(importlib.import_module("anyrank.evaluation.runner"))
    assert (result.failed, result.attempted) == (0, 3)


def test_without_ir_measures_the_line_to_install_is_said(monkeypatch):
    """It is optional."""
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'anyrank\[eval\]'"):
        measured("lexical")


def test_stored_answers_are_plain_json(tmp_path):
    """Another program can read them."""
    measured(Counting(), store=tmp_path)
    [file] = tmp_path.iterdir()
    entries = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    assert {tuple(answer["order"]) for _, answer in entries} == {("fr", "ba", "es")}
