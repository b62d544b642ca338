"""A LlamaIndex LLM as the chat model of an LLM reranker, in the whole chain."""

import asyncio
from threading import Event
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata, LogProb
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.postprocessor import LLMRerank
from llama_index.core.schema import NodeWithScore, TextNode

from anyrank.errors import ArgumentError, ReplyError, ScoresError, SpecError
from anyrank.llm import ChatRequest, Listwise, Message, Pointwise
from anyrank.testing import WAIT
from llama_index.postprocessor.anyrank import AnyRankPostprocessor, chat_model

NODES = [NodeWithScore(node=TextNode(text=f"passage {n}", id_=f"n{n}"), score=1 / n) for n in range(1, 5)]
REQUEST = ChatRequest((Message("system", "be brief"), Message("user", "well?"), Message("assistant", "what?")))


@pytest.fixture(params=["sync", "async"])
def rerank(request):
    """Give a caller of a postprocessor, in each colour."""
    if request.param == "sync":
        return lambda postprocessor, nodes=NODES: postprocessor.postprocess_nodes(nodes, query_str="which?")
    return lambda postprocessor, nodes=NODES: asyncio.run(postprocessor.apostprocess_nodes(nodes, query_str="which?"))


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Give a caller of a chat model, in each colour."""
    if request.param == "sync":
        return lambda chat, question: chat.chat(question)
    return lambda chat, question: asyncio.run(chat.achat(question))


class Scripted(CustomLLM):
    """A completion LLM that always says the same, and keeps its prompts."""

    says: str
    seen: list[Any] = Field(default_factory=list)

    @property
    def metadata(self):
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, prompt, formatted=False, **kwargs):  # noqa: ARG002, FBT002
        self.seen.append(("complete", prompt, kwargs))
        return CompletionResponse(text=self.says)

    @llm_completion_callback()
    def stream_complete(self, prompt, formatted=False, **kwargs):  # noqa: FBT002
        raise NotImplementedError


class Chatting(Scripted):
    """A chat LLM, native in both colours, that always gives the same response."""

    says: str = ""
    model: str = "chatting-1"
    gives: Any

    @llm_chat_callback()
    def chat(self, messages, **kwargs):
        self.seen.append(("chat", messages, kwargs))
        return self.gives

    @llm_chat_callback()
    async def achat(self, messages, **kwargs):
        self.seen.append(("achat", messages, kwargs))
        return self.gives


class Telling(Chatting):
    """Takes OpenAI's words for log-probabilities, as LlamaIndex's OpenAI and its kin do."""

    logprobs: bool | None = None
    top_logprobs: int = 0


def listwise(llm, **settings):
    """Return a postprocessor that asks an LLM."""
    return AnyRankPostprocessor(Listwise(chat_model(llm)), **settings)


def response(content, **said):
    """Return an answer with what LlamaIndex keeps of what a provider says."""
    return ChatResponse(message=ChatMessage(role="assistant", content=content), **said)


def ids(found):
    """Return the ids of nodes, in order."""
    return [one.node.node_id for one in found]


def test_the_llm_in_the_chain_reranks(rerank):
    """The nodes come back in the LLM's order, the very same, with the report."""
    reports = []
    found = rerank(listwise(Scripted(says='{"ranking": [3, 1, 4, 2]}'), top_n=3, on_report=reports.append))
    assert [one.node for one in found] == [NODES[place].node for place in (2, 0, 3)]
    assert [one.score for one in found] == [1.0, 1 / 2, 1 / 3]
    assert (reports[0].answers, reports[0].requests, reports[0].degraded) == ({"ok": 1}, 1, False)


def test_a_completion_llm_gets_its_own_prompt(ask):
    """The messages go through the LLM's ``messages_to_prompt``; the text comes back. It has no name of a model."""
    llm = Scripted(says="[2] > [1]", messages_to_prompt=lambda messages: "|".join(one.content for one in messages))
    chat = chat_model(llm)
    assert ask(chat, REQUEST).text == "[2] > [1]"
    assert [prompt for _, prompt, _ in llm.seen] == ["be brief|well?|what?"]
    assert (chat.model, ask(chat, REQUEST).model) == (None, None)


