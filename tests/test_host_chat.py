"""What providers say of an answer, through three frameworks, as a `ChatReply`."""

from enum import Enum
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank.errors import ArgumentError, ScoresError
from anyrank.host_chat import HostChat, host_reply, no_llm
from anyrank.llm import ChatReply


class FinishReason(Enum):
    """As Google's client has it."""

    STOP = 1
    MAX_TOKENS = 2
    SAFETY = 3


OPENAI_USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 5,
    "total_tokens": 35,
    "completion_tokens_details": {"reasoning_tokens": 2},
}
RESPONSES_USAGE = {"input_tokens": 30, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}}
LANGCHAIN_USAGE = {"input_tokens": 30, "output_tokens": 5, "output_token_details": {"reasoning": 2}}
GEMINI_USAGE = {"prompt_token_count": 30, "candidates_token_count": 5, "thoughts_token_count": 2}
ALL = {"prompt_tokens": 30, "completion_tokens": 5, "reasoning_tokens": 2}
TWO = {"prompt_tokens": 30, "completion_tokens": 5}


def openai_object(**choice):
    """Return a completion as OpenAI's client has it: objects, not mappings."""
    usage = SimpleNamespace(**{**OPENAI_USAGE, "completion_tokens_details": SimpleNamespace(reasoning_tokens=2)})
    return SimpleNamespace(model="gpt", usage=usage, choices=[SimpleNamespace(**choice)])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([{"finish_reason": "stop", "model_name": "gpt", "token_usage": OPENAI_USAGE}], ("", ALL, "gpt")),
        ([{"finish_reason": "length", "model": "gpt", "usage": OPENAI_USAGE}], ("cut", ALL, "gpt")),
        ([{"finish_reason": "content_filter"}], ("refused", {}, None)),
        ([{"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}], ("cut", {}, None)),
        ([{"usage": RESPONSES_USAGE, "incomplete_details": {"reason": "content_filter"}}], ("refused", ALL, None)),
        ([{"usage_metadata": LANGCHAIN_USAGE}, {"token_usage": {"prompt_tokens": 1}}], ("", ALL, None)),
        ([{"stop_reason": "max_tokens", "usage": {"input_tokens": 30, "output_tokens": 5}}], ("cut", TWO, None)),
        ([{"stop_reason": "refusal", "model": "claude"}], ("refused", {}, "claude")),
        ([{"stopReason": "guardrail_intervened"}], ("refused", {}, None)),
        ([{"finish_reason": "MAX_TOKENS", "usage": None}], ("cut", {}, None)),
        ([{"finish_reason": FinishReason.SAFETY}], ("refused", {}, None)),
        ([{"candidates": [{"finish_reason": FinishReason.MAX_TOKENS}]}], ("cut", {}, None)),
        ([{"usage_metadata": GEMINI_USAGE, "model_version": "gemini"}], ("", ALL, "gemini")),
        ([{"prompt_feedback": {"block_reason": "PROHIBITED_CONTENT"}}], ("refused", {}, None)),
        ([{"done_reason": "length", "model": "qwen"}], ("cut", {}, "qwen")),
        ([openai_object(finish_reason="length")], ("cut", ALL, "gpt")),
        ([openai_object(finish_reason="stop", message=SimpleNamespace(refusal="no"))], ("refused", ALL, "gpt")),
        ([None, {"prompt_tokens": 30, "completion_tokens": 5}], ("", TWO, None)),
        ([{}, {"refusal": None}], ("", {}, None)),
    ],
)
def test_each_providers_words_are_understood(said, expected):
    """Why an answer ended, what it took and which model gave it, wherever and however it is said."""
    reply = host_reply("text", *said)
    ended = "cut" if reply.cut else "refused" if reply.refused else ""
    assert (reply.text, (ended, reply.usage, reply.model)) == ("text", expected)


YES = [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -2.5}]
TOKEN = {"token": "Yes", "top_logprobs": YES}
NEWLINE = {"token": "\n", "top_logprobs": [{"token": "\n", "logprob": -0.1}]}


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        ({"content": [TOKEN]}, {"Yes": -0.1, "No": -2.5}),
        ([TOKEN, TOKEN], {"Yes": -0.1, "No": -2.5}),
        ([[TOKEN]], {"Yes": -0.1, "No": -2.5}),
        (
            [SimpleNamespace(token="Yes", top_logprobs=[SimpleNamespace(**one) for one in YES])],
            {"Yes": -0.1, "No": -2.5},
        ),
        ({"content": [NEWLINE, TOKEN]}, {"Yes": -0.1, "No": -2.5}),
        ({"content": [NEWLINE]}, {"\n": -0.1}),
        (
            {"content": [{"token": "Yes", "top_logprobs": [*YES, {"token": "Yes", "logprob": -9.0}]}]},
            {"Yes": -0.1, "No": -2.5},
        ),
        ({"content": [{"token": "Yes", "top_logprobs": []}]}, None),
        ({"content": [{"token": "Yes", "top_logprobs": [{"token": "Yes", "logprob": None}]}]}, None),
        ({"content": []}, None),
        ({"content": None}, None),
        (None, None),
    ],
    ids=["openai", "ollama", "responses", "objects", "newline", "only_newline", "twice", "none", "null", *"abc"],
)
def test_log_probabilities_are_found(logprobs, expected):
    """Those of the first token that is more than white space, in the forms of OpenAI, Ollama and their clients."""
    assert host_reply("Yes", {"logprobs": logprobs}).alternatives == expected


WORDS = st.sampled_from(
    ["finish_reason", "choices", "message", "refusal", "logprobs", "content", "token", "top_logprobs", "usage", "model"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING)
def test_nothing_a_provider_says_can_break_an_answer(first, second):
    """Metadata of any form leave the text as it is."""
    reply = host_reply("[2] > [1]", first, second, model="m")
    assert isinstance(reply, ChatReply)
    assert reply.text == "[2] > [1]"
    assert isinstance(reply.model, str)
    assert reply.usage.keys() <= ALL.keys()


class Keyed:
    """An LLM whose own repr shows its key."""

    model = "m-1"

    def __repr__(self):
        return "Keyed(api_key='sk-secret')"


def test_a_chat_model_shows_its_name_and_no_key():
    """What stands in reprs, errors and traces is the LLM's class and model."""
    chat = HostChat(Keyed())
    assert repr(chat) == "chat_model(Keyed, 'm-1')"
    assert "secret" not in str(chat.wrong([], "text"))
    assert getattr(chat, "fingerprint", None) is None


@pytest.mark.parametrize(("given", "shown"), [(Keyed, "the class Keyed"), (3, "a int")])
def test_what_is_no_llm_is_named(given, shown):
    """The errors of adapters say what came instead, and are of the tree."""
    error = no_llm(given, "an LLM")
    assert isinstance(error, ArgumentError)
    assert str(error) == f"chat_model takes an LLM; got {shown}"
    assert isinstance(HostChat(Keyed()).wrong(given, "text"), ScoresError)
