"""Cohere, version 1 of its API, for gateways that have no other: https://docs.cohere.com/v1/reference/rerank."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="cohere_v1",
    url="https://api.cohere.com/v1/rerank",
    base_env=("CO_API_URL",),
    auth=KeyAuth(env=("CO_API_KEY", "COHERE_API_KEY")),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "return_documents": False,
        "max_chunks_per_doc": Option("max_chunks_per_doc", int),
    },
    model="rerank-v3.5",
    models={
        "rerank-v3.5": {},
        "rerank-v4.0-fast": {},
        "rerank-v4.0-pro": {},
        "rerank-english-v3.0": {},
        "rerank-multilingual-v3.0": {},
    },
    checked="2026-11-20",
    usage={"search_units": "meta.billed_units.search_units", "tokens": "meta.billed_units.input_tokens"},
    max_documents=999,  # times max_chunks_per_doc, 10 unless given, must stay below 10,000
)
