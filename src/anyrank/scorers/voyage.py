"""Voyage AI: https://docs.voyageai.com/reference/reranker-api. Keys of MongoDB Atlas ("al-…") go to its own host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Lines, Option, Results

if TYPE_CHECKING:
    from anyrank._exchange import Exchange
    from anyrank._http import Request
    from anyrank._rounds import Rounds

VOYAGE: Final = "https://api.voyageai.com/v1/rerank"
ATLAS: Final = "https://ai.mongodb.com/v1/rerank"


class VoyageAuth(KeyAuth):
    """A key that says by its beginning which of the two hosts it is for; a URL that the user chose stays."""

    def signed(self, exchange: Exchange, request: Request) -> Rounds[Any, Request]:
        """Return the request with the key in its header, on the key's host."""
        signed = yield from super().signed(exchange, request)
        key = exchange.ring.got
        if request.url == VOYAGE and key and key.reveal().startswith("al-"):
            return replace(signed, url=ATLAS)
        return signed


scorer = Endpoint(
    name="voyage",
    url=VOYAGE,
    auth=VoyageAuth(env=("VOYAGE_API_KEY",)),
    body={
        "query": Lines((Option("instruction"), QUERY)),  # from rerank-2.5 on, a model follows what stands there
        "documents": Each(TEXT),
        "model": MODEL,
        "top_k": COUNT,
        "return_documents": False,
        "truncation": Option("truncation", bool),
    },
    results=Results("data"),
    model="rerank-2.5",
    models={
        "rerank-2.5": {},
        "rerank-2.5-lite": {},
        "rerank-3": {},
        "rerank-3-lite": {},
        "rerank-2": {},
        "rerank-2-lite": {},
        "rerank-1": {"max_bytes": 300_000},
        "rerank-lite-1": {"max_bytes": 300_000},
    },
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
    max_documents=1000,
    max_bytes=600_000,
)
