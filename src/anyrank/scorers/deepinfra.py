"""DeepInfra: https://deepinfra.com/Qwen/Qwen3-Reranker-0.6B/api. It scores pairs: one query a document."""

from anyrank.hosted import QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

scorer = Endpoint(
    name="deepinfra",
    url="https://api.deepinfra.com/v1/inference/{model}",
    auth=KeyAuth(env=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN")),
    body={
        "queries": Each(QUERY),
        "documents": Each(TEXT),
        "instruction": Option("instruction"),
        "service_tier": Option("service_tier"),
    },
    results=Results("scores", index=None, score=""),
    model="Qwen/Qwen3-Reranker-0.6B",
    models={
        "Qwen/Qwen3-Reranker-0.6B": {},
        "Qwen/Qwen3-Reranker-4B": {},
        "Qwen/Qwen3-Reranker-8B": {},
        "nvidia/Nemotron-3.5-Rerank-8B-BF16": {"score_kind": "similarity"},
    },
    checked="2026-11-20",
    usage={"tokens": "input_tokens"},
)
