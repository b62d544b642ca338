"""Figures are trec_eval's own, of the order that a user gets, over the queries that count."""

import math

import ir_measures
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from anyrank.errors import ArgumentError
from anyrank.evaluation import METRICS, Judge, evaluate, trec_eval_order

TREC_EVAL = {
    "NDCG@10": "ndcg_cut_10",
    "NDCG@3": "ndcg_cut_3",
    "NDCG": "ndcg",
    "MRR": "recip_rank",
    "MAP": "map",
    "Recall@5": "recall_5",
    "Hit@5": "success_5",
    "P@5": "P_5",
}
documents = st.sampled_from([f"d{n}" for n in range(30)] + ["é", "z\u2028", "Ω"])
grades = st.dictionaries(documents, st.integers(-2, 4), min_size=1, max_size=20)
scores = st.dictionaries(documents, st.one_of(st.integers(0, 3), st.floats(0, 1)).map(float), max_size=30)
qrels = st.dictionaries(st.sampled_from("abcdef"), grades, min_size=1, max_size=5).filter(
    lambda judged: any(max(found.values()) > 1 for found in judged.values())
)
runs = st.dictionaries(st.sampled_from("abcdefgh"), scores, max_size=6)


def trec_eval(judged, run, measure, relevant):
    """Return trec_eval's own figures, as with -c, of the queries that have a relevant document."""
    good = {query: graded for query, graded in judged.items() if max(graded.values()) >= relevant}
    found = pytrec_eval.RelevanceEvaluator(good, {measure}, relevance_level=relevant).evaluate(run)
    return {query: next(iter(found.get(query, {"": 0.0}).values())) for query in good}


@given(qrels, runs, st.sampled_from(sorted(TREC_EVAL)), st.integers(1, 2))
def test_figures_are_those_of_trec_eval(judged, run, metric, relevant):
    """Ties, missing queries, grades below 0, strange ids: in trec_eval's order every figure is its figure."""
    judge = Judge(judged, [metric], relevant=relevant)
    mine = judge.measure({query: trec_eval_order(found) for query, found in run.items()})
    assert mine[metric] == pytest.approx(trec_eval(judged, run, TREC_EVAL[metric], relevant), abs=5e-7)


@given(qrels, st.dictionaries(st.sampled_from("abcdefgh"), st.lists(documents, unique=True, min_size=1)))
def test_figures_are_those_of_ir_measures(judged, orders):
    """Also of the metrics that trec_eval does not have, where no two scores are equal."""
    judge = Judge(judged, METRICS)
    run = {query: {document: -rank for rank, document in enumerate(order)} for query, order in orders.items()}
    for metric, name in zip(METRICS, ("nDCG@10", "RR@10", "AP", "R@10", "Success@10", "Judged@10"), strict=True):
        found = ir_measures.iter_calc([ir_measures.parse_measure(name)], judge.qrels, run or {"a": {"x": 1}})
        theirs = {one.query_id: one.value for one in found if one.query_id in orders}
        assert judge.measure(orders)[metric] == pytest.approx(dict.fromkeys(judge.qrels, 0.0) | theirs)


def test_a_query_with_grades_below_0_only_is_left_out():
    """The library behind would end the whole process over it."""
    judge = Judge({"good": {"a": 1}, "bad": {"a": -1}})
    assert judge.without_relevant == 1
    assert judge.measure({"good": ["a"], "bad": ["a"]})["MAP"] == {"good": 1.0}


def test_ids_meet_whatever_their_type_and_a_document_counts_once():
    """Judgments may be all that `read_qrels` takes; a document that stands twice is where it stands first."""
    judge = Judge({1: [7]}, ["MRR", "P@2"])
    assert judge.measure({"1": ["7", "8", "7"]}) == {"MRR": {"1": 1.0}, "P@2": {"1": 0.5}}


@given(qrels, st.permutations([f"d{n}" for n in range(30)]))
def test_the_order_given_is_the_order_measured(judged, order):
    """A document's id has no say: under other names, the figures are the same."""
    renamed = {document: f"{1000 - place}" for place, document in enumerate(order)}
    also = {
        query: {renamed.get(document, document): grade for document, grade in graded.items()}
        for query, graded in judged.items()
    }
    one = Judge(judged, METRICS).measure(dict.fromkeys(judged, order))
    assert one == Judge(also, METRICS).measure({key: [renamed[document] for document in order] for key in judged})


