"""Chat models over HTTP, on a fake endpoint that refuses what real ones refuse."""

import asyncio
import json
import logging
import pickle
import threading
from dataclasses import replace

import pytest
from asking import BOTH, QUERY, TEXTS, awaited, sync
from fake_chat import HOSTS, MODEL, ROOM, Chat, Host, saying
from fake_faults import FAULTS, LASTING, PASSING, refusal
from fake_service import KEY, running
from leaks import everything_said

from anyrank import Reranker, _retry, load, spec_of
from anyrank._http import Reply
from anyrank.errors import (
    AuthenticationError,
    DeadlineError,
    ProviderError,
    RateLimitError,
    ReplyError,
    SettingError,
    SpecError,
)
from anyrank.llm import ChatRequest, Listwise, Message, OpenAIChat, Pointwise
from anyrank.llm._dialect import Dialect, Refusal
from anyrank.llm.openai import OPENAI, first_dialect

WAIT = 30.0
LISTWISE = f"listwise:openai:{MODEL}"


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    """Put the test's key in place of the machine's own, and take the waits out of retries."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "ANYRANK_OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_retry, "FIRST", 0.001)


@pytest.fixture
def openai():
    """Run OpenAI's endpoint."""
    with running(Chat()) as service:
        yield service


def base(service):
    """Return what a user writes as base_url."""
    return service.url + service.contract.host.path.removesuffix("/chat/completions")


def asking(*contents, **more):
    """Return a question to a chat model."""
    messages = tuple(Message("user", content) for content in contents or ("Query: capital\n\nPassage: a capital",))
    return ChatRequest(messages, **more)


def refused_by(service):
    """Return how many of a service's requests it refused."""
    contract = service.contract
    return sum(contract.answer("POST", one["path"], one["headers"], one["body"])[0] != 200 for one in service.requests)


# What an endpoint takes


@BOTH
@pytest.mark.parametrize(
    ("host", "lessons"),
    [
        ("openai", {}),
        ("openai, reasoning", {"limit": 1, "temperature": 1}),
        ("openai, before schemas", {"form": 1}),
        ("openai, before json", {"form": 2}),
        ("openrouter", {"limit": 1, "temperature": 1}),
        ("anthropic", {"temperature": 1}),
        ("gemini", {}),
        ("mistral", {}),
        ("ollama", {}),
        ("lm studio", {}),
        ("vllm, echoing", {"form": 2}),
        ("vague", {"form": 2}),
        ("silent", {}),
    ],
)
def test_what_an_endpoint_does_not_take_is_found_out_once(host, lessons, ask):
    """A refusal is a lesson and no failure; later calls begin with what was learnt, and the ranking is right."""
    with running(Chat(host)) as service, load(LISTWISE, base_url=base(service)) as scorer:
        rankings = [ask(scorer) for _ in range(3)]
        assert refused_by(service) == sum(lessons.values())
        assert [ranking[0].index for ranking in rankings] == [1, 1, 1]
        assert [ranking.report.requests for ranking in rankings] == [1 + sum(lessons.values()), 1, 1]
        assert all(ranking.report.answers == {"ok": 1} for ranking in rankings)
        expected = {name: getattr(Dialect(), name)[steps:] for name, steps in lessons.items()}
        assert scorer.chat._dialects.get(f"{service.url}{HOSTS[host].path}", Dialect()) == replace(
            Dialect(), **expected
        )


@pytest.mark.parametrize(
    ("host", "top"), [("openai", 20), ("fireworks", 5), ("vllm, echoing", 5), ("gemini", 20), ("mistral", 20)]
)
def test_fewer_alternatives_are_asked_for_where_there_are_fewer(host, top):
    """Some endpoints give five log-probabilities, and say so."""
    with running(Chat(host)) as service, load(f"pointwise:openai:{MODEL}", base_url=base(service)) as scorer:
        first, second = sync(scorer), sync(scorer)
    assert first[0].index == second[0].index == 1
    assert [score > 0.5 for score in (first[0].score, first[1].score)] == [True, False]
    assert {body["top_logprobs"] for body in service.bodies[-3:]} == {top}
    assert (second.report.requests, second.report.score_kind) == (3, "probability")


