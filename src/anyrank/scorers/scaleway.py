"""Scaleway's Generative APIs: https://www.scaleway.com/en/docs/generative-apis/how-to/query-reranking-models/.

Its model is an embedding model, so that the scores are cosines.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth

scorer = Endpoint(
    name="scaleway",
    url="https://api.scaleway.ai/v1/rerank",
    auth=KeyAuth(env=("SCW_SECRET_KEY",)),
    body={"model": MODEL, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT},
    model="qwen3-embedding-8b",
    models={"qwen3-embedding-8b": {}},
    checked="2026-11-20",
    score_kind="cosine",
    usage={"tokens": "usage.total_tokens"},
)
