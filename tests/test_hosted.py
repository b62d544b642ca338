"""What holds for every hosted scorer, tried on the fakes of two or three."""

import asyncio
import copy
import gc
import json
import logging
import multiprocessing
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_faults import FAULTS, LASTING, PASSING
from fake_service import KEY, running
from hypothesis import given
from hypothesis import strategies as st
from leaks import everything_said

from anyrank import Fallback, FirstStage, Image, Reranker, _retry, _transport_async, load, spec_of
from anyrank._batches import Answer, merged, split
from anyrank._gate import Gate
from anyrank._http import Reply
from anyrank._urls import joined
from anyrank.errors import (
    AnyRankError,
    ArgumentError,
    AuthenticationError,
    DeadlineError,
    ProviderError,
    RateLimitError,
    SettingError,
    SpecError,
    UnreachableError,
)
from anyrank.hosted import COUNT, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results
from anyrank.ranking import Report

QUERY_TEXT = "What is the capital of France?"
TEXTS = ["Berlin is in Germany.", "Paris is the capital of France.", "Bananas are rich in potassium."]
HEADER_KEY = "SEKRIT-0123456789"
WAIT = 20.0


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    monkeypatch.setenv("JINA_API_KEY", KEY)
    monkeypatch.setenv("TEI_API_KEY", KEY)
    for name in ("COHERE", "JINA", "TEI"):
        monkeypatch.delenv(f"ANYRANK_{name}_BASE_URL", raising=False)
    monkeypatch.setattr(_retry, "FIRST", 0.001)


@pytest.fixture
def cohere():
    """Run a fake of Cohere."""
    with running("cohere") as service:
        yield service


def sync(scorer, query=QUERY_TEXT, texts=TEXTS):
    """Rerank from sync code."""
    return Reranker(scorer).rerank(query, texts)


def awaited(scorer, query=QUERY_TEXT, texts=TEXTS):
    """Rerank on an event loop of its own."""
    return asyncio.run(Reranker(scorer).arerank(query, texts))


BOTH = pytest.mark.parametrize("ask", [sync, awaited])


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"modle": "x"}, "no option 'modle'; did you mean 'model'"),
        ({"model": 3}, "'model' of scorer 'cohere' must be str; got 3"),
        ({"priority": "high"}, "'priority' of scorer 'cohere' must be int; got 'high'"),
        ({"priority": True}, "must be int; got True"),
        ({"timeout": "soon"}, "must be float or tuple or list; got 'soon'"),
        ({"timeout": (1, 2, 3)}, "timeout must be seconds"),
        ({"timeout": 0}, "timeout must be seconds"),
        ({"deadline": -1}, "'deadline' of scorer 'cohere' must be a number above 0"),
        ({"deadline": 0}, "'deadline' of scorer 'cohere' must be a number above 0"),
        ({"max_retries": -1}, "'max_retries'"),
        ({"max_concurrency": 0}, "max_concurrency must be a whole number above 0"),
        ({"max_documents": 0}, "max_documents must be a whole number above 0"),
        ({"base_url": "127.0.0.1:80"}, "base_url must begin with http:// or https://"),
        ({"base_url": "https://me:pw@example.org"}, "base_url has user info in it"),
        ({"headers": "Bearer pw"}, "'headers' of scorer 'cohere' must be dict; got str"),
        ({"headers": {"X-Team": "a\nb"}}, "header 'X-Team'"),
        ({"headers": {"X-Team": 3}}, "header 'X-Team'"),
        ({"headers": {"X-Team": " search"}}, "header 'X-Team'"),
        ({"top_n": 3}, "give it to the Reranker"),
        ({"model": "https://api.example.org"}, "is a URL"),
        ({"score_kind": "probablity"}, "must be 'probability' or 'logit'"),
        ({"base_url": "https://example.org/rerank?key=pw"}, "a key in it"),
        ({"extra_body": {"api_key": "pw"}}, "'api_key' names a secret"),
        ({"extra_body": [1]}, "'extra_body' of scorer 'cohere' must be dict"),
        ({"extra_body": {"a": object()}}, "an option of scorer 'cohere' cannot be written as JSON"),
    ],
)
def test_a_wrong_option_is_refused_at_construction(options, said):
    """Spelling and types are checked before any call, by name; nothing secret is quoted."""
    with pytest.raises(ArgumentError) as caught:
        load("cohere", **options)
    assert said in str(caught.value)
    assert "pw" not in str(caught.value).replace("'pw'", "")


def test_nothing_is_needed_to_build():
    """A missing key, URL or model waits for the first call that has something to score."""
    for spec in ("cohere", "tei", "vllm", "rerank_api", "bedrock", "vertex"):
        assert len(Reranker(spec).rerank("q", [])) == 0


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("cohere", "needs an API key: set CO_API_KEY or COHERE_API_KEY or api_key="),
        ("tei", "needs the server's URL: set ANYRANK_TEI_BASE_URL"),
    ],
)
def test_what_is_missing_is_named(spec, said, monkeypatch):
    """The first non-empty call says what to set."""
    monkeypatch.delenv("COHERE_API_KEY")
    with pytest.raises(SettingError, match=said):
        Reranker(spec).rerank("q", ["a"])