def test_messages_go_in_and_all_that_is_said_comes_out(ask):
    """Roles become LlamaIndex's; text, usage, name and the reason for the end are read from the raw response."""
    raw = {
        "model": "chatting-1-2026",
        "choices": [{"finish_reason": "length"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 1}},
    }
    llm = Chatting(gives=response("[2] > [1]", raw=raw))
    reply = ask(chat_model(llm), REQUEST)
    assert [(one.role.value, one.content) for one in llm.seen[0][1]] == [
        ("system", "be brief"),
        ("user", "well?"),
        ("assistant", "what?"),
    ]
    assert (reply.text, reply.cut, reply.refused, reply.model) == ("[2] > [1]", True, False, "chatting-1-2026")
    assert reply.usage == {"prompt_tokens": 7, "completion_tokens": 3, "reasoning_tokens": 1}


@pytest.mark.parametrize(
    ("gives", "expected"),
    [
        (response(None, raw={"choices": [{"message": {"refusal": "I cannot"}}]}), ("", True, {})),
        (response("[1] > [2]", raw={"stop_reason": "refusal"}), ("[1] > [2]", True, {})),
        (response("", additional_kwargs={"prompt_tokens": 7}), ("", False, {"prompt_tokens": 7})),
    ],
    ids=["refusal", "reason", "counts"],
)
def test_refusals_and_counts_are_found(gives, expected):
    """A refusal is told apart, a missing text is none, and counts beside the response are read too."""
    reply = chat_model(Chatting(gives=gives)).chat(REQUEST)
    assert (reply.text, reply.refused, reply.usage) == expected


def test_an_awaited_call_awaits_the_llm():
    """The async colour uses the LLM's own, and the sync one its own."""
    llm = Chatting(gives=response("[2] > [1] > [3] > [4]"))
    found = asyncio.run(listwise(llm).apostprocess_nodes(NODES, query_str="which?"))
    assert ids(found) == ids(listwise(llm).postprocess_nodes(NODES, query_str="which?")) == ["n2", "n1", "n3", "n4"]
    assert [colour for colour, *_ in llm.seen] == ["achat", "chat"]


def test_the_models_name_costs_no_request():
    """The metadata, for which LlamaIndex's Ollama asks its server, are not looked at to build, show or trace."""

    class Asking(Chatting):
        @property
        def metadata(self):
            msg = "a request"
            raise OSError(msg)

    chat = chat_model(Asking(gives=response("[1]")))
    assert (chat.model, repr(chat)) == ("chatting-1", "chat_model(Asking, 'chatting-1')")
    assert AnyRankPostprocessor(Listwise(chat)).postprocess_nodes([], query_str="which?") == []


class Waiting(Scripted):
    """Answers when something else has run on the event loop."""

    go: Any

    @llm_completion_callback()
    def complete(self, prompt, formatted=False, **kwargs):  # noqa: ARG002, FBT002
        assert self.go.wait(WAIT), "the event loop was held"
        return CompletionResponse(text=self.says)


def test_a_custom_llm_does_not_hold_the_event_loop():
    """``CustomLLM.achat`` calls ``chat`` on the loop: such an LLM is asked in a thread."""
    go = Event()

    async def both():
        reranking = listwise(Waiting(says="[2]>[1]>[3]>[4]", go=go)).apostprocess_nodes(NODES, query_str="which?")
        return (await asyncio.gather(reranking, asyncio.to_thread(go.set)))[0]

    assert ids(asyncio.run(both())) == ["n2", "n1", "n3", "n4"]


YES = [[LogProb(token="Yes", logprob=0.0), LogProb(token="No", logprob=-9.0)], []]


def test_log_probabilities_are_asked_for_by_the_llms_field(ask):
    """An LLM with ``top_logprobs`` among its fields is asked in these words; no other is. Those given are read."""
    for kind, expected in ((Telling, {"logprobs": True, "top_logprobs": 20}), (Chatting, {})):
        llm = kind(gives=response("Yes", logprobs=YES))
        reply = ask(chat_model(llm), ChatRequest(REQUEST.messages, alternatives=20))
        assert (llm.seen[0][2], reply.alternatives) == (expected, {"Yes": 0.0, "No": -9.0})
        ask(chat_model(llm), REQUEST)
        assert llm.seen[1][2] == {}