def test_openai_itself_is_told_the_newer_name_of_the_limit_first():
    """Its newer models refuse the old one; elsewhere an unknown name is overlooked, so that there were no limit."""
    assert first_dialect(OPENAI.url).limit == ("max_completion_tokens", "max_tokens")
    assert first_dialect("http://localhost:11434/v1/chat/completions").limit[0] == "max_tokens"
    with running(Chat("mistral")) as service, OpenAIChat(MODEL, base_url=base(service)) as chat:
        chat._dialects[f"{service.url}/v1/chat/completions"] = first_dialect(OPENAI.url)
        assert chat.chat(asking('{"best"}\nQuery: a\n[1] a', max_tokens=50)).requests == 2
    assert [set(body) & {"max_tokens", "max_completion_tokens"} for body in service.bodies] == [
        {"max_completion_tokens"},
        {"max_tokens"},
    ]


def test_first_calls_at_once_all_learn_and_all_are_answered(openai):
    """No question is lost to another one's lesson, in threads and on a loop; afterwards nothing is refused."""
    openai.contract.host = HOSTS["openai, reasoning"]
    texts = TEXTS * 4
    with load(f"setwise:openai:{MODEL}", base_url=base(openai), choices=2) as scorer:
        assert Reranker(scorer).rerank(QUERY, texts)[0].document == TEXTS[1]
        assert refused_by(openai) <= 2 * 6
        openai.requests.clear()
        assert asyncio.run(Reranker(scorer).arerank(QUERY, texts))[0].document == TEXTS[1]
        assert refused_by(openai) == 0


@BOTH
@pytest.mark.parametrize(
    ("host", "options", "said"),
    [
        ("openai, reasoning", {"temperature": 0.3}, "temperature"),
        ("gemini", {"seed": 7}, "400"),
        ("mistral", {"seed": 7}, "422"),
        ("openai, before schemas", {"extra_body": {"response_format": {"type": "json_schema"}}}, "format"),
        ("mistral", {"extra_body": {"max_completion_tokens": 9}}, "422"),
    ],
)
def test_what_the_user_asked_for_is_never_dropped(host, options, said, ask):
    """Its refusal is the user's to hear."""
    with running(Chat(host)) as service, pytest.raises(ProviderError, match=said):
        ask(load(LISTWISE, base_url=base(service), max_retries=0, **options))
    sent = [{name: body[name] for name in options.get("extra_body", options)} for body in service.bodies]
    assert sent == [options.get("extra_body", options)] * len(sent)


@BOTH
@pytest.mark.parametrize(
    ("model", "text", "status", "said"),
    [
        (MODEL, "word " * 2 * ROOM, 400, "maximum context length"),
        ("gpt-9", "a text", 404, "does not exist"),
    ],
)
def test_other_refusals_teach_nothing(openai, model, text, status, said, ask, monkeypatch):
    """A prompt that is too long and an unknown model are errors at once, and the schema is still asked for next."""
    openai.contract.host = HOSTS["openai, before json"]
    monkeypatch.setattr("asking.TEXTS", [text, *TEXTS])
    with pytest.raises(ProviderError, match=said) as caught:
        ask(load(f"listwise:openai:{model}", base_url=base(openai)))
    assert caught.value.status == status
    assert len(openai.requests) == 1
    assert ("lower the reranker's context_tokens" in str(getattr(caught.value, "__notes__", ""))) == (status == 400)


@BOTH
def test_a_guess_that_did_not_help_is_no_lesson(openai, ask):
    """A refusal that names no reason is tried with a simpler form; if that is refused too, nothing is remembered."""
    scorer = load(LISTWISE, base_url=base(openai))
    openai.always = refusal(400, {"detail": "Bad Request"})
    with pytest.raises(ProviderError, match="Bad Request"):
        ask(scorer)
    assert [body.get("response_format", {}).get("type") for body in openai.bodies] == [
        "json_schema",
        "json_object",
        None,
    ]
    openai.always = None
    assert ask(scorer).report.requests == 1
    assert openai.bodies[-1]["response_format"]["type"] == "json_schema"