@BOTH
def test_none_and_unknown_fields_are_never_sent(cohere, ask):
    """Only what the service knows goes out, and of the options only those that were given."""
    ask(load("cohere", base_url=cohere.url, priority=7, max_tokens_per_doc=None))
    [body] = cohere.bodies
    assert body == {
        "model": "rerank-v4.0-fast",
        "query": QUERY_TEXT,
        "documents": TEXTS,
        "top_n": 3,
        "priority": 7,
    }


def test_none_switches_off_what_is_sent_by_default():
    """A field of the body with a default is not sent; a setting of the URL keeps its own."""
    with running("tei") as tei:
        sync(load(f"tei:{tei.url}", truncate=None))
    assert "truncate" not in tei.bodies[0]
    assert load("watsonx", region=None)._options["region"] == "us-south"


def test_headers_and_extra_body_go_along(cohere):
    """A user's own headers are sent, and fields the row does not know go through ``extra_body``."""
    with pytest.raises(ProviderError, match="422"):
        sync(load("cohere", base_url=cohere.url, headers={"X-Team": "search"}, extra_body={"brand_new": 1}))
    assert cohere.requests[0]["headers"]["x-team"] == "search"
    assert cohere.bodies[0]["brand_new"] == 1


def test_the_spec_holds_everything_but_the_key(cohere):
    """What `spec_of` writes builds an equal scorer; keys and headers that hold one stay out."""
    headers = {"X-Team": "search", "X-Api-Key": "hidden"}
    scorer = load("cohere:rerank-v3.5", api_key="hidden", base_url=cohere.url, deadline=None, headers=headers)
    written = spec_of(scorer)
    assert written == {
        "cohere": {"model": "rerank-v3.5", "base_url": cohere.url, "deadline": None, "headers": {"X-Team": "search"}}
    }
    assert spec_of(load(written)) == written
    assert spec_of(load("tei:http://127.0.0.1:8080")) == "tei:http://127.0.0.1:8080"
    assert spec_of(load("cohere")) == "cohere"


def test_the_environment_gives_the_base_url_and_an_argument_beats_it(cohere, monkeypatch):
    """``ANYRANK_COHERE_BASE_URL`` is read when it is needed; an explicit one wins."""
    scorer = load("cohere")
    monkeypatch.setenv("ANYRANK_COHERE_BASE_URL", cohere.url)
    assert sync(scorer)[0].index == 1
    monkeypatch.setenv("ANYRANK_COHERE_BASE_URL", "http://127.0.0.1:9")
    assert sync(load("cohere", base_url=cohere.url))[0].index == 1


@pytest.mark.parametrize("base", ["", "/", "/v2", "/v2/", "/v2/rerank", "/v2/rerank/"])
def test_a_base_url_may_have_part_of_the_path(cohere, base):
    """With or without the version, and the whole endpoint, mean the same."""
    assert sync(load("cohere", base_url=cohere.url + base))[0].index == 1
    assert cohere.requests[0]["path"] == "/v2/rerank"


@pytest.mark.parametrize(
    ("base", "path", "whole"),
    [
        ("https://a.example/gateway/v1", "/v1/rerank", "https://a.example/gateway/v1/rerank"),
        ("https://a.example/custom/rerank", "/v1/rerank", "https://a.example/custom/rerank"),
        ("https://a.example/x?api-version=2", "/v1/rerank", "https://a.example/x/v1/rerank?api-version=2"),
        (
            "https://a.example",
            "https://b.example/ml/v1/text/rerank?version=7",
            "https://a.example/ml/v1/text/rerank?version=7",
        ),
    ],
)
def test_urls_are_joined(base, path, whole):
    """A base's path and query stay; what it shares with the endpoint's path is not doubled."""
    assert joined(base, path) == whole


# Splitting and merging


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=60),
    st.none() | st.integers(1, 20),
    st.none() | st.integers(1, 120),
)
def test_split_loses_nothing_and_keeps_the_limits(sizes, most, most_bytes):
    """Every place is in one batch, in order, and only a text that is alone may be too large."""
    batches = list(split(range(len(sizes)), sizes, most, most_bytes))
    assert [place for batch in batches for place in batch] == list(range(len(sizes)))
    for batch in batches:
        assert most is None or len(batch) <= most
        assert most_bytes is None or len(batch) == 1 or sum(sizes[place] for place in batch) <= most_bytes


@given(st.data(), st.integers(1, 40), st.integers(1, 12))
def test_merging_puts_every_score_back(data, count, most):
    """However the texts were split and each reply was ordered, each text has its own score."""
    scores = data.draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=count, max_size=count))
    batches = list(split(range(count), [0] * count, most, None))
    answers = []
    for batch in batches:
        sequence = data.draw(st.permutations(range(len(batch))))
        answers.append(Answer([scores[place] for place in batch], sequence, {}, None))
    found = merged("probability", count, batches, answers, Report())
    assert list(found) == scores
    assert sorted(found.ranked(), key=lambda place: -scores[place]) == found.ranked()


