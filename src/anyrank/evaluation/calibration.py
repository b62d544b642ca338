"""From a scorer's scores to probabilities of relevance, fitted on judgments, so that one ``min_score`` carries over.

A cross-encoder's logit of 2 and a cosine of 0.4 cannot be compared; how often a document with such a score is relevant
can. Two curves are known: Platt's, a logistic function of the score (Platt 1999, with his targets for small samples),
and the isotonic one, the best that never falls (Zadrozny & Elkan, KDD 2002, doi:10.1145/775047.775151), which wants
some hundreds of judged pairs.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from anyrank._question import Question
from anyrank._registry import require, spec_of
from anyrank._text_by_text import TextByText
from anyrank.cached import fingerprint_of
from anyrank.errors import ArgumentError
from anyrank.scorer import Candidates, ScorerLike, Scores

from .tables import read_qrels

if TYPE_CHECKING:
    from anyrank._rounds import Rounds

    from .results import Evaluation

__all__ = ["Calibrated", "Calibration", "calibrate", "calibration_error"]

Pair: TypeAlias = tuple[float, bool]
"""A score, and whether the document is relevant."""

Method: TypeAlias = Literal["platt", "isotonic"]
Point: TypeAlias = tuple[float, float]

METHODS: Final = ("platt", "isotonic")
FOLDS: Final = 5
BINS: Final = 10


@dataclass(frozen=True)
class Calibration:
    """A curve from score to probability, and whose scores it is for.

    ``points`` are scores with what the curve has there, scores rising: probabilities for ``"isotonic"``, their
    logits at 0 and 1 for ``"platt"``, whose curve is a straight line in them. ``error`` is the expected calibration
    error (`calibration_error`) on documents of queries the curve was not fitted on, over ``pairs`` judged pairs.
    Raises `ArgumentError` for points of no such curve.
    """

    method: Method
    fingerprint: str
    points: tuple[Point, ...]
    pairs: int
    error: float | None = None

    def __post_init__(self) -> None:
        """Check the curve: it rises, and says probabilities."""
        if self.method not in METHODS or not self.fingerprint or not isinstance(self.fingerprint, str):
            msg = f"a calibration has a method and a fingerprint; got {self.method!r} and {self.fingerprint!r:.80}"
            raise ArgumentError(msg)
        scores, values = [at for at, _ in self.points], [value for _, value in self.points]
        finite = all(math.isfinite(number) for number in (*scores, *values, self.error or 0.0))
        if self.method == "platt":
            fits = finite and scores == [0, 1] and values[0] < values[1]
        else:
            rises = all(low < high for low, high in pairwise(scores)) and values == sorted(values)
            fits = finite and rises and bool(values) and 0 <= values[0] <= values[-1] <= 1
        if not fits:
            msg = f"a calibration by {self.method!r} has the points of a curve that rises; got {self.points!r:.80}"
            raise ArgumentError(msg)

    def __call__(self, score: float) -> float:
        """Return the probability that a document with this score is relevant."""
        if self.method == "isotonic":
            return _between(self.points, score)
        (_, intercept), (_, at_one) = self.points
        return _logistic(intercept + (at_one - intercept) * score)

    def save(self, path: Path | str) -> None:
        """Write the calibration as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def of(cls, source: Calibration | Mapping[str, Any] | Path | str) -> Calibration:
        """Read a calibration from a file that `save` wrote, or from what such a file holds.

        Raises `ArgumentError` for anything else.
        """
        if isinstance(source, Calibration):
            return source
        try:
            held = source if isinstance(source, Mapping) else json.loads(Path(source).read_text(encoding="utf-8"))
            return cls(**{**held, "points": tuple((float(at), float(value)) for at, value in held["points"])})
        except (LookupError, OSError, TypeError, ValueError) as error:
            shown = source if isinstance(source, (str, Path)) else f"{source!r:.80}"
            msg = f"not a calibration, as Calibration.save writes it: {shown} ({error})"
            raise ArgumentError(msg) from None