OVERFLOWS = [
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "'max_tokens' or 'max_completion_tokens' is too large: 600. This model's maximum context length is 512 tokens.",
    "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "prompt is too long: 200001 tokens > 200000 maximum",
    "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
    "The input (691793 tokens) is longer than the model's context length (540000 tokens).",
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "Trying to keep the first 5000 tokens. However, the model is loaded with context length of only 4096 tokens",
]


@pytest.mark.parametrize("words", OVERFLOWS)
def test_an_overflow_is_known_in_every_servers_words(words):
    """Of vLLM, llama.cpp, Anthropic, Gemini, SGLang, Mistral, LM Studio: none is taken for a refusal of a field."""
    fields = {"response_format", "max_tokens", "temperature", "top_logprobs"}
    assert Refusal(400, words).means("overflow")
    assert Dialect().simpler(Refusal(400, words), fields) is None


REFUSALS = [
    ("temperature", "`temperature` is deprecated for this model."),
    ("limit", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"),
    ("form", "'response_format.type' must be 'json_schema' or 'text'"),
    ("form", "This response_format type is unavailable now"),
    ("form", 'Either \\"json_schema\\" or \\"grammar\\" can be specified, but not both'),
    ("form", "Invalid schema for response_format 'answer': schema is too complex for this model"),
    ("form", "structured outputs are not supported by this model"),
    ("form", "Invalid value at 'generation_config.response_schema.properties[0].value.items.enum[0]' (TYPE_STRING), 1"),
    ("top_logprobs", "Requested sample logprobs of 20, which is greater than max allowed: 5"),
    (None, "Invalid value for 'messages': role 'developer' is not supported"),
    (None, "you must provide a model parameter"),
]


@pytest.mark.parametrize(("subject", "words"), REFUSALS)
def test_a_refusal_is_understood_in_every_servers_words(subject, words):
    """The next thing to say differs in what was refused, and in nothing else."""
    fields = {"response_format", "max_tokens", "temperature", "top_logprobs"}
    simpler = Dialect().simpler(Refusal(400, words), fields)
    expected = subject and replace(Dialect(), **{subject: getattr(Dialect(), subject)[1:]})
    assert simpler == expected
    assert Dialect().simpler(Refusal(401, words), fields) is None


def test_a_document_never_decides_what_an_endpoint_takes():
    """What a refusal quotes of the request stands behind ``input``, and is not looked at."""
    body = {"detail": [{"msg": "Extra inputs", "loc": ["body", "top_logprobs"], "input": {"x": "temperature"}}]}
    for text in (json.dumps(body), json.dumps({"error": {"metadata": {"raw": json.dumps(body)}}}), str(body)):
        words = Refusal.of(Reply(422, {}, text.encode())).words
        assert "top_logprobs" in words
        assert "temperature" not in words


# What is read from a reply


@BOTH
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (saying("[1]", "length"), {"text": "[1]", "cut": True}),
        (saying("[1]", "model_length"), {"cut": True}),
        (saying(None, refusal="I cannot help with that."), {"text": "", "refused": True}),
        (saying("", "content_filter"), {"refused": True}),
        (saying("", "content_filter: SAFETY"), {"refused": True}),
        (saying([{"type": "thinking", "thinking": []}, {"type": "text", "text": "[1]"}]), {"text": "[1]"}),
        (saying(None), {"text": "", "refused": False, "cut": False}),
        (saying("<think>hm"), {"text": "<think>hm"}),
        (
            refusal(400, {"error": {"code": "content_filter", "message": "our policy"}}),
            {"refused": True},
        ),
        (refusal(403, {"error": {"code": 403, "message": "your input was flagged"}}), {"refused": True}),
        (
            refusal(400, {"error": {"message": "Could not finish: max_tokens or model output limit was reached."}}),
            {"cut": True},
        ),
    ],
)
def test_a_reply_is_read_for_what_it_is(openai, ask, fault, expected):
    """An answer that was cut off, refused or filtered is known as such, whatever the endpoint's way to say so."""
    openai.always = fault
    with OpenAIChat(MODEL, base_url=base(openai)) as chat:
        question = asking()
        answer = chat.chat(question) if ask is sync else asyncio.run(chat.achat(question))
    assert {name: getattr(answer, name) for name in expected} == expected
    assert (answer.requests, answer.retries, answer.model) == (1, 0, MODEL)


