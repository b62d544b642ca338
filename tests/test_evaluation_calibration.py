"""Calibration: probabilities that come true, an order that stays, and no other scorer's scores."""

import json
import math
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Cached, Cascade, Chunked, Ensemble, Fallback, FirstStage, Reranker, load
from anyrank.cached import fingerprint_of
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


def as_saved(**changed):
    """Return what is saved, with changes."""
    return json.dumps({"method": "platt", "fingerprint": "f", "points": [[0, 0], [1, 1]], "pairs": 2, **changed})


@pytest.mark.parametrize(
    "held",
    [
        "[]",
        "{}",
        "nonsense",
        as_saved(method="magic"),
        as_saved(fingerprint=""),
        as_saved(fingerprint=3),
        as_saved(points=[]),
        as_saved(points=[[0, math.nan], [1, 1]]),
        as_saved(points=[[0, 1], [1, 1]]),
        as_saved(points=[[0, 1], [2, 3]]),
        as_saved(points=[[0, 0], [1, 1], [2, 2]]),
        as_saved(method="isotonic", points=[]),
        as_saved(method="isotonic", points=[[1, 0.5], [0, 0.7]]),
        as_saved(method="isotonic", points=[[0, 0.7], [1, 0.5]]),
        as_saved(method="isotonic", points=[[0, 0.5], [1, 1.5]]),
        as_saved(error=math.inf),
        as_saved(of_a_later_version=True),
    ],
)
def test_what_is_no_calibration(held, tmp_path):
    """A file of something else, of another version, or of a curve that does not rise is named; so is a missing one."""
    tmp_path.joinpath("curve.json").write_text(held, encoding="utf-8")
    for path in (tmp_path / "curve.json", tmp_path / "nothing.json"):
        with pytest.raises(ArgumentError, match=f"not a calibration, as .*{path.name}"):
            Calibration.of(path)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_perfect_separation_and_one_score_for_all(method):
    """Platt's targets keep the curve finite; scores that say nothing are refused, as those that say the opposite."""
    curve = calibrate(scored({"1": True, "-1": False}), RELEVANT, method=method)
    assert curve(-1) < 0.3
    assert curve(1) > 0.7
    assert all(math.isfinite(number) for point in curve.points for number in point)
    for texts in ({"1": True, "1.0": False}, {"-1": True, "1": False}):
        with pytest.raises(ArgumentError, match="do not have the higher scores"):
            calibrate(scored(texts), RELEVANT, method=method)


RELEVANT = {query: {f"{query} True": 1, f"{query} False": 0} for query in QUERIES}


def scored(texts):
    """Return an evaluation in which a text's number is its score, relevant or not."""
    candidates = {
        query: [{"id": f"{query} {relevant}", "text": text} for text, relevant in texts.items()] for query in QUERIES
    }
    return evaluate(Numbers(), QUERIES, candidates=candidates, qrels=RELEVANT, metrics=["MRR"])


def test_in_compositions_the_probabilities_are_the_same(fitted):
    """Kept, by windows, as one of several, behind another stage: known by scorer and curve."""
    texts = ["3", "-1", "0.5"]
    calibrated = Calibrated(Numbers(), fitted())
    alone = Reranker(calibrated).rerank("any", texts)
    whole = {"cached": Cached(calibrated), "chunked": Chunked(calibrated)}
    whole["one of one"] = Ensemble({"only": calibrated}, method="comb_sum")
    assert {name: Reranker(scorer).rerank("any", texts) for name, scorer in whole.items()} == dict.fromkeys(
        whole, alone
    )
    assert Cascade((Numbers(), 3), calibrated, min_score=0.5).rerank("any", texts) == alone[:2]
    assert calibrated.fingerprint != Calibrated(Numbers(), fitted(method="isotonic")).fingerprint


def test_it_reaches_every_adapter_as_a_spec():
    """It is written down with its curve, and read again."""
    scorer = "cross_encoder:some/model"
    curve = Calibration("platt", fingerprint_of(load(scorer)), ((0.0, -1.0), (1.0, 1.0)), 9)
    spec = Calibrated(scorer, curve).spec
    again = load(json.loads(json.dumps(spec)))
    assert isinstance(again, Calibrated)
    assert (again.spec, again.calibration) == (spec, curve)
    assert Reranker(spec, min_score=0.5).rerank("any", []).documents == []


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
