"""A llama.cpp server, started with --reranking: https://github.com/ggml-org/llama.cpp/tree/master/tools/server.

Query and text together must fit its --ubatch-size (512 tokens): it does not cut them.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth

scorer = Endpoint(
    name="llama_cpp",
    first="base_url",
    url="/v1/rerank",
    auth=KeyAuth(env=("LLAMA_API_KEY",), required=False),
    body={"model": MODEL, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT},
    models={"*[Qq]wen3-[Rr]eranker*": {"score_kind": "probability"}},
    checked="2026-11-20",
    score_kind="logit",
    usage={"tokens": "usage.total_tokens"},
)