def token(text, **top):
    """Return one token with its alternatives."""
    return {"token": text, "logprob": -0.1, "top_logprobs": [{"token": one, "logprob": top[one]} for one in top]}


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ([token("Yes", Yes=-0.1, No=-9999.0)], {"Yes": -0.1, "No": -9999.0}),
        ([token("\n", x=-0.1), token("No", No=-0.2)], {"No": -0.2}),
        ([token("\n", Yes=-0.5)], {"Yes": -0.5}),
        ([token("Yes")], None),
        ([], None),
        (None, None),
        ("Yes", None),
        ([token("Yes", Yes=None)], None),
        ([{"token": "Yes", "top_logprobs": 5}], None),
    ],
)
def test_alternatives_are_those_of_the_first_token_that_says_something(openai, tokens, found):
    """A leading line end is not it, unless there is nothing else; without alternatives there are none."""
    openai.always = saying("Yes", logprobs={"content": tokens})
    with OpenAIChat(MODEL, base_url=base(openai)) as chat:
        assert chat.chat(asking(alternatives=20)).alternatives == found


@BOTH
@pytest.mark.parametrize(
    ("host", "kind", "note"),
    [("silent", ReplyError, ""), ("anthropic", ReplyError, ""), ("openai, reasoning", ProviderError, "go by")],
)
def test_missing_log_probabilities_are_an_error_that_names_the_way_out(host, kind, note, ask):
    """Whether the endpoint overlooks the wish for them or refuses it."""
    with running(Chat(host)) as service:
        with pytest.raises(kind, match=r"log-?prob") as caught:
            ask(load(f"pointwise:openai:{MODEL}", base_url=base(service), temperature=1.0))
        assert "logprobs=False" in f"{caught.value} {getattr(caught.value, '__notes__', '')}"
        assert note in f"{getattr(caught.value, '__notes__', '')}"
        if host != "anthropic":
            ranking = ask(load(f"pointwise:openai:{MODEL}", base_url=base(service), logprobs=False))
            assert ranking[0].index == 1


# Keys


def test_a_key_given_beats_the_environment(openai, monkeypatch):
    """``api_key=`` is the one that is shown; it is also asked for again when it is a function."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    assert sync(load(LISTWISE, base_url=base(openai), api_key=KEY))[0].index == 1
    assert sync(load(LISTWISE, base_url=base(openai), api_key=lambda: KEY))[0].index == 1
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        sync(load(LISTWISE, base_url=base(openai)))


def test_openai_needs_a_key_and_other_endpoints_need_not(monkeypatch):
    """Without one nothing is sent to OpenAI; elsewhere no header is sent, and a refusal says what to set."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SettingError, match="OPENAI_API_KEY or api_key="):
        sync(load(LISTWISE))
    with running(Chat(Host(keyless=True))) as service:
        assert sync(load(LISTWISE, base_url=base(service)))[0].index == 1
        assert "authorization" not in service.requests[0]["headers"]
        service.contract.host = HOSTS["openai"]
        with pytest.raises(AuthenticationError, match="it wants a key; set OPENAI_API_KEY or api_key="):
            sync(load(LISTWISE, base_url=base(service)))


@BOTH
def test_a_key_goes_over_plain_http_to_no_other_machine(ask):
    """Unless that is asked for."""
    with pytest.raises(SettingError, match=r"unencrypted to chat\.invalid"):
        ask(load(LISTWISE, base_url="http://chat.invalid/v1"))


PLAIN = {name: fault for name, fault in LASTING.items() if "spoilt" not in fault[0].__qualname__}
"""Faults that are not about a list of results."""

WRONG_KEY = "sk-wrong-0123456789"


def caught(ask, scorer):
    """Return the error of a call."""
    with pytest.raises(ProviderError) as caught:
        ask(scorer)
    return caught.value


