"""The score endpoint of a vLLM server: https://docs.vllm.ai/en/latest/serving/openai_compatible_server/#score-api.

Empty texts are not sent: vLLM scores the query alone for them.
"""

from anyrank.hosted import MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

BODY = {
    "model": MODEL,
    "queries": QUERY,
    "documents": Each(TEXT),
    "max_tokens_per_query": Option("max_tokens_per_query", int),
    "max_tokens_per_doc": Option("max_tokens_per_doc", int),
    "instruction": Option("instruction"),
    "use_activation": Option("use_activation", bool, changes={False: {"score_kind": "logit"}}),
    "priority": Option("priority", int),
}
CUT = {"truncate_prompt_tokens": Option("truncate_prompt_tokens", int, default=-1)}  # -1: to what the model can read

scorer = Endpoint(
    name="vllm_score",
    first="base_url",
    url="/v1/score",
    base_env=("HOSTED_VLLM_API_BASE",),
    auth=KeyAuth(env=("VLLM_API_KEY", "HOSTED_VLLM_API_KEY"), required=False),
    body=BODY | CUT,
    results=Results("data", score="score"),
    # The whole list is one prompt with this model: cutting it would cut texts off.
    models={"*jina-reranker-v3*": {"score_kind": "cosine", "scope": "list", "body": BODY}},
    checked="2026-11-20",
    usage={"tokens": "usage.total_tokens"},
)
