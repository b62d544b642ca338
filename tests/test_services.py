"""Every rerank service: its recorded exchange, the scorer contract on a fake that refuses, and every fault there is.

One file a service in ``tests/services``; nothing here names one.
"""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from asking import in_colour
from fake_faults import HARMLESS, LASTING, PASSING
from fake_service import KEY, SERVICES, Contract, running, service_file
from jsonschema import Draft202012Validator

from anyrank import Reranker, _retry, errors, load
from anyrank.testing import ScorerContract

PAGES = sorted((Path(__file__).parents[1] / "docs/services").glob("*.md"))
NAMES = sorted(path.stem for path in SERVICES.glob("*.json"))
TEXTS = ["Berlin is in Germany.", "Paris is the capital of France.", "Bananas are rich in potassium."]
QUERY = "What is the capital of France?"


@pytest.fixture(params=NAMES)
def name(request):
    """Give each service's name in turn."""
    return request.param


def built(name, url=None, **options):
    """Return a service's scorer with what it cannot do without, pointed at a URL."""
    given = {**service_file(name).get("options", {}), **({"base_url": url} if url else {}), **options}
    return load(name, **given)


@pytest.fixture(autouse=True)
def _settings(request, monkeypatch):
    """Put the test's keys in place of the machine's own, and take the waits out of retries."""
    if "name" not in request.fixturenames:
        return
    name = request.getfixturevalue("name")
    for variable in [name for name in os.environ if name.endswith(("_KEY", "_TOKEN", "_URL", "_REGION", "_ID"))]:
        monkeypatch.delenv(variable)
    for variable, value in service_file(name).get("env", {}).items():
        monkeypatch.setenv(variable, KEY if value == "$key" else value)
    monkeypatch.setattr(_retry, "FIRST", 0.001)


@pytest.fixture
def service(name):
    """Run the fake service."""
    with running(name) as service:
        yield service


class TestContract(ScorerContract):
    """The contract of all scorers."""

    @pytest.fixture
    def scorer(self, name, service):
        return built(name, service.url)


def test_the_recorded_exchange(name, service):
    """What goes out is, to the letter, what the service's documents show; what comes in is read as they say."""
    exchange = service_file(name)["exchange"]
    service.replay = exchange["reply"]
    with built(name, **{**exchange.get("options", {}), "base_url": service.url}) as scorer:
        scores = scorer.score(exchange["query"], exchange["texts"])
    assert service.bodies == [exchange["request"]]
    assert service.requests[0]["path"] == exchange["url"].removeprefix("/".join(exchange["url"].split("/")[:3]))
    assert list(scores) == exchange["scores"]
    assert dict(scores.report.usage) == exchange["usage"]
    assert scores.report.requests == 1


def test_the_documented_url(name):
    """Without a base URL, requests go where the service's documents say."""
    exchange = service_file(name)["exchange"]
    scorer = built(name, **exchange.get("options", {}))
    assert scorer._url(scorer._values()) == exchange["url"]


def test_the_fake_is_strict(name):
    """The recorded request is right by the contract's schema, and without any required field it is not."""
    contract, request = Contract(name), service_file(name)["exchange"]["request"]
    Draft202012Validator.check_schema(contract.says["schema"])
    headers = {"content-type": "application/json"}
    path = contract.says["path"]
    body = json.dumps(request).encode()
    assert contract.unreadable(body) is None
    assert contract.refusal("POST", "/elsewhere", headers, body)[0] == 404
    assert contract.refusal("GET", path, headers, body)[0] in (404, 405)
    if "authorization" in contract.says["headers"]:
        assert contract.refusal("POST", path, headers, body)[0] in (400, 401, 403)
    for field in contract.says["schema"]["required"]:
        spoilt = {key: value for key, value in request.items() if key != field}
        assert contract.unreadable(json.dumps(spoilt).encode()) is not None


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_survived(name, service, fault, colour):
    """The call is repeated, once, and the ranking is right."""
    service.faults = [PASSING[fault]]
    scorer = built(name, service.url)
    ranking = asked(scorer, colour)
    assert ranking[0].index == 1
    assert ranking.report.requests == len(service.requests) == 2
    assert ranking.report.retries == 1


@pytest.mark.parametrize("fault", HARMLESS)
def test_a_harmless_oddity_is_read(name, service, fault):
    """Packed and large replies are replies."""
    service.always = HARMLESS[fault]
    with built(name, service.url) as scorer:
        assert Reranker(scorer).rerank(QUERY, TEXTS)[0].index == 1


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_is_a_named_error_at_once(name, service, fault):
    """No second attempt, and an error that names service, model and status, and quotes neither key nor text."""
    spoil, kind = LASTING[fault]
    service.always = spoil
    with built(name, service.url) as scorer, pytest.raises(errors.ProviderError) as caught:
        Reranker(scorer).rerank(QUERY, TEXTS)
    assert type(caught.value).__name__ == kind
    assert caught.value.provider == name
    assert caught.value.model == scorer.model
    assert len(service.requests) == 1
    assert_says_nothing(caught.value)


def test_a_wrong_key_fails_once(name, service):
    """401 is not tried again and names the variables that may hold the key."""
    scorer = built(name, service.url, **dict.fromkeys(built(name)._row.auth.options, "sk-wrong"))
    with scorer, pytest.raises(errors.AuthenticationError) as caught:
        Reranker(scorer).rerank(QUERY, TEXTS)
    assert len(service.requests) == 1
    assert "sk-wrong" not in str(caught.value)
    assert any(variable in str(caught.value) for variable in service_file(name)["env"])