@BOTH
@pytest.mark.parametrize("fault", PLAIN)
def test_nothing_shows_the_key_or_a_passage(openai, ask, fault, caplog):
    """Not the error with its whole traceback, nor what is logged, written down or pickled."""
    caplog.set_level(logging.DEBUG)
    openai.always = PLAIN[fault][0]
    scorer = load(LISTWISE, base_url=base(openai), api_key=KEY)
    error = caught(ask, scorer)
    said = everything_said(error) + caplog.text + repr(scorer) + repr(vars(scorer.chat)) + repr(spec_of(scorer))
    assert KEY not in said + repr(scorer.chat) + repr(pickle.dumps(scorer.chat))
    assert all(text not in str(error) for text in (QUERY, *TEXTS))


@BOTH
def test_a_refusal_that_quotes_the_key_is_not_quoted(openai, ask):
    """OpenAI's quotes the wrong one."""
    error = caught(ask, load(LISTWISE, base_url=base(openai), api_key=WRONG_KEY))
    assert isinstance(error, AuthenticationError)
    assert WRONG_KEY not in everything_said(error)


@BOTH
@pytest.mark.parametrize("status", [400, 200])
def test_a_refusal_that_quotes_the_passages_is_not_quoted(openai, ask, status):
    """Whether it is one by its status or by its body."""
    openai.always = refusal(status, {"error": {"message": f"no model for {TEXTS[1]!r} and {QUERY!r}"}})
    with pytest.raises(ProviderError, match="no model for") as caught:
        ask(load(LISTWISE, base_url=base(openai)))
    assert "the capital" not in str(caught.value)


@pytest.mark.parametrize("options", [{"timeout": "soon"}, {"score_kind": "logit"}, {"max_documents": 3}, {"modle": 1}])
def test_an_option_that_means_nothing_is_refused(options):
    """At construction, by name, without the key."""
    for build in (lambda: OpenAIChat(MODEL, api_key=KEY, **options), lambda: load(LISTWISE, api_key=KEY, **options)):
        with pytest.raises(SpecError, match=next(iter(options))) as caught:
            build()
        assert KEY not in everything_said(caught.value)


def test_the_spec_holds_everything_but_the_key():
    """What was given comes back, through JSON, as the same scorer."""
    headers = {"X-Team": "search", "api-key": KEY}
    options = {"base_url": "http://localhost:8000/v1", "temperature": 0.5, "timeout": 9, "window": 10}
    scorer = load(LISTWISE, api_key=KEY, headers=headers, **options)
    spec = json.loads(json.dumps(spec_of(scorer)))
    assert spec == {"listwise": {"chat": f"openai:{MODEL}", **options, "headers": {"X-Team": "search"}}}
    assert spec_of(load(spec)) == spec
    assert load(spec).fingerprint != load({"listwise": {**spec["listwise"], "temperature": 0.1}}).fingerprint
    assert spec_of(load(LISTWISE)) == LISTWISE


# Where requests go


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1/chat/completions"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1/chat/completions"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1/chat/completions"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        (
            "https://x.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_a_base_url_is_what_openais_own_clients_take(given, whole):
    """All of the path but its end; a bare host is taken too, and so is the whole URL."""
    chat = OpenAIChat(MODEL, base_url=given)
    assert chat._url(chat._values()) == whole


