"""Fusion: the same documents in, every formula right, no matter how the lists are named or ordered."""

import json
import math
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Ranking, Reranker, fuse
from anyrank.errors import FusionError
from anyrank.fusion import METHODS, Fuser
from anyrank.normalize import NORMALIZERS

RANK_METHODS = [name for name, method in METHODS.items() if not method.reads_scores]
SCORE_METHODS = [name for name, method in METHODS.items() if method.reads_scores]

scores = st.floats(-1e6, 1e6).map(lambda score: round(score, 3))
names = st.sampled_from("abcdefghij")


def ranking(by_document):
    """Return a ranking of documents by their scores, best first."""
    ordered = sorted(by_document.items(), key=lambda item: -item[1])
    return Ranking.of([document for document, _ in ordered], [score for _, score in ordered])


runs = st.lists(st.dictionaries(names, scores, max_size=8), min_size=1, max_size=4)


@given(runs, st.sampled_from(sorted(METHODS)))
def test_every_document_once_best_first(by_document, method):
    """The fused ranking holds each distinct document once, finite and falling, numbered in first-seen order."""
    rankings = [ranking(run) for run in by_document]
    fused = fuse(rankings, method)
    first_seen = list(dict.fromkeys(hit.document for one in rankings for hit in one))
    assert Counter(fused.documents) == Counter(first_seen)
    assert [first_seen[hit.index] for hit in fused] == fused.documents
    assert all(math.isfinite(hit.score) for hit in fused)
    assert fused.scores == sorted(fused.scores, reverse=True)


@given(runs, st.sampled_from(sorted(METHODS)), st.randoms(use_true_random=False))
def test_the_order_of_the_lists_changes_no_score(by_document, method, rng):
    """Scores do not depend on the order of the lists: sums are exact."""
    shuffled = rng.sample(by_document, len(by_document))
    one = fuse([ranking(run) for run in by_document], method)
    other = fuse([ranking(run) for run in shuffled], method)
    assert {hit.document: hit.score for hit in one} == pytest.approx({hit.document: hit.score for hit in other})


@given(runs, st.sampled_from(RANK_METHODS))
def test_rank_methods_read_ranks_only(by_document, method):
    """A rank method gives the same from bare lists as from scored ones."""
    rankings = [ranking(run) for run in by_document]
    assert fuse([one.documents for one in rankings], method) == fuse(rankings, method)


@given(runs, st.sampled_from(sorted(METHODS)), st.integers(1, 5))
def test_top_n_is_a_prefix(by_document, method, top_n):
    """``top_n`` cuts and changes nothing else."""
    rankings = [ranking(run) for run in by_document]
    assert fuse(rankings, method, top_n=top_n) == fuse(rankings, method)[:top_n]


@given(runs, st.sampled_from(sorted(METHODS)))
def test_ties_keep_first_seen_order(by_document, method):
    """Among equal scores the document seen first stands first."""
    fused = fuse([ranking(run) for run in by_document], method)
    for above, below in pairwise(fused):
        assert above.score > below.score or above.index < below.index


@given(st.lists(names, min_size=1, max_size=12), st.lists(names, max_size=12), st.sampled_from(RANK_METHODS))
def test_duplicates_inside_a_list_count_once(one, other, method):
    """A document twice in a list counts at its first place, and later ones move up."""
    assert fuse([one, other], method) == fuse([list(dict.fromkeys(one)), list(dict.fromkeys(other))], method)


@given(runs.filter(lambda lists: len(lists) > 1), st.sampled_from(sorted(METHODS)), st.randoms(use_true_random=False))
def test_the_order_of_a_dict_never_matters_with_weights(by_document, method, rng):
    """With weights by name, the order in which the lists arrive changes nothing, not even ties."""
    named = {str(place): ranking(run) for place, run in enumerate(by_document)}
    weights = {name: rng.choice([0.5, 1, 2]) for name in named}
    arrived = dict(rng.sample(sorted(named.items()), len(named)))
    assert fuse(named, method, weights=weights) == fuse(arrived, method, weights=weights)


@given(runs, st.sampled_from(sorted(METHODS)))
def test_a_weight_of_zero_has_no_say_but_loses_nothing(by_document, method):
    """A list of weight 0 adds its documents behind all others and changes no score of theirs."""
    named = {str(place): ranking(run) for place, run in enumerate(by_document)}
    mute = ranking({"a": 5.0, "mute": 9.0})
    weights = dict.fromkeys(named, 1) | {"mute": 0}
    heard, fused = fuse(named, method), fuse({**named, "mute": mute}, method, weights=weights)
    assert set(fused.documents) == {*heard.documents, "a", "mute"}
    if method not in ("borda", "condorcet"):  # these count the candidates, of which there are more now
        found = {hit.document: hit.score for hit in fused}
        assert all(found[hit.document] == pytest.approx(hit.score) for hit in heard)
        assert [document for document in fused.documents if document in heard.documents] == heard.documents


