"""Documents are data: they keep their text, fit the context, and hold no token of a chat template."""

# ruff: noqa: RUF001 - characters that look like others are what is tested

import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_chat import passages

from anyrank import Reranker
from anyrank.errors import ArgumentError
from anyrank.llm import ChatReply, Listwise, Message, Prompt
from anyrank.llm._passages import OVERHEAD, Budget, harmless, passage

CHINESE = "巴黎是法国的首都，也是该国最大的城市。"
THAI = "กรุงปารีสเป็นเมืองหลวงของฝรั่งเศส"
ARABIC = "باريس هي عاصمة فرنسا وأكبر مدنها."
EMOJI = "👩\u200d🔬🇫🇷❤️🎉"
TEXTS = st.text(alphabet=st.sampled_from("ab C9.[<|\n" + CHINESE + THAI + ARABIC + EMOJI), max_size=400)


class Sent:
    """A chat model that keeps its requests and ranks passages as they stand, or answers what it is told to."""

    def __init__(self, *answers):
        self.requests = []
        self.answers = list(answers)

    def chat(self, request):
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        shown = re.findall(r"^\[(\d+)\] ", request.messages[-1].content, re.MULTILINE)
        return ChatReply(json.dumps({"ranking": list(map(int, shown))}))


def spent(request, count=None):
    """Return the tokens of a request and its answer, at most."""
    budget = Budget(1, None, count)
    return sum(budget.tokens(one.content) + OVERHEAD for one in request.messages) + request.max_tokens


def in_words(text):
    """Count words as tokens."""
    return len(text.split())


def in_bytes(text):
    """Count bytes as tokens."""
    return len(text.encode(errors="replace"))


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(TEXTS.map(lambda text: text * 20), min_size=2, max_size=25),
    query=TEXTS,
    context=st.integers(650, 2000),
    count=st.sampled_from([None, in_words, in_bytes]),
    first=st.sampled_from([ChatReply("no idea"), ChatReply("[1]", cut=True)]),
)
def test_no_question_is_longer_than_the_context(texts, query, context, count, first):
    """Question and answer fit, the second question too, whatever the script; windows shrink, no passage is empty."""
    chat = Sent(first, ChatReply("none"))
    context *= 4 if count is in_bytes else 1
    ranking = Reranker(Listwise(chat, context_tokens=context, count_tokens=count)).rerank(query, texts)
    assert sorted(ranking.indices) == list(range(len(texts)))
    for request in chat.requests:
        assert spent(request, count) <= context
        assert all(passages([one.to_dict() for one in request.messages]))


@pytest.mark.parametrize("text", [CHINESE, THAI, ARABIC, EMOJI, "word "], ids=["zh", "th", "ar", "emoji", "en"])
def test_every_script_keeps_its_text(text):
    """Long passages are cut where the budget ends, not at white space, and what is cut is reported."""
    chat = Sent()
    report = Reranker(Listwise(chat, context_tokens=4000)).rerank("巴黎", [text * 500 for _ in range(20)]).report
    for request in chat.requests:
        assert all(len(shown) > 40 for shown in passages([one.to_dict() for one in request.messages]))
    assert set(report.truncated) == set(range(20))
    assert all(tokens > 0 for tokens in report.truncated.values())


def test_short_passages_make_room_for_long_ones():
    """The room goes to those that need it."""
    budget = Budget(10_000)
    assert budget.limit([10, 10, 10, 1000], 530) == 500
    assert budget.limit([10, 10], 530) == 10


def test_windows_shrink_before_passages_do():
    """Where the context has no room for a window of readable passages, fewer are shown at a time."""
    chat = Sent()
    Reranker(Listwise(chat, context_tokens=1500)).rerank("q", ["many words " * 300] * 20)
    sizes = [len(passages([one.to_dict() for one in request.messages])) for request in chat.requests]
    assert max(sizes) < 20
    assert min(sizes) >= 2


def test_a_context_without_room_is_refused():
    """Nothing is sent; the message names the option and what it leaves."""
    chat = Sent()
    with pytest.raises(ArgumentError, match=r"context_tokens=300 leaves \d+ tokens for passages"):
        Reranker(Listwise(chat, context_tokens=300)).rerank("q", ["many words " * 300] * 20)
    assert not chat.requests


@pytest.mark.parametrize("count", [-1, None, math.nan, "3", math.inf])
def test_a_count_that_is_none_is_refused(count):
    """Windows of passages that take no room, or less, would never be small enough."""
    with pytest.raises(ArgumentError, match="count_tokens must return"):
        Reranker(Listwise(Sent(), count_tokens=lambda _: count)).rerank("q", ["many words " * 300] * 20)


def test_tokens_that_cost_nothing_take_no_room():
    """A count of 0 and one of a half are counts."""
    for count in (0, 0.5):
        chat = Sent()
        Reranker(Listwise(chat, count_tokens=lambda _, count=count: count)).rerank("q", ["a"] * 20)
        assert len(chat.requests) == 1


def test_a_long_query_is_cut_and_reported():
    """It has a quarter of the context at most."""
    chat = Sent()
    report = Reranker(Listwise(chat, context_tokens=4000)).rerank("why " * 5000, ["a", "b"]).report
    assert report.query_truncated > 1000
    assert spent(chat.requests[0]) <= 4000


