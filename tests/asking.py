"""One call of a hosted scorer, in both colours."""

import asyncio

import pytest

from anyrank import Reranker

QUERY = "What is the capital of France?"
TEXTS = ["Berlin is in Germany.", "Paris is the capital of France.", "Bananas are rich in potassium."]


def sync(scorer, *asked):
    """Rerank from sync code, and close; ``asked`` are a query and texts, the usual ones without."""
    with scorer:
        return Reranker(scorer).rerank(*(asked or (QUERY, TEXTS)))


def awaited(scorer, *asked):
    """Rerank on an event loop, and close."""

    async def call():
        async with scorer:
            return await Reranker(scorer).arerank(*(asked or (QUERY, TEXTS)))

    return asyncio.run(call())


def in_colour(colour, scorer, query, texts):
    """Rerank in one of the two colours, and close."""
    return (sync if colour == "sync" else awaited)(scorer, query, texts)


BOTH = pytest.mark.parametrize("ask", [sync, awaited])