@given(st.lists(st.permutations("abcde"), min_size=1, max_size=5))
def test_condorcet_follows_the_pairwise_majority(lists):
    """Who beats all others one by one is first; where majorities form an order, that is the order."""
    fused = fuse(lists, "condorcet").documents

    def beats(one, other):
        return sum(row.index(one) < row.index(other) for row in lists) * 2 > len(lists)

    victories = {one: sum(beats(one, other) for other in "abcde" if other != one) for one in "abcde"}
    if 4 in victories.values():
        assert victories[fused[0]] == 4
    if sorted(victories.values()) == [0, 1, 2, 3, 4]:
        assert fused == sorted("abcde", key=lambda one: -victories[one])


def test_condorcet_needs_no_hash_seed():
    """A circle of majorities gives the same order in every process."""
    code = "from anyrank import fuse; print(fuse([list('abc'), list('bca'), list('cab')], 'condorcet').documents)"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1", "2", "3")
    }
    assert outputs == {"['a', 'b', 'c']\n"}


RANX = {
    "rrf": "rrf",
    "isr": "isr",
    "log_isr": "log_isr",
    "comb_sum": "sum",
    "comb_mnz": "mnz",
    "comb_anz": "anz",
    "comb_max": "max",
    "comb_min": "min",
    "comb_med": "med",
    "borda": "bordafuse",
    "rbc": "rbc",
}
RANX_NORMS = {"min_max": "min-max", "max": "max", "sum": "sum", "z_score": "zmuv", "rank": "rank"}


