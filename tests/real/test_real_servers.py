"""Our scorers against real servers on this machine, with the same model in local torch as the judge.

Not in the default run: the servers are large (6 GB in all) and installed by the first run, which takes minutes. With
``ANYRANK_SERVERS_HOME`` naming a folder they are kept there for the next one::

    ANYRANK_SERVERS_HOME=~/.cache/anyrank-servers pytest -m servers tests/real

A server that cannot be installed here is skipped, one that does not start is a failure. What each runs is pinned in
the ``requirements-*.txt`` beside this file.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from asking import in_colour

from anyrank import errors, load

pytestmark = pytest.mark.servers

MODEL = "tiny-ce"
QUERY = "capital of france"
TEXTS = ["the dog", "paris is the capital of france", "berlin", "x", "Die Hauptstadt heißt Paris.", "\x00 odd \x07"]
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Case:
    """A scorer at a server: ``path`` is what follows its URL; ``raw`` is the option that asks for logits, if any."""

    scorer: str
    server: str
    path: str = ""
    model: str = MODEL
    raw: dict[str, Any] = field(default_factory=dict)
    unit: str | None = None

    def __str__(self) -> str:
        return f"{self.scorer} at {self.server}{self.path}" + (f" as {self.model}" if self.model != MODEL else "")


CASES = [
    Case("infinity", "infinity", raw={"raw_scores": True}, unit="characters"),
    Case("vllm", "vllm", raw={"use_activation": False}, unit="tokens"),
    Case("vllm", "vllm", "/v1", unit="tokens"),
    Case("vllm_score", "vllm", raw={"use_activation": False}, unit="tokens"),
    Case("litellm", "litellm", model="ce-infinity", unit="tokens"),
    Case("litellm", "litellm", "/v1", model="ce-vllm", unit="tokens"),
    Case("litellm", "litellm", model="ce-cohere"),
    Case("litellm", "litellm", model="ce-jina", unit="tokens"),
    Case("rerank_api", "infinity", unit="tokens"),
    Case("rerank_api", "vllm", unit="tokens"),
    Case("rerank_api", "vllm", "/v2/rerank", unit="tokens"),
    Case("rerank_api", "litellm", "/v1", model="ce-infinity", unit="tokens"),
    Case("cohere", "vllm"),
    Case("cohere", "litellm", model="ce-vllm"),
    Case("cohere_v1", "infinity"),
    Case("cohere_v1", "vllm"),
    Case("jina", "vllm", unit="tokens"),
    Case("jina", "infinity", unit="tokens"),
]
ITSELF = [case for case in CASES if case.raw]


@pytest.fixture(scope="session")
def judge(model):
    """Give the function that scores with local torch: logits."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModelForSequenceClassification.from_pretrained(model)

    def logits(query, texts):
        pairs = [query] * len(texts), list(texts)
        with torch.inference_mode():
            return network.eval()(**tokenizer(*pairs, padding=True, truncation=True, return_tensors="pt")).logits[:, 0]

    return logits


@pytest.fixture
def server(request, case):
    """Run the server of a case."""
    return request.getfixturevalue(case.server)


def built(case, server, **options):
    """Return a case's scorer."""
    given = {"base_url": server.url + case.path, "api_key": server.key, "model": case.model, **options}
    return load(case.scorer, **given)


def ranked(scorer, texts, colour):
    """Rerank in one of the two colours, and close."""
    return in_colour(colour, scorer, QUERY, texts)


def assert_as_judged(ranking, expected):
    """Assert that scores are the judge's, and that the order follows from them."""
    scores = {hit.index: hit.score for hit in ranking}
    assert [scores[index] for index in range(len(expected))] == pytest.approx(expected.tolist(), abs=TOLERANCE)
    assert expected[list(ranking.indices)].diff().max() < 2 * TOLERANCE


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_order_and_scores_are_those_of_local_torch(case, server, judge, colour):
    """Probabilities as the model gives them, best first, with the server's own usage."""
    ranking = ranked(built(case, server), TEXTS, colour)
    assert_as_judged(ranking, judge(QUERY, TEXTS).sigmoid())
    assert ranking.report.requests == 1
    assert list(ranking.report.usage) == ([case.unit] if case.unit else [])


