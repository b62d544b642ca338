"""A LiteLLM proxy: https://docs.litellm.ai/docs/rerank. What the scores are depends on the model behind it."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="litellm",
    first="base_url",
    url="/v1/rerank",
    base_env=("LITELLM_PROXY_API_BASE",),
    auth=KeyAuth(env=("LITELLM_API_KEY", "LITELLM_PROXY_API_KEY"), required=False),
    body={
        "model": MODEL,
        "query": QUERY,
        "top_n": COUNT,
        "documents": Each(TEXT),
        "return_documents": False,
        "max_tokens_per_doc": Option("max_tokens_per_doc", int),
        "instruction": Option("instruction"),
    },
    needs_model=True,
    models={"*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list"}},
    checked="2026-11-20",
    score_kind="similarity",
    usage={
        "tokens": ("meta.billed_units.total_tokens", "meta.tokens.input_tokens"),
        "search_units": "meta.billed_units.search_units",
    },
)
