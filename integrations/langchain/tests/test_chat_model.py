"""A LangChain model as the chat model of an LLM reranker, in the whole chain."""

import asyncio
import json
from typing import Any

import pytest
from langchain_classic.retrievers.document_compressors import LLMListwiseRerank
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel, FakeListLLM, FakeMessagesListChatModel
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser, StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import Field

from anyrank import spec_of
from anyrank.errors import ArgumentError, ReplyError, ScoresError, SpecError
from anyrank.llm import ChatRequest, Listwise, Message, Pointwise
from langchain_anyrank import AnyRankCompressor, chat_model

DOCUMENTS = [Document(page_content=f"passage {n}", id=f"d{n}") for n in range(1, 5)]
QUESTION = {"query": "which?", "documents": DOCUMENTS}
REQUEST = ChatRequest((Message("system", "be brief"), Message("user", "well?"), Message("assistant", "what?")))


@pytest.fixture(params=["sync", "async"])
def invoke(request):
    """Give a caller of a Runnable, in each colour."""
    if request.param == "sync":
        return lambda runnable, *arguments: runnable.invoke(*arguments)
    return lambda runnable, *arguments: asyncio.run(runnable.ainvoke(*arguments))


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Give a caller of a chat model, in each colour."""
    if request.param == "sync":
        return lambda chat, question: chat.chat(question)
    return lambda chat, question: asyncio.run(chat.achat(question))


def says(*answers: str, **settings: Any) -> AnyRankCompressor:
    """Return a compressor over LangChain's own stand-in, which gives these answers in turn."""
    return AnyRankCompressor(scorer=Listwise(chat_model(FakeListChatModel(responses=list(answers)))), **settings)


def ids(documents):
    """Return the ids of documents, in order."""
    return [document.id for document in documents]


class Recorded(FakeMessagesListChatModel):
    """Gives its messages in turn, and keeps what it was asked and in which colour."""

    model: str = "recorded-1"
    seen: list[Any] = Field(default_factory=list)

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        self.seen.append(("sync", messages, kwargs))
        return super()._generate(messages, stop, run_manager, **kwargs)

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):  # noqa: ARG002
        self.seen.append(("async", messages, kwargs))
        return ChatResult(generations=[ChatGeneration(message=self.responses[0])])


class Telling(Recorded):
    """Takes OpenAI's words for log-probabilities, as ChatOpenAI and ChatOllama do."""

    logprobs: bool | None = None
    top_logprobs: int | None = None


def message(content, **said):
    """Return an answer with what a provider says of it."""
    return AIMessage(content=content, response_metadata=said)


def test_the_model_in_the_chain_reranks(invoke):
    """The documents come back in the model's order, the same but for the score, with the report."""
    reports = []
    compressor = says('{"ranking": [3, 1, 4, 2]}', top_n=3, on_report=reports.append)
    found = invoke(compressor, QUESTION)
    assert ids(found) == ["d3", "d1", "d4"]
    assert [document.metadata for document in found] == [{"relevance_score": 1 / rank} for rank in (1, 2, 3)]
    assert (reports[0].answers, reports[0].requests, reports[0].degraded) == ({"ok": 1}, 1, False)


def test_messages_go_in_and_all_that_is_said_comes_out(ask):
    """Roles become LangChain's messages; parts of text, usage, name and the reason for the end are read."""
    answer = AIMessage(
        content=[
            {"type": "reasoning", "reasoning": "hm"},
            {"type": "text", "text": "[2] > "},
            {"type": "text", "text": "[1]"},
        ],
        usage_metadata={
            "input_tokens": 7,
            "output_tokens": 3,
            "total_tokens": 10,
            "output_token_details": {"reasoning": 1},
        },
        response_metadata={"finish_reason": "length", "model_name": "recorded-1-2026"},
    )
    llm = Recorded(responses=[answer])
    reply = ask(chat_model(llm), REQUEST)
    assert [type(one) for one in llm.seen[0][1]] == [SystemMessage, HumanMessage, AIMessage]
    assert [one.content for one in llm.seen[0][1]] == ["be brief", "well?", "what?"]
    assert (reply.text, reply.cut, reply.refused, reply.model) == ("[2] > [1]", True, False, "recorded-1-2026")
    assert reply.usage == {"prompt_tokens": 7, "completion_tokens": 3, "reasoning_tokens": 1}