def test_ties_keep_the_order_of_the_service():
    """Where shown scores tie, the service's own sequence decides; one that is not sorted decides nothing."""
    sorted_reply = merged("probability", 3, [[0, 1, 2]], [Answer([0.5, 0.5, 0.9], [2, 1, 0], {}, None)], Report())
    assert sorted_reply.ranked() == [2, 1, 0]
    input_order = merged("probability", 3, [[0, 1, 2]], [Answer([0.5, 0.5, 0.9], [0, 1, 2], {}, None)], Report())
    assert input_order.ranked() == [2, 0, 1]


@BOTH
def test_a_long_list_is_split_sent_concurrently_and_merged_in_order(cohere, ask):
    """Two and a half requests' worth: three requests, all under way at once, the whole ranking right."""
    texts = [f"document {place}" for place in range(2500)]
    texts[1234] = "Paris is the capital of France."
    cohere.delay = 0.2
    ranking = ask(load("cohere", base_url=cohere.url), texts=texts)
    assert sorted(len(body["documents"]) for body in cohere.bodies) == [832, 834, 834]
    assert cohere.most_busy == 3
    assert ranking[0].index == 1234
    assert sorted(ranking.indices) == list(range(2500))
    assert ranking.report.requests == 3
    assert ranking.report.usage == {"search_units": 3}


@BOTH
def test_concurrency_is_bounded_for_the_whole_scorer(cohere, ask):
    """``max_concurrency`` holds over all calls of one scorer, whatever threads and event loops they come from."""
    cohere.delay = 0.02
    scorer = load("cohere", base_url=cohere.url, max_concurrency=2, max_documents=1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ask(scorer)[0].index, range(4)))
    assert found == [1] * 4
    assert cohere.most_busy == 2
    assert len(cohere.requests) == 12


def test_a_listwise_model_is_never_split():
    """More than the service takes is an error that says so, before anything is sent."""
    with pytest.raises(ArgumentError, match="takes 1024 documents a request, and there are 1025; its scores depend"):
        Reranker("jina").rerank("q", ["text"] * 1025)


def test_jina_takes_2048_documents_when_told_to():
    """1 024 a request by default, 2 048 by an explicit option; other models of Jina's are split."""
    with running("jina") as jina:
        assert len(sync(load("jina", base_url=jina.url, max_documents=2048), texts=["text"] * 2048)) == 2048
        assert len(jina.requests) == 1
        sync(load("jina:jina-reranker-v2-base-multilingual", base_url=jina.url), texts=["text"] * 2048)
        assert len(jina.requests) == 3


def test_the_first_failure_ends_the_call(cohere):
    """A refused key is not tried a hundred times when a hundred requests are planned."""
    scorer = load("cohere", api_key="sk-wrong", base_url=cohere.url, max_documents=1, max_concurrency=2)
    cohere.delay = 0.05
    with pytest.raises(AuthenticationError):
        sync(scorer, texts=[f"text {place}" for place in range(100)])
    asked = len(cohere.requests)
    assert asked <= 6
    with pytest.raises(AuthenticationError):
        awaited(scorer, texts=[f"text {place}" for place in range(100)])
    assert len(cohere.requests) - asked <= 6


def test_the_call_of_jinas_announcement():
    """The curl call of https://jina.ai/news/maximizing-search-relevancy-and-rag-accuracy-with-jina-reranker/.

    Its request goes out to the letter, but for ``top_n`` (every score is asked for) and the echo switched off; its
    three results are first, with their scores. It does not show the other seven: theirs are made up, lower.
    """
    query = "Organic skincare products for sensitive skin"
    texts = [
        "Eco-friendly kitchenware for modern homes",
        "Biodegradable cleaning supplies for eco-conscious consumers",
        "Organic cotton baby clothes for sensitive skin",
        "Natural organic skincare range for sensitive skin",
        "Tech gadgets for smart homes: 2024 edition",
        "Sustainable gardening tools and compost solutions",
        "Sensitive skin-friendly facial cleansers and toners",
        "Organic food wraps and storage solutions",
        "All-natural pet food for dogs with allergies",
        "Yoga mats made from recycled materials",
    ]
    shown = [(3, 0.8292155861854553), (2, 0.14426936209201813), (6, 0.13857832551002502)]
    rest = [(place, 0.01) for place in range(10) if place not in {place for place, _ in shown}]
    with running("jina") as jina:
        jina.replay = {
            "model": "jina-reranker-v1-base-en",
            "usage": {"total_tokens": 38, "prompt_tokens": 38},
            "results": [
                {"index": place, "document": {"text": texts[place]}, "relevance_score": score}
                for place, score in [*shown, *rest]
            ],
        }
        reranker = Reranker(load("jina:jina-reranker-v1-base-en", base_url=jina.url), top_n=3)
        ranking = reranker.rerank(query, texts)
    assert jina.bodies == [
        {
            "model": "jina-reranker-v1-base-en",
            "query": query,
            "documents": texts,
            "top_n": 10,
            "return_documents": False,
        }
    ]
    assert jina.requests[0]["headers"]["accept"] == "application/json"
    assert jina.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
    assert [(hit.index, hit.score) for hit in ranking] == shown
    assert [hit.document for hit in ranking] == [texts[place] for place, _ in shown]
    assert ranking.report.usage == {"tokens": 38}


# Blank texts


