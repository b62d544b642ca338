"""A Xinference server: https://inference.readthedocs.io/en/latest/models/model_abilities/rerank.html."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth

scorer = Endpoint(
    name="xinference",
    first="base_url",
    url="/v1/rerank",
    base_env=("XINFERENCE_ENDPOINT",),
    auth=KeyAuth(env=("XINFERENCE_API_KEY",), required=False),
    body={"model": MODEL, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT, "return_documents": False},
    needs_model=True,
    models={"*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list"}},
    checked="2026-11-20",
    score_kind="similarity",
)
