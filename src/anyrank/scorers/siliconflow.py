"""SiliconFlow: https://docs.siliconflow.com/en/api-reference/rerank/create-rerank.

A key is for one of its two sites: for one of siliconflow.cn, set ``base_url="https://api.siliconflow.cn/v1"``.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="siliconflow",
    url="https://api.siliconflow.com/v1/rerank",
    auth=KeyAuth(env=("SILICONFLOW_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "instruction": Option("instruction"),
        "top_n": COUNT,
        "return_documents": False,
        "max_chunks_per_doc": Option("max_chunks_per_doc", int),
        "overlap_tokens": Option("overlap_tokens", int),
    },
    model="BAAI/bge-reranker-v2-m3",
    models={
        "BAAI/bge-reranker-v2-m3": {},
        "Qwen/Qwen3-Reranker-8B": {},
        "Qwen/Qwen3-Reranker-4B": {},
        "Qwen/Qwen3-Reranker-0.6B": {},
    },
    checked="2026-11-20",
    usage={"tokens": ("tokens.input_tokens", "meta.tokens.input_tokens")},
)
