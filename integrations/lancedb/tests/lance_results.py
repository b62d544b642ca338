"""Result tables as LanceDB makes them, and what the tests read of them."""

import lancedb
import numpy as np
import pyarrow as pa
import pytest

as_of_0_40 = pytest.mark.skipif(
    tuple(map(int, lancedb.__version__.split(".")[:2])) < (0, 40), reason="compares with what LanceDB 0.40 does"
)

TEXTS = (
    "merge several sorted inputs into one",
    "sort a list in place",
    "count the items of a list",
    "merge sort",
    "open a file and read its lines",
    "a heap keeps the smallest item first",
    "insert an item into a sorted list",
    "read lines until the file ends",
)
QUERY = "merge sorted inputs"


def result(ids, *, texts=None, vectors=None, **columns):
    """Return a result table as LanceDB makes one: row ids, ids, texts, and what a search left."""
    found = {
        "id": pa.array(ids, pa.int64()),
        "text": pa.array([f"text {number}" for number in ids] if texts is None else texts, pa.string()),
        **({} if vectors is None else {"vector": pa.array(vectors, pa.list_(pa.float32(), len(vectors[0])))}),
        **{f"_{name}": pa.array(values, pa.float32()) for name, values in columns.items()},
        "_rowid": pa.array(ids, pa.uint64()),
    }
    return pa.table(found)


def ids(table):
    """Return the ids of a result's rows, in order."""
    return table.column("id").to_pylist()


def scores(table):
    """Return the relevance scores of a result's rows, in order."""
    return table.column("_relevance_score").to_pylist()


def vectors(count, seed=0):
    """Return vectors of four numbers."""
    return np.random.default_rng(seed).random((count, 4)).astype(np.float32)
