"""What is called a difference: tests as scipy has them, corrected, and the verdicts that follow from them."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from anyrank.errors import ArgumentError
from anyrank.evaluation import (
    Comparison,
    Evaluation,
    difference,
    differences,
    slice_by,
    slice_by_length,
    slice_by_overlap,
    verdicts,
)
from anyrank.evaluation.significance import holm, randomisation_test

gains = st.lists(st.integers(-4, 4).map(lambda tenths: tenths / 10), min_size=2, max_size=12)


def row(name, figures, baseline=None):
    """Return a row that was measured so."""
    values = {"MRR": {str(query): figure for query, figure in enumerate(figures)}}
    return Evaluation(name.partition(" > ")[0], name.partition(" > ")[2] or None, {}, values, baseline)


@settings(max_examples=30)
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=8))
def test_the_exact_test_is_scipys(found):
    """All signs are tried for few queries, as scipy does."""
    theirs = stats.permutation_test(
        (found, [0.0] * len(found)),
        lambda one, other: sum(one) - sum(other),
        permutation_type="samples",
        n_resamples=math.inf,
    )
    assert randomisation_test(found) == pytest.approx(theirs.pvalue, abs=1e-9)


@given(st.lists(st.integers(-4, 4).map(lambda tenths: tenths / 10), min_size=14, max_size=40))
def test_drawn_signs_come_near_and_do_not_depend_on_direction(found):
    """The drawn test says the same of a gain and of the loss that mirrors it, the same every time, and never 0."""
    p = randomisation_test(found)
    assert p == randomisation_test(found)
    assert p == pytest.approx(randomisation_test([-gain for gain in found]), abs=0.05)
    assert 0 < p <= 1


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holms_correction(p_values):
    """Never below the raw value, never above Bonferroni's, and in the same order."""
    found = holm(p_values)
    for raw, fixed in zip(p_values, found, strict=True):
        assert raw <= fixed <= min(1.0, raw * len(p_values)) + 1e-12
    assert [fixed for _, fixed in sorted(zip(p_values, found, strict=True))] == sorted(found)
    if p_values:
        assert min(found) == min(1.0, min(p_values) * len(p_values))


