"""A LocalAI server with a reranker: https://localai.io/features/reranker/."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth

scorer = Endpoint(
    name="localai",
    first="base_url",
    url="/v1/rerank",
    auth=KeyAuth(env=("LOCALAI_API_KEY",), required=False),
    body={"model": MODEL, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT},
    needs_model=True,
    models={"*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list"}},
    checked="2026-11-20",
    score_kind="similarity",
    usage={"tokens": "usage.total_tokens"},
)
