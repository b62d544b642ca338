"""How local models are run: together for callers that wait, by OpenVINO where it is right, halved where memory ends."""

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from anyrank import Reranker, Scores, _openvino, load
from anyrank._library import fitted
from anyrank._local import TOGETHER, LocalModel
from anyrank.errors import MissingDependencyError, ModelError

QUERY = "what is the capital of france ?"
TEXTS = ["paris is the capital of france .", "bananas", "paris lies on the river seine . " * 3, "", "a heap of items"]
WAIT = 20.0


class Slow(LocalModel):
    """A model that scores by length, waits to be let go on, and notes who was answered together."""

    def __init__(self):
        self.go = threading.Event()
        self.started = threading.Event()
        self.rounds = []

    def _load(self):
        return object()

    def _score(self, _model, query, texts):
        if query == "bad":
            message = "cannot score this"
            raise ValueError(message)
        return Scores(float(len(text)) for text in texts)

    def _score_all(self, model, jobs):
        self.rounds.append([job.query for job in jobs])
        self.started.set()
        assert self.go.wait(WAIT)
        return super()._score_all(model, jobs)


def waiting(scorer, queries, texts=("a", "bb")):
    """Start a call for each query, once the first is under way, and return what will hold their scores."""
    calls = []
    for query in queries:
        calls.append(scorer._asked(query, _candidates(texts)))
        assert scorer.started.wait(WAIT)
    return calls


def _candidates(texts):
    from anyrank import Candidates

    return Candidates(texts)


def test_callers_that_wait_are_answered_together():
    """One at work, nine waiting: two rounds, and everybody has their own scores."""
    scorer = Slow()
    calls = waiting(scorer, [f"query {number}" for number in range(10)])
    scorer.go.set()
    assert [list(call.result(WAIT)) for call in calls] == [[1.0, 2.0]] * 10
    assert [len(round_) for round_ in scorer.rounds] == [1, 9]
    scorer.close()


def test_each_caller_has_its_own_context():
    """What a function of the user's reads from context variables is its own caller's, also in a common round."""
    tenant = contextvars.ContextVar("tenant", default="nobody")
    seen = {}

    class Reading(Slow):
        def _score(self, model, query, texts):
            seen[query] = tenant.get()
            return super()._score(model, query, texts)

    scorer, calls = Reading(), []
    for name in ("a", "b", "c"):
        context = contextvars.copy_context()
        context.run(tenant.set, name)
        calls += context.run(waiting, scorer, [name])
    scorer.go.set()
    assert [len(call.result(WAIT)) for call in calls] == [2, 2, 2]
    assert seen == {"a": "a", "b": "b", "c": "c"}
    scorer.close()


