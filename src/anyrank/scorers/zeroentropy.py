"""ZeroEntropy: https://docs.zeroentropy.dev/api-reference/models/rerank.

Its hosted service ended on 2026-09-04: set ``base_url`` to a deployment of your own.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="zeroentropy",
    url="https://api.zeroentropy.dev/v1/models/rerank",
    auth=KeyAuth(env=("ZEROENTROPY_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "latency": Option("latency", choices=("fast", "slow")),
    },
    model="zerank-2",
    models={"zerank-2": {}},
    checked="2026-11-20",
    usage={"tokens": "total_tokens", "bytes": "total_bytes"},
    max_bytes=5_000_000,
)
