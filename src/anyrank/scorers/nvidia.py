"""Rerankers that NVIDIA hosts: https://docs.api.nvidia.com/nim/reference/nvidia-llama-nemotron-rerank-vl-1b-v2-infer.

For a NIM of your own, see `anyrank.scorers.nim`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from anyrank.hosted import MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

if TYPE_CHECKING:
    from anyrank._http import Reply, Request

NVIDIA: Final = "ai.api.nvidia.com"
FUNCTIONS: Final = "api.nvcf.nvidia.com"


def in_path(model: str) -> str:
    """Return a model as it stands in the URL: ``nvidia/llama-3_2-…`` for ``nvidia/llama-3.2-…``."""
    return model.replace(".", "_")


def poll(request: Request, reply: Reply) -> Request | None:
    """Return the question after an answer that is not there yet, None for one that is.

    NVIDIA answers it on another host of its own; a gateway in between is asked itself, so that no key passes it by.
    """
    asked_for = reply.headers.get("nvcf-reqid")
    if reply.status != 202 or not asked_for:
        return None
    scheme, host = urlsplit(request.url)[:2]
    url = f"{scheme}://{FUNCTIONS if host == NVIDIA else host}/v2/nvcf/pexec/status/{quote(asked_for, safe='')}"
    return replace(request, method="GET", url=url, body=b"")


scorer = Endpoint(
    name="nvidia",
    url=f"https://{NVIDIA}/v1/retrieval/{{model}}/reranking",
    model_in_url=in_path,
    auth=KeyAuth(env=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY")),
    headers={"NVCF-POLL-SECONDS": "30"},  # how long an answer is held back for the result, before a 202
    body={
        "model": MODEL,
        "query": {"text": QUERY},
        # Hosted, the text of an image is required and may not be empty.
        "passages": Each({"text": TEXT}, image={"text": " ", "image": TEXT}),
        "truncate": Option(
            "truncate", choices=("END", "NONE"), default="END"
        ),  # with NONE, one long text has the whole list refused
    },
    results=Results("rankings", score="logit"),
    follow=poll,
    model="nvidia/llama-nemotron-rerank-vl-1b-v2",
    models={"nvidia/llama-nemotron-rerank-vl-1b-v2": {"modalities": frozenset({"text", "image"})}},
    checked="2026-11-20",
    score_kind="logit",
    usage={"tokens": "usage.total_tokens"},
    max_documents=512,
)
