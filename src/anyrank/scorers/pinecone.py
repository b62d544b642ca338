"""Pinecone: https://docs.pinecone.io/reference/api/2025-10/inference/rerank. The report says which model did answer."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

BODY = {
    "model": MODEL,
    "query": QUERY,
    "documents": Each({"text": TEXT}),
    "top_n": COUNT,
    "return_documents": False,
}

scorer = Endpoint(
    name="pinecone",
    url="https://api.pinecone.io/rerank",
    auth=KeyAuth(env=("PINECONE_API_KEY",), header="Api-Key", scheme=""),
    headers={"X-Pinecone-Api-Version": "2025-10"},
    body=BODY | {"parameters": {"truncate": Option("truncate", choices=("END", "NONE"), default="END")}},
    results=Results("data", score="score"),
    model="bge-reranker-v2-m3",
    models={"bge-reranker-v2-m3": {}, "cohere-rerank-3.5": {"body": BODY, "max_documents": 200}},
    checked="2026-11-20",
    usage={"rerank_units": "usage.rerank_units"},
    max_documents=100,
)