def test_the_environment_gives_the_base_url_and_an_argument_beats_it(openai, monkeypatch):
    """Our own variable comes before OpenAI's."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("ANYRANK_OPENAI_BASE_URL", base(openai))
    assert sync(load(LISTWISE))[0].index == 1
    monkeypatch.setenv("ANYRANK_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert sync(load(LISTWISE, base_url=base(openai)))[0].index == 1
    monkeypatch.delenv("ANYRANK_OPENAI_BASE_URL")
    monkeypatch.setenv("OPENAI_BASE_URL", base(openai))
    assert sync(load(LISTWISE))[0].index == 1


# Faults, time and what a call took


@BOTH
@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_survived(openai, ask, fault):
    """The question is repeated, once, and the report says so."""
    openai.faults = [PASSING[fault]]
    ranking = ask(load(LISTWISE, base_url=base(openai)))
    assert ranking[0].index == 1
    assert ranking.report.requests == len(openai.requests) == 2
    assert ranking.report.retries == 1
    assert not ranking.report.degraded


@BOTH
@pytest.mark.parametrize("fault", [*PLAIN, "200, choice with an error", "401"])
def test_a_lasting_fault_is_a_named_error(openai, ask, fault):
    """Each is the error that a rerank service's would be, and names endpoint, model and status."""
    more = {
        "200, choice with an error": (saying("", error={"code": 502, "message": "upstream"}), "ReplyError"),
        "401": (refusal(401, {"error": {"message": "no"}}), "AuthenticationError"),
    }
    openai.always, kind = {**LASTING, **more}[fault]
    with pytest.raises(ProviderError) as caught:
        ask(load(LISTWISE, base_url=base(openai)))
    assert type(caught.value).__name__ == kind
    assert (caught.value.provider, caught.value.model) == ("openai", MODEL)
    assert len(openai.requests) <= 3


@BOTH
def test_too_many_requests_to_the_end(openai, ask):
    """Retries have an end, and the error says what to lower."""
    openai.always = FAULTS["429, retry-after in seconds"]
    with pytest.raises(RateLimitError, match="lower max_concurrency"):
        ask(load(LISTWISE, base_url=base(openai)))
    assert len(openai.requests) == 3


@BOTH
def test_the_deadline_of_the_reranker_ends_the_question(openai, ask):
    """And the message does not call the rest of it the deadline."""
    openai.delay = 1.0
    with pytest.raises(DeadlineError, match=f"{MODEL}.* did not answer"):
        ask(load(LISTWISE, base_url=base(openai), deadline=0.15))
    with pytest.raises(DeadlineError, match=r"in the 0\.1[0-9]* seconds left for it"):
        ask(Listwise(OpenAIChat(MODEL, base_url=base(openai), deadline=0.1)))


def test_cancelling_cancels_the_question(openai):
    """The connection is let go of, and the scorer works on."""
    openai.delay = 0.5
    scorer = load(LISTWISE, base_url=base(openai))

    async def cancelled():
        async with scorer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await Reranker(scorer).arerank(QUERY, TEXTS)
            openai.delay = 0.0
            return await Reranker(scorer).arerank(QUERY, TEXTS)

    assert asyncio.run(cancelled())[0].index == 1


@BOTH
def test_the_report_says_what_it_took(openai, ask):
    """Tokens, their price, requests, retries, the endpoint's names for them, the model that answered, rounds."""
    openai.faults = [FAULTS["503, HTML of a proxy"]]
    prices = {"prompt_tokens": 2.0, "completion_tokens": 8.0}
    report = ask(load(LISTWISE, base_url=base(openai), prices=prices)).report
    usage = dict(report.usage)
    assert usage.pop("cost") == pytest.approx(
        (2.0 * usage["prompt_tokens"] + 8.0 * usage["completion_tokens"]) / 1e6, rel=1e-12
    )
    assert set(usage) == {"prompt_tokens", "completion_tokens"}
    assert (report.requests, report.retries, report.rounds) == (2, 1, 1)
    assert report.request_ids == ("chatcmpl-1",)
    assert (report.model, report.score_kind, report.answers) == (MODEL, "reciprocal_rank", {"ok": 1})


@pytest.mark.parametrize("kind", ["listwise", "pointwise", "pairwise", "setwise"])
def test_sync_and_async_send_the_same(openai, kind):
    """The same bodies to the same URL, and the same ranking."""
    rankings = [ask(load(f"{kind}:openai:{MODEL}", base_url=base(openai))) for ask in (sync, awaited)]
    bodies = sorted(request["body"] for request in openai.requests)
    assert bodies[::2] == bodies[1::2]
    assert rankings[0].indices == rankings[1].indices
    assert rankings[0][0].index == 1
    assert [hit.score for hit in rankings[0]] == [hit.score for hit in rankings[1]]


