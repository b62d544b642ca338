"""A Haystack chat generator as the chat model of an LLM reranker, in the whole chain."""

import asyncio
import json

import pytest
from fake_chat import MODEL, Chat, Host
from fake_service import KEY, running
from haystack import Document, Pipeline, component
from haystack.components.generators.chat import MockChatGenerator, OpenAIChatGenerator
from haystack.components.rankers import LLMRanker
from haystack.dataclasses import ChatMessage
from haystack.tracing import tracer as proxy
from haystack.utils import Secret

from anyrank.errors import ArgumentError, ReplyError, ScoresError, SpecError
from anyrank.llm import ChatRequest, Listwise, Message, Pointwise
from haystack_integrations.components.rankers.anyrank import AnyRankRanker, chat_model

DOCUMENTS = [Document(id=f"d{n}", content=f"passage {n}") for n in range(1, 5)]
REQUEST = ChatRequest((Message("system", "be brief"), Message("user", "well?"), Message("assistant", "what?")))


@pytest.fixture(params=["sync", "async"])
def rank(request):
    """Give a caller of a ranker in a pipeline, in each colour."""

    def call(ranker, documents=DOCUMENTS):
        pipeline = Pipeline()
        pipeline.add_component("ranker", ranker)
        data = {"ranker": {"query": "which?", "documents": documents}}
        result = pipeline.run(data) if request.param == "sync" else asyncio.run(pipeline.run_async(data))
        return result["ranker"]["documents"]

    return call


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Give a caller of a chat model, in each colour."""
    if request.param == "sync":
        return lambda chat, question: chat.chat(question)
    return lambda chat, question: asyncio.run(chat.achat(question))


@component
class SyncOnly:
    """A chat generator with nothing but ``run``, that always gives the same and keeps what it was asked."""

    def __init__(self, gives, model=None):
        self.gives = gives
        self.model = model
        self.seen = []
        self.warm = 0

    def warm_up(self):
        self.warm += 1

    @component.output_types(replies=list[ChatMessage])
    def run(self, messages: list[ChatMessage]):
        self.seen.append(("sync", messages))
        return {"replies": [self.gives]} if isinstance(self.gives, ChatMessage) else self.gives


@component
class Both(SyncOnly):
    """One that can be awaited too."""

    @component.output_types(replies=list[ChatMessage])
    def run(self, messages: list[ChatMessage]):
        self.seen.append(("sync", messages))
        return {"replies": [self.gives]}

    @component.output_types(replies=list[ChatMessage])
    async def run_async(self, messages: list[ChatMessage]):
        self.seen.append(("async", messages))
        return {"replies": [self.gives]}


def says(text, **settings):
    """Return a ranker over Haystack's own stand-in, which always says this."""
    return AnyRankRanker(scorer=Listwise(chat_model(MockChatGenerator(text))), **settings)


def message(text, **meta):
    """Return an answer with what Haystack keeps of what a provider says."""
    return ChatMessage.from_assistant(text, meta=meta)


def ids(documents):
    """Return the ids of documents, in order."""
    return [document.id for document in documents]


def test_the_generator_in_the_pipeline_reranks(rank):
    """The documents come back in the generator's order, the same but for the score, with the report."""
    reports = []
    found = rank(says('{"ranking": [3, 1, 4, 2]}', top_k=3, on_report=reports.append))
    assert [(one.id, one.score) for one in found] == [("d3", 1.0), ("d1", 1 / 2), ("d4", 1 / 3)]
    assert (reports[0].answers, reports[0].requests, reports[0].degraded) == ({"ok": 1}, 1, False)