@BOTH
def test_blank_texts_are_not_sent_to_a_service_that_refuses_them(cohere, ask):
    """They get the floor of the score kind, unseen, and the report counts them."""
    ranking = ask(load("cohere", base_url=cohere.url), texts=["", "Paris is the capital of France.", " \n"])
    assert cohere.bodies[0]["documents"] == ["Paris is the capital of France."]
    assert [(hit.index, hit.score) for hit in ranking][1:] == [(0, 0.0), (2, 0.0)]
    assert ranking.report.blank == 2


def test_a_call_with_nothing_to_send_sends_nothing(cohere):
    """All texts blank, or the query: every text gets the floor, in input order."""
    for query, texts in (("q", ["", " "]), ("", TEXTS)):
        ranking = sync(load("cohere", base_url=cohere.url), query=query, texts=texts)
        assert ranking.scores == [0.0] * len(texts)
        assert ranking.indices == list(range(len(texts)))
        assert ranking.report.blank == len(texts)
    assert not cohere.requests


@pytest.mark.parametrize(("kind", "floor"), [("probability", 0.0), ("cosine", -1.0), ("logit", -3.5)])
def test_the_floor_is_that_of_the_score_kind(kind, floor):
    """0, -1, or one less than the lowest of the reply."""
    found = merged(kind, 3, [[0, 2]], [Answer([-2.5, 4.0], [1, 0], {}, None)], Report())
    assert list(found) == [-2.5, floor, 4.0]
    assert list(merged("logit", 2, [], [], Report())) == [0.0, 0.0]


# Keys


def test_a_key_given_beats_the_environment(cohere):
    """And an empty one is an error of its own, not a missing one."""
    sync(load("cohere", api_key=f" {KEY}\n", base_url=cohere.url))
    assert cohere.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
    for key, said in (("", "is empty"), ("a b", "holds a space"), (3, "must be|not a str")):
        with pytest.raises(AnyRankError, match=said):
            sync(load("cohere", api_key=key, base_url=cohere.url))


@BOTH
def test_a_function_is_asked_once_and_again_after_a_refusal(cohere, ask):
    """A key that rotates is got anew when the old one is refused; one that does not is not tried twice."""
    keys = iter(["sk-old", KEY, KEY])
    scorer = load("cohere", api_key=lambda: next(keys), base_url=cohere.url)
    assert ask(scorer)[0].index == 1
    assert ask(scorer)[0].index == 1
    assert cohere.requests[0]["headers"]["authorization"] == "Bearer sk-old"
    assert len(cohere.requests) == 3


@BOTH
@pytest.mark.parametrize("fault", [*PASSING, *LASTING])
def test_no_error_shows_the_key(cohere, ask, fault, caplog, monkeypatch):
    """Not in its message, its traceback with all variables, its pickle, or the log."""
    monkeypatch.delenv("COHERE_API_KEY")
    caplog.set_level(logging.DEBUG)
    cohere.always = FAULTS[fault]
    scorer = load("cohere", api_key=KEY, base_url=cohere.url, max_retries=0)
    with pytest.raises(ProviderError) as caught:
        ask(scorer)
    assert KEY not in everything_said(caught.value)
    assert KEY not in caplog.text
    assert KEY not in repr(scorer) + repr(vars(scorer)) + repr(pickle.dumps(scorer))


def caught(function):
    """Return what a function raises."""
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - a cancellation too
        return error
    return None


@pytest.mark.parametrize("options", [{"timeout": "soon"}, {"modle": "x"}, {"headers": {"X": 1}}])
def test_no_error_of_construction_shows_the_key(options):
    """Nor do the frames between the caller and the check."""
    error = caught(lambda: load("cohere", api_key=KEY, **options))
    assert isinstance(error, SpecError)
    assert KEY not in everything_said(error)


def test_no_cancellation_shows_the_key(cohere, monkeypatch):
    """A call that is cancelled, or runs into the caller's own timeout, leaves no frame that holds it."""
    monkeypatch.delenv("COHERE_API_KEY")
    cohere.delay = 0.5
    scorer = load("cohere", api_key=KEY, base_url=cohere.url, max_documents=1)

    async def short(texts):
        async with asyncio.timeout(0.1), scorer:
            await Reranker(scorer).arerank(QUERY_TEXT, texts)

    for texts in (TEXTS, TEXTS[:1]):
        error = caught(lambda texts=texts: asyncio.run(short(texts)))
        assert isinstance(error, TimeoutError)
        assert KEY not in "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@BOTH
def test_a_key_in_a_header_of_any_name_never_goes_over_plain_http(ask, monkeypatch):
    """The guard asks what was signed, not what the header is called."""
    monkeypatch.setenv("HOUSE_KEY", KEY)
    scorer = house(auth=KeyAuth(env=("HOUSE_KEY",), header="X-House", scheme=""))
    with pytest.raises(SettingError, match="unencrypted"):
        ask(scorer(base_url="http://rerank.invalid", region="eu"))


@BOTH
def test_a_reply_that_echoes_a_document_for_an_index_is_not_quoted(cohere, ask):
    """What is wrong with a reply is said without it."""
    cohere.replay = {"results": [{"index": TEXTS[0], "relevance_score": 0.5}]}
    with pytest.raises(ProviderError, match="cannot be trusted") as caught:
        ask(load("cohere", base_url=cohere.url))
    assert TEXTS[0][:14] not in str(caught.value)


