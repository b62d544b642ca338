"""A NeMo Retriever reranking NIM of your own: https://docs.nvidia.com/nim/nemo-retriever/text-reranking/latest/."""

from anyrank.hosted import MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

scorer = Endpoint(
    name="nim",
    first="base_url",
    url="/v1/ranking",
    base_env=("NVIDIA_BASE_URL", "NVIDIA_NIM_API_BASE"),
    # Not NVIDIA_API_KEY: that is for the hosted service, and a server of your own has no business with it.
    auth=KeyAuth(env=("NIM_API_KEY", "NVIDIA_NIM_API_KEY"), required=False),
    body={
        "model": MODEL,
        "query": {"text": QUERY},
        "passages": Each({"text": TEXT}, image={"image": TEXT}),
        "truncate": Option(
            "truncate", choices=("END", "NONE"), default="END"
        ),  # the server's own default refuses a list for one long text
    },
    results=Results("rankings", score="logit"),
    needs_model=True,
    models={
        "nvidia/llama-nemotron-rerank-1b-v2": {},
        "nvidia/llama-nemotron-rerank-500m-v2": {},
        "nvidia/llama-nemotron-rerank-vl-1b-v2": {"modalities": frozenset({"text", "image"})},
    },
    checked="2026-11-20",
    score_kind="logit",
    usage={"tokens": "usage.total_tokens"},
    max_documents=512,
)
