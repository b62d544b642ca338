"""What an LLM reranker needs of a chat model: one question out, one answer in. Nothing here sends.

`ChatModel` is the contract; `anyrank.llm.OpenAIChat` meets it over HTTP, the adapters' ``chat_model`` for the host's
own LLM objects, and a plain function of the messages meets it too.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction, signature
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from anyrank import _checks
from anyrank.errors import ArgumentError, AsyncOnlyError, ScoresError

A = TypeVar("A")
R = TypeVar("R")

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
    ``usage`` counts tokens by kind: ``prompt_tokens``, ``completion_tokens``, ``reasoning_tokens``. Raises
    `ArgumentError` for a text that is no str, and for usage that is not counted in numbers.
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

    def __post_init__(self) -> None:
        """Raise here, where whoever wrote the chat model sees the reason."""
        if not isinstance(self.text, str):
            msg = f"a ChatReply's text must be a str, '' for an answer without any; got {self.text!r:.80}"
            raise ArgumentError(msg)
        if not isinstance(self.usage, Mapping) or None in map(_checks.finite, self.usage.values()):
            msg = f"a ChatReply's usage must map kinds of tokens to numbers; got {self.usage!r:.80}"
            raise ArgumentError(msg)


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
    """A function of the messages, ``[{"role": …, "content": …}]``, as a chat model; what must be awaited is awaited."""

    def __init__(self, function: ChatFunction) -> None:
        """Take a function that returns the answer's text, or a `ChatReply`."""
        self.function = function
        self.model: str | None = getattr(function, "__name__", None) or type(function).__name__

    def __repr__(self) -> str:
        return f"FunctionChat({self.model})"

    def chat(self, request: ChatRequest) -> ChatReply:
        """Answer. Raises `AsyncOnlyError` for a function whose answer must be awaited."""
        answer = self.function(_written(request))
        if isawaitable(answer):
            if hasattr(answer, "close"):
                answer.close()
            raise AsyncOnlyError(_async_only(self))
        return _reply(answer)

    async def achat(self, request: ChatRequest) -> ChatReply:
        """Answer without blocking the event loop: a function that is no coroutine function is called in a thread."""
        function: Any = self.function
        if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
            answer = function(_written(request))
        else:
            answer = await in_thread(function, _written(request))
        return _reply(await answer if isawaitable(answer) else answer)


def _written(request: ChatRequest) -> list[dict[str, str]]:
    return [message.to_dict() for message in request.messages]


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
    if any(map(_takes_request, (getattr(given, "chat", None), getattr(given, "achat", None)))):
        return given, False
    if callable(given) and not isinstance(given, type):
        return FunctionChat(given), False
    msg = (
        f"{given!r:.80} is no chat model: pass a spec such as 'openai:gpt-4.1-mini', a function of the messages, or an "
        "object with chat(request); a framework's own LLM goes through chat_model() of its anyrank package"
    )
    raise ArgumentError(msg)


def _takes_request(chat: Any) -> bool:
    """Whether it can be called with a `ChatRequest`: LlamaIndex's LLMs and Ollama's client take messages."""
    try:
        return callable(chat) and "messages" not in signature(chat).parameters
    except ValueError:  # written in C
        return True


def option_names(spec: str) -> set[str]:
    """Return the options of the chat model that a spec names. Raises `SpecError` for a spec of no known kind."""
    from .openai import OPTIONS, read_spec

    read_spec(spec)
    return set(OPTIONS)


def ask(chat: Any, request: ChatRequest) -> ChatReply:
    """Ask from sync code. Raises `AsyncOnlyError` for a model that can only be awaited."""
    if not callable(getattr(chat, "chat", None)):
        raise AsyncOnlyError(_async_only(chat))
    return checked_reply(chat, called(chat.chat, request))


async def aask(chat: Any, request: ChatRequest) -> ChatReply:
    """Ask without blocking the event loop: natively where the model can, else in a thread."""
    if callable(getattr(chat, "achat", None)):
        return checked_reply(chat, await chat.achat(request))
    return checked_reply(chat, await in_thread(chat.chat, request))


def called(function: Callable[[A], R], given: A) -> R:
    """Call a function. Raises what it raises, but `ScoresError` for its StopIteration."""
    try:
        return function(given)
    except StopIteration as error:  # it would end the generator that asks, and no awaited future can hold it
        msg = f"{function!r:.80} raised StopIteration: a next() without a default, most likely"
        raise ScoresError(msg) from error


async def in_thread(function: Callable[[A], R], given: A) -> R:
    """Call a function, as `called` does, in a thread."""
    from asyncio import to_thread

    return await to_thread(called, function, given)


def _async_only(chat: object) -> str:
    return f"chat model {chat!r:.80} can only be awaited: use arerank (or the host's async call)"


def checked_reply(chat: object, reply: object) -> ChatReply:
    """Return a model's answer. Raises `ScoresError` for anything but a `ChatReply`."""
    if isinstance(reply, ChatReply):
        return reply
    msg = f"chat model {chat!r:.80} returned {type(reply).__name__}; chat must return a ChatReply"
    raise ScoresError(msg)
