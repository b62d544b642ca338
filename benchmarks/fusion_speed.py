"""How long `anyrank.fuse` takes beside the fusion of LangChain, LlamaIndex and Haystack, whichever are installed.

Both sides get the same host's documents, fresh before every call and outside the timing, and take turns in one
process, without garbage collection. Anyrank's time is for all that `fuse` does: it checks the input, tells documents
apart by id, and returns hits with scores and a report; for relative_score it reads the documents' scores first. The
host's time is for the bare function that fuses, which differs in what it does:

LangChain   weighted_reciprocal_rank: tells documents apart by text, gives no score
LlamaIndex  _reciprocal_rerank_fusion, _relative_score_fusion: hashes each text, writes scores into its input
Haystack    DocumentJoiner.run: tells documents apart by id, returns copies
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

try:
    from rich.console import Console
    from rich.table import Table

    from anyrank import Ranking, fuse
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install rich anyrank", file=sys.stderr)
    raise SystemExit(2) from None

Passage = tuple[str, str, float]
Lists = list[list[Any]]
Fusion = Callable[[Lists], list[Any]]
Rivals = Iterator["Rival"]


@dataclass(frozen=True)
class Rival:
    """A host's fusion: how it makes a document of a passage, fuses lists, and what its documents' id and score are."""

    name: str
    method: str
    document: Callable[[Passage], Any]
    fuse: Fusion
    identity: Callable[[Any], str]
    score: Callable[[Any], float]


def langchain(count: int) -> Rivals:
    """Make the rivals that LangChain has for ``count`` lists."""
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_core.documents import Document
    from langchain_core.runnables import RunnableLambda

    def document(passage: Passage) -> Document:
        return Document(passage[1], id=passage[0], metadata={"score": passage[2]})

    retriever = EnsembleRetriever(retrievers=[RunnableLambda(lambda _: [])] * count, weights=[1.0] * count)
    theirs = retriever.weighted_reciprocal_rank
    yield Rival("LangChain", "rrf", document, theirs, lambda d: d.id, lambda d: d.metadata["score"])


def llama_index(count: int) -> Rivals:
    """Make the rivals that LlamaIndex has for ``count`` lists."""
    from llama_index.core.llms import MockLLM
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.core.schema import NodeWithScore, TextNode

    def document(passage: Passage) -> NodeWithScore:
        return NodeWithScore(node=TextNode(id_=passage[0], text=passage[1]), score=passage[2])

    retriever = QueryFusionRetriever([], MockLLM(), retriever_weights=[1.0] * count, num_queries=1)
    for method, theirs in (
        ("rrf", retriever._reciprocal_rerank_fusion),  # noqa: SLF001 - the public way retrieves too
        ("relative_score", retriever._relative_score_fusion),  # noqa: SLF001
    ):
        named = _by_source(theirs)
        yield Rival("LlamaIndex", method, document, named, lambda n: n.node_id, lambda n: n.score)


def _by_source(theirs: Callable[[Any], list[Any]]) -> Fusion:
    return lambda lists: theirs({("query", place): one for place, one in enumerate(lists)})


def haystack(count: int) -> Rivals:
    """Make the rivals that Haystack has for ``count`` lists."""
    from haystack import Document
    from haystack.components.joiners import DocumentJoiner

    def document(passage: Passage) -> Document:
        return Document(id=passage[0], content=passage[1], score=passage[2])

    joiner = DocumentJoiner("reciprocal_rank_fusion", weights=[1.0] * count)
    yield Rival("Haystack", "rrf", document, lambda x: joiner.run(x)["documents"], lambda d: d.id, lambda d: d.score)


HOSTS = {"langchain-classic": langchain, "llama-index-core": llama_index, "haystack-ai": haystack}


def passages(count: int, size: int, seed: int = 0) -> list[list[Passage]]:
    """Make ``count`` lists that share about two documents in three, of 60 words each, with falling scores."""
    draw = random.Random(seed)
    words = [f"word{number}" for number in range(2000)]
    pool = [(f"document-{number}", " ".join(draw.choices(words, k=60))) for number in range(size * 3 // 2)]
    scores = [[draw.random() for _ in range(size)] for _ in range(count)]
    return [
        [(*document, score) for document, score in zip(draw.sample(pool, size), sorted(s, reverse=True), strict=True)]
        for s in scores
    ]


def compare(rival: Rival, lists: list[list[Passage]], rounds: int) -> tuple[float, float]:
    """Return the median microseconds of anyrank and of the rival, once both have returned the same documents."""

    def ours(given: Lists) -> list[Any]:
        if rival.method == "rrf":
            return fuse(given, key=rival.identity).documents
        rankings = [Ranking.of(one, map(rival.score, one)) for one in given]
        return fuse(rankings, rival.method, key=rival.identity).documents

    def fresh() -> Lists:
        return [[rival.document(passage) for passage in one] for one in lists]

    found = [{rival.identity(document) for document in run(fresh())} for run in (ours, rival.fuse)]
    if found[0] != found[1]:
        msg = f"{rival.name} and anyrank returned different documents for {rival.method}"
        raise RuntimeError(msg)
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * rounds):
        run, given = (ours, rival.fuse)[turn % 2], fresh()
        start = time.perf_counter()
        run(given)
        took[turn % 2].append(time.perf_counter() - start)
    return median(took[0]) * 1e6, median(took[1]) * 1e6


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="calls of each side (100)")
    rounds = parser.parse_args().rounds
    console = Console()
    table = Table("host", "method", title=f"Median µs of {rounds} calls", title_justify="left")
    for heading in ("lists", "of", "anyrank", "host", "host / anyrank"):
        table.add_column(heading, justify="right")
    before = os.getloadavg()[0]
    gc.disable()  # as timeit does
    for package, host in HOSTS.items():
        try:
            for count in (2, 3):
                for rival in host(count):
                    for size in (10, 100, 1000):
                        ours, theirs = compare(rival, passages(count, size), rounds)
                        figures = (f"{ours:,.0f}", f"{theirs:,.0f}", f"{theirs / ours:.2f}")
                        table.add_row(rival.name, rival.method, str(count), str(size), *figures)
        except ModuleNotFoundError as error:
            console.print(f"{package} is skipped: {error}", markup=False)
        table.add_section()
    table.caption = f"load average {before:.2f} before, {os.getloadavg()[0]:.2f} after; {os.cpu_count()} processors"
    console.print(table)


if __name__ == "__main__":
    main()