class Calibrated(TextByText):
    """A scorer whose scores are turned into probabilities of relevance; the order stays its own.

    ``calibration`` is what `calibrate` returned, or where that was saved. Raises `ArgumentError` for a calibration that
    was fitted on another scorer's scores, or on this one's under other options, and for a scorer whose scores depend
    on the other texts too: they mean something else in every list.
    """

    name: Final = "calibrated"
    score_kind: Final = "probability"

    def __init__(self, scorer: ScorerLike, calibration: Calibration | Mapping[str, Any] | Path | str) -> None:
        """Build the scorer if it is a spec, and read the calibration."""
        self._hold(scorer)
        self.calibration = Calibration.of(calibration)
        known = fingerprint_of(self.scorer)
        if known != self.calibration.fingerprint:
            msg = (
                f"this calibration was fitted on the scores of {self.calibration.fingerprint}, and this scorer is "
                f"{known}: fit one for it with anyrank.evaluation.calibrate"
            )
            raise ArgumentError(msg)

    @property
    def fingerprint(self) -> str:
        """What tells these probabilities from another scorer's or another curve's: for caches and stores."""
        known = self.calibration
        return json.dumps([self.name, known.fingerprint, known.method, known.points])

    @property
    def spec(self) -> dict[str, Any]:
        """The spec: the scorer's own with the calibration. Raises `SpecError` for a scorer that has none."""
        return {"calibrated": {"scorer": spec_of(self.scorer), "calibration": asdict(self.calibration)}}

    def __repr__(self) -> str:
        return f"Calibrated({self.scorer!r}, {self.calibration.method!r})"

    def rounds(self, query: str, texts: Candidates) -> Rounds[Scores, Scores]:
        """Ask the scorer and read its scores off the curve; a stand-in's are left as they are."""
        [outcome] = yield [Question(self.scorer, query, texts)]
        answer = outcome.unwrap()
        if answer.report.degraded:
            return answer
        report = replace(answer.report, score_kind=self.score_kind)
        return Scores(map(self.calibration, answer), order=answer.order or tuple(answer), report=report)


def calibrate(
    evaluation: Evaluation,
    qrels: Any,
    *,
    method: Method = "platt",
    relevant: int = 1,
    unjudged: Literal["leave out", "not relevant"] = "leave out",
) -> Calibration:
    """Fit a curve on the scores of an evaluated reranker, for `Calibrated`.

    A pair is a candidate with its score and whether its grade is at least ``relevant``. Candidates that nobody judged
    are left out; where only what is relevant was judged, say ``unjudged="not relevant"``. Raises `ArgumentError` for a
    scorer that cannot be told from others, without pairs of both kinds, and for scores that do not rise with relevance.
    """
    if evaluation.fingerprint is None:
        msg = f"the scorer of {evaluation.name!r} has no fingerprint to tell its scores by: let it declare one"
        raise ArgumentError(msg)
    if method not in METHODS:
        msg = f"a calibration is by 'platt' or 'isotonic'; got {method!r}"
        raise ArgumentError(msg)
    by_query = _pairs(evaluation, read_qrels(qrels), relevant, keep=unjudged == "not relevant")
    pairs = [pair for found in by_query.values() for pair in found]
    fitted = Calibration(method, evaluation.fingerprint, _fit(method, pairs), len(pairs))
    return replace(fitted, error=_held_out_error(fitted, list(by_query.values())))


def calibration_error(pairs: Iterable[Pair]) -> float:
    """Return the expected calibration error of probabilities, 0 for perfect ones.

    In ten bins of equal width, the mean difference between what was said and how often it came true, bins weighing as
    many pairs as they hold (Naeini et al., AAAI 2015, doi:10.1609/aaai.v29i1.9602).
    """
    bins: dict[int, list[Pair]] = {}
    for pair in pairs:
        bins.setdefault(min(BINS - 1, int(pair[0] * BINS)), []).append(pair)
    count = sum(map(len, bins.values()))
    return math.fsum(abs(math.fsum(said - true for said, true in held)) for held in bins.values()) / (count or 1)