def test_a_missing_key_is_named_before_anything_is_sent(name, service, monkeypatch):
    """Building works without it; the first non-empty call says which variable to set."""
    for variable in service_file(name)["env"]:
        monkeypatch.delenv(variable)
    with built(name, service.url) as scorer:
        assert len(Reranker(scorer).rerank(QUERY, [])) == 0
        if not scorer._row.auth.required:
            return
        with pytest.raises(errors.SettingError, match=next(iter(service_file(name)["env"]))):
            Reranker(scorer).rerank(QUERY, TEXTS)
    assert not service.requests


def asked(scorer, colour):
    """Rerank in one of the two colours, and close."""
    return in_colour(colour, scorer, QUERY, TEXTS)


def assert_says_nothing(error):
    """Assert that an error quotes neither key nor query nor text."""
    said = f"{error!r} {error} {getattr(error, '__notes__', '')}"
    for secret in (KEY, QUERY, *TEXTS):
        assert secret not in said
    assert error.__context__ is None or error.__suppress_context__


def test_its_default_url_is_encrypted(name):
    """The default URL is https, or the server's is asked for."""
    url = load(name)._row.url
    assert urlsplit(url).scheme == "https" or url.startswith("/")


def test_its_line_in_the_documents_is_true(name):
    """One page has it, with its key, default model, limit, score kind and unit."""
    row = load(name)._row
    key = " or ".join(f"`{variable}`" for variable in row.auth.env)
    model = f"`{row.model}`" if row.model else "`model=`, needed" if row.needs_model else "the server's"
    line = (
        f"| `{name}` | {key} | {model} | {row.max_documents or 'no limit'} | {row.score_kind} "
        f"| {', '.join(row.usage) or 'not reported'} |"
    )
    assert [line in page.read_text(encoding="utf-8") for page in PAGES].count(True) == 1, line


REFUSED = [
    ("cohere", {"top_k": 2}, 422),
    ("cohere", {"top_n": None}, 400),
    ("cohere", {"documents": [{"text": "a"}]}, 400),
    ("cohere", {"documents": ["a", ""]}, 400),
    ("cohere", {"documents": []}, 400),
    ("cohere_v1", {"top_k": 2}, 422),
    ("fireworks", {"brand_new": 1}, 400),
    ("voyage", {"documents": [{"text": "a"}]}, 400),
    ("voyage", {"documents": ["word " * 601_000]}, 400),
    ("vllm", {"top_n": None}, 400),
    ("vllm", {"documents": [{"text": "a"}]}, 400),
    ("vllm", {"truncate_prompt_tokens": None, "documents": ["word " * 600]}, 400),
    ("infinity", {"documents": [{"text": "a"}]}, 422),
    ("infinity", {"documents": ["a"] * 2049}, 422),
    ("infinity", {"top_n": 0}, 422),
    ("pinecone", {"documents": ["a"]}, 400),
    ("pinecone", {"documents": [{"text": "a"}] * 101}, 400),
    ("pinecone", {"parameters": None, "documents": [{"text": "word " * 1100}]}, 400),
    ("nvidia", {"top_k": 2}, 400),
    ("nvidia", {"passages": ["a"]}, 422),
    ("nim", {"truncate": "NONE", "passages": [{"text": "word " * 600}]}, 400),
    ("tei", {"texts": ["a"] * 33}, 422),
    ("tei", {"texts": []}, 400),
    ("isaacus", {"texts": [" "]}, 422),
]
"""A recorded request with one thing wrong, and the status that the service's documents say it gets."""


@pytest.mark.parametrize(("service_name", "change", "status"), REFUSED)
def test_the_fake_refuses_what_the_service_refuses(service_name, change, status):
    """What our own requests never do, so that the fake would let through a mistake of ours unseen."""
    request = {**service_file(service_name)["exchange"]["request"], **change}
    spoilt = {key: value for key, value in request.items() if value is not None or key == "top_n"}
    assert Contract(service_name).unreadable(json.dumps(spoilt).encode())[0] == status


@pytest.mark.parametrize(
    ("service_name", "path", "headers", "status"),
    [
        ("cohere", "/v2/rerank", {"authorization": f"Token {KEY}"}, 401),
        ("pinecone", "/rerank", {"api-key": KEY}, 401),
        ("watsonx", "/ml/v1/text/rerank", {"authorization": f"Bearer {KEY}"}, 400),
    ],
    ids=["wrong scheme", "no version header", "no version in the query"],
)
def test_the_fake_refuses_what_is_beside_the_body(service_name, path, headers, status):
    """A wrong scheme, a missing version."""
    contract = Contract(service_name)
    body = json.dumps(service_file(service_name)["exchange"]["request"]).encode()
    found = contract.refusal("POST", path, {"content-type": "application/json", **headers}, body)
    assert found is not None
    assert found[0] == status


def test_a_full_request_fits_and_one_more_makes_two(name, service):
    """The row's limit is the service's own; past it a list is split, or refused where scores depend on the whole."""
    with built(name, service.url) as scorer:
        most = scorer._row.max_documents
        if most is None:
            return
        Reranker(scorer).rerank(QUERY, TEXTS[1:2] * most)
        assert len(service.requests) == 1
        if scorer.scope == "list":
            with pytest.raises(errors.ArgumentError, match=f"takes {most} documents"):
                Reranker(scorer).rerank(QUERY, TEXTS[1:2] * (most + 1))
        else:
            Reranker(scorer).rerank(QUERY, TEXTS[1:2] * (most + 1))
            assert len(service.requests) == 3
