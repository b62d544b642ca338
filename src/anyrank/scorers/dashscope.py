"""Alibaba Cloud's Model Studio (DashScope): https://www.alibabacloud.com/help/en/model-studio/text-rerank-api.

A key is for one region: outside of China, set ``base_url="https://<workspace>.ap-southeast-1.maas.aliyuncs.com"``.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="dashscope",
    url="https://dashscope.aliyuncs.com/compatible-api/v1/reranks",
    auth=KeyAuth(env=("DASHSCOPE_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "instruct": Option("instruct"),
    },
    model="qwen3-rerank",
    models={"qwen3-rerank": {}},
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
    max_documents=500,
    max_bytes=120_000,
)