def test_pointwise_needs_log_probabilities_or_leave(rerank):
    """With them a passage gets a probability; an LLM that gives none is named, with the way out."""
    telling = chat_model(Telling(gives=response("Yes", logprobs=YES)))
    assert all(one.score > 0.99 for one in rerank(AnyRankPostprocessor(Pointwise(telling))))
    silent = chat_model(Scripted(says="Yes"))
    with pytest.raises(ReplyError, match=r"no log-probabilities.*logprobs=False"):
        rerank(AnyRankPostprocessor(Pointwise(silent)))
    assert [one.score for one in rerank(AnyRankPostprocessor(Pointwise(silent, logprobs=False)))] == [1.0] * 4


def test_what_cannot_answer_is_refused_by_name(rerank):
    """No LLM: at once. An LLM that gives something else than a response: when it did."""
    for given, shown in ((MockLLM, "the class MockLLM"), ("default", "a str")):
        with pytest.raises(ArgumentError, match=f"takes a LlamaIndex LLM.*got {shown}"):
            chat_model(given)

    class Wrong(Scripted):
        def chat(self, messages, **kwargs):  # noqa: ARG002
            return self.says

    with pytest.raises(ScoresError, match="answered with a str; it must be a ChatResponse"):
        rerank(listwise(Wrong(says="[1]")))


@pytest.mark.parametrize(("count", "questions"), [(4, 1), (45, 7)])
def test_the_llms_spans_nest(trace, rerank, count, questions):
    """Every question of every round is a span inside the postprocessor's, also those asked at the same time."""
    nodes = [NodeWithScore(node=TextNode(text=f"passage {n}")) for n in range(count)]
    rerank(listwise(Scripted(says=str(list(range(1, 21))))), nodes)
    own = trace.reranks()[0].span_id
    asked = [span for span in trace.spans.completed_spans if span.id_.startswith("Scripted.chat-")]
    assert [span.parent_id for span in asked] == [own] * questions
    assert trace.spans.open_spans == {}


def test_the_llms_error_is_told_and_raised(trace, rerank):
    """The very error reaches the caller; the LLM's span and the postprocessor's are dropped with it."""

    class Broken(Scripted):
        @llm_completion_callback()
        def complete(self, prompt, formatted=False, **kwargs):  # noqa: ARG002, FBT002
            msg = "out of order"
            raise OSError(msg)

    with pytest.raises(OSError, match="out of order"):
        rerank(listwise(Broken(says="")))
    kinds = {span.id_.partition("-")[0] for span in trace.spans.dropped_spans}
    assert {"Broken.complete", "Broken.chat"} < kinds
    assert trace.reranks()[0].span_id.partition("-")[0] in kinds
    assert trace.spans.open_spans == {}


def test_a_live_llm_is_not_written_down():
    """``to_dict`` says which object it is."""
    with pytest.raises(SpecError, match=r"chat_model\(Scripted\).* is a live object"):
        listwise(Scripted(says="[1]")).to_dict()


@pytest.mark.parametrize(
    ("numbers", "theirs", "ours"),
    [
        ([2, 1, 5], ["n2", "n1"], ["n2", "n1", "n3", "n4"]),
        ([2, 2, 1], ["n2", "n2", "n1"], ["n2", "n1", "n3", "n4"]),
        ([3, 1], ["n3", "n1"], ["n3", "n1", "n2", "n4"]),
        ([0, 2, 3], ["n4", "n2", "n3"], ["n2", "n3", "n1", "n4"]),
    ],
    ids=["unknown", "repeated", "missing", "zero"],
)
def test_wrong_numbers_lose_no_node(rerank, numbers, theirs, ours):
    """Where LlamaIndex's own reranker loses, repeats or confuses nodes, all come back once."""
    said = "\n".join(f"Doc: {number}, Relevance: {9 - rank}" for rank, number in enumerate(numbers))
    peer = LLMRerank(llm=Scripted(says=said), top_n=4)
    assert ids(peer.postprocess_nodes(NODES, query_str="which?")) == theirs
    assert ids(rerank(listwise(Scripted(says=f'{{"ranking": {numbers}}}')))) == ours
