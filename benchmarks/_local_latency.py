"""How long one caller waits, by the number of passages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np

from _local_bench import DEFAULTS, INT8, OURS, Bench, Score
from _timing import show

COUNTS: Final = (1, 5, 10, 25, 50, 100)

CALLS: Final = 5
"""Calls of each way and number for every repeat: the 99th percentile of a few says nothing."""

Latency: TypeAlias = Mapping[str, Mapping[int, tuple[float, float]]]
"""Median and 99th percentile in seconds, by way and number of passages."""


def latency(bench: Bench) -> Latency:
    """Time calls with few and many passages, which take turns."""
    scorers = {OURS: bench.ours(), INT8: bench.ours(dtype="int8")}
    ways: dict[str, Score] = {DEFAULTS: bench.predict} | {name: scorer.score for name, scorer in scorers.items()}
    counts = [count for count in COUNTS if count <= bench.sizes.passages]
    took: dict[tuple[str, int], list[float]] = {(name, count): [] for name in ways for count in counts}
    for score in ways.values():
        score(*bench.work.part(0, counts[-1]))  # the first call loads
    for number in range(bench.sizes.repeats * CALLS):
        for (name, count), seconds in took.items():
            query, texts = bench.work.part(number, count)
            started = time.perf_counter()
            ways[name](query, texts)
            seconds.append(time.perf_counter() - started)
    for scorer in scorers.values():
        scorer.close()
    found = {name: {count: _summary(took[name, count]) for count in counts} for name in ways}
    rows = ([name, *(f"{p50 * 1e3:,.0f} / {p99 * 1e3:,.0f}" for p50, p99 in by.values())] for name, by in found.items())
    columns = ("", *(f"{count} passages" for count in counts))
    show("Latency, ms: median / 99th percentile", columns, rows, f"{bench.sizes.repeats * CALLS} calls each")
    return found


def _summary(seconds: list[float]) -> tuple[float, float]:
    p50, p99 = np.percentile(seconds, (50, 99))
    return float(p50), float(p99)
