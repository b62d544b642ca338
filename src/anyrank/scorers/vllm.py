"""A vLLM server with a reranker: https://docs.vllm.ai/en/latest/serving/openai_compatible_server/#re-rank-api.

Give the model's name where it is a listwise or a visual one, and ``score_kind="cosine"`` for an embedding model.
Empty texts are not sent: vLLM scores the query alone for them.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

BODY = {
    "model": MODEL,
    "query": QUERY,
    "documents": Each(TEXT, image={"content": [{"type": "image_url", "image_url": {"url": TEXT}}]}),
    "top_n": COUNT,
    "max_tokens_per_query": Option("max_tokens_per_query", int),
    "max_tokens_per_doc": Option("max_tokens_per_doc", int),
    "instruction": Option("instruction"),
    "use_activation": Option("use_activation", bool, changes={False: {"score_kind": "logit"}}),
    "priority": Option("priority", int),
}
CUT = {"truncate_prompt_tokens": Option("truncate_prompt_tokens", int, default=-1)}  # -1: to what the model can read
VISUAL = {"modalities": frozenset({"text", "image"})}

scorer = Endpoint(
    name="vllm",
    first="base_url",
    url="/v1/rerank",
    base_env=("HOSTED_VLLM_API_BASE",),
    auth=KeyAuth(env=("VLLM_API_KEY", "HOSTED_VLLM_API_KEY"), required=False),
    body=BODY | CUT,
    models={
        # The whole list is one prompt here: cutting it would cut texts off.
        "*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list", "body": BODY},
        "*jina-reranker-m0*": VISUAL,
        "*VL-Reranker*": VISUAL,
    },
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
)