@BOTH
@pytest.mark.parametrize("base", ["http://127.0.0.1:99999", "https://" + "a" * 70 + ".example.org"])
def test_a_url_that_leads_nowhere_is_a_named_error(ask, base):
    """Whatever the library below says of it."""
    with pytest.raises(AnyRankError):
        ask(load("cohere", base_url=base, max_retries=0))


@BOTH
def test_no_error_quotes_the_texts(ask):
    """Some services echo what they were sent; the message goes without it, and is short."""
    with running("jina") as jina:
        jina.always = lambda handler, _payload: handler.send(
            422, {"detail": f"bad input {TEXTS!r} for {QUERY_TEXT} with {KEY} " + "x" * 5000}
        )
        with pytest.raises(ProviderError) as caught:
            ask(load("jina", base_url=jina.url))
    said = str(caught.value)
    assert "bad input" in said
    assert len(said) < 500
    assert not any(text[:14] in said for text in [*TEXTS, QUERY_TEXT, KEY])


def test_copies_keep_the_key_and_pickles_do_not(cohere, monkeypatch):
    """A copy is the same scorer; what is written to disk holds no key, and says so when one is missing."""
    monkeypatch.delenv("COHERE_API_KEY")
    scorer = load("cohere", api_key=KEY, base_url=cohere.url)
    for twin in (copy.copy(scorer), copy.deepcopy(scorer)):
        assert sync(twin)[0].index == 1
    with pytest.raises(SettingError, match="the one given as api_key= was left out of the pickle"):
        sync(pickle.loads(pickle.dumps(scorer)))
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    assert sync(pickle.loads(pickle.dumps(scorer)))[0].index == 1


@BOTH
def test_a_key_never_goes_over_plain_http_to_another_machine(ask):
    """Unless that is asked for; without a key there is nothing to hide."""
    url = "http://rerank.invalid"
    with pytest.raises(SettingError, match=r"would send its key unencrypted to rerank\.invalid"):
        ask(load("cohere", base_url=url))
    with pytest.raises(UnreachableError):
        ask(load("cohere", base_url=url, allow_http=True, max_retries=0))


@BOTH
def test_a_redirect_is_not_followed(cohere, ask):
    """Neither key nor request goes where a reply points."""
    with running("cohere") as other:
        cohere.always = lambda handler, _payload: handler.send(307, {}, location=f"{other.url}/v2/rerank")
        with pytest.raises(ProviderError, match=r"307.*redirect to '127\.0\.0\.1'.*not followed"):
            ask(load("cohere", base_url=cohere.url))
    assert not other.requests


def test_no_password_file_is_read(cohere, tmp_path, monkeypatch):
    """A netrc entry for the host changes nothing."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    sync(load("cohere", base_url=cohere.url))
    awaited(load("cohere", base_url=cohere.url))
    assert {request["headers"]["authorization"] for request in cohere.requests} == {f"Bearer {KEY}"}


@BOTH
def test_a_key_in_a_header_of_ones_own_is_kept_secret_too(cohere, ask):
    """It takes the place of the key, and is in no error, pickle or repr, not even where the service quotes it."""
    cohere.always = lambda handler, _payload: handler.send(400, {"message": f"bad header Token {HEADER_KEY}"})
    cohere.contract.says = {**cohere.contract.says, "headers": {}}
    scorer = load("cohere", base_url=cohere.url, headers={"Authorization": f"Token {HEADER_KEY}", "X-Team": "search"})
    with pytest.raises(ProviderError, match="bad header") as caught:
        ask(scorer)
    assert cohere.requests[0]["headers"]["authorization"] == f"Token {HEADER_KEY}"
    assert HEADER_KEY not in everything_said(caught.value)
    assert HEADER_KEY not in repr(scorer) + repr(vars(scorer)) + repr(pickle.dumps(scorer)) + repr(spec_of(scorer))


@BOTH
def test_a_bad_request_says_which_url_and_which_models_there_are(cohere, ask):
    """A wrong base and a wrong model are the usual mistakes."""
    with pytest.raises(ProviderError, match=r"404.*asked at http://127.*/elsewhere/v2/rerank; check base_url"):
        ask(load("cohere", base_url=f"{cohere.url}/elsewhere"))
    cohere.always = lambda handler, _payload: handler.send(404, {"message": "model 'rerank-v9' not found"})
    with pytest.raises(ProviderError, match=r"models known on 2026-11-20: rerank-v4\.0-fast, "):
        ask(load("cohere:rerank-v9", base_url=cohere.url))


@BOTH
def test_the_model_that_answered_is_reported(ask, monkeypatch):
    """Pinecone may put another model in the place of the one that was asked."""
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    with running("pinecone") as pinecone:
        pinecone.replay = {"model": "other-model", "data": [{"index": 0, "score": 0.5}], "usage": {"rerank_units": 1}}
        assert ask(load("pinecone", base_url=pinecone.url), texts=["a"]).report.model == "other-model"


def test_an_option_that_a_model_does_not_have_is_refused():
    """It would be dropped in silence otherwise."""
    with pytest.raises(SpecError, match=r"'pinecone' has no option 'truncate' with model 'cohere-rerank-3\.5'"):
        load("pinecone:cohere-rerank-3.5", truncate="NONE")


# Retries, timeouts, deadlines


@BOTH
def test_a_service_that_takes_two_at_a_time_is_given_two(ask):
    """Jina's free keys refuse a third concurrent request; the default asks for no more."""
    with running("jina") as jina:
        jina.delay = 0.02
        jina.always = lambda handler, payload: handler.send(
            *((429, {"code": "RATE_CONCURRENCY_LIMIT_EXCEEDED"}) if jina.busy >= 2 else (200, payload))
        )
        scorer = load("jina:jina-reranker-v2-base-multilingual", base_url=jina.url, max_documents=1)
        ranking = ask(scorer, texts=[f"text {place}" for place in range(12)])
    assert ranking.report.retries == 0
    assert jina.most_busy == 2