def test_not_more_are_answered_together_than_fit():
    """Long lists wait for the next round, in the order they came."""
    scorer = Slow()
    calls = waiting(scorer, ["1", "2", "3", "4"], ["text"] * (TOGETHER // 2))
    scorer.go.set()
    assert all(len(call.result(WAIT)) == TOGETHER // 2 for call in calls)
    assert scorer.rounds == [["1"], ["2", "3"], ["4"]]
    scorer.close()


def test_one_that_cannot_be_scored_leaves_the_others_their_scores():
    """Its caller gets the error, and nobody else."""
    scorer = Slow()
    calls = waiting(scorer, ["first", "good", "bad", "fine"])
    scorer.go.set()
    assert list(calls[1].result(WAIT)) == list(calls[3].result(WAIT)) == [1.0, 2.0]
    with pytest.raises(ValueError, match="cannot score this"):
        calls[2].result(WAIT)
    scorer.close()


def test_a_cancelled_call_is_not_scored():
    """Whoever went away while waiting costs nothing."""
    scorer = Slow()

    async def main():
        first = asyncio.ensure_future(scorer.ascore("first", ["a"]))
        await asyncio.to_thread(scorer.started.wait, WAIT)
        gone = asyncio.ensure_future(scorer.ascore("gone", ["a"]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        scorer.go.set()
        await first
        return await scorer.ascore("last", ["a"])

    assert list(asyncio.run(main())) == [1.0]
    assert "gone" not in [query for round_ in scorer.rounds for query in round_]
    scorer.close()


class Failing(LocalModel):
    """A model that fails at what it scores, deep inside, with another error behind."""

    def __init__(self, fails):
        self.fails = fails

    def _load(self):
        self.model = weakref.ref(model := Weights())
        return model

    def _score(self, model, _query, texts):
        activations = [model] * len(texts)
        try:
            if self.fails:
                activations.index(None)
        except ValueError as error:
            message = "cannot score this"
            raise RuntimeError(message) from error
        return Scores([0.0] * len(texts))


class Weights:
    """What a model holds, and is to be let go of."""


@pytest.fixture
def _uncollected():
    """Switch the garbage collector off: what cycles hold stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("fails", [False, True])
def test_closing_frees_the_model_at_once(fails):
    """After a failing call too, even where somebody keeps the error, as a report does."""
    scorer, kept = Failing(fails), []
    try:
        scorer.score("q", ["a"])
    except RuntimeError as error:
        kept.append(error)
    try:
        asyncio.run(scorer.ascore("q", ["a"]))
    except RuntimeError as error:
        kept.append(error)
    assert scorer.model() is not None
    worker = scorer._worker.thread
    scorer.close()
    worker.shutdown()  # the thread's last job has returned
    assert scorer.model() is None
    assert len(kept) == 2 * fails
    assert all("cannot score this" in "".join(traceback.format_exception(error)) for error in kept)


def test_simultaneous_callers_of_a_real_model_keep_their_answers_apart(models):
    """Different queries and lists at once score as they do alone."""
    scorer = load(f"cross_encoder:{models['one_label']}", dtype="float32")
    pairs = [(f"paris {number}", TEXTS[number % 3 :]) for number in range(24)]
    alone = [list(scorer.score(query, texts)) for query, texts in pairs]
    rankings = Reranker(scorer).rerank_many(pairs, max_concurrency=24)
    for ranking, scores in zip(rankings, alone, strict=True):
        assert {hit.index: hit.score for hit in ranking} == pytest.approx(dict(enumerate(scores)), abs=1e-5)
    scorer.close()


def test_a_batch_that_does_not_fit_is_halved():
    """Until it does; a single text that does not is an error."""
    torch = pytest.importorskip("torch")
    sizes = []

    def work(items):
        sizes.append(len(items))
        if len(items) > 2:
            message = "CUDA out of memory. Tried to allocate 2 GiB"
            raise torch.OutOfMemoryError(message)
        return torch.tensor([float(item) for item in items])

    assert fitted(work, list(range(7))).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert max(sizes[1:]) < 7

    def never(_items):
        message = "DefaultCPUAllocator: can't allocate memory"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="allocate"):
        fitted(never, [1, 2])


# OpenVINO


def accelerated(spec, **options):
    """Return a scorer that OpenVINO runs, exactly unless told otherwise."""
    return load(spec, **{"backend": "openvino", "dtype": "float32"} | options)


def test_a_converted_model_is_read_again(models, monkeypatch):
    """The next scorer, or process, converts nothing."""
    spec = f"cross_encoder:{models['one_label']}"
    scores = list(accelerated(spec).score(QUERY, TEXTS))
    monkeypatch.setattr(_openvino, "_exported", None)  # to convert would fail now
    assert accelerated(spec).score(QUERY, TEXTS) == pytest.approx(scores, abs=1e-6)


class Shelf:
    """A folder for converted models, and a way to put a small one there."""

    def __init__(self, folder):
        self.folder = folder
        self.openvino = pytest.importorskip("openvino")
        self.core = self.openvino.Core()
        self.made = 0

    def made_anew(self):
        from openvino import opset13

        self.made += 1
        number = opset13.parameter([1], np.float32)
        return self.openvino.Model([opset13.add(number, np.float32([1.0]))], [number], "successor")

    def kept(self, make=None):
        """Return what the model of the folder says comes after one."""
        model = _openvino._kept(self.openvino, self.core, "name", make or self.made_anew)
        return self.core.compile_model(model, "CPU")([np.float32([1.0])])[0].tolist()


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Keep converted models in a folder of the test's own."""
    monkeypatch.setenv("ANYRANK_CACHE", str(tmp_path))
    return Shelf(tmp_path / "openvino")


def test_a_model_on_disk_is_made_once_and_mended(shelf):
    """Half a file, from a full disk, is made anew."""
    assert [shelf.kept(), shelf.kept()] == [[2.0]] * 2
    [folder] = shelf.folder.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["model.bin", "model.xml"]
    assert shelf.made == 1
    (folder / "model.xml").write_text("<net", encoding="utf-8")
    assert [shelf.kept(), shelf.kept()] == [[2.0]] * 2
    assert shelf.made == 2


def test_no_place_to_keep_it_is_no_reason_not_to_run(shelf, tmp_path):
    """A machine that cannot write converts each time."""
    shelf.folder.write_text("a file where the folder should be", encoding="utf-8")
    assert [shelf.kept(), shelf.kept()] == [[2.0]] * 2
    assert shelf.made == 2
    assert [path.name for path in tmp_path.iterdir()] == ["openvino"]


def test_many_may_convert_at_once(shelf):
    """Whoever is last finds the folder there; nobody reads half of one, and nothing else is left behind."""
    ready = threading.Barrier(8)

    def make():
        model = shelf.made_anew()
        ready.wait(WAIT)
        return model

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(shelf.kept, [make] * 8)) == [[2.0]] * 8
    assert [path.name for path in shelf.folder.iterdir()] == ["name"]


def test_int8_is_measured_once_and_near(models, monkeypatch):
    """It is not float32, is near it, and the next process reads from disk what this one measured."""
    spec = f"cross_encoder:{models['one_label']}"
    exact = accelerated(spec).score(QUERY, TEXTS)
    scores = accelerated(spec, dtype="int8").score(QUERY, TEXTS)
    assert exact == pytest.approx(list(scores), abs=0.5)
    assert exact != pytest.approx(list(scores), abs=1e-4)
    monkeypatch.setattr("anyrank._int8.quantized", None)  # to measure again would fail now
    assert accelerated(spec, dtype="int8").score(QUERY, TEXTS) == scores
    assert load(spec, dtype="int8").score(QUERY, TEXTS) == scores


def test_a_model_that_reads_out_something_else_is_left_to_torch(models, monkeypatch):
    """Nothing is taken on trust: forced, it is an error; by default, torch runs it."""
    monkeypatch.setattr(_openvino, "TOLERANCE", -1.0)
    spec = f"cross_encoder:{models['one_label']}"
    with pytest.raises(ModelError, match="does not read out of BertForSequenceClassification what torch does"):
        load(spec, backend="openvino").score(QUERY, TEXTS)
    exact = load(spec, backend="torch", dtype="float32").score(QUERY, TEXTS)
    assert load(spec).score(QUERY, TEXTS) == pytest.approx(list(exact), abs=1e-5)


def test_a_language_model_is_left_to_torch(models):
    """What is not read by logits or hidden states of a plain encoder is not converted."""
    spec = f"cross_encoder:{models['yes_no']}"
    with pytest.raises(ModelError, match="use backend='torch'"):
        load(spec, backend="openvino").score(QUERY, TEXTS)
    assert len(load(spec).score(QUERY, TEXTS)) == len(TEXTS)


def test_openvino_that_is_not_there_is_named_only_when_forced(models, monkeypatch):
    """By default torch does it."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    spec = f"cross_encoder:{models['one_label']}"
    with pytest.raises(MissingDependencyError, match=r"pip install 'anyrank\[fast\]'"):
        load(spec, backend="openvino").score(QUERY, TEXTS)
    assert len(load(spec).score(QUERY, TEXTS)) == len(TEXTS)


def test_openvino_tells_its_makers_nothing():
    """Its telemetry, on unless a user opts out, is never begun by us, nor hidden from who imports it."""
    code = """
import sys
from anyrank._openvino import library
library()
assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
from openvino.tools.ovc import convert_impl
assert convert_impl.tm.__name__ == "openvino.tools.ovc.telemetry_stub"
import openvino_telemetry
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_folder_is_the_users_cache_unless_told(monkeypatch, tmp_path):
    """``ANYRANK_CACHE``, ``XDG_CACHE_HOME``, ``~/.cache``."""
    monkeypatch.delenv("ANYRANK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _openvino._folder() == tmp_path / "anyrank" / "openvino"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert _openvino._folder() == Path("~/.cache/anyrank/openvino").expanduser()