@pytest.mark.parametrize("kind", [SyncOnly, Both])
def test_messages_go_in_and_all_that_is_said_comes_out(ask, kind):
    """Roles become Haystack's; text, usage, name and the reason for the end are read from the reply's meta."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 1}}
    gives = message("[2] > [1]", model="m-1-2026", finish_reason="length", usage=usage)
    generator = kind(gives, model="m-1")
    chat = chat_model(generator)
    reply = ask(chat, REQUEST)
    assert [(one.role.value, one.text) for one in generator.seen[0][1]] == [
        ("system", "be brief"),
        ("user", "well?"),
        ("assistant", "what?"),
    ]
    assert (reply.text, reply.cut, reply.refused, reply.model) == ("[2] > [1]", True, False, "m-1-2026")
    assert reply.usage == {"prompt_tokens": 7, "completion_tokens": 3, "reasoning_tokens": 1}
    assert chat.model == "m-1"


def test_filters_and_empty_answers_are_no_rankings():
    """A filtered answer is told apart; a reply without text, and none at all, are an empty answer."""
    assert chat_model(SyncOnly(message("[1]", finish_reason="content_filter"))).chat(REQUEST).refused
    assert chat_model(SyncOnly(ChatMessage.from_assistant(None))).chat(REQUEST).text == ""
    assert chat_model(SyncOnly({"replies": []})).chat(REQUEST).text == ""


def test_an_awaited_call_awaits_the_generator():
    """The async colour uses the generator's own, and the sync one its own."""
    generator = Both(message("[2] > [1] > [3] > [4]"))
    ranker = AnyRankRanker(scorer=Listwise(chat_model(generator)))
    found = asyncio.run(ranker.run_async("which?", DOCUMENTS))["documents"]
    assert ids(found) == ids(ranker.run("which?", DOCUMENTS)["documents"]) == ["d2", "d1", "d3", "d4"]
    assert [colour for colour, _ in generator.seen] == ["async", "sync"]


LOGPROBS = {"content": [{"token": "Yes", "top_logprobs": [{"token": "Yes", "logprob": 0.0}]}]}


def test_pointwise_needs_log_probabilities_or_leave(rank):
    """With them a passage gets a probability; a generator that gives none is named, with the way out."""
    telling = chat_model(SyncOnly(message("Yes", logprobs=LOGPROBS)))
    assert [one.score for one in rank(AnyRankRanker(scorer=Pointwise(telling)))] == [1.0] * 4
    silent = chat_model(MockChatGenerator("Yes"))
    with pytest.raises(ReplyError, match=r"no log-probabilities.*logprobs=False"):
        AnyRankRanker(scorer=Pointwise(silent)).run("which?", DOCUMENTS)
    assert [one.score for one in rank(AnyRankRanker(scorer=Pointwise(silent, logprobs=False)))] == [1.0] * 4


@pytest.mark.parametrize("kind", [Listwise, Pointwise])
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_openais_generator_reranks_over_http(kind, colour):
    """Haystack's own client on a fake endpoint: rankings and log-probabilities, asked for and read."""

    async def awaited():
        try:
            return await ranker.run_async("capital of France", documents)
        finally:
            await generator.close_async()

    documents = [Document(content=text) for text in ("bananas are yellow", "the capital of France", "capital letters")]
    with running(Chat(Host())) as service:
        generator = OpenAIChatGenerator(Secret.from_token(KEY), MODEL, api_base_url=f"{service.url}/v1")
        ranker = AnyRankRanker(scorer=kind(chat_model(generator)), top_k=2)
        found = asyncio.run(awaited()) if colour == "async" else ranker.run("capital of France", documents)
        generator.close()
        assert [one.content for one in found["documents"]] == ["the capital of France", "capital letters"]
        assert ranker._reranker.model_name == MODEL


def test_it_warms_up_with_the_ranker_and_is_not_closed_with_it():
    """In either colour, also where the generator knows only one."""
    generator = SyncOnly(message("[1]"))
    ranker = AnyRankRanker(scorer=Listwise(chat_model(generator)))
    ranker.warm_up()
    asyncio.run(ranker.warm_up_async())
    assert generator.warm == 2
    ranker.close()
    asyncio.run(ranker.close_async())


@component
class Prompted:
    """A component that generates, from something else than messages."""

    @component.output_types(replies=list[str])
    def run(self, prompt: str):
        return {"replies": [prompt]}


