"""Jina AI: https://api.jina.ai/redoc. Models of the third generation look at the whole list, so that none is split."""

from anyrank.hosted import COUNT, MODEL, PICTURE, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="jina",
    url="https://api.jina.ai/v1/rerank",
    auth=KeyAuth(env=("JINA_API_KEY", "JINAAI_API_KEY", "JINA_AI_API_KEY")),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT, image={"image": PICTURE}),
        "top_n": COUNT,
        "return_documents": False,
        "truncation": Option("truncation", bool),
        "max_doc_length": Option("max_doc_length", int),
    },
    model="jina-reranker-v3",
    models={
        "jina-reranker-v3": {"score_kind": "cosine", "scope": "list"},
        "jina-reranker-v3.5": {"score_kind": "cosine", "scope": "list"},
        "jina-reranker-m0": {"modalities": frozenset({"text", "image"})},
        "jina-reranker-v2-base-multilingual": {},
        "jina-colbert-v2": {"score_kind": "similarity"},
        "jina-reranker-v3*": {"score_kind": "cosine", "scope": "list"},
    },
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
    max_documents=1024,
    max_concurrency=2,
)
