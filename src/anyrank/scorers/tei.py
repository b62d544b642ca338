"""A text-embeddings-inference server with a reranker: https://huggingface.github.io/text-embeddings-inference/."""

from anyrank.hosted import QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

scorer = Endpoint(
    name="tei",
    first="base_url",
    url="/rerank",
    # Not HF_TOKEN, which many have set for downloads: a key goes only to the server it is for.
    auth=KeyAuth(env=("TEI_API_KEY",), required=False),
    body={
        "query": QUERY,
        "texts": Each(TEXT),
        "truncate": Option("truncate", bool, default=True),
        "truncation_direction": Option("truncation_direction", choices=("Left", "Right")),
        "raw_scores": Option("raw_scores", bool, changes={True: {"score_kind": "logit"}}),
    },
    results=Results("", score="score"),
    checked="2026-11-20",
    max_documents=32,  # the server's --max-client-batch-size unless it was started with another
)
