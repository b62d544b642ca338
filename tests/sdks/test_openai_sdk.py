"""The fake chat endpoint proved honest by OpenAI's own client, and our requests held against that client's."""

import json

import pytest
from fake_chat import MODEL, ROOM, Chat
from fake_service import KEY, running

from anyrank import Reranker, load

pytestmark = pytest.mark.sdks

TEXTS = ["Berlin is in Germany.", "Paris is the capital of France.", 'Zürich, "東京"\n\tand {braces}\\ \U0001f600']
ALIKE = ("authorization", "content-type", "accept")


@pytest.fixture
def service():
    """Run the fake."""
    with running(Chat()) as service:
        yield service


@pytest.fixture
def openai():
    """Give OpenAI's package."""
    return pytest.importorskip("openai")


def client(openai, service, key=KEY):
    """Return OpenAI's client, which believes no reply that is not of its own types."""
    return openai.OpenAI(api_key=key, base_url=f"{service.url}/v1", max_retries=0, _strict_response_validation=True)


@pytest.mark.parametrize("kind", ["listwise", "pointwise", "pairwise", "setwise"])
def test_our_request_is_the_clients(openai, service, kind):
    """The same body, path and headers for what it is asked; and it reads the fake's answer as its own."""
    with load(f"{kind}:openai:{MODEL}", base_url=f"{service.url}/v1", api_key=KEY, seed=7) as scorer:
        Reranker(scorer).rerank("What is the capital of France?", TEXTS)
    ours = service.requests.pop()
    body = json.loads(ours["body"])
    with client(openai, service) as sdk:
        reply = sdk.chat.completions.create(**body)
    theirs = service.requests.pop()
    assert theirs["path"] == ours["path"]
    assert json.loads(theirs["body"]) == body
    assert {name: theirs["headers"][name] for name in ALIKE} == {name: ours["headers"][name] for name in ALIKE}
    choice = reply.choices[0]
    assert choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert (choice.logprobs is not None) == (kind == "pointwise")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "gpt-9"}, "NotFoundError"),
        ({"top_logprobs": 21, "logprobs": True}, "BadRequestError"),
        ({"messages": [{"role": "user", "content": "word " * 2 * ROOM}]}, "BadRequestError"),
        ({"extra_body": {"colour": "red"}}, "BadRequestError"),
    ],
)
def test_the_client_knows_the_refusals(openai, service, change, error):
    """As its own errors, with the endpoint's message in them."""
    good = {"model": MODEL, "messages": [{"role": "user", "content": "Query: a\n\nPassage: a"}]}
    with client(openai, service) as sdk, pytest.raises(getattr(openai, error)) as caught:
        sdk.chat.completions.create(**{**good, **change})
    assert caught.value.body["message"]


def test_the_client_knows_a_wrong_key(openai, service):
    """As its own error."""
    with client(openai, service, "sk-wrong") as sdk, pytest.raises(openai.AuthenticationError):
        sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}])