@pytest.mark.parametrize(
    "answer",
    [
        AIMessage(content="", additional_kwargs={"refusal": "I cannot"}),
        AIMessage(content=[{"type": "refusal", "refusal": "I cannot"}]),
        AIMessage(content=[{"type": "non_standard", "value": {"type": "refusal", "refusal": "I cannot"}}]),
        message("[1] > [2]", stop_reason="refusal"),
    ],
)
def test_a_refusal_is_none_of_the_rankings(answer):
    """It is told apart wherever LangChain keeps it: beside the content, as a part of it, or as the end's reason."""
    assert chat_model(Recorded(responses=[answer])).chat(REQUEST).refused


def test_an_awaited_call_awaits_the_model():
    """The async colour uses the model's own, and the sync one its own."""
    llm = Recorded(responses=[message("[2] > [1] > [3] > [4]")])
    compressor = AnyRankCompressor(scorer=Listwise(chat_model(llm)))
    assert (
        ids(asyncio.run(compressor.ainvoke(QUESTION))) == ids(compressor.invoke(QUESTION)) == ["d2", "d1", "d3", "d4"]
    )
    assert [colour for colour, *_ in llm.seen] == ["async", "sync"]


LOGPROBS = {"content": [{"token": "Yes", "top_logprobs": [{"token": "Yes", "logprob": 0.0}]}]}


@pytest.mark.parametrize(
    "wrap", [lambda llm: llm, lambda llm: llm.bind(stop=["!"]).with_retry()], ids=["bare", "bound"]
)
def test_log_probabilities_are_asked_for_by_the_models_field(ask, wrap):
    """A model with ``top_logprobs`` among its fields is asked in these words, bound or not; no other is."""
    for kind, expected in ((Telling, {"logprobs": True, "top_logprobs": 20}), (Recorded, {})):
        llm = kind(responses=[message("Yes", logprobs=LOGPROBS)])
        chat = chat_model(wrap(llm))
        reply = ask(chat, ChatRequest(REQUEST.messages, alternatives=20))
        assert {name: value for name, value in llm.seen[0][2].items() if "logprobs" in name} == expected
        assert (reply.alternatives, chat.model) == ({"Yes": 0.0}, "recorded-1")
        ask(chat, REQUEST)
        assert not any("logprobs" in name for name in llm.seen[1][2])


def test_pointwise_needs_log_probabilities_or_leave(invoke):
    """With them a passage gets a probability; a model that gives none is named, with the way out."""
    llm = Recorded(responses=[message("Yes", logprobs=LOGPROBS)])
    found = invoke(AnyRankCompressor(scorer=Pointwise(chat_model(llm))), QUESTION)
    assert {document.metadata["relevance_score"] for document in found} == {1.0}
    silent = chat_model(FakeListChatModel(responses=["Yes"]))
    with pytest.raises(ReplyError, match=r"no log-probabilities.*logprobs=False"):
        invoke(AnyRankCompressor(scorer=Pointwise(silent)), QUESTION)
    found = invoke(AnyRankCompressor(scorer=Pointwise(silent, logprobs=False)), QUESTION)
    assert {document.metadata["relevance_score"] for document in found} == {1.0}


@pytest.mark.parametrize(
    "llm",
    [
        FakeListLLM(responses=["[2] > [1] > [3] > [4]"]),
        FakeListChatModel(responses=["[2] > [1] > [3] > [4]"]) | StrOutputParser(),
        FakeListChatModel(responses=["[2] > [1] > [3] > [4]"]).with_config(tags=["mine"]),
        RunnableLambda(lambda _messages: (_ for _ in ()).throw(OSError)).with_fallbacks(
            [FakeListChatModel(responses=["[2] > [1] > [3] > [4]"])]
        ),
    ],
    ids=["completion", "parsed", "configured", "fallbacks"],
)
def test_any_runnable_that_answers_will_do(invoke, llm):
    """Completion LLMs, chains that end in text, and models with LangChain's wrappers rerank too."""
    assert ids(invoke(AnyRankCompressor(scorer=Listwise(chat_model(llm))), QUESTION)) == ["d2", "d1", "d3", "d4"]


