"""A Haystack chat generator as the chat model of an LLM reranker."""

from __future__ import annotations

from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any

from haystack.dataclasses import ChatMessage
from haystack.tracing.tracer import tracer

from anyrank.host_chat import HostChat, host_reply, logprobs_wanted, no_llm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from haystack.tracing.tracer import Span

    from anyrank.llm import ChatReply, ChatRequest


def chat_model(chat_generator: Any) -> HostChat[Any]:
    """Return a Haystack chat generator as the chat model of an LLM reranker: ``Listwise(chat_model(generator))``.

    ``chat_generator`` is any component whose ``run(messages)`` gives ``replies``; one without ``run_async`` is asked in
    a thread. What it was built with holds: ``generation_kwargs`` such as ``max_completion_tokens``, ``temperature`` and
    ``response_format``. Log-probabilities are asked for where it is an `OpenAIChatGenerator` or a subclass; another's
    are read where ``meta["logprobs"]`` has them. It warms up with the ranker and is not closed with it.

    Raises `anyrank.errors.ArgumentError` for what is no chat generator.
    """
    run = getattr(chat_generator, "run", None)
    if isinstance(chat_generator, type) or not callable(run) or "messages" not in signature(run).parameters:
        raise no_llm(chat_generator, "a Haystack chat generator, whose run takes messages")
    return _Chat(chat_generator)


class _Chat(HostChat[Any]):
    def chat(self, request: ChatRequest) -> ChatReply:
        call = self._call(request)
        with self._span(call) as span:
            return self._read(self.llm.run(**call), span)

    async def achat(self, request: ChatRequest) -> ChatReply:
        if not callable(getattr(self.llm, "run_async", None)):
            return await super().achat(request)
        call = self._call(request)
        with self._span(call) as span:
            return self._read(await self.llm.run_async(**call), span)

    def warm_up(self) -> None:
        """Warm the generator up; again, it does nothing."""
        if hasattr(self.llm, "warm_up"):
            self.llm.warm_up()

    async def awarm_up(self) -> None:
        """Warm the generator up on the running event loop where it can, else in a thread."""
        if hasattr(self.llm, "warm_up_async"):
            await self.llm.warm_up_async()
        else:
            from asyncio import to_thread

            await to_thread(self.warm_up)

    def _call(self, request: ChatRequest) -> dict[str, Any]:
        messages = [ChatMessage.from_openai_dict_format(message.to_dict()) for message in request.messages]
        options = logprobs_wanted(request, taken=request.alternatives > 0 and _speaks_openai(self.llm))
        return {"messages": messages, **({"generation_kwargs": options} if options else {})}

    @contextmanager
    def _span(self, call: dict[str, Any]) -> Iterator[Span]:
        """Open a span like the one in which Haystack's own components ask a generator: tracers read usage there."""
        tags = {"haystack.component.name": "chat_generator", "haystack.component.type": type(self.llm).__name__}
        with tracer.trace("haystack.chat_generator.run", tags=tags, parent_span=tracer.current_span()) as span:
            span.set_content_tag("haystack.component.input", call)
            yield span

    def _read(self, answer: Any, span: Span) -> ChatReply:
        replies = answer.get("replies") if isinstance(answer, dict) else None
        if not isinstance(replies, list) or not all(isinstance(reply, ChatMessage) for reply in replies):
            raise self.wrong(answer, "a dict with 'replies', a list of ChatMessage")
        span.set_content_tag("haystack.component.output", answer)
        if not replies:
            return host_reply("", model=self.model)
        return host_reply("".join(replies[0].texts), replies[0].meta, model=self.model)


def _speaks_openai(chat_generator: Any) -> bool:
    from haystack.components.generators.chat.openai import OpenAIChatGenerator

    return isinstance(chat_generator, OpenAIChatGenerator)