@BOTH
def test_a_text_too_large_for_llama_cpp_is_not_tried_again(ask):
    """Its 500 is permanent."""
    with running("llama_cpp") as server:
        server.always = FAULTS["500, too large"]
        with pytest.raises(ProviderError, match="too large to process"):
            ask(load(f"llama_cpp:{server.url}", api_key=KEY))
    assert len(server.requests) == 1


@BOTH
def test_retries_end(cohere, ask):
    """``max_retries`` further attempts, then the error of the last; 0 means one attempt."""
    for retries in (0, 2):
        cohere.requests.clear()
        cohere.always = FAULTS["429, retry-after-ms"]
        with pytest.raises(RateLimitError) as caught:
            ask(load("cohere", base_url=cohere.url, max_retries=retries))
        assert len(cohere.requests) == retries + 1
        assert caught.value.status == 429


@BOTH
def test_a_read_timeout_is_tried_once_more(cohere, ask):
    """And then it is an error that is also a TimeoutError."""
    cohere.delay = 0.5
    with pytest.raises(DeadlineError, match=r"did not answer in time \(timeout=\(0.1, 0.1\)\)") as caught:
        ask(load("cohere", base_url=cohere.url, timeout=0.1, max_retries=5))
    assert isinstance(caught.value, TimeoutError)
    assert len(cohere.requests) == 2


@BOTH
@pytest.mark.parametrize("fault", ["drip", "slow", "dripping head"])
def test_the_deadline_ends_the_whole_call(cohere, ask, fault):
    """However slowly the reply comes, byte by byte or not at all."""
    cohere.always = FAULTS[fault]
    with pytest.raises(DeadlineError, match=r"within deadline=0\.3 seconds"):
        ask(load("cohere", base_url=cohere.url, deadline=0.3))


@BOTH
def test_a_wait_past_the_deadline_is_not_begun(cohere, ask):
    """A service that asks for a minute gets none: the call fails at once, and says why."""
    cohere.always = lambda handler, _payload: handler.send(429, {"message": "slow down"}, retry_after="60")
    with pytest.raises(RateLimitError) as caught:
        ask(load("cohere", base_url=cohere.url, deadline=5))
    assert caught.value.__notes__ == ["not tried again: a wait of 60.0 s would pass the deadline"]


@BOTH
def test_waiting_for_a_turn_counts_towards_the_deadline(cohere, ask):
    """A call behind others at the gate gives up in time."""
    cohere.delay = 1.0
    scorer = load("cohere", base_url=cohere.url, max_concurrency=1, deadline=0.2)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(ask, scorer) for _ in range(3)]
        found = [call.exception(WAIT) for call in calls]
    assert [type(error) for error in found] == [DeadlineError] * 3


def reply(status, **headers):
    """Return a reply with these headers and no body."""
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (reply(429, retry_after_ms="250", retry_after="9"), 0.25),
        (reply(429, retry_after="3"), 3.0),
        (reply(503, retry_after="1.5"), 1.5),
        (reply(429, retry_after="900"), 60.0),
        (reply(429, retry_after="-5"), None),
        (reply(429, retry_after="Fri, 20 Nov 2026 10:00:07 GMT", date="Fri, 20 Nov 2026 10:00:00 GMT"), 7.0),
        (reply(429, retry_after="Fri, 20 Nov 2020 10:00:07 GMT"), 0.0),
        (reply(429, retry_after="soon"), None),
        (reply(429, x_ratelimit_reset="12"), 12.0),
        (reply(429, x_ratelimit_reset="1m30s"), 60.0),
        (reply(429, x_ratelimit_reset="250ms"), 0.25),
        (reply(500, x_ratelimit_reset="12"), None),
        (reply(500), None),
        (None, None),
    ],
)
def test_the_wait_is_what_the_service_asks_for(given, seconds):
    """In milliseconds, seconds or a date, at most a minute; else full jitter below a doubling bound."""
    for attempt in range(8):
        found = _retry.wait_before(attempt, given)
        if seconds is None:
            assert 0.0 <= found <= _retry.FIRST * 2**attempt
        else:
            assert found == pytest.approx(seconds)


def test_a_reset_may_be_a_moment_of_the_epoch():
    """Some services say when, not how long."""
    assert 9.0 < _retry.wait_before(0, reply(429, x_ratelimit_reset=str(time.time() + 10))) <= 10.0


# Connections, threads, event loops