def test_what_cannot_answer_is_refused_by_name(invoke):
    """No Runnable: at once. A Runnable that gives something else: when it did."""
    for given, shown in ((FakeListChatModel, "the class FakeListChatModel"), ("gpt-4.1", "a str")):
        with pytest.raises(ArgumentError, match=f"takes a LangChain chat model.*got {shown}"):
            chat_model(given)
    dicts = FakeListChatModel(responses=['{"ranking": [1, 2, 3, 4]}']) | JsonOutputParser()
    with pytest.raises(ScoresError, match="answered with a dict; it must be a message or text"):
        invoke(AnyRankCompressor(scorer=Listwise(chat_model(dicts))), QUESTION)


def shape(run: Any) -> Any:
    """Return a run's name and type, and the same of those in it."""
    return (run.name, run.run_type, [shape(child) for child in run.child_runs])


@pytest.mark.parametrize(("count", "questions"), [(4, 1), (45, 7)])
def test_the_models_runs_nest(invoke, recorder, count, questions):
    """Every question of every round is a run inside the compressor's, also those asked at the same time."""
    documents = [Document(page_content=f"passage {n}") for n in range(count)]
    compressor = says(str(list(range(1, 21))))
    invoke(compressor, {"query": "which?", "documents": documents}, {"callbacks": [recorder]})
    assert shape(recorder.trace) == ("AnyRankCompressor", "retriever", [("FakeListChatModel", "llm", [])] * questions)
    assert all(run.end_time and not run.error for run in recorder.trace.child_runs)


def test_the_models_error_is_told_and_raised(invoke, recorder):
    """The very error reaches the caller; the model's run and the compressor's are closed with it."""

    class Broken(FakeListChatModel):
        def _call(self, *_arguments, **_kwargs):
            msg = "out of order"
            raise OSError(msg)

    compressor = AnyRankCompressor(scorer=Listwise(chat_model(Broken(responses=[]))))
    with pytest.raises(OSError, match="out of order"):
        invoke(compressor, QUESTION, {"callbacks": [recorder]})
    [child] = recorder.trace.child_runs
    assert "out of order" in recorder.trace.error
    assert "out of order" in child.error


def test_a_rankings_tokens_are_not_streamed_to_the_user():
    """In a LangGraph graph that streams the messages of its models, the reranker's are kept out."""
    compressor, talker = says("[2] > [1] > [3] > [4]"), FakeListChatModel(responses=["Hello"])

    def answer(_state):
        compressor.invoke(QUESTION)
        return {"messages": [talker.invoke("hi")]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").add_edge("answer", END)
    streamed = graph.compile().stream({"messages": []}, stream_mode="messages")
    assert "".join(chunk.text for chunk, _ in streamed) == "Hello"


def test_a_live_model_is_not_written_down():
    """LangChain's mark says that it cannot come back, the core's error which object it is; no key is shown."""
    compressor = says("[1]")
    assert '"not_implemented"' in dumps(compressor)
    with pytest.raises(SpecError, match=r"chat_model\(FakeListChatModel\) has no spec"):
        spec_of(compressor.scorer)


class Structured(FakeListChatModel):
    """Gives what ``with_structured_output`` asks for by parsing its answer, as models without tools do."""

    def with_structured_output(self, schema, **_kwargs):
        """Return itself and a parser."""
        return self | PydanticOutputParser(pydantic_object=schema)


@pytest.mark.parametrize(
    ("numbers", "theirs", "ours"),
    [
        ([2, 1, 5], IndexError, ["d2", "d1", "d3", "d4"]),
        ([2, 2, 1], ["d2", "d2", "d1"], ["d2", "d1", "d3", "d4"]),
        ([3, 1], ["d3", "d1"], ["d3", "d1", "d2", "d4"]),
        ([0, 2, 3], ["d4", "d2", "d3"], ["d2", "d3", "d1", "d4"]),
    ],
    ids=["unknown", "repeated", "missing", "zero"],
)
def test_wrong_numbers_lose_no_document(invoke, numbers, theirs, ours):
    """Where LangChain's own reranker fails, repeats, loses or confuses documents, all come back once."""
    said = {"ranked_document_ids": [number - 1 for number in numbers]}  # it counts from 0
    peer = LLMListwiseRerank.from_llm(Structured(responses=[json.dumps(said)]), top_n=4)
    if isinstance(theirs, list):
        assert ids(peer.compress_documents(DOCUMENTS, "which?")) == theirs
    else:
        with pytest.raises(theirs):
            peer.compress_documents(DOCUMENTS, "which?")
    assert ids(invoke(says(f'{{"ranking": {numbers}}}'), QUESTION)) == ours
