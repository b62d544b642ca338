"""OpenRouter: https://openrouter.ai/docs/api/api-reference/rerank/create-rerank. It passes on what each model gives."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

COHERE = {"score_kind": "probability", "max_documents": 1000}
VOYAGE = {"score_kind": "probability", "max_documents": 1000, "max_bytes": 600_000}

scorer = Endpoint(
    name="openrouter",
    url="https://openrouter.ai/api/v1/rerank",
    auth=KeyAuth(env=("OPENROUTER_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT, image={"image": TEXT}),
        "top_n": COUNT,
        "provider": Option("provider", dict),
    },
    model="cohere/rerank-v3.5",
    models={
        "cohere/rerank-v3.5": COHERE,
        "cohere/rerank-4-fast": COHERE,
        "cohere/rerank-4-pro": COHERE,
        "voyageai/rerank-2.5": VOYAGE,
        "voyageai/rerank-2.5-lite": VOYAGE,
        "nvidia/llama-nemotron-rerank-vl-1b-v2:free": {"modalities": frozenset({"text", "image"})},
        "cohere/*": COHERE,
        "voyageai/*": VOYAGE,
        "*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list"},
    },
    checked="2026-11-20",
    score_kind="similarity",
    usage={"search_units": "usage.search_units", "tokens": "usage.total_tokens", "credits": "usage.cost"},
)
