"""A LlamaIndex LLM as the chat model of an LLM reranker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LogProb
from llama_index.core.llms import CustomLLM

from anyrank.host_chat import HostChat, declares_logprobs, host_reply, logprobs_wanted, no_llm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anyrank.llm import ChatReply, ChatRequest


def chat_model(llm: BaseLLM) -> HostChat[BaseLLM]:
    """Return a LlamaIndex LLM as the chat model of an LLM reranker: ``Listwise(chat_model(llm))``.

    A completion LLM is asked through its own ``messages_to_prompt``. What the LLM was built with holds, such as
    ``max_tokens`` and ``temperature``. Log-probabilities are asked for where it has a field ``top_logprobs``; another's
    are read where the response has them. One whose ``achat`` is `CustomLLM`'s, which holds the event loop, is asked in
    a thread.

    Raises `anyrank.errors.ArgumentError` for what is no LLM.
    """
    if not isinstance(llm, BaseLLM):
        raise no_llm(llm, "a LlamaIndex LLM, such as Settings.llm")
    return _Chat(llm)


class _Chat(HostChat[BaseLLM]):
    def chat(self, request: ChatRequest) -> ChatReply:
        return self._read(self.llm.chat(_messages(request), **self._options(request)))

    async def achat(self, request: ChatRequest) -> ChatReply:
        if not _can_be_awaited(self.llm):
            return await super().achat(request)
        return self._read(await self.llm.achat(_messages(request), **self._options(request)))

    def _options(self, request: ChatRequest) -> dict[str, Any]:
        return logprobs_wanted(request, taken=declares_logprobs(self.llm))

    def _read(self, answer: object) -> ChatReply:
        if not isinstance(answer, ChatResponse):
            raise self.wrong(answer, "a ChatResponse")
        said = (answer.raw, answer.additional_kwargs, answer.message.additional_kwargs)
        tokens = {"logprobs": [_token(row) for row in answer.logprobs or () if row] or None}
        return host_reply(answer.message.content or "", tokens, *said, model=self.model)


def _messages(request: ChatRequest) -> list[ChatMessage]:
    return [ChatMessage(role=message.role, content=message.content) for message in request.messages]


def _can_be_awaited(llm: BaseLLM) -> bool:
    """Whether ``achat`` is more than `CustomLLM`'s, which calls ``chat`` on the event loop."""
    return next(kind for kind in type(llm).__mro__ if "achat" in vars(kind)) is not CustomLLM


def _token(row: Iterable[LogProb]) -> dict[str, Any]:
    """Return a place's likeliest tokens as OpenAI writes them."""
    top = [{"token": one.token, "logprob": one.logprob} for one in row]
    return {"token": top[0]["token"], "top_logprobs": top}