@pytest.mark.parametrize("case", ITSELF, ids=str)
def test_raw_scores_are_logits(case, server, judge):
    """The option for raw scores gives the model's own, and says so."""
    ranking = ranked(built(case, server, **case.raw), TEXTS, "sync")
    assert ranking.report.score_kind == "logit"
    assert_as_judged(ranking, judge(QUERY, TEXTS))


@pytest.mark.parametrize("case", ITSELF, ids=str)
def test_blank_texts(case, server, judge):
    """Infinity scores them; to vLLM they are not sent, which would score the query alone for an empty one."""
    texts = ["", "paris", "  \n"]
    expected = judge(QUERY, texts).sigmoid()
    if case.server == "vllm":
        expected[[0, 2]] = 0.0
    ranking = ranked(built(case, server), texts, "sync")
    assert ranking.report.blank == (2 if case.server == "vllm" else 0)
    assert_as_judged(ranking, expected)


@pytest.mark.parametrize("case", ITSELF, ids=str)
def test_a_long_list(case, server, judge):
    """More documents than Infinity takes in a request come back in one right order."""
    words = random.Random(7).choices(["capital", "city", "paris", "france", "berlin", "germany", "dog", "cat"], k=6300)
    texts = [" ".join(words[start : start + 3]) for start in range(0, len(words), 3)]
    ranking = ranked(built(case, server), texts, "async")
    assert_as_judged(ranking, judge(QUERY, texts).sigmoid())
    assert ranking.report.requests == (2 if case.scorer == "infinity" else 1)


@pytest.mark.parametrize("case", ITSELF, ids=str)
def test_a_long_document_is_cut(case, server, judge):
    """One document longer than the model reads spoils neither the call nor the scores of the others."""
    texts = [*TEXTS, "paris " * 3000]
    ranking = ranked(built(case, server), texts, "sync")
    assert_as_judged(ranking, judge(QUERY, texts).sigmoid())


@pytest.mark.parametrize("case", [case for case in ITSELF if case.server == "vllm"], ids=str)
def test_vllm_refuses_a_long_document_where_cutting_is_off(case, server):
    """The default asks for it because vLLM does not cut by itself."""
    with pytest.raises(errors.ProviderError) as caught:
        ranked(built(case, server, truncate_prompt_tokens=None), [*TEXTS, "paris " * 3000], "sync")
    assert caught.value.status == 400


@pytest.mark.parametrize("case", ITSELF, ids=str)
def test_a_wrong_key_is_refused_by_name(case, server):
    """AuthenticationError, after one request."""
    with pytest.raises(errors.AuthenticationError) as caught:
        ranked(built(case, server, api_key="sk-wrong"), TEXTS, "sync")
    assert caught.value.status == 401


def test_a_wrong_key_at_a_litellm_proxy_without_a_database(litellm):
    """The proxy cannot look the key up and answers 400, not 401: an error, but not one that names the key."""
    with pytest.raises(errors.ProviderError) as caught:
        ranked(built(Case("litellm", "litellm", model="ce-vllm"), litellm, api_key="sk-wrong"), TEXTS, "sync")
    assert caught.value.status == 400


@pytest.mark.parametrize("case", ITSELF, ids=str)
def test_an_empty_list_asks_nothing(case, server):
    """Not even a wrong key is noticed."""
    assert len(ranked(built(case, server, api_key="sk-wrong"), [], "sync")) == 0


@pytest.mark.parametrize("case", [case for case in ITSELF if case.server == "vllm"], ids=str)
def test_an_unknown_model_is_refused(case, server):
    """To another model's name vLLM says 404."""
    with pytest.raises(errors.ProviderError) as caught:
        ranked(built(case, server, model="another"), TEXTS, "sync")
    assert caught.value.status == 404
