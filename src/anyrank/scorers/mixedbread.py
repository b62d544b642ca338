"""Mixedbread: https://www.mixedbread.com/api-reference/endpoints/reranking/rerank-documents."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

scorer = Endpoint(
    name="mixedbread",
    url="https://api.mixedbread.com/v1/reranking",
    auth=KeyAuth(env=("MXBAI_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "input": Each(TEXT),
        "top_k": COUNT,
        "return_input": False,
        "rewrite_query": Option("rewrite_query", bool),
    },
    results=Results("data", score="score"),
    model="mixedbread-ai/mxbai-rerank-large-v2",
    models={"mixedbread-ai/mxbai-rerank-large-v2": {}, "mixedbread-ai/mxbai-rerank-base-v2": {}},
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
    max_documents=1000,
)
