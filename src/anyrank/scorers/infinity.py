"""An Infinity server with a reranker: https://michaelfeil.github.io/infinity/.

It cuts a text to what the model can read, but refuses one of more than 122,880 characters.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="infinity",
    first="base_url",
    url="/rerank",  # below the server's --url-prefix
    base_env=("INFINITY_API_BASE",),
    auth=KeyAuth(env=("INFINITY_API_KEY",), required=False),
    body={
        "query": QUERY,
        "documents": Each(TEXT),
        "return_documents": False,
        "raw_scores": Option("raw_scores", bool, changes={True: {"score_kind": "logit"}}),
        "model": MODEL,
        "top_n": COUNT,
    },
    checked="2026-11-20",
    usage={"characters": "usage.total_tokens"},  # tokens only if it was started with --lengths-via-tokenize
    max_documents=2048,
    blank=True,
)