def test_the_body_is_the_documented_one(openai):
    """To the letter, for a window and for one passage."""
    with OpenAIChat(MODEL, base_url=base(openai), seed=7) as chat:
        sync(Listwise(chat, answer_tokens=100))
        sync(Pointwise(chat))
    window, passage = openai.bodies[0], openai.bodies[-1]
    assert window.keys() == {"model", "messages", "temperature", "seed", "max_tokens", "response_format"}
    assert (window["model"], window["temperature"], window["seed"]) == (MODEL, 0.0, 7)
    assert window["response_format"]["json_schema"]["strict"] is True
    assert passage.keys() == {"model", "messages", "temperature", "seed", "max_tokens", "logprobs", "top_logprobs"}
    assert (passage["logprobs"], passage["top_logprobs"]) == (True, 20)


def test_connections_are_reused_and_closed(openai):
    """Calls one after another share a connection; closing lets go of it, and of those of threads and loops."""
    chat = OpenAIChat(MODEL, base_url=base(openai))
    for _ in range(3):
        sync(Listwise(chat))  # which does not close a chat model that it was given
    assert openai.connections == 1
    chat.close()
    sync(Listwise(chat))
    assert openai.connections == 2
    chat.close()
    threads = threading.active_count()

    async def several():
        async with load(LISTWISE, base_url=base(openai)) as scorer:
            for _ in range(3):
                await Reranker(scorer).arerank(QUERY, TEXTS)

    asyncio.run(several())
    assert openai.connections == 3
    assert threading.active_count() <= threads + 1


def test_a_scorer_closes_the_chat_model_that_it_built(openai):
    """And only that one."""
    scorer = load(LISTWISE, base_url=base(openai))
    sync(scorer)
    sync(scorer)
    assert openai.connections == 2


@pytest.mark.parametrize(
    "spec", ["listwise", "listwise:gpt-4.1", "listwise:openai", "listwise:openai:", "listwise:x:y"]
)
def test_a_spec_without_a_chat_model_says_how_to_write_one(spec):
    """At construction."""
    with pytest.raises(SpecError):
        load(spec)


def test_the_fake_is_strict():
    """It refuses what our requests never do, so that a mistake of ours could not pass unseen."""
    good = {"model": MODEL, "messages": [{"role": "user", "content": "JSON, please"}]}
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    for wrong in (
        {"model": None},
        {"messages": []},
        {"messages": [{"role": "bot", "content": "x"}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"brand_new": 1},
        {"max_tokens": 1, "max_completion_tokens": 1},
        {"response_format": {"type": "xml"}},
        {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "x"}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "strict": True, "schema": schema}}},
        *(
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": spoilt}}}
            for spoilt in (
                {**schema, "additionalProperties": True},
                {**schema, "required": []},
                {**schema, "properties": {"a": {"minItems": 1}}},
            )
        ),
        {"top_logprobs": 5},
        {"logprobs": True, "top_logprobs": 21},
    ):
        assert Chat().problem(good) is None
        assert Chat().problem({**good, **wrong}) is not None, wrong


# The frameworks


@pytest.fixture(params=["LangChain", "LlamaIndex", "Haystack"])
def host(request, monkeypatch):
    """Give each framework in turn."""
    import test_hosted_adapters

    monkeypatch.setenv("FAKE_KEY", KEY)
    return getattr(test_hosted_adapters, request.param)()


@pytest.mark.parametrize("kind", ["listwise", "pointwise", "pairwise", "setwise"])
def test_a_spec_works_in_every_framework(host, kind, openai, monkeypatch):
    """With a key given the host's way, which is not written down; what is written down builds the same again."""
    monkeypatch.delenv("OPENAI_API_KEY")
    adapter = host.build(f"{kind}:openai:{MODEL}", api_key=KEY, scorer_options={"base_url": base(openai)})
    assert host.rerank(adapter)[0] == TEXTS[1]
    assert asyncio.run(host.arerank(adapter))[0] == TEXTS[1]
    saved = host.saved(adapter)
    assert KEY not in saved + repr(adapter)
    assert f"{kind}:openai:{MODEL}" in saved
    assert base(openai) in saved
    adapter.close()