def test_the_formulas_are_those_of_ranx():
    """On random runs every method, weighted sum and normaliser that ranx has gives ranx's numbers."""
    rng = random.Random(20)
    cases, ours = [], []

    def add(method, norm, parameters, fused, lists):
        cases.append({"runs": lists, "method": method, "norm": norm, "params": parameters})
        ours.append({hit.document: hit.score for hit in fused})

    for _ in range(12):
        lists = []
        for _ in range(rng.randint(2, 4)):
            chosen = rng.sample([f"d{number}" for number in range(30)], rng.randint(2, 20))
            lists.append(dict(zip(chosen, sorted((rng.uniform(0.1, 30) for _ in chosen), reverse=True), strict=True)))
        rankings = [ranking(one) for one in lists]
        weights = [rng.uniform(0.1, 2) for _ in lists]
        for name, theirs in RANX.items():
            parameters = {"rrf": {"k": 17}, "rbc": {"phi": 0.7}}.get(name, {})
            add(theirs, None, parameters, fuse(rankings, name, **parameters), lists)
        add("wsum", None, {"weights": weights}, fuse(rankings, "comb_sum", weights=weights), lists)
        add("wsum", "min-max", {"weights": weights}, fuse(rankings, "weighted_sum", weights=weights), lists)
        add("wsum", "min-max", {"weights": weights}, fuse(rankings, "relative_score", weights=weights), lists)
        for name, theirs in RANX_NORMS.items():
            add("sum", theirs, {}, fuse(rankings, "comb_sum", normalize=name), lists)
    oracle = subprocess.run(
        [sys.executable, Path(__file__).with_name("ranx_oracle.py")],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    for case, mine, theirs in zip(cases, ours, json.loads(oracle.stdout), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-9), (case["method"], case["norm"])


def test_rrf_by_hand():
    """RRF weights are used as given: score = sum of w / (k + rank), rank from 1."""
    fused = fuse({"bm25": ["a", "b"], "dense": ["b", "c"]}, weights={"bm25": 0.7, "dense": 0.3})
    assert {hit.document: hit.score for hit in fused} == pytest.approx(
        {"a": 0.7 / 61, "b": 0.7 / 62 + 0.3 / 61, "c": 0.3 / 62}
    )


def test_mrr_by_hand():
    """Weighted reciprocal rank: the sum of w / rank."""
    fused = fuse([["a", "b"], ["b"]], "mrr", weights=[1, 2])
    assert {hit.document: hit.score for hit in fused} == {"a": 1.0, "b": 2.5}


def test_dbsf_by_hand():
    """Mean minus three deviations maps to 0, plus three to 1; the preset sums what it gives."""
    fused = fuse([Ranking.of(["a", "b"], [3.0, 1.0]), Ranking.of(["b"], [9.0])], "dbsf")
    assert {hit.document: hit.score for hit in fused} == pytest.approx({"a": 0.5 + 1 / 6, "b": 0.5 - 1 / 6 + 0.5})


@pytest.mark.parametrize("name", sorted(NORMALIZERS))
@given(values=st.lists(scores.map(abs).filter(bool), max_size=12))
def test_normalisers_keep_count_and_order(name, values):
    """As many numbers come back, finite, and none overtakes another."""
    falling = sorted(values, reverse=True)
    normalized = NORMALIZERS[name](falling)
    assert len(normalized) == len(falling)
    assert all(map(math.isfinite, normalized))
    assert normalized == sorted(normalized, reverse=True)


@pytest.mark.parametrize(
    ("name", "constant"), [("min_max", 1.0), ("max", 1.0), ("sum", 0.5), ("z_score", 0.0), ("dbsf", 0.5)]
)
def test_normalisers_of_a_constant_list(name, constant):
    """A list of equal scores has a defined value: a sole hit is a hit."""
    assert NORMALIZERS[name]([7.0, 7.0]) == [constant, constant]


def test_max_refuses_to_turn_the_order_round():
    """Dividing by a negative best score would put the worst first."""
    with pytest.raises(FusionError, match="min_max"):
        fuse([Ranking.of(["a", "b"], [-1.0, -2.0])], "comb_sum", normalize="max")


def test_weighted_sum_without_normalisation_is_comb_sum_with_weights():
    """``comb_sum`` reads scores as they are, ``weighted_sum`` min-max normalises them."""
    one = Ranking.of(["a", "b"], [10.0, 5.0])
    assert fuse([one], "comb_sum", weights=[0.5]).scores == [5.0, 2.5]
    assert fuse([one], "weighted_sum", weights=[0.5]).scores == [0.5, 0.0]


def test_documents_are_kept_and_the_first_copy_survives():
    """The documents come back as they are; of two copies the one of the first-weighted source."""
    sparse, dense = [{"id": 1, "from": "sparse"}], [{"id": 1, "from": "dense"}, {"_id": 2}]
    fused = fuse({"sparse": sparse, "dense": dense}, weights={"dense": 1, "sparse": 1})
    assert fused[0].document is dense[0]
    assert fused[1].document is dense[1]


def test_key_says_what_is_the_same():
    """``key=`` decides identity for documents that have none of their own."""
    fused = fuse([[["x", 1]], [["x", 2], ["y", 3]]], key=lambda document: document[0])
    assert fused.documents == [["x", 1], ["y", 3]]


def test_a_weight_without_a_list_is_an_empty_list():
    """A source that found nothing, or was not asked, changes nothing."""
    both = {"bm25": 1, "dense": 1}
    assert fuse({"bm25": ["a"]}, weights=both) == fuse({"bm25": ["a"], "dense": []}, weights=both)
    assert len(fuse({}, weights=both)) == 0
    assert len(fuse([])) == 0


def test_the_report_sums_what_went_in():
    """The fused report names the method and holds the sources' reports by name."""
    ranked = Reranker("lexical").rerank("a", ["a", "b"])
    report = fuse({"lexical": ranked, "plain": ["b"]}).report
    assert (report.scorer, report.score_kind) == ("rrf", "reciprocal_rank")
    assert report.members["lexical"].scorer == "lexical"


def test_a_fused_ranking_can_be_reranked():
    """A ranking is taken for its documents, and its scores are the first stage's."""
    fused = fuse({"one": ["b", "a"], "two": ["b"]})
    assert Reranker("first_stage:score").rerank("q", fused).scores == fused.scores


@pytest.mark.parametrize("method", SCORE_METHODS)
@pytest.mark.parametrize(
    ("ranking", "says"),
    [
        (["a", "b"], "no finite score"),
        (Ranking.of(["a", "b"]), "no finite score"),
        (Ranking.of(["a", "b"], [1.0, float("nan")]), "no finite score"),
        (Ranking.of(["a", "b"], [1.0, 2.0]), "rise at place 1"),
    ],
    ids=["plain list", "no scores", "nan", "rising"],
)
def test_score_methods_refuse_scores_that_mislead(method, ranking, says):
    """Missing, NaN or rising scores are an error that names the source."""
    with pytest.raises(FusionError, match=f"'dense'.*{says}"):
        fuse({"dense": ranking}, method)


def test_normalising_by_rank_needs_no_scores():
    """With ``normalize="rank"`` a score method works on bare lists."""
    assert fuse([["a", "b"]], "comb_sum", normalize="rank").scores == [1.0, 0.5]


NAMED = {"bm25": ["a"], "dense": ["b"]}


@pytest.mark.parametrize(
    ("rankings", "settings", "says"),
    [
        (NAMED, {"method": "rff"}, "did you mean 'rrf'"),
        (NAMED, {"K": 3}, "no parameter 'K'; it takes k"),
        (NAMED, {"k": -1}, "k >= 0"),
        (NAMED, {"k": float("nan")}, "finite number"),
        (NAMED, {"method": "rbc", "phi": 1}, "between 0 and 1"),
        (NAMED, {"normalize": "min_max"}, "reads ranks"),
        (NAMED, {"method": "comb_sum", "normalize": "minmax"}, "did you mean 'min_max'"),
        (NAMED, {"method": "dbsf", "normalize": "min_max"}, "always uses 'dbsf'"),
        (NAMED, {"weights": {}}, "empty"),
        (NAMED, {"weights": {"bm25": 1, "dense": -1}}, "'dense' must be a finite number of at least 0"),
        (NAMED, {"weights": {"bm25": 1, "dense": math.nan}}, "'dense' must be a finite number"),
        (NAMED, {"weights": {"bm25": 1, "dense": math.inf}}, "'dense' must be a finite number"),
        (NAMED, {"weights": {"bm25": 1, "dense": True}}, "'dense' must be a finite number"),
        (NAMED, {"weights": {"bm25": 0, "dense": 0}}, "all weights are zero"),
        (NAMED, {"weights": {"bm25": 1, "dens": 1}}, "no weight for source 'dense'; did you mean 'dens'"),
        (NAMED, {"weights": [1, 2]}, "by name too"),
        (NAMED, {"weights": {"bm25": 1, "dense": 10**400}}, "'dense' must be a finite number"),
        (NAMED, {"k": 10**400}, "finite number"),
        (NAMED, {"weights": "ab"}, "a dict by source name or a list"),
        ([["a"]], {"weights": {"bm25": 1}}, "name the rankings too"),
        ([["a"]], {"weights": [1, 2]}, "2 weights for 1 rankings"),
        ([["a"]], {"weights": []}, "empty"),
        ("ab", {}, "several rankings"),
        (Ranking.of(["a", "b"]), {}, "several rankings"),
        (["ab"], {}, "a list of documents in order; got a str"),
        ([[{"name": "x"}]], {}, "no 'id' or '_id'"),
        ([[["unhashable"]]], {}, "list is not hashable"),
        ([["a"]], {"key": lambda _: None}, "key= gave None"),
        (NAMED, {"top_n": 0}, "top_n"),
    ],
)
def test_bad_input_says_what_where_and_what_to_do(rankings, settings, says):
    """Every wrong argument is a named ValueError; nothing is silently ignored."""
    with pytest.raises(ValueError, match=says):
        fuse(rankings, **settings)


@pytest.mark.parametrize(
    ("method", "scores", "weights"),
    [
        ("weighted_sum", [1e308, 0.0, -1e308], [1]),
        ("comb_max", [1e308, 1e307, 0.0], [1e10]),
        ("comb_sum", [1e308, 0.0, 0.0], [1e300]),
        ("mrr", [3.0, 2.0, 1.0], [1e308]),
    ],
)
def test_what_leaves_the_range_of_floats_is_an_error(method, scores, weights):
    """Infinity and NaN never become an order."""
    lists = [Ranking.of(["a", "b", "c"], scores)] * 2
    with pytest.raises(FusionError, match="range of floats"):
        fuse(lists, method, weights=weights * 2)


def test_weights_are_a_copy():
    """What happens to the caller's dict afterwards changes nothing."""
    weights = {"a": 1, "b": 2}
    fuser = Fuser(weights=weights)
    weights["a"] = math.nan
    assert fuser.fuse({"a": ["x"], "b": ["x"]}).scores == [3 / 61]


def test_settings_are_checked_without_any_list():
    """A `Fuser` refuses bad settings when it is made, and sources that do not match its weights."""
    with pytest.raises(FusionError, match="no fusion method"):
        Fuser("nope")
    with pytest.raises(FusionError, match="no parameter 'kk'"):
        Fuser(parameters={"kk": 1})
    fuser = Fuser(weights={"bm25": 1.0, "dense": 2.0})
    fuser.expect(["dense", "bm25"])
    with pytest.raises(FusionError, match=r"no weight for source 'dens'"):
        fuser.expect(["bm25", "dens"])
    with pytest.raises(FusionError, match="'dense', which is no source"):
        fuser.expect(["bm25"])
    with pytest.raises(FusionError, match="by name"):
        Fuser(weights=[1.0]).expect(["bm25"])
