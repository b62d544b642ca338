"""What an LLM reranker needs of a chat model: one question out, one answer in. Nothing here sends.

`ChatModel` is the contract; `anyrank.llm.OpenAIChat` meets it over HTTP, the adapters' ``chat_model`` for the host's
own LLM objects, and a plain function of the messages meets it too.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

from anyrank.errors import ArgumentError, AsyncOnlyError, ScoresError

Role: TypeAlias = Literal["system", "user", "assistant"]

NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def to_dict(self) -> dict[str, str]:
        """Return it as the JSON that chat services take."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a chat model.

    ``max_tokens`` bounds the answer. ``schema`` is a JSON Schema that the answer should have, for models that can be
    held to one; the messages ask for JSON by themselves. ``alternatives`` is how many of the likeliest first tokens are
    wanted, with their log-probabilities. ``until`` is the moment of ``time.monotonic`` when the answer must be there.
    """

    messages: tuple[Message, ...]
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    alternatives: int = 0
    until: float = NEVER


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What a chat model answered.

    ``cut`` says that the answer ended at the limit of tokens, ``refused`` that the model or a filter declined.
    ``alternatives`` maps likely first tokens to their natural log-probabilities, None where the model gives none.
    ``usage`` counts tokens by kind: ``prompt_tokens``, ``completion_tokens``, ``reasoning_tokens``.
    """

    text: str
    cut: bool = False
    refused: bool = False
    alternatives: Mapping[str, float] | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    model: str | None = None
    requests: int = 1
    retries: int = 0
    request_ids: tuple[str, ...] = ()


@runtime_checkable
class ChatModel(Protocol):
    """Anything with ``chat``. It may have more: ``achat``, the same awaited; ``model``, its name.

    Also ``fingerprint`` (for caches), ``spec``, ``warm_up`` / ``awarm_up``, ``close`` / ``aclose``.
    """

    def chat(self, request: ChatRequest, /) -> ChatReply:
        """Answer. Raises whatever keeps it from answering."""
        ...


ChatFunction: TypeAlias = Callable[[list[dict[str, str]]], "str | ChatReply | Awaitable[str | ChatReply]"]

ChatLike: TypeAlias = ChatModel | ChatFunction | str
"""What can stand for a chat model: an object, a function of the messages, or a spec (``"openai:gpt-4.1-mini"``)."""


class FunctionChat:
    """A function of the messages, ``[{"role": …, "content": …}]``, as a chat model; a coroutine function is awaited."""

    def __init__(self, function: ChatFunction) -> None:
        """Take a function that returns the answer's text, or a `ChatReply`."""
        self.function = function
        self.model: str | None = getattr(function, "__name__", None) or type(function).__name__
        if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
            self.achat = self._awaited
        else:
            self.chat = self._called

    def __repr__(self) -> str:
        return f"FunctionChat({self.model})"

    def _called(self, request: ChatRequest) -> ChatReply:
        return _reply(self.function([message.to_dict() for message in request.messages]))

    async def _awaited(self, request: ChatRequest) -> ChatReply:
        answer = self.function([message.to_dict() for message in request.messages])
        return _reply(await answer if isawaitable(answer) else answer)


def _reply(answer: object) -> ChatReply:
    if isinstance(answer, ChatReply):
        return answer
    if isinstance(answer, str):
        return ChatReply(answer)
    msg = f"a chat function returned {type(answer).__name__}; it must return the answer's text, or a ChatReply"
    raise ScoresError(msg)


def chat_of(given: Any, options: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the chat model that ``given`` stands for, and whether it was built here and is ours to close.

    Raises `ArgumentError` for what cannot chat, `SpecError` for a spec of no known kind or options it does not have.
    """
    if isinstance(given, str):
        from .openai import from_spec

        return from_spec(given, options), True
    if options:
        msg = f"{', '.join(map(repr, sorted(options)))}: options of a chat model go with a spec such as 'openai:…'"
        raise ArgumentError(msg)
    if callable(getattr(given, "chat", None)) or callable(getattr(given, "achat", None)):
        return given, False
    if callable(given) and not isinstance(given, type):
        return FunctionChat(given), False
    msg = (
        f"{given!r:.80} is no chat model: pass a spec such as 'openai:gpt-4.1-mini', a function of the messages, or an "
        "object with chat(request); a framework's own LLM goes through chat_model() of its anyrank package"
    )
    raise ArgumentError(msg)


def option_names(spec: str) -> set[str]:
    """Return the options of the chat model that a spec names. Raises `SpecError` for a spec of no known kind."""
    from .openai import OPTIONS, read_spec

    read_spec(spec)
    return set(OPTIONS)


def ask(chat: Any, request: ChatRequest) -> ChatReply:
    """Ask from sync code. Raises `AsyncOnlyError` for a model that can only be awaited."""
    if not callable(getattr(chat, "chat", None)):
        msg = f"chat model {chat!r:.80} can only be awaited: use arerank (or the host's async call)"
        raise AsyncOnlyError(msg)
    return checked_reply(chat, chat.chat(request))


async def aask(chat: Any, request: ChatRequest) -> ChatReply:
    """Ask without blocking the event loop: natively where the model can, else in a thread."""
    if callable(getattr(chat, "achat", None)):
        return checked_reply(chat, await chat.achat(request))
    from asyncio import to_thread

    return checked_reply(chat, await to_thread(chat.chat, request))


def checked_reply(chat: object, reply: object) -> ChatReply:
    """Return a model's answer. Raises `ScoresError` for anything but a `ChatReply`."""
    if isinstance(reply, ChatReply):
        return reply
    msg = f"chat model {chat!r:.80} returned {type(reply).__name__}; chat must return a ChatReply"
    raise ScoresError(msg)
