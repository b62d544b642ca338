"""Fireworks AI: https://docs.fireworks.ai/api-reference/rerank-documents."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

scorer = Endpoint(
    name="fireworks",
    url="https://api.fireworks.ai/inference/v1/rerank",
    auth=KeyAuth(env=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY")),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "return_documents": False,
        "task": Option("task"),
    },
    results=Results("data"),
    model="accounts/fireworks/models/qwen3-reranker-8b",
    models={"accounts/fireworks/models/qwen3-reranker-8b": {}},
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
)