def test_connections_are_reused(cohere):
    """Calls one after another share one connection, in both colours; closing lets go of it."""
    scorer = load("cohere", base_url=cohere.url)
    for _ in range(5):
        sync(scorer)
    assert cohere.connections == 1
    scorer.close()
    sync(scorer)
    assert cohere.connections == 2

    async def several():
        async with load("cohere", base_url=cohere.url) as other:
            for _ in range(5):
                await Reranker(other).arerank(QUERY_TEXT, TEXTS)

    asyncio.run(several())
    assert cohere.connections == 3
    scorer.close()


def test_event_loops_come_and_go(cohere):
    """One scorer on one loop after another: each has its own connections, and none outlives its loop."""
    scorer = load("cohere", base_url=cohere.url)
    for _ in range(3):
        assert awaited(scorer)[0].index == 1
    loop = asyncio.new_event_loop()  # one that ends without ending its generators
    assert loop.run_until_complete(Reranker(scorer).arerank(QUERY_TEXT, TEXTS))[0].index == 1
    scorer.close()
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    gc.collect()  # an unclosed connection would warn here
    assert awaited(scorer)[0].index == 1


def test_threads_share_a_scorer(cohere):
    """Calls from threads and event loops at once keep their answers apart."""
    scorer = load("cohere", base_url=cohere.url)
    lists = [TEXTS[place:] + TEXTS[:place] for place in range(3)] * 8
    with ThreadPoolExecutor(8) as pool:
        asks = [sync, awaited] * 12
        found = list(pool.map(lambda pair: pair[0](scorer, texts=pair[1]).documents, zip(asks, lists, strict=True)))
    assert [documents[0] for documents in found] == ["Paris is the capital of France."] * 24
    scorer.close()


@pytest.mark.parametrize("installed", [True, False])
def test_the_event_loop_is_never_blocked(cohere, installed, monkeypatch):
    """A ticker goes on while calls are under way, with aiohttp and without."""
    if not installed:
        monkeypatch.setattr(_transport_async, "_aiohttp", lambda: None)
    cohere.delay = 0.2

    async def ticks(scorer):
        count = 0
        call = asyncio.ensure_future(Reranker(scorer).arerank(QUERY_TEXT, TEXTS))
        while not call.done():
            await asyncio.sleep(0.01)
            count += 1
        await scorer.aclose()
        return count

    assert asyncio.run(ticks(load("cohere", base_url=cohere.url))) >= 3


def test_without_aiohttp_threads_do_it(cohere, monkeypatch):
    """The async colour works with requests alone."""
    monkeypatch.setattr(_transport_async, "_aiohttp", lambda: None)
    cohere.delay = 0.05

    async def many():
        async with load("cohere", base_url=cohere.url, max_concurrency=None) as scorer:
            return await Reranker(scorer).arerank_many([(QUERY_TEXT, TEXTS)] * 10)

    assert [ranking[0].index for ranking in asyncio.run(many())] == [1] * 10
    assert cohere.most_busy > 2


def test_no_cancellation_is_swallowed_and_no_place_lost():
    """Under random cancellations and timeouts the gate ends as free as it began, and whoever was cancelled stopped."""
    gate, draw = Gate(3), random.Random(7)
    outcomes = Counter()

    async def one():
        async with gate.aheld(lambda: draw.choice([0.001, 1.0]), TimeoutError):
            await asyncio.sleep(draw.choice([0, 0.0005]))
            return "done"

    async def many():
        tasks = [asyncio.ensure_future(one()) for _ in range(2000)]
        cancelled = draw.sample(tasks, 600)
        for task in cancelled:
            await asyncio.sleep(0)
            if not task.done():
                task.cancel()
                outcomes["cancelled"] += 1
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        outcomes["stopped"] = sum(isinstance(end, asyncio.CancelledError) for end in ends)

    asyncio.run(many())
    assert outcomes["stopped"] == outcomes["cancelled"] > 0
    assert gate._free == 3


def test_first_calls_may_come_from_threads_and_loops_at_once(cohere):
    """In a fresh process, where every library is still to be imported."""
    code = f"""
import asyncio, threading
from anyrank import Reranker, load
scorer = load("cohere", api_key={KEY!r}, base_url={cohere.url!r})
failed = []
def sync():
    try: Reranker(scorer).rerank("q", ["a", "b"])
    except Exception as error: failed.append(error)
def awaited():
    try: asyncio.run(Reranker(scorer).arerank("q", ["a", "b"]))
    except Exception as error: failed.append(error)
threads = [threading.Thread(target=target) for target in (sync, awaited) * 2]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failed, failed
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_ctrl_c_ends_a_process_whose_requests_are_under_way(cohere):
    """Also where a list was split, and threads wait for replies that take long."""
    cohere.delay = 20.0
    code = f"""
import signal
from anyrank import Reranker, load
signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
print("ready", flush=True)
Reranker(load("cohere", api_key={KEY!r}, base_url={cohere.url!r}, max_documents=1)).rerank("q", ["a", "b", "c"])
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        assert process.stdout.readline() == b"ready\n"
        while len(cohere.requests) < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.wait(WAIT)
    assert cohere.busy == 3  # the service is still at it: nobody waited for it


