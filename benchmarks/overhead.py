"""What anyrank itself costs a call: 100 candidates, a scorer that answers at once, no handlers attached.

The scorer's answer is ready before the clock starts, so what is left is reading texts, checking, sorting, cutting and
making the host's new documents. CPU time, smallest of the repeats' means, so that other programs disturb it little.
LlamaIndex renders the text of every node for the scorer, which any reranker pays; that floor stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from anyrank import Reranker

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

TEXTS = [f"passage {number} on a subject" for number in range(100)]
SCORES = [float(number * 37 % 101) for number in range(100)]
QUERY = "which of these"

Case = tuple[str, Callable[[], Any], Callable[[], Awaitable[Any]] | None]


def scorer(_query: str, _texts: Sequence[str]) -> list[float]:
    """Answer at once."""
    return SCORES


async def ascorer(_query: str, _texts: Sequence[str]) -> list[float]:
    """Answer at once, awaited."""
    return SCORES


def core(top_n: int | None) -> Case:
    """The core alone, on strings."""
    sync, awaited = Reranker(scorer, top_n=top_n), Reranker(ascorer, top_n=top_n)
    return "anyrank", lambda: sync.rerank(QUERY, TEXTS), lambda: awaited.arerank(QUERY, TEXTS)


def langchain(top_n: int | None) -> Case:
    """`AnyRankCompressor`, traced."""
    from langchain_core.documents import Document

    from langchain_anyrank import AnyRankCompressor

    documents = [Document(text, metadata={"page": number}) for number, text in enumerate(TEXTS)]
    sync, awaited = AnyRankCompressor(scorer=scorer, top_n=top_n), AnyRankCompressor(scorer=ascorer, top_n=top_n)
    return (
        "LangChain",
        lambda: sync.compress_documents(documents, QUERY),
        lambda: awaited.acompress_documents(documents, QUERY),
    )


def llama_index(top_n: int | None) -> Case:
    """`AnyRankPostprocessor`, with its span and events."""
    from llama_index.core.schema import QueryBundle

    from llama_index.postprocessor.anyrank import AnyRankPostprocessor

    nodes, query = _nodes(), QueryBundle(QUERY)
    sync, awaited = AnyRankPostprocessor(scorer, top_n=top_n), AnyRankPostprocessor(ascorer, top_n=top_n)
    return (
        "LlamaIndex",
        lambda: sync.postprocess_nodes(nodes, query),
        lambda: awaited.apostprocess_nodes(nodes, query),
    )


def llama_index_floor(_top_n: int | None) -> Case:
    """What LlamaIndex needs to render the nodes' texts."""
    from llama_index.core.schema import MetadataMode

    nodes = _nodes()
    return "LlamaIndex, texts only", lambda: [n.node.get_content(metadata_mode=MetadataMode.EMBED) for n in nodes], None


def _nodes() -> list[Any]:
    from llama_index.core.schema import NodeWithScore, TextNode

    return [
        NodeWithScore(node=TextNode(text=text, metadata={"page": number}), score=1 / (number + 1))
        for number, text in enumerate(TEXTS)
    ]


def haystack(top_n: int | None) -> Case:
    """`AnyRankRanker`, on its own."""
    from haystack import Document

    from haystack_integrations.components.rankers.anyrank import AnyRankRanker

    documents = [Document(content=text, meta={"page": number}) for number, text in enumerate(TEXTS)]
    sync, awaited = AnyRankRanker(scorer=scorer, top_k=top_n), AnyRankRanker(scorer=ascorer, top_k=top_n)
    return "Haystack", lambda: sync.run(QUERY, documents), lambda: awaited.run_async(QUERY, documents)


def microseconds(call: Callable[[], Any], repeats: int) -> float:
    """Return the CPU time of one call."""
    best = float("inf")
    for _ in range(7):
        started = time.process_time()
        for _ in range(repeats):
            call()
        best = min(best, time.process_time() - started)
    return best / repeats * 1e6


def amicroseconds(call: Callable[[], Awaitable[Any]], repeats: int) -> float:
    """Return the CPU time of one awaited call, all on one event loop."""

    async def measured() -> float:
        best = float("inf")
        for _ in range(7):
            started = time.process_time()
            for _ in range(repeats):
                await call()
            best = min(best, time.process_time() - started)
        return best / repeats * 1e6

    return asyncio.run(measured())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="calls a repeat (200)")
    repeats = parser.parse_args().repeats
    table = Table("µs a call", "100 to 10", "100 to 100", "100 to 10, awaited", title="Overhead of a rerank call")
    for column in table.columns[1:]:
        column.justify = "right"
    for build in (core, langchain, llama_index_floor, llama_index, haystack):
        name, ten, awaited = build(10)
        row = [microseconds(ten, repeats), microseconds(build(None)[1], repeats)]
        row += [] if awaited is None else [amicroseconds(awaited, repeats)]
        table.add_row(name, *(f"{each:.0f}" for each in row))
    console = Console()
    console.print(table)
    console.print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
