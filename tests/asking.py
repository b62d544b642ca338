"""One call of a hosted scorer, in both colours."""

import asyncio

import pytest

from anyrank import Reranker

QUERY = "What is the capital of France?"
TEXTS = ["Berlin is in Germany.", "Paris is the capital of France.", "Bananas are rich in potassium."]


def sync(scorer):
    """Rerank from sync code, and close."""
    with scorer:
        return Reranker(scorer).rerank(QUERY, TEXTS)


def awaited(scorer):
    """Rerank on an event loop, and close."""

    async def asked():
        async with scorer:
            return await Reranker(scorer).arerank(QUERY, TEXTS)

    return asyncio.run(asked())


BOTH = pytest.mark.parametrize("ask", [sync, awaited])