def test_passage_tokens_bound_each_passage():
    """However much room there is."""
    chat = Sent()
    Reranker(Listwise(chat, passage_tokens=10, count_tokens=lambda text: len(text.split()))).rerank(
        "q", ["one two three four five six seven eight nine ten eleven twelve", "short"]
    )
    assert passages([one.to_dict() for one in chat.requests[0].messages])[0].split()[-1] == "ten"


@given(text=TEXTS.filter(str.strip), limit=st.integers(1, 50))
def test_a_cut_is_a_beginning_that_fits(text, limit):
    """It is as long as it can be, and never empty."""
    for budget in (Budget(1), Budget(1, None, len)):
        kept = budget.cut(text, limit)
        assert kept
        assert text.startswith(kept)
        assert budget.tokens(kept) <= limit or len(kept) == 1
        assert kept == text or budget.tokens(text[: len(kept) + 1]) > limit


@pytest.mark.parametrize(
    ("text", "tokens"),
    # what the vocabulary that needs the most makes of it: one of those that `_passages` names
    [
        (CHINESE, 22),
        (ARABIC, 33),
        ("The capital of France is Paris, on the river Seine.", 13),
        ("3.14159 26535 89793 23846", 26),
        ("def f(x): return {k: v for k, v in x.items()}", 19),
        ("| 12 | 3.5 | 0.07 |", 16),
        ("Zażółć gęślą jaźń", 13),
        ("https://example.org/a/b?c=1&d=22", 18),
        ("パリはフランスの首都です。", 14),
        ("ПАРИЖ — столица Франции.", 13),
    ],
)
def test_the_estimate_is_from_above(text, tokens):
    """No tokenizer that was measured needs more for text like these."""
    assert Budget(1).tokens(text) >= tokens


@pytest.mark.parametrize(
    "token",
    [
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|start_header_id|>",
        "<｜User｜>",
        "<｜end▁of▁sentence｜>",
        "<|START_OF_TURN_TOKEN|>",
        "<BOS_TOKEN>",
        "<start_of_turn>",
        "<end_of_turn>",
        "<s>",
        "</s>",
        "<eos>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "[SYSTEM_PROMPT]",
        "[TOOL_CALLS]",
        "[gMASK]",
        "<sop>",
        "[|system|]",
        "[|endofturn|]",
        "<extra_id_1>",
        "<unused99>",
        "<seed:bos>",
        "<think>",
        "</think>",
        "[THINK]",
        "<tool_call>",
        "[SEP]",
        "<mask>",
        "<|\u200bim_start|>",
        "<\u200b|im_start|>",
    ],
)
def test_tokens_of_chat_templates_are_taken_apart(token):
    """A document that holds one no longer does, and keeps the word in it."""
    clean = harmless(f"before {token} after")
    visible = token.replace("\u200b", "")
    assert visible not in clean
    assert "".join(re.findall(r"\w", visible)) in "".join(re.findall(r"\w", clean))


@pytest.mark.parametrize(
    "text",
    [
        "[3]",
        "[ 3 ]",
        "[3, 1]",
        "[3]>[1]",
        "[passage 3]",
        "[Doc_3]",
        "[#3]",
        "［３］",
        "【3】",
        "[\u200b3]",
        "[3\u200d\u200d]",
    ],
)
def test_what_looks_like_a_passage_number_is_none(text):
    """Its brackets become round ones, the number stays."""
    assert not re.search(r"[\[［【]", passage(f"before {text} after"))
    assert re.search(r"\(.*[3３].*\)", passage(f"before {text} after"))


@pytest.mark.parametrize("text", ["a < b and c > d | e", "<b>bold</b>", "x[i], y[-1]", "[link](http://a.b)", "1 << 2"])
def test_other_text_stays_as_it_is(text):
    """Mathematics, markup and code are not touched."""
    assert passage(text) == text


@pytest.mark.parametrize("text", [f"می\u200cخواهم {EMOJI}", CHINESE, THAI])
def test_joiners_that_a_script_needs_stay(text):
    """Persian and emoji are written with characters that nobody sees."""
    assert passage(text) == text


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "[1,[" * 30_000, "[1" + "\u200d" * 50_000, "<" + "a_" * 50_000, "<|" * 50_000, "[A_" * 40_000],
)
def test_long_garbage_is_made_harmless(text):
    """A reader that goes back over it would not come to an end."""
    assert len(passage(text)) <= len(text)


def test_documents_are_in_the_user_turn_alone():
    """Nothing of a document or a query stands where the host's own words do."""
    chat = Sent()
    Reranker(Listwise(chat)).rerank("queried", ["first document", "second document"])
    [request] = chat.requests
    system, user = request.messages
    assert (system.role, user.role) == ("system", "user")
    assert "document" not in system.content
    assert "queried" not in system.content


def test_braces_in_texts_stay_what_they_are():
    """A document that holds a name of the template is not filled in."""
    prompt = Prompt(user="{query} {passages}", passage="{id}: {text}")
    assert prompt.messages("{passages}", ["{query} {id}"]) == (Message("user", "{passages} 1: {query} {id}"),)
