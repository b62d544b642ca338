"""What each schedule of a listwise LLM reranker costs and finds, by simulation: calls, rounds, NDCG@10.

The relevance of each candidate is drawn from a normal distribution, and the first stage's order correlates with it by
0.5. A simulated model sees relevance with noise, fresh in every call, whose deviation heads the column. The ten most
relevant are worth 10 to 1. All schedules rank the same candidates. With shuffles each window is asked for several
times and the answers are merged; a real model's noise is less fresh than this one's, and its gain is smaller.

Ends with status 1 where the default schedule, blocks, finds less than sliding by more than 0.01.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from functools import partial
from math import log2, sqrt
from statistics import fmean
from typing import TYPE_CHECKING

try:
    from rich.console import Console
    from rich.table import Table

    from anyrank.llm import _schedules
    from anyrank.llm.listwise import _borda
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install anyrank rich", file=sys.stderr)
    raise SystemExit(2) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from anyrank.llm._schedules import Schedule, Window

    Ranker = Callable[["Model"], Sequence[int]]

TOP = 10
NOISES = (0.0, 0.3, 0.8)
CORRELATION = 0.5
WORSE = 0.01
DISCOUNTS = [1.0 / log2(rank + 1) for rank in range(1, TOP + 1)]


class Model:
    """A model that sees relevance with noise, and counts what it is asked."""

    def __init__(self, relevance: Sequence[float], noise: float) -> None:
        self.calls = self.rounds = 0
        self._relevance, self._noise = relevance, noise

    def judge(self, places: Iterable[int]) -> list[float]:
        """Judge each candidate in a call of its own."""
        judged = [self._seen(place) for place in places]
        self.calls, self.rounds = self.calls + len(judged), self.rounds + 1
        return judged

    def rank(self, windows: Sequence[Window]) -> list[Window]:
        """Rank the windows of a round."""
        self.calls, self.rounds = self.calls + len(windows), self.rounds + 1
        return [tuple(sorted(window, key=self._seen, reverse=True)) for window in windows]

    def _seen(self, place: int) -> float:
        return self._relevance[place] + random.gauss(0.0, self._noise)


def rankers(count: int, window: int) -> dict[str, Ranker]:
    """Return what has a model rank so many candidates, by name."""
    half, quarter = window // 2, max(window // 4, 1)
    schedules: dict[str, Callable[[], Schedule]] = {
        "blocks": partial(_schedules.blocks, count, window, window),
        "sliding": partial(_schedules.sliding, count, window, half),
        f"tournament, keep {half}": partial(_schedules.tournament, count, window, half),
        f"tournament, keep {quarter}": partial(_schedules.tournament, count, window, quarter),
        "single": partial(_schedules.single, count),
    }
    return {
        "no rerank": lambda _: range(count),
        **{name: partial(driven, schedule) for name, schedule in schedules.items()},
        "blocks, 3 shuffles": partial(merged, schedules["blocks"], 3),
        "random blocks": partial(random_covers, count, window),
        "pointwise": lambda model: descending(model.judge(range(count))),
    }


def driven(schedule: Callable[[], Schedule], model: Model) -> list[int]:
    """Have a model rank what a schedule wants ranked."""
    return _schedules.driven(schedule(), model.rank)


def merged(schedule: Callable[[], Schedule], shuffles: int, model: Model) -> list[int]:
    """Have each window ranked several times, and merge the answers as listwise does."""

    def ranked(windows: list[Window]) -> list[Window]:
        answers = model.rank(windows * shuffles)
        return [_borda(answers[at :: len(windows)], window) for at, window in enumerate(windows)]

    return _schedules.driven(schedule(), ranked)


def random_covers(count: int, window: int, model: Model) -> list[int]:
    """Rank as blocks does, but two covers drawn at random: what its own have to match."""
    parts = -(-count // window)
    covers = [random.sample(range(count), count) for _ in range(2)]
    ranked = model.rank([tuple(cover[part::parts]) for cover in covers for part in range(parts)])
    order = _schedules._by_losses(range(count), ranked)  # noqa: SLF001 - the same rule
    [best] = model.rank([tuple(order[:window])])
    return [*best, *order[window:]]


def descending(values: Sequence[float]) -> list[int]:
    """Return the places of the values, largest first."""
    return sorted(range(len(values)), key=values.__getitem__, reverse=True)


def candidates(count: int) -> list[float]:
    """Draw the relevance of candidates, in the first stage's order."""
    found = [random.gauss(0.0, 1.0) for _ in range(count)]
    first = [CORRELATION * one + sqrt(1 - CORRELATION**2) * random.gauss(0.0, 1.0) for one in found]
    return [found[place] for place in descending(first)]


def ndcg(order: Iterable[int], relevance: Sequence[float]) -> float:
    """Return NDCG@10, the ten most relevant being worth 10 to 1."""
    worth = {place: TOP - rank for rank, place in enumerate(descending(relevance)[:TOP])}
    gained = (worth.get(place, 0) * discount for place, discount in zip(order, DISCOUNTS, strict=False))
    return sum(gained) / sum(gain * discount for gain, discount in zip(worth.values(), DISCOUNTS, strict=False))


def simulate(ranker: Ranker, drawn: Sequence[Sequence[float]], noise: float) -> tuple[Model, float]:
    """Return the last trial's model, with what it was asked, and the mean NDCG@10 of all."""
    random.seed(7)
    models = [Model(relevance, noise) for relevance in drawn]
    figures = [ndcg(ranker(model), relevance) for model, relevance in zip(models, drawn, strict=True)]
    return models[-1], fmean(figures)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1500, help="lists of candidates (1500)")
    parser.add_argument("--candidates", type=int, default=100, help="length of a list (100)")
    parser.add_argument("--window", type=int, default=20, help="candidates shown at a time (20)")
    given, started = parser.parse_args(), time.perf_counter()
    random.seed(1)
    drawn = [candidates(given.candidates) for _ in range(given.trials)]
    table = Table("", "calls", "rounds", *(f"noise {noise:g}" for noise in NOISES))
    found: dict[str, list[float]] = {}
    for name, ranker in rankers(given.candidates, given.window).items():
        runs = [simulate(ranker, drawn, noise) for noise in NOISES]
        found[name] = [figure for _, figure in runs]
        model, _ = runs[0]
        table.add_row(name, str(model.calls), str(model.rounds), *(f"{figure:.3f}" for figure in found[name]))
    table.title = f"NDCG@10 of {given.trials:,} lists of {given.candidates}, {time.perf_counter() - started:.0f} s"
    Console().print(table)
    worse = max(sliding - blocks for blocks, sliding in zip(found["blocks"], found["sliding"], strict=True))
    raise SystemExit(worse > WORSE)


if __name__ == "__main__":
    main()
