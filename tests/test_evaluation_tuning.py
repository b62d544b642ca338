"""Tuning finds a fusion that is better where there is one, says what it is worth elsewhere, and writes a spec."""

from random import Random

import pytest

from anyrank import Ranking, Reranker, fuse, load
from anyrank.errors import ArgumentError, FusionError
from anyrank.evaluation import Judge, read_run, tune
from anyrank.evaluation.bench import Fused, Pool
from anyrank.fusion import METHODS

QUERIES = [f"q{n}" for n in range(20)]
QRELS = {query: {"good": 1} for query in QUERIES}


def noise(seed):
    """Return a run in which the relevant document stands anywhere among ten."""
    rng = Random(seed)
    documents = ["good", *(f"d{n}" for n in range(9))]
    return {query: dict(zip(rng.sample(documents, 10), range(10, 0, -1), strict=True)) for query in QUERIES}


def oracle(*, scored=True):
    """Return a run in which it is always the first, and the rest anywhere."""
    runs = {
        query: ["good", *(document for document in found if document != "good")] for query, found in noise(0).items()
    }
    return {
        query: dict(zip(order, range(10, 0, -1), strict=True)) if scored else order for query, order in runs.items()
    }


@pytest.fixture(scope="module")
def tuned():
    """Tune a good first stage with a useless one."""
    return tune({"noise": noise(1), "oracle": oracle()}, QRELS, metric="MRR", methods=["rrf", "weighted_sum"])


def test_the_better_first_stage_gets_the_say(tuned):
    """Its weight is the larger one, and what was held out is as good as what was seen."""
    weights = tuned.settings["weights"]
    assert weights["oracle"] > weights["noise"]
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    assert tuned.alone["oracle"] == tuned.held_out == tuned.fitted == 1.0
    assert tuned.untuned < 1.0
    assert tuned.gain.verdict == "helps"
    assert len(tuned.folds) == 5


def test_the_settings_are_what_fuse_takes(tuned):
    """Fused with them, the runs have the mean that was promised."""
    runs = read_run(noise(1)), read_run(oracle())
    fused = {
        query: fuse({"noise": runs[0][query], "oracle": runs[1][query]}, **tuned.settings).documents
        for query in QUERIES
    }
    assert Judge(QRELS, ["MRR"]).measure(fused)["MRR"] == dict.fromkeys(QUERIES, 1.0)


def test_the_spec_is_what_adapters_take(tuned):
    """An ensemble of scorers under the names of the first stages; other names are refused."""
    spec = tuned.spec({"noise": "lexical", "oracle": "first_stage:score"})
    assert load(spec).spec["ensemble"]["weights"] == tuned.settings["weights"]
    assert Reranker(spec).rerank("a", ["b a", "c"], first_stage=[2, 1])[0].index == 0
    with pytest.raises(ArgumentError, match="is one of noise, oracle"):
        tuned.spec({"bm25": "lexical"})


def test_chance_is_not_sold_as_a_gain():
    """Between two useless first stages nothing is found that holds elsewhere."""
    found = tune({"a": noise(2), "b": noise(3)}, QRELS, metric="MRR", methods=["rrf", "weighted_sum"])
    assert found.fitted >= found.held_out
    assert found.gain.verdict != "helps"


def test_without_scores_only_ranks_are_fused():
    """Methods that read scores are left out, or refused where only they were asked for."""
    runs = {"a": oracle(scored=False), "b": noise(4)}
    told = []
    found = tune(runs, QRELS, metric="MRR", on_progress=told.append)
    assert not METHODS[found.settings["method"]].reads_scores
    assert [one.done for one in told] == list(range(1, found.tried + 1))
    with pytest.raises(FusionError, match="a run has no scores"):
        tune(runs, QRELS, methods=["weighted_sum"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weights", [{"a": 0.7, "b": 0.2, "c": 0.1}, {"a": 0.0, "b": 0.5, "c": 0.5}])
@pytest.mark.parametrize("normalize", [None, "z_score", "rank"])
def test_what_is_measured_is_what_fuse_gives(method, weights, normalize):
    """Every method, to the place: documents that some lack, ties, a first stage without a vote, an empty one."""
    settings = {"method": method, "weights": weights}
    if normalize and METHODS[method].reads_scores and not METHODS[method].fixed:
        settings["normalize"] = normalize
    rng = Random(6)
    for size in (0, 3, 8, 20):
        runs = {
            name: Ranking.of(
                rng.sample("abcdefghijklmnopqrstuvwxyz", size),
                sorted((rng.randint(-2, 4) for _ in range(size)), reverse=True),
            )
            for name in "abc"
        } | ({"c": Ranking()} if normalize == "rank" else {})
        pool, fused, whole = Pool(runs), Fused(settings), fuse(runs, **settings).documents
        for depth in (1, 3, 10, None):
            assert pool.order(fused, depth) == whole[:depth]


def test_what_is_held_out_has_no_say():
    """The settings that are chosen without a fold stay when the judgments of that fold change, whatever the others."""
    runs, queries = {"a": noise(2), "b": oracle()}, list(QUERIES)
    held_out = Random(0).sample(queries, len(queries))[0::5]
    changed = QRELS | {query: {"d1": 1} for query in held_out}
    before, after = (tune(runs, qrels, metric="MRR", methods=["rrf", "isr"]) for qrels in (QRELS, changed))
    assert before.folds[0] == after.folds[0]
    assert before.held_out != after.held_out


def test_nothing_to_choose_by():
    """Where no first stage finds anything relevant, the first settings are kept, and nothing is claimed; every time."""
    lost = {query: {"gone": 1} for query in QUERIES}
    runs = {"a": noise(1), "b": noise(2)}
    found = [tune(runs, lost, methods=["rrf", "weighted_sum"]) for _ in range(2)]
    assert found[0] == found[1]
    assert (found[0].held_out, found[0].settings["method"]) == (0.0, "rrf")
    assert found[0].gain.verdict == "no clear difference"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"runs": [oracle(), noise(1)]}, "runs= takes a mapping by name"),
        ({"runs": {"a": oracle()}}, "two runs or more and 5 judged queries or more"),
        ({"qrels": {"q1": {"good": 1}}}, "got 2 runs and 1 queries"),
        ({"methods": ["rff"]}, "no fusion method named 'rff'; did you mean 'rrf'"),
        ({"methods": []}, "no method is left to try"),
    ],
)
def test_what_cannot_be_tuned(wrong, said):
    """The error says what is needed."""
    arguments = {"runs": {"a": oracle(), "b": noise(1)}, "qrels": QRELS, **wrong}
    with pytest.raises(ArgumentError, match=said):
        tune(arguments.pop("runs"), arguments.pop("qrels"), **arguments)
