"""Any service that speaks like Cohere or Jina, by its URL, up to or with ``/rerank``: https://jina.ai/reranker/."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Results

scorer = Endpoint(
    name="rerank_api",
    first="base_url",
    url="/rerank",
    auth=KeyAuth(env=("RERANK_API_KEY",), required=False),
    # Nothing that a service may not know; extra_body= adds what yours wants.
    body={"model": MODEL, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT},
    results=Results(("results", "data", ""), score=("relevance_score", "score")),
    models={"*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list"}},
    checked="2026-11-20",
    score_kind="similarity",
    usage={
        "tokens": ("usage.total_tokens", "meta.billed_units.total_tokens", "meta.tokens.input_tokens"),
        "search_units": "meta.billed_units.search_units",
    },
)
