"""How long LanceDB's rerankers without a model take beside ours of the same names, alone and in whole hybrid queries.

Both sides get the same tables in one process, without garbage collection, in blocks of calls that take turns; a ratio
is that of the medians, ours over LanceDB's. The two lists of a table share half of their rows; a row has an id, 200
characters of text and, where the table says so, a vector of 384 numbers. Both sides have to return the same rows with
the same scores. (A file of the name ``lancedb.py`` would hide LanceDB from the scripts beside it.)

fusion   ``rerank_hybrid`` on two lists, and what ``return_score="all"`` costs beside ``"relevance"``
queries  ``table.search(query_type="hybrid")`` from end to end
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from dataclasses import dataclass
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

try:
    import lancedb
    import lancedb.rerankers
    import numpy as np
    import pyarrow as pa
    from lancedb.index import FTS

    import anyrank_lancedb
    from _timing import Call, show
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install rich anyrank-lancedb", file=sys.stderr)
    raise SystemExit(2) from None

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES: Final = ("RRFReranker", "MRRReranker", "LinearCombinationReranker")
SIZES: Final = (10, 100, 1000)
DIMENSIONS: Final = 384
WORDS: Final = tuple(f"word{number}" for number in range(500))
BLOCK: Final = 10
"""Calls of one side at a stretch: what a call leaves in the processor's caches is then the same side's."""


@dataclass(frozen=True)
class Lists:
    """What the two searches of a hybrid query found."""

    vector: pa.Table
    fts: pa.Table

    @classmethod
    def draw(cls, size: int, dimensions: int) -> Lists:
        """Draw two lists of so many rows, half of them the same, distances and scores as a query normalises them."""
        draw = np.random.default_rng(0)
        pool = draw.permutation(3 * size)[: size * 3 // 2]
        near, worded = pool[:size], draw.permutation(pool[size // 2 :])
        falling = np.linspace(1, 0, size)
        return cls(_rows(near, dimensions, _distance=falling[::-1]), _rows(worded, dimensions, _score=falling))

    def reranked(self, reranker: Any) -> pa.Table:
        """Return what a reranker makes of them."""
        return reranker.rerank_hybrid("", self.vector, self.fts)


def _rows(ids: Any, dimensions: int, **found: Any) -> pa.Table:
    draw = np.random.default_rng(1)
    columns = {"_rowid": pa.array(ids, pa.uint64()), "id": pa.array(ids), "text": pa.array(["x" * 200] * len(ids))}
    if dimensions:
        flat = pa.array(draw.random(len(ids) * dimensions, np.float32))
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, dimensions)
    return pa.table(columns | {name: pa.array(values, pa.float32()) for name, values in found.items()})


def blocks(ways: Sequence[Call], repeats: int) -> list[float]:
    """Return the median microseconds of several ways to do the same, which take turns in blocks of calls."""
    took: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats):
        for call, seconds in zip(ways, took, strict=True):
            call()
            for _ in range(BLOCK):
                started = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - started)
    return [median(seconds) * 1e6 for seconds in took]


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    """Return our reranker of this name and LanceDB's."""
    ours, theirs = (getattr(package, name)(**options) for package in (anyrank_lancedb, lancedb.rerankers))
    return ours, theirs


def agree(ours: pa.Table, theirs: pa.Table) -> None:
    """Raise `RuntimeError` unless both found the same rows with the same scores."""
    columns = ["id", "_relevance_score"]
    if sorted(_pairs(ours, columns)) != sorted(_pairs(theirs, columns)):
        msg = "anyrank and LanceDB returned different rows or scores"
        raise RuntimeError(msg)


def _pairs(table: pa.Table, columns: list[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))


def budget(name: str, size: int, dimensions: int) -> float:
    """Return the ratio that we mean to keep."""
    if name == "LinearCombinationReranker" and size == 1000 and dimensions:
        return 1 / 40
    return 0.35 if size == 1000 else 0.5


def fusion(repeats: int) -> None:
    """Time the rerankers on two lists."""
    rows, dearer = [], []
    for dimensions in (0, DIMENSIONS):
        for size in SIZES:
            lists = Lists.draw(size, dimensions)
            for name in NAMES:
                ours, theirs = pair(name)
                complete, _ = pair(name, return_score="all")
                agree(lists.reranked(ours), lists.reranked(theirs))
                ways = [lambda one=one: lists.reranked(one) for one in (ours, theirs, complete)]  # noqa: B023 - called at once
                mine, other, full = blocks(ways, repeats if size < 1000 else max(1, repeats // 5))
                cells = (name.removesuffix("Reranker"), str(dimensions or "none"), str(size))
                rows.append(
                    (
                        *cells,
                        f"{mine:.0f}",
                        f"{other:.0f}",
                        f"{mine / other:.3f}",
                        f"{budget(name, size, dimensions):.3f}",
                    )
                )
                dearer.append((*cells, f"{mine:.0f}", f"{full:.0f}", f"{full / mine:.2f}", "1.20"))
    columns = ("reranker", "vectors", "rows a list")
    show("rerank_hybrid, median µs", (*columns, "anyrank", "LanceDB", "ratio", "budget"), rows)
    show("Both of ours, median µs", (*columns, "relevance", "all", "ratio", "budget"), dearer)


def table_of(folder: str, rows: int) -> Any:
    """Make a table with vectors and a full-text index."""
    draw = np.random.default_rng(0)
    flat = pa.array(draw.random(rows * DIMENSIONS, np.float32))
    texts = [" ".join(draw.choice(WORDS, 30)) for _ in range(rows)]
    vectors = pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS)
    data = pa.table({"id": pa.array(range(rows)), "text": pa.array(texts), "vector": vectors})
    made = lancedb.connect(folder).create_table("texts", data)
    made.create_index("text", config=FTS())
    return made


def queries(repeats: int, rows: int) -> None:
    """Time whole hybrid queries."""
    vector = np.random.default_rng(1).random(DIMENSIONS, np.float32)
    found = []
    with TemporaryDirectory() as folder:
        table = table_of(folder, rows)
        for limit in SIZES:
            for name in NAMES:
                search = table.search(query_type="hybrid").vector(vector).text("word1 word2 word3").limit(limit)
                ways = [lambda one=one: search.rerank(reranker=one).to_arrow() for one in pair(name)]  # noqa: B023 - called at once
                mine, other = blocks(ways, max(1, repeats // 10))
                cells = (name.removesuffix("Reranker"), str(limit), f"{mine / 1e3:.1f}", f"{other / 1e3:.1f}")
                found.append((*cells, f"{mine / other:.2f}"))
    columns = ("reranker", "limit", "anyrank", "LanceDB", "ratio")
    show(f"Hybrid queries on {rows:,} rows of {DIMENSIONS} dimensions, median ms", columns, found)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20, help=f"blocks of {BLOCK} calls of each side (20)")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the table that is searched (20000)")
    given = parser.parse_args()
    gc.disable()  # as timeit does
    fusion(given.repeats)
    queries(given.repeats, given.rows)


if __name__ == "__main__":
    main()