@pytest.mark.parametrize(
    ("metric", "figure"),
    [
        ("MRR@10", 1 / 2),
        ("mrr", 1 / 2),
        ("RR@1", 0),
        ("hit@2", 1),
        ("Hit_Rate@1", 0),
        ("HitRate@2", 1),
        ("recall@2", 1 / 2),
        ("Precision@2", 1 / 2),
        ("MAP", (1 / 2 + 2 / 4) / 2),
        ("NDCG@2", 1 / math.log2(3) / (1 + 1 / math.log2(3))),
        ("Judged@2", 1),
        ("judged@4", 3 / 4),
    ],
)
def test_metrics_by_hand(metric, figure):
    """What the names mean, in any case, on one ranking: not relevant, relevant, not judged, relevant."""
    judge = Judge({"q": {"a": 0, "b": 1, "d": 1}}, [metric])
    assert judge.measure({"q": ["a", "b", "c", "d"]})[metric]["q"] == pytest.approx(figure)


def test_a_grade_below_relevant_counts_in_ndcg_only():
    """Binary metrics know relevant from a grade on; graded ones read the grades."""
    judge = Judge({"q": {"a": 1, "b": 2}}, ["MRR", "MRR(rel=1)", "NDCG@1"], relevant=2)
    found = judge.measure({"q": ["a", "b"]})
    assert (found["MRR"]["q"], found["MRR(rel=1)"]["q"]) == (0.5, 1.0)
    assert found["NDCG@1"]["q"] == pytest.approx(1 / 2)


def test_which_queries_count():
    """A query without a ranking counts 0, one without a relevant document or without judgments not at all."""
    judge = Judge({"found": {"a": 1}, "lost": {"a": 1}, "empty": {"a": 1}, "hopeless": {"a": 0}}, METRICS)
    figures = judge.measure({"found": ["a"], "hopeless": ["a"], "unjudged": ["a"], "empty": []})
    assert judge.without_relevant == 1
    assert all(found == {"found": found["found"], "lost": 0.0, "empty": 0.0} for found in figures.values())
    assert figures["MAP"]["found"] == 1.0


def test_ties_as_trec_eval_breaks_them():
    """By document id, descending, among scores that are equal in 32 bits; a user gets the first stage's order."""
    assert trec_eval_order({"a": 1.0, "b": 1.0 + 1e-12, "c": 0.5}) == ["b", "a", "c"]
    run = {"q": [{"id": "b", "text": "x"}, {"id": "a", "text": "x"}]}
    for ties, figure in (("given", 0.5), ("trec_eval", 0.5)):
        found = evaluate(same, {"q": "x"}, candidates=run, qrels={"q": "a"}, metrics=["MRR"], ties=ties)
        assert found.means["MRR"] == figure
    run = {"q": run["q"][::-1]}
    for ties, figure in (("given", 1.0), ("trec_eval", 0.5)):
        found = evaluate(same, {"q": "x"}, candidates=run, qrels={"q": "a"}, metrics=["MRR"], ties=ties)
        assert found.means["MRR"] == figure


def same(_query, texts):
    """Score every text alike."""
    return [1.0] * len(texts)


@pytest.mark.parametrize(
    "metric", ["NDGC@10", "NDCG@", "@10", "", 3, "Recall@10@5", "MRR@0", "NDCG@1e1", "BPM", "Success"]
)
def test_an_unknown_metric_is_named(metric):
    """With those there are."""
    with pytest.raises(ArgumentError, match=r"no metric named .* known: Hit@10, Judged@10"):
        Judge({"q": {"a": 1}}, [metric])


@pytest.mark.parametrize(
    ("judged", "relevant", "said"),
    [
        ({"q": {"a": 1}}, 2, "grade 2 or better"),
        ({}, 2, "none of the 0 judged"),
        ({"q": {"a": 1}}, 0, "relevant must be a whole number above 0"),
        ({"q": {"a": 1}}, "1", "relevant must be a whole number above 0"),
    ],
)
def test_judgments_without_anything_relevant(judged, relevant, said):
    """Nothing can be measured on them."""
    with pytest.raises(ArgumentError, match=said):
        Judge(judged, relevant=relevant)


def test_a_metric_of_a_library_that_is_not_there():
    """Which one it needs is said."""
    with pytest.raises(ArgumentError, match="pyndeval"):
        Judge({"q": {"a": 1}}, ["alpha_nDCG@10"])


def test_no_metric_at_all():
    """An empty list is not all of them."""
    with pytest.raises(ArgumentError, match="no metric was asked for"):
        Judge({"q": {"a": 1}}, [])