def test_cancelling_cancels_the_request(cohere):
    """A cancelled call closes its connection, frees its place and leaves the scorer fit for the next."""
    cohere.delay = 0.3

    async def cancelled():
        async with load("cohere", base_url=cohere.url, max_concurrency=1) as scorer:
            reranker = Reranker(scorer)
            calls = [asyncio.ensure_future(reranker.arerank(QUERY_TEXT, TEXTS)) for _ in range(3)]
            await asyncio.sleep(0.1)
            for call in calls:
                call.cancel()
            assert all(
                isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*calls, return_exceptions=True)
            )
            cohere.delay = 0.0
            return await reranker.arerank(QUERY_TEXT, TEXTS)

    assert asyncio.run(cancelled())[0].index == 1
    assert len(cohere.requests) == 2


def _child(scorer, queue):
    queue.put(sync(scorer)[0].index)


def test_a_forked_process_opens_its_own_connections(cohere):
    """Connections of the parent are not used by the child."""
    scorer = load("cohere", base_url=cohere.url)
    sync(scorer)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(scorer, queue))
    child.start()
    assert queue.get(timeout=WAIT) == 1
    child.join(WAIT)
    assert sync(scorer)[0].index == 1
    assert cohere.connections == 2
    scorer.close()


# The report


@BOTH
def test_the_report_says_what_it_took(cohere, ask):
    """Usage in the service's own unit, requests, retries, the service's names for them, the model that answered."""
    cohere.faults = [FAULTS["503, HTML of a proxy"]]
    report = ask(load("cohere", base_url=cohere.url)).report
    assert (report.scorer, report.model, report.score_kind) == ("cohere", "rerank-v4.0-fast", "probability")
    assert report.usage == {"search_units": 1}
    assert (report.requests, report.retries) == (2, 1)
    assert report.request_ids == ("7c1d",)
    assert json.loads(json.dumps(report.to_dict()))["request_ids"] == ["7c1d"]


@BOTH
def test_a_failing_service_can_have_a_stand_in(cohere, ask):
    """Errors of services are ordinary errors to a `Fallback`, visible in the report."""
    cohere.always = FAULTS["402"]
    ranking = ask(Fallback(load("cohere", base_url=cohere.url), FirstStage()))
    assert ranking.indices == [0, 1, 2]
    assert ranking.report.degraded
    assert type(ranking.report.errors[0]).__name__ == "QuotaError"


# Rows of one's own


def house(**changes):
    """Return a made-up service that answers in input order, page by page, with its own names for everything."""
    fields = {
        "name": "house",
        "url": "https://rerank.invalid/{region}/score",
        "auth": KeyAuth(env=("HOUSE_KEY",), header="X-Key", scheme=""),
        "settings": (Option("region", env=("HOUSE_REGION",), required=True),),
        "body": {"ask": {"q": QUERY}, "items": Each({"body": TEXT}, image={"picture": TEXT}), "n": COUNT},
        "results": Results("out.list", score="s", index="i"),
        "headers": {"X-Region": "{region}"},
    }
    return Endpoint(**{**fields, **changes})


def test_a_row_of_ones_own_is_a_scorer(monkeypatch):
    """An endpoint that nobody has heard of: settings in URL and headers, pictures, its own key header."""
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with running(HouseContract()) as service:
        scorer = house(modalities=frozenset({"text", "image"}))(base_url=service.url, region="eu")
        ranking = Reranker(scorer).rerank("b", ["a", Image("data:image/png;base64,AAAA"), "b"])
        assert ranking[0].document == "b"
        assert service.bodies == [
            {
                "ask": {"q": "b"},
                "items": [{"body": "a"}, {"picture": "data:image/png;base64,AAAA"}, {"body": "b"}],
                "n": 3,
            }
        ]
        assert service.requests[0]["path"] == "/eu/score"
        assert service.requests[0]["headers"]["x-region"] == "eu"
        scorer.close()
    with pytest.raises(SettingError, match="needs region: set HOUSE_REGION or region="):
        Reranker(house()()).rerank("b", ["a"])
    with pytest.raises(SpecError, match=r"'house'.*its options: model, api_key"):
        house()(colour="red")


class HouseContract:
    """Accepts anything and scores by equality."""

    def __init__(self):
        self.says = {}

    def answer(self, _method, _path, _headers, body):
        payload = json.loads(body)
        wanted = payload["ask"]["q"]
        found = [{"i": place, "s": float(item.get("body") == wanted)} for place, item in enumerate(payload["items"])]
        return 200, {"out": {"list": found}}


def test_what_a_model_changes_is_in_the_row():
    """Exact names first, then patterns."""
    row = house(models={"big": {"score_kind": "logit"}, "list-*": {"scope": "list"}})
    assert (row("big").score_kind, row("other").score_kind) == ("logit", "probability")
    assert (row("list-1").scope, row("big").scope) == ("list", "text")
    assert row("big", score_kind="cosine").score_kind == "cosine"


def test_the_pool_of_connections_does_not_warn(cohere, caplog):
    """More threads than kept connections would be logged as a warning for each."""
    cohere.delay = 0.02
    scorer = load("cohere", base_url=cohere.url, max_concurrency=None)
    with ThreadPoolExecutor(48) as pool:
        list(pool.map(lambda _: sync(scorer), range(96)))
    assert not caplog.records
    scorer.close()
    assert threading.active_count() < 200
