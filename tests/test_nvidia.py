"""NVIDIA's hosted rerankers: answers that are not there yet, and images."""

import asyncio

import pytest
from fake_faults import refusal
from fake_service import KEY, Contract, running

from anyrank import Image, load
from anyrank._http import Reply, Request
from anyrank.scorers.nvidia import in_path, poll

TEXTS = ["Berlin is in Germany.", "Paris is the capital of France."]
PENDING = refusal(202, {"status": "pending"}, nvcf_reqid="r/1")


class Queued(Contract):
    """Also gives the last answer to who asks for it by its name."""

    def answer(self, method, path, headers, body):
        if (method, path, headers.get("authorization")) == ("GET", "/v2/nvcf/pexec/status/r%2F1", f"Bearer {KEY}"):
            return 200, self.last
        status, self.last = super().answer(method, path, headers, body)
        return status, self.last


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_answer_that_is_not_there_yet_is_asked_for(colour):
    """A 202 is followed, with the key, until the result comes; that is no retry."""
    with running(Queued("nvidia")) as service:
        service.faults = [PENDING, PENDING]
        scorer = load("nvidia", base_url=service.url, api_key=KEY)
        question = ("capital of France?", TEXTS)
        scores = scorer.score(*question) if colour == "sync" else asyncio.run(scorer.ascore(*question))
        scorer.close()
    assert scores[1] > scores[0]
    assert [request["method"] for request in service.requests] == ["POST", "GET", "GET"]
    assert (scores.report.requests, scores.report.retries) == (3, 0)


@pytest.mark.parametrize(
    ("url", "status", "headers", "polled"),
    [
        ("https://ai.api.nvidia.com/v1/x", 202, {"nvcf-reqid": "r-1"}, "https://api.nvcf.nvidia.com"),
        ("https://gateway.example.org/v1/x", 202, {"nvcf-reqid": "r-1"}, "https://gateway.example.org"),
        ("https://ai.api.nvidia.com/v1/x", 202, {}, None),
        ("https://ai.api.nvidia.com/v1/x", 200, {"nvcf-reqid": "r-1"}, None),
    ],
)
def test_where_an_answer_is_asked_for(url, status, headers, polled):
    """NVIDIA's answers lie on another host of its own, those of a gateway on the gateway."""
    further = poll(Request("POST", url, {}), Reply(status, headers, b""))
    assert (further and further.url) == (polled and f"{polled}/v2/nvcf/pexec/status/r-1")


def test_images_are_sent_beside_a_text_that_is_not_empty():
    """The service requires a text of every passage; an image has none to give."""
    image = Image("data:image/png;base64,iVBORw0KGgo=")
    with running("nvidia") as service, load("nvidia", base_url=service.url, api_key=KEY) as scorer:
        scorer.score("capital of France?", [image, TEXTS[1]])
    assert service.bodies[0]["passages"] == [{"text": " ", "image": image}, {"text": TEXTS[1]}]


def test_a_model_in_the_url_has_no_dots():
    """They stand as underscores there, and only there."""
    assert in_path("nvidia/llama-3.2-nv-rerankqa-1b-v2") == "nvidia/llama-3_2-nv-rerankqa-1b-v2"
