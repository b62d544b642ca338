"""Isaacus, for law: https://docs.isaacus.com/api-reference/rerankings/reranking."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

scorer = Endpoint(
    name="isaacus",
    url="https://api.isaacus.com/v1/rerankings",
    auth=KeyAuth(env=("ISAACUS_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "texts": Each(TEXT),
        "top_n": COUNT,
        "is_iql": Option("is_iql", bool),
        "scoring_method": Option("scoring_method", choices=("auto", "chunk_max", "chunk_avg", "chunk_min")),
        "chunking_options": Option("chunking_options", dict),
    },
    results=Results("results", score="score"),
    model="kanon-2-reranker",
    models={"kanon-2-reranker": {}},
    checked="2026-11-20",
    usage={"tokens": "usage.input_tokens"},
)
