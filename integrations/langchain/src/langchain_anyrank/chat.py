"""A LangChain model as the chat model of an LLM reranker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase

from anyrank.host_chat import HostChat, declares_logprobs, host_reply, logprobs_wanted, model_name, no_llm, value_at

if TYPE_CHECKING:
    from anyrank.llm import ChatReply, ChatRequest

ASIDE: Final[RunnableConfig] = {"tags": ["nostream"]}
"""LangGraph's tag for a model whose tokens are no part of the answer that a user sees grow."""


def chat_model(llm: Runnable[Any, Any]) -> HostChat[Runnable[Any, Any]]:
    """Return a LangChain model as the chat model of an LLM reranker: ``Listwise(chat_model(llm))``.

    ``llm`` is a chat model, one that is bound, retried or has fallbacks, a completion LLM, or any other Runnable from
    messages to a message or text. Its runs nest in the reranker's. What it was built or bound with holds:
    ``llm.bind(response_format=…)``, ``max_tokens``, ``temperature``. Log-probabilities are asked for where the model
    has a field ``top_logprobs``; another's are read where ``response_metadata["logprobs"]`` has them.

    Raises `anyrank.errors.ArgumentError` for what is no Runnable.
    """
    if not isinstance(llm, Runnable):
        raise no_llm(llm, "a LangChain chat model, or any other Runnable from messages to a message")
    return _Chat(llm)


class _Chat(HostChat[Runnable[Any, Any]]):
    @property
    def model(self) -> str | None:
        return model_name(_unbound(self.llm))

    def chat(self, request: ChatRequest) -> ChatReply:
        return self._read(self.llm.invoke(_messages(request), ASIDE, **self._options(request)))

    async def achat(self, request: ChatRequest) -> ChatReply:
        return self._read(await self.llm.ainvoke(_messages(request), ASIDE, **self._options(request)))

    def _options(self, request: ChatRequest) -> dict[str, Any]:
        return logprobs_wanted(request, taken=declares_logprobs(_unbound(self.llm)))

    def _read(self, answer: object) -> ChatReply:
        if isinstance(answer, str):  # a completion LLM's, or an output parser's
            return host_reply(answer, model=self.model)
        if not isinstance(answer, BaseMessage):
            raise self.wrong(answer, "a message or text")
        said = {"usage_metadata": getattr(answer, "usage_metadata", None), "refusal": _declined(answer) or None}
        return host_reply(str(answer.text), said, answer.response_metadata, answer.additional_kwargs, model=self.model)


def _messages(request: ChatRequest) -> list[BaseMessage]:
    return convert_to_messages([message.to_dict() for message in request.messages])


def _unbound(llm: Any) -> Any:
    """Return the model behind ``bind``, ``with_config`` and ``with_retry``."""
    while isinstance(llm, RunnableBindingBase):
        llm = llm.bound
    return llm


def _declined(message: BaseMessage) -> bool:
    """Whether a part of the content is a refusal, also where LangChain's newer form holds it as a ``value``."""
    blocks = message.content if isinstance(message.content, list) else ()
    return any("refusal" in (value_at(block, "type"), value_at(block, "value.type")) for block in blocks)
