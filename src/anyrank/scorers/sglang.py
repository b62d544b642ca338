"""An SGLang server with a reranker: https://docs.sglang.io/docs/supported-models/rerank_models."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

scorer = Endpoint(
    name="sglang",
    first="base_url",
    url="/v1/rerank",
    auth=KeyAuth(env=("SGLANG_API_KEY",), required=False),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "instruct": Option("instruct"),
        "top_n": COUNT,
        "return_documents": False,
    },
    results=Results("", score="score"),
    models={"*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list"}},
    checked="2026-11-20",
    score_kind="similarity",
)