def _pairs(
    evaluation: Evaluation, qrels: Mapping[str, Mapping[str, int]], relevant: int, *, keep: bool
) -> dict[str, list[Pair]]:
    found = {}
    for query, answer in evaluation.answers.items():
        grades = qrels.get(query, {})
        if not answer.degraded:
            found[query] = [
                (score, grades.get(document, 0) >= relevant)
                for document, score in zip(answer.order, answer.scores, strict=True)
                if score is not None and (keep or document in grades)
            ]
    return found


def _fit(method: Method, pairs: Sequence[Pair]) -> tuple[Point, ...]:
    good = sum(true for _, true in pairs)
    if not 0 < good < len(pairs):
        msg = (
            f"a calibration needs relevant and other documents; of {len(pairs)} judged candidates {good} are relevant: "
            "where only relevant ones were judged, pass unjudged='not relevant'"
        )
        raise ArgumentError(msg)
    points = _platt(pairs, good) if method == "platt" else _isotonic(pairs)
    if points[0][1] >= points[-1][1]:
        msg = "the relevant documents do not have the higher scores: there is nothing that a calibration could read"
        raise ArgumentError(msg)
    return points


def _platt(pairs: Sequence[Pair], good: int) -> tuple[Point, ...]:
    """Fit a logistic curve by maximum likelihood, to Platt's targets: a little less than 1, a little more than 0."""
    numpy: Any = require("numpy", needed_by="a calibration", install="anyrank[eval]")
    optimize: Any = require("scipy.optimize", needed_by="a calibration", install="anyrank[eval]")
    scores = numpy.array([score for score, _ in pairs])
    middle, spread = float(scores.mean()), float(scores.std()) or 1.0
    high, low = (good + 1) / (good + 2), 1 / (len(pairs) - good + 2)
    targets = numpy.array([high if true else low for _, true in pairs])
    scaled = (scores - middle) / spread

    def loss(line: Any) -> tuple[float, Any]:
        logits = line[0] + line[1] * scaled
        slip = 1 / (1 + numpy.exp(-logits.clip(-700, 700))) - targets
        value = numpy.logaddexp(0, logits) - targets * logits
        return float(value.sum()), numpy.array([slip.sum(), (slip * scaled).sum()])

    intercept, slope = optimize.minimize(loss, numpy.zeros(2), jac=True).x
    at_zero = float(intercept - slope * middle / spread)
    return (0.0, at_zero), (1.0, at_zero + float(slope) / spread)


def _isotonic(pairs: Sequence[Pair]) -> tuple[Point, ...]:
    """Fit the curve that never falls; of a level stretch its two ends are kept."""
    optimize: Any = require("scipy.optimize", needed_by="a calibration", install="anyrank[eval]")
    counts: dict[float, list[bool]] = {}
    for score, true in sorted(pairs):
        counts.setdefault(score, []).append(true)
    means = [sum(found) / len(found) for found in counts.values()]
    levels = optimize.isotonic_regression(means, weights=[len(found) for found in counts.values()]).x
    points = [(score, float(level)) for score, level in zip(counts, levels, strict=True)]
    inner = range(1, len(points) - 1)
    level = {place for place in inner if points[place - 1][1] == points[place][1] == points[place + 1][1]}
    return tuple(point for place, point in enumerate(points) if place not in level)


def _held_out_error(fitted: Calibration, groups: list[list[Pair]]) -> float | None:
    """Return the error over folds of queries; None where a fold leaves only one kind of pairs to fit on."""
    Random(0).shuffle(groups)  # noqa: S311 - no secret
    said: list[Pair] = []
    for fold in range(FOLDS):
        rest = [pair for place, group in enumerate(groups) if place % FOLDS != fold for pair in group]
        try:
            curve = replace(fitted, points=_fit(fitted.method, rest))
        except ArgumentError:
            return None
        said += [(curve(score), true) for group in groups[fold::FOLDS] for score, true in group]
    return calibration_error(said)


def _between(points: Sequence[Point], score: float) -> float:
    """Return the value at a score by straight lines; beyond the ends, the end's."""
    place = bisect_right(points, score, key=lambda point: point[0])
    if place in (0, len(points)):
        return points[min(place, len(points) - 1)][1]
    (left, low), (right, high) = points[place - 1], points[place]
    return low + (high - low) * (score - left) / (right - left)


def _logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