def test_holm_by_hand():
    """Holm's own procedure on four tests."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(gains.filter(lambda found: len(set(found)) > 1))
def test_the_t_test_is_scipys(found):
    """Its p-value and its interval, on the same pairs."""
    one = difference(row("a", found), row("b", [0.0] * len(found)), "MRR")
    theirs = stats.ttest_rel(found, [0.0] * len(found))
    interval = theirs.confidence_interval(0.95)
    assert (one.p_t, one.low, one.high) == pytest.approx((theirs.pvalue, interval.low, interval.high))
    assert one.low <= one.mean + 1e-12
    assert one.mean <= one.high + 1e-12
    assert (one.better, one.worse) == (sum(gain > 0 for gain in found), sum(gain < 0 for gain in found))


def test_the_same_gain_everywhere_but_for_rounding():
    """There is no deviation to divide by, and nothing is warned of."""
    before = [0.4, 0.2, 0.3, 0.1] * 4
    one = difference(row("a", [figure + 0.5 for figure in before]), row("b", before), "MRR")
    assert (one.low, one.high, one.p_t) == (pytest.approx(0.5), pytest.approx(0.5), 0.0)


def test_one_query_has_no_interval():
    """It is left out of the sentence."""
    assert "95 %" not in str(difference(row("a", [0.5]), row("b", [0.4]), "MRR"))


def test_thousands_of_queries():
    """Signs are drawn in parts: what is drawn for many gains is what was drawn for few."""
    rng = random.Random(0)
    found = [rng.gauss(0, 1) for _ in range(2_000)]
    p = stats.ttest_1samp(found, 0).pvalue
    assert randomisation_test(found) == pytest.approx(p, abs=0.02)


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ([0.5] * 20, "helps"),
        ([-0.5] * 20, "hurts"),
        ([0.5, -0.5] * 10, "no clear difference"),
        ([0.0] * 20, "no clear difference"),
        ([0.5] * 7, "too few queries"),
        ([0.5], "too few queries"),
    ],
)
def test_verdicts_follow_from_the_figures(figures, verdict):
    """Plain words for a plain finding, and none for too few queries."""
    before = row("bm25", [0.5] * len(figures))
    one = difference(row("bm25 > model", [0.5 + gain for gain in figures], before), before, "MRR")
    assert one.verdict == verdict
    assert verdict in str(one)
    assert f"{len(figures)} queries" in str(one)


def test_every_reranked_row_against_its_first_stage():
    """Corrected for how many comparisons there are; or all rows against a named one."""
    low, high = row("a", [0.1] * 20), row("b", [0.2] * 20)
    better = row("a > model", [0.1] * 14 + [0.9] * 6, low)
    comparison = Comparison([low, better, high, row("b > model", [0.2] * 20, high)])
    first, second = differences(comparison, "MRR")
    assert (first.row, first.baseline, first.verdict) == ("a > model", "a", "no clear difference")
    assert first.p_corrected == pytest.approx(2 * first.p)
    assert second.p_corrected == 1.0
    assert [one.row for one in differences(comparison, "MRR", against="a")] == ["a > model", "b", "b > model"]


def test_where_reranking_hurts():
    """The slice is named in which it does harm; over all queries the gain hides it."""
    before = row("bm25", [0.5] * 40)
    after = row("bm25 > model", [0.2] * 10 + [0.9] * 30, before)
    labels = {str(query): "new words" if query < 10 else "same words" for query in range(40)}
    found = verdicts(after, {"overlap": labels}, "MRR")
    assert [(one.slice, one.verdict) for one in found] == [
        (None, "helps"),
        ("overlap: new words", "hurts"),
        ("overlap: same words", "helps"),
    ]
    assert "bm25 > model against bm25 on overlap: new words: hurts" in str(found[1])


def test_too_few_queries_cost_the_others_nothing():
    """A slice that cannot be tested is no test to correct for."""
    before = row("bm25", [0.5] * 20)
    after = row("bm25 > model", [0.5] * 12 + [0.9] * 8, before)
    [whole, few] = verdicts(after, {"by": {"0": "one"}}, "MRR")
    assert whole.p_corrected == whole.p
    assert few.verdict == "too few queries"


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda a, b: difference(a, b, "MAP"), "'MAP' was not measured; there are MRR"),
        (lambda a, b: difference(a, row("c", [1.0]), "MRR"), "not of the same queries"),  # noqa: ARG005 - as above
        (lambda a, b: difference(a, b, "MRR", queries=[]), "one or more; got"),
        (lambda a, b: difference(a, b, "MRR", queries=["z"]), "ids of queries that were measured"),
        (lambda a, b: slice_by_length({}, ()), "limits are numbers"),  # noqa: ARG005 - as above
        (lambda a, b: verdicts(a, {}, "MRR"), "say with baseline="),  # noqa: ARG005 - as above
    ],
)
def test_what_cannot_be_compared(ask, said):
    """The error says why."""
    with pytest.raises(ArgumentError, match=said):
        ask(row("a", [1.0, 0.5]), row("b", [1.0, 0.5]))


def test_slices_of_queries():
    """By what a function says, by words, and by how much of a query stands in what is relevant to it."""
    queries = {
        "a": "paris",
        "b": "the long river seine",
        "c": "one two three four five six seven eight nine ten eleven",
    }
    assert slice_by(queries, lambda text: "e" in text) == {"a": "False", "b": "True", "c": "True"}
    assert slice_by_length(queries) == {
        "a": "at most 4 words",
        "b": "at most 4 words",
        "c": "more than 10 words",
    }
    documents = {"x": "Paris!", "y": "the the the the", "z": {"text": "nothing"}}
    qrels = {"a": {"x": 1}, "b": {"y": 1, "x": 0, "gone": 1}, "c": {"x": 1}, "d": {"y": 1}}
    assert slice_by_overlap(queries, qrels, documents=documents) == {
        "a": "much overlap",
        "b": "little overlap",
        "c": "no overlap",
    }
    assert slice_by_overlap(queries, {"a": {"z": 1}}, documents=documents, text=["text"]) == {"a": "no overlap"}
