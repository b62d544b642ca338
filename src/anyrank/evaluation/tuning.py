"""Which fusion suits these first stages: method, weights and parameters, chosen on judged queries.

What is reported is cross-validated: each query is measured under the settings that were best on the other folds. The
settings that come back are those chosen on all queries; their own mean there flatters them and is given beside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from anyrank._checks import suggest
from anyrank.errors import ArgumentError, FusionError
from anyrank.fusion import METHODS
from anyrank.ranking import Ranking

from .bench import Bench, Pool, Settings
from .metrics import Judge, mean
from .results import Evaluation
from .retrievers import document_id, with_ids
from .significance import Difference, difference
from .tables import by_name, read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .asking import Progress
    from .collection import Run


__all__ = ["Tuned", "tune"]

PARAMETERS: Final[Mapping[str, tuple[str, Sequence[float]]]] = {
    "rrf": ("k", (60, 0, 1, 2, 5, 10, 20, 40, 100)),
    "rbc": ("phi", (0.8, 0.5, 0.6, 0.7, 0.9, 0.95, 0.98)),
}
"""The grid of each method's own parameter, its default first."""

NORMALISERS: Final = ("min_max", "z_score", "dbsf", "sum", "rank")

METHODS_TRIED: Final = ("rrf", "rbc", "mrr", "isr", "borda", "weighted_sum", "comb_mnz", "comb_max")
"""Those that differ, and are quick: ``condorcet`` is quadratic in the candidates, the presets are among these."""

FOLDS: Final = 5
"""Parts of the queries: settings are chosen on all but one, and measured on that one."""

STARTS: Final = 3
"""From so many of the grid's best settings the weights are moved."""

STEPS: Final = (0.0, 0.25, 0.5, 0.7, 1.4, 2.0, 4.0)
"""A weight is tried at so many times what it is; 0 leaves the first stage out."""

ROUNDS: Final = 3
"""So often the weights are gone through, unless nothing changes before."""

DEFAULT: Final[Settings] = {"method": "rrf"}
"""What everyone uses untuned, and what the gain is measured against."""


