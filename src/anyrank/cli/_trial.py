"""Tries a scorer out: one query, three small documents, one of which answers it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from anyrank import FirstStage
from anyrank._lifecycle import Held
from anyrank.adapter import HostReranker
from anyrank.scorer import traits

from ._catalog import cards
from ._checkup import Finding
from ._console import said

if TYPE_CHECKING:
    from anyrank import Ranking

__all__ = ["trial"]

QUERY: Final = "What is the capital of France?"
DOCUMENTS: Final = (
    "Bananas are rich in potassium.",
    "Paris is the capital and the largest city of France.",
    "A heap keeps its smallest item first.",
)
ANSWER: Final = 1


def trial(spec: Any) -> Iterator[Finding]:
    """Build what a spec names, say what its parts need, load it, and rerank with it."""
    with closing(HostReranker(spec)) as reranker:
        yield from _needs(reranker.reranker)
        started = perf_counter()
        reranker.warm_up()
        loaded = perf_counter()
        ranking = reranker.reranker.rerank(QUERY, DOCUMENTS, first_stage=[3.0, 2.0, 1.0])
        took = f"loaded in {loaded - started:.2f} s, {len(DOCUMENTS)} documents in {perf_counter() - loaded:.3f} s"
        yield Finding("ok", "trial", f"{reranker.model_name}: {took}, {ranking.report.requests} requests")
        if ranking.report.degraded:
            why = "; ".join(map(said, ranking.report.errors))
            yield Finding("fault", "trial", f"degraded, {ranking.report.scorer} stood in: {why}")
        yield _order(ranking, reads_no_text=isinstance(reranker.reranker.scorer, FirstStage))


def _needs(held: Any) -> Iterator[Finding]:
    """Say what each scorer inside needs and lacks."""
    names = {traits(scorer).name for scorer in _leaves(held)}
    for card in cards():
        for need in card.needs if card.name in names else ():
            if need.required and need.met:
                yield Finding("ok", "needs", f"{card.name}: {need.what}")
            elif need.required:
                yield Finding("note", "needs", f"{card.name}: no {need.what} here; the ways are {need.ways}")


def _leaves(one: Any) -> Iterator[Any]:
    held = getattr(one, "_held", None)
    if not isinstance(held, Held):
        yield one
        return
    for scorer in held.scorers:
        yield from _leaves(scorer)


def _order(ranking: Ranking[str], *, reads_no_text: bool) -> Finding:
    if ANSWER not in ranking.indices:
        return Finding("fault", "trial", "the document that answers the query was left out: a min_score too high?")
    place = ranking.indices.index(ANSWER)
    scores = ", ".join(f"{hit.score:.4g}" for hit in ranking)
    if place == 0:
        return Finding("ok", "trial", f"the document that answers the query came first ({scores})")
    if reads_no_text:
        return Finding("note", "trial", f"the order stayed as it was: this scorer reads no text ({scores})")
    why = "are its scores turned round, or is this no model for reranking?"
    return Finding(
        "fault", "trial", f"the document that answers the query came as number {place + 1} ({scores}): {why}"
    )
