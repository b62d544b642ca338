"""Together AI: https://docs.together.ai/reference/rerank-1.

Its serverless rerankers ended in February 2026: start a dedicated endpoint of your own and give its name as the model.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth

scorer = Endpoint(
    name="together",
    url="https://api.together.ai/v1/rerank",
    auth=KeyAuth(env=("TOGETHER_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "return_documents": False,
    },
    model="mixedbread-ai/Mxbai-Rerank-Large-V2",
    models={"mixedbread-ai/Mxbai-Rerank-Large-V2": {}},
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
)