@dataclass(frozen=True)
class Tuned:
    """The best settings found, and how much they are worth on queries they were not chosen on.

    ``settings`` are keywords of `anyrank.fuse`. ``held_out`` is the cross-validated mean, ``fitted`` that of
    ``settings`` on the very queries they were chosen on. ``untuned`` is reciprocal rank fusion as it comes, ``alone``
    each first stage's own mean. ``gain`` compares the held-out figures with ``untuned``'s, query by query. ``tried``
    counts settings, ``folds`` holds what was chosen without each fold.
    """

    metric: str
    settings: Settings
    held_out: float
    fitted: float
    untuned: float
    alone: Mapping[str, float]
    gain: Difference
    tried: int
    folds: Sequence[Settings] = field(default=(), repr=False)

    def spec(self, scorers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings as the spec of an ensemble, which every adapter takes.

        ``scorers`` are specs for the first stages that have a vote, by the same names; ``"first_stage"`` is the
        retriever's own order, ``"first_stage:score"`` its scores. Raises `ArgumentError` for other names.
        """
        weights = self.settings["weights"]
        if scorers.keys() != weights.keys():
            msg = f"the tuned fusion is one of {', '.join(weights)}; got scorers for {', '.join(scorers) or 'none'}"
            raise ArgumentError(msg)
        return {"ensemble": {"scorers": dict(scorers), **self.settings}}


def tune(
    runs: Mapping[str, Any],
    qrels: Any,
    *,
    metric: str = "NDCG@10",
    relevant: int = 1,
    methods: Iterable[str] | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Tuned:
    """Find the fusion of several first stages that is best in one metric.

    ``runs`` are rankings by query id, by name of the first stage, each as `read_run` takes it. Every method is tried
    with equal weights over the grid of its parameter and normaliser; then, from the best few, one weight after another
    is moved until none is better (coordinate search). ``methods`` None are those of `METHODS_TRIED`; methods that read
    scores are left out where a run has none. Queries are dealt into folds by chance, with a fixed seed.
    ``on_progress`` is called after every setting; how many there will be (``total``) is not known. Raises `FusionError`
    for an unknown method, `ArgumentError` for fewer than two runs or too few queries.
    """
    judge = Judge(qrels, [metric], relevant=relevant)
    sources = {name: _ids_only(read_run(run), judge) for name, run in by_name(runs=runs).items()}
    if len(sources) < 2 or len(judge.qrels) < FOLDS:
        msg = (
            f"tuning needs two runs or more and {FOLDS} judged queries or more, to choose on some and measure on "
            f"others; got {len(sources)} runs and {len(judge.qrels)} queries"
        )
        raise ArgumentError(msg)
    pools = {query: Pool({name: run[query] for name, run in sources.items()}) for query in judge.qrels}
    bench = Bench(judge, pools, on_progress)
    search = _Search(bench, _grid(METHODS_TRIED if methods is None else methods, sources))
    chosen, held_out = search.cross_validated()
    best = search.best(list(judge.qrels))
    untuned = bench.figures(_weighed(DEFAULT, dict.fromkeys(sources, 1.0)))
    return Tuned(
        metric,
        best,
        held_out=mean(held_out),
        fitted=mean(bench.figures(best)),
        untuned=mean(untuned),
        alone={name: mean(_measured(judge, run)) for name, run in sources.items()},
        gain=difference(_row("tuned", metric, held_out), _row("rrf", metric, untuned), metric),
        tried=len(bench.known),
        folds=chosen,
    )


@dataclass(frozen=True)
class _Search:
    """Looks for the best settings, from those of a grid."""

    bench: Bench
    grid: Sequence[Settings]

    def cross_validated(self) -> tuple[list[Settings], dict[str, float]]:
        """Return what is chosen without each fold, and every query's metric under what was chosen without it."""
        queries = list(self.bench.judge.qrels)
        shuffled = Random(0).sample(queries, len(queries))  # noqa: S311 - no secret
        parts = [set(shuffled[fold::FOLDS]) for fold in range(FOLDS)]
        chosen = [self.best([query for query in queries if query not in part]) for part in parts]
        found = {
            query: self.bench.figures(settings)[query]
            for part, settings in zip(parts, chosen, strict=True)
            for query in part
        }
        return chosen, {query: found[query] for query in queries}

    def best(self, queries: Sequence[str]) -> Settings:
        """Return the best settings on these queries: the grid's best few, their weights moved one after another."""
        starts = sorted(self.grid, key=lambda settings: self._mean(settings, queries), reverse=True)[:STARTS]
        return max((self._climbed(start, queries) for start in starts), key=lambda found: self._mean(found, queries))

    def _climbed(self, settings: Settings, queries: Sequence[str]) -> Settings:
        best = settings
        for _ in range(ROUNDS):
            before = best
            for name in settings["weights"]:
                best = max([best, *_moved(best, name)], key=lambda settings: self._mean(settings, queries))
            if best == before:
                break
        return best

    def _mean(self, settings: Settings, queries: Sequence[str]) -> float:
        figures = self.bench.figures(settings)
        return fmean(figures[query] for query in queries)


def _measured(judge: Judge, run: Mapping[str, Ranking[str]]) -> Mapping[str, float]:
    [figures] = judge.measure({query: ranking.documents for query, ranking in run.items()}).values()
    return figures


def _ids_only(run: Run, judge: Judge) -> dict[str, Ranking[str]]:
    """Return the rankings of the queries that count, of ids, each once."""
    return {query: Ranking.of(*_columns(run.get(query, Ranking()))) for query in judge.qrels}


def _columns(ranking: Ranking[Any]) -> tuple[list[str], list[float] | None]:
    ids, scores = with_ids(ranking, document_id)
    known = [score for score in scores if score is not None]
    return ids, known if len(known) == len(ids) else None


def _grid(names: Iterable[str], runs: Mapping[str, Run]) -> list[Settings]:
    """Return what to begin with: every method, parameter and normaliser that these runs allow, weights equal."""
    for name in (names := list(names)):
        if name not in METHODS:
            msg = f"no fusion method named {name!r}; {suggest(name, METHODS)}"
            raise FusionError(msg)
    scored = all(_has_scores(ranking) for run in runs.values() for ranking in run.values())
    able = [name for name in names if scored or not METHODS[name].reads_scores]
    if not able:
        msg = (
            f"no method is left to try: {', '.join(names) or 'none was named'}; a run has no scores, or ones that rise"
        )
        raise FusionError(msg)
    return [_weighed(settings, dict.fromkeys(runs, 1.0)) for name in able for settings in _variants(name)]


def _variants(name: str) -> Iterator[Settings]:
    method = METHODS[name]
    if name in PARAMETERS:
        parameter, values = PARAMETERS[name]
        yield from ({"method": name, parameter: value} for value in values)
    elif method.reads_scores and not method.fixed:
        yield from ({"method": name, "normalize": normaliser} for normaliser in NORMALISERS)
    else:
        yield {"method": name}


def _moved(settings: Settings, name: str) -> list[Settings]:
    """Return the settings with one weight changed; not all can be 0."""
    weights: Mapping[str, float] = settings["weights"]
    others = any(weight for other, weight in weights.items() if other != name)
    tried = [weights[name] * step for step in STEPS] if weights[name] else [max(weights.values())]
    return [_weighed(settings, {**weights, name: weight}) for weight in tried if weight or others]


def _weighed(settings: Settings, weights: Mapping[str, float]) -> Settings:
    """Return the settings with weights that sum to 1."""
    total = sum(weights.values())
    return {**settings, "weights": {name: round(weight / total, 4) for name, weight in weights.items()}}


def _has_scores(ranking: Ranking[Any]) -> bool:
    scores = [hit.score for hit in ranking if hit.score is not None]
    return len(scores) == len(ranking) and all(above >= below for above, below in pairwise(scores))


def _row(name: str, metric: str, figures: Mapping[str, float]) -> Evaluation:
    return Evaluation(name, None, {}, {metric: figures})
