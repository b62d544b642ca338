"""Contextual AI: https://docs.contextual.ai/api-reference/rerank/rerank. It follows an ``instruction``."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="contextual",
    url="https://api.contextual.ai/v1/rerank",
    base_env=("CONTEXTUAL_AI_BASE_URL",),
    auth=KeyAuth(env=("CONTEXTUAL_API_KEY",)),
    body={
        "query": QUERY,
        "instruction": Option("instruction"),
        "documents": Each(TEXT),
        "model": MODEL,
        "top_n": COUNT,
    },
    model="ctxl-rerank-v2-instruct-multilingual",
    models={
        "ctxl-rerank-v2-instruct-multilingual": {},
        "ctxl-rerank-v2-instruct-multilingual-mini": {},
        "ctxl-rerank-v1-instruct": {},
    },
    checked="2026-11-20",
    max_bytes=400_000,
)
