"""Calibration: probabilities that come true, an order that stays, and no other scorer's scores."""

import json
import math
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Fallback, FirstStage, Reranker
from anyrank.errors import ArgumentError, SpecError
from anyrank.evaluation import Calibrated, Calibration, calibrate, calibration_error, evaluate

QUERIES = {f"q{n}": f"query {n}" for n in range(30)}


class Numbers:
    """A scorer whose score is the number that the text is, and a multiple of it in another unit."""

    name = "numbers"
    score_kind = "logit"

    def __init__(self, unit=1.0, offset=0.0, fingerprint=None):
        self.unit, self.offset = unit, offset
        self.fingerprint = fingerprint or f"numbers {unit} {offset}"

    def score(self, _query, texts):
        return [self.unit * float(text) + self.offset for text in texts]


@pytest.fixture(scope="module")
def judged():
    """Return candidates with a number each, relevant as often as the logistic function of it says."""
    rng = Random(5)
    candidates, qrels = {}, {}
    for query in QUERIES:
        numbers = [rng.gauss(0, 2) for _ in range(40)]
        candidates[query] = [{"id": f"{query} {place}", "text": str(number)} for place, number in enumerate(numbers)]
        qrels[query] = {
            f"{query} {place}": int(rng.random() < 1 / (1 + math.exp(-number))) for place, number in enumerate(numbers)
        }
    return candidates, qrels


@pytest.fixture(scope="module")
def fitted(judged):
    """Return, for a unit and an offset, the calibrations of both methods."""
    candidates, qrels = judged

    @cache
    def fit(unit=1.0, offset=0.0, method="platt"):
        found = evaluate(Numbers(unit, offset), QUERIES, candidates=candidates, qrels=qrels, metrics=["MRR"])
        return calibrate(found, qrels, method=method)

    return fit


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_the_curve_is_found(fitted, method):
    """What is said comes true on queries that were not fitted on, and the true curve is found again."""
    curve = fitted(method=method)
    assert curve.pairs == 1200
    assert curve.error < 0.06
    assert all(abs(curve(score) - 1 / (1 + math.exp(-score))) < 0.12 for score in (-2, -1, 0, 1, 2))


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_one_threshold_carries_over(fitted, method):
    """The same documents pass, whatever unit a scorer counts in."""
    texts = [str(number / 10) for number in range(-40, 41)]
    passed = []
    for unit, offset in ((1.0, 0.0), (0.001, 0.5), (1000.0, -4000.0)):
        scorer = Calibrated(Numbers(unit, offset), fitted(unit, offset, method))
        ranking = Reranker(scorer, min_score=0.7).rerank("any", texts)
        assert ranking.report.score_kind == "probability"
        passed.append(ranking.documents)
    assert passed[0] == passed[1] == passed[2]
    assert 0 < len(passed[0]) < len(texts)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
@given(numbers=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_the_order_stays_and_probabilities_are_some(fitted, method, numbers):
    """Also where the curve is level or saturates; between 0 and 1, however far out."""
    scorer = Numbers()
    texts = list(map(repr, numbers))
    shown = Reranker(Calibrated(scorer, fitted(method=method))).rerank("any", texts)
    assert shown.indices == Reranker(scorer).rerank("any", texts).indices
    assert all(0 <= hit.score <= 1 for hit in shown)
    assert shown.scores == sorted(shown.scores, reverse=True)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_saved_and_read_again(fitted, method, tmp_path):
    """As JSON, equal in every digit, for the scorer it was fitted on and no other."""
    curve = fitted(method=method)
    curve.save(tmp_path / "curve.json")
    assert Calibration.of(tmp_path / "curve.json") == curve
    assert Calibrated(Numbers(), tmp_path / "curve.json").calibration == curve
    with pytest.raises(ArgumentError, match=r"fitted on the scores of numbers 1\.0 0\.0, and this scorer is numbers 2"):
        Calibrated(Numbers(2.0), curve)


@pytest.mark.parametrize(
    "held", ["[]", "{}", "nonsense", '{"method": "magic", "fingerprint": "", "points": [], "pairs": 1}']
)
def test_what_is_no_calibration(held, tmp_path):
    """A file of something else is named."""
    tmp_path.joinpath("curve.json").write_text(held, encoding="utf-8")
    with pytest.raises(ArgumentError, match="not a calibration"):
        Calibration.of(tmp_path / "curve.json")


def test_a_stand_in_is_not_calibrated(fitted):
    """Its scores are of another kind: they are shown as they are, and no threshold applies to them."""

    class Failing(Numbers):
        def score(self, _query, _texts):
            raise ConnectionError

    scorer = Fallback(Failing(fingerprint="f"), Numbers(fingerprint="f"))
    curve = Calibration("platt", json.dumps(["fallback"]), fitted().points, 1)
    with pytest.raises(ArgumentError, match="cannot tell"):
        Calibrated(scorer, curve)
    whole = Fallback(Calibrated(Failing(), fitted()), FirstStage())
    ranking = Reranker(whole, min_score=0.9).rerank("any", ["1", "2"])
    assert (len(ranking), ranking.report.degraded, ranking.report.score_kind) == (2, True, "reciprocal_rank")


def test_scores_that_depend_on_the_list_are_refused(fitted):
    """A BM25 score means something else among other texts."""
    with pytest.raises(ArgumentError, match="scope 'text'"):
        Calibrated("lexical", fitted())


def test_its_spec_needs_its_scorers(fitted):
    """A scorer without a spec has none calibrated."""
    with pytest.raises(SpecError):
        _ = Calibrated(Numbers(), fitted()).spec


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "magic"}, "got 'magic'"),
        ({"relevant": 5}, "of 1200 judged candidates 0 are relevant"),
        ({"unit": -1.0}, "do not have the higher scores"),
        ({"fingerprint": ""}, "has no fingerprint"),
    ],
)
def test_what_cannot_be_calibrated(judged, options, said):
    """The error says what is missing."""
    candidates, qrels = judged
    scorer = Numbers(options.pop("unit", 1.0))
    if "fingerprint" in options:
        scorer.fingerprint = options.pop("fingerprint")
    found = evaluate(scorer, QUERIES, candidates=candidates, qrels=qrels, metrics=["MRR"])
    with pytest.raises(ArgumentError, match=said):
        calibrate(found, qrels, **options)


def test_what_nobody_judged(judged):
    """Left out, or taken as not relevant where only what is relevant was judged."""
    candidates, qrels = judged
    positive = {query: [one for one, grade in graded.items() if grade] for query, graded in qrels.items()}
    found = evaluate(Numbers(), QUERIES, candidates=candidates, qrels=positive, metrics=["MRR"])
    with pytest.raises(ArgumentError, match="unjudged='not relevant'"):
        calibrate(found, positive)
    assert calibrate(found, positive, unjudged="not relevant").points == calibrate(found, qrels).points


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())))
def test_the_error_is_between_none_and_all(pairs):
    """0 for what comes true, at most 1."""
    assert 0 <= calibration_error(pairs) <= 1
    assert calibration_error([(float(true), true) for _, true in pairs]) == 0


def test_the_error_by_hand():
    """One bin says 0.9 and is right half the time, one says 0.1 and is right: 2/3 of 0.4 and 1/3 of 0.1."""
    assert calibration_error([(0.9, True), (0.9, False), (0.1, False)]) == pytest.approx(2 / 3 * 0.4 + 1 / 3 * 0.1)
