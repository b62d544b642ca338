"""Cohere, version 2 of its API: https://docs.cohere.com/reference/rerank."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="cohere",
    url="https://api.cohere.com/v2/rerank",
    base_env=("CO_API_URL",),
    auth=KeyAuth(env=("CO_API_KEY", "COHERE_API_KEY")),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "max_tokens_per_doc": Option("max_tokens_per_doc", int),
        "priority": Option("priority", int),
    },
    model="rerank-v4.0-fast",
    models={
        "rerank-v4.0-fast": {},
        "rerank-v4.0-pro": {},
        "rerank-v5.0-fast": {},
        "rerank-v5.0-pro": {},
        "rerank-v3.5": {},
        "rerank-english-v3.0": {},
        "rerank-multilingual-v3.0": {},
    },
    checked="2026-11-20",
    usage={"search_units": "meta.billed_units.search_units", "tokens": "meta.billed_units.input_tokens"},
    max_documents=1000,
)