def test_what_cannot_answer_is_refused_by_name():
    """No chat generator: at once. One that gives something else than replies: when it did."""
    for given, shown in (
        (MockChatGenerator, "the class MockChatGenerator"),
        (Prompted(), "a Prompted"),
        ("gpt-4.1", "a str"),
    ):
        with pytest.raises(ArgumentError, match=f"takes a Haystack chat generator.*got {shown}"):
            chat_model(given)
    for gives in ({"messages": []}, {"replies": ["[1]"]}):
        with pytest.raises(ScoresError, match="it must be a dict with 'replies', a list of ChatMessage"):
            chat_model(SyncOnly(gives)).chat(REQUEST)


@pytest.mark.parametrize(("count", "questions"), [(4, 1), (45, 7)])
@pytest.mark.parametrize("kind", [SyncOnly, Both])
def test_the_generators_spans_nest(tracer, rank, kind, count, questions):
    """Every question is a closed span inside the ranker's, as in Haystack's own components; texts behind its switch."""
    documents = [Document(content=f"secret {n}") for n in range(count)]
    rank(AnyRankRanker(scorer=Listwise(chat_model(kind(message(str(list(range(1, 21)))))))), documents)
    asked = [span for span in tracer.spans if span.name == "haystack.chat_generator.run"]
    assert [(span.parent, span.error) for span in asked] == [(tracer.named("anyrank.rerank"), None)] * questions
    assert asked[0].tags["haystack.component.type"] == kind.__name__
    assert "secret" not in str([span.tags for span in asked])


def test_texts_and_usage_are_behind_haystacks_switch(tracer, monkeypatch, rank):
    """With content tracing on, a tracer finds messages and replies, and in their meta the usage."""
    monkeypatch.setattr(proxy, "is_content_tracing_enabled", True)
    gives = message("[2] > [1] > [3] > [4]", usage={"prompt_tokens": 7})
    rank(AnyRankRanker(scorer=Listwise(chat_model(Both(gives)))))
    tags = tracer.named("haystack.chat_generator.run").tags
    assert "passage 1" in tags["haystack.component.input"]["messages"][-1].text
    assert tags["haystack.component.output"] == {"replies": [gives]}


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_generators_error_is_told_and_raised(tracer, colour):
    """The very error reaches the caller; the generator's span and the ranker's are closed with it."""

    def broken(_messages):
        msg = "out of order"
        raise OSError(msg)

    ranker = AnyRankRanker(scorer=Listwise(chat_model(MockChatGenerator(response_fn=broken))))
    with pytest.raises(OSError, match="out of order"):
        ranker.run("q", DOCUMENTS) if colour == "sync" else asyncio.run(ranker.run_async("q", DOCUMENTS))
    assert [type(span.error) for span in tracer.spans] == [OSError, OSError]


def test_a_live_generator_is_not_written_down():
    """``to_dict`` says which object it is."""
    with pytest.raises(SpecError, match=r"chat_model\(MockChatGenerator.* is a live object"):
        says("[1]").to_dict()


@pytest.mark.parametrize(
    ("numbers", "theirs", "ours"),
    [
        ([2, 1, 5], ["d2", "d1"], ["d2", "d1", "d3", "d4"]),
        ([2, 2, 1], ["d2", "d2", "d1"], ["d2", "d1", "d3", "d4"]),
        ([3, 1], ["d3", "d1"], ["d3", "d1", "d2", "d4"]),
        ([0, 2, 3], ["d2", "d3"], ["d2", "d3", "d1", "d4"]),
    ],
    ids=["unknown", "repeated", "missing", "zero"],
)
def test_wrong_numbers_lose_no_document(rank, numbers, theirs, ours):
    """Where Haystack's own ranker loses or repeats documents, all come back once."""
    said = json.dumps({"documents": [{"index": number} for number in numbers]})
    peer = LLMRanker(chat_generator=MockChatGenerator(said))
    assert ids(peer.run("which?", DOCUMENTS)["documents"]) == theirs
    assert ids(rank(says(said))) == ours
