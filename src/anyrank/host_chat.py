"""A framework's own LLM as a chat model: what the adapters' ``chat_model`` share.

A framework hands on what a provider said of its answer, in that provider's words: why the answer ended, how many tokens
it took, which first tokens were likely. `host_reply` reads them into an `anyrank.llm.ChatReply`.

A request's ``max_tokens`` and ``schema`` are not passed on. No framework has a word for them that all its models take,
and a model that thinks may need more room than its answer. What the LLM was built with holds; that the answer be JSON
is asked for by the prompt, and the text is read for what it is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ._checks import finite
from .errors import ArgumentError, ScoresError

if TYPE_CHECKING:
    from .llm import ChatReply, ChatRequest

__all__ = [
    "HostChat",
    "declares_logprobs",
    "host_reply",
    "likeliest",
    "logprobs_wanted",
    "model_name",
    "no_llm",
    "value_at",
]

L = TypeVar("L")

ENDS: Final = (
    *("finish_reason", "stop_reason", "stopReason", "done_reason", "incomplete_details.reason"),
    *("choices.0.finish_reason", "candidates.0.finish_reason", "prompt_feedback.block_reason"),
)
"""Where providers say why an answer ended."""

CUT: Final = frozenset(
    {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded", "token_limit"}
)
"""What they say of an answer that was cut off: OpenAI, Anthropic, Gemini, Mistral, Bedrock, watsonx."""

REFUSED: Final = frozenset(
    {"content_filter", "content_filtered", "refusal", "guardrail_intervened", "error_toxic"}
    | {"safety", "recitation", "blocklist", "prohibited_content", "spii"}
)
"""What they say of one that was declined or filtered: OpenAI, Bedrock, Anthropic, Cohere; then Gemini's."""

REFUSALS: Final = ("refusal", "choices.0.message.refusal")
MODELS: Final = ("model_name", "model", "model_version")
LOGPROBS: Final = ("logprobs.content", "logprobs.0", "logprobs")

USAGES: Final = ("usage_metadata.", "usage.", "token_usage.", "")
TOKENS: Final[Mapping[str, Sequence[str]]] = {
    "prompt_tokens": ("prompt_tokens", "input_tokens", "prompt_token_count"),
    "completion_tokens": ("completion_tokens", "output_tokens", "candidates_token_count"),
    "reasoning_tokens": (
        *("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"),
        *("output_token_details.reasoning", "thoughts_token_count"),
    ),
}
"""Kinds of tokens, and what OpenAI and LangChain, Anthropic and OpenAI's newer API, and Gemini call them."""


class HostChat(Generic[L]):
    """A framework's own LLM as an `anyrank.llm.ChatModel`. It stays its giver's, who closes it.

    It has no ``fingerprint``: what an LLM was set to cannot be seen from outside, and an answer that another setting
    gave is worse than none. A cache takes it under a ``key``.
    """

    def __init__(self, llm: L) -> None:
        """Wrap an LLM that the adapter has looked at."""
        self.llm = llm

    @property
    def model(self) -> str | None:
        """The model's name, where the LLM has one as an attribute."""
        return model_name(self.llm)

    @abstractmethod
    def chat(self, request: ChatRequest) -> ChatReply:
        """Answer. Raises what the LLM raises, and `anyrank.errors.ScoresError` where it answers with something else."""

    async def achat(self, request: ChatRequest) -> ChatReply:
        """Answer without blocking the event loop: here in a thread, for an LLM that cannot be awaited."""
        from .llm.chat import in_thread

        return await in_thread(self.chat, request)

    def wrong(self, answer: object, wanted: str) -> ScoresError:
        """Return the error of an answer that is not what this host's LLMs answer with."""
        return ScoresError(f"{self!r} answered with {_kind(answer)}; it must be {wanted}")

    def __repr__(self) -> str:  # not the LLM's own, which may show a key
        return f"chat_model({type(self.llm).__name__}{f', {self.model!r}' if self.model else ''})"


def no_llm(given: object, wanted: str) -> ArgumentError:
    """Return the error of a ``chat_model`` that was given something else."""
    return ArgumentError(f"chat_model takes {wanted}; got {_kind(given)}")


def host_reply(text: str, *said: object, model: str | None = None) -> ChatReply:
    """Return an answer with what the provider said of it; ``said`` are mappings or objects, the best source first.

    ``model`` is the name where they have none.
    """
    from .llm import ChatReply

    ends = {_word(value) for value in _found(said, ENDS)}
    return ChatReply(
        text,
        cut=not ends.isdisjoint(CUT),
        refused=not ends.isdisjoint(REFUSED) or any(_found(said, REFUSALS)),
        alternatives=next(filter(None, map(likeliest, _found(said, LOGPROBS))), None),
        usage=_usage(said),
        model=next((value for value in _found(said, MODELS) if isinstance(value, str)), model),
    )


def likeliest(tokens: object) -> dict[str, float] | None:
    """Return the likeliest tokens, and their log-probabilities, at the first place that holds more than white space.

    ``tokens`` are an answer's, as OpenAI lists them. None where they are not, or have no alternatives.
    """
    if not isinstance(tokens, list) or not tokens:
        return None
    first = next((token for token in tokens if str(value_at(token, "token") or "").strip()), tokens[0])
    found: dict[str, float] = {}
    top = value_at(first, "top_logprobs")
    for one in top if isinstance(top, list) else ():
        name, logprob = value_at(one, "token"), finite(value_at(one, "logprob"))
        if isinstance(name, str) and logprob is not None:
            found[name] = max(logprob, found.get(name, logprob))
    return found or None


def model_name(llm: object) -> str | None:
    """Return what an LLM calls its model, by its attributes alone: LlamaIndex's metadata may send a request."""
    names = (getattr(llm, attribute, None) for attribute in ("model_name", "model", "model_id", "deployment_name"))
    return next((name for name in names if isinstance(name, str) and name), None)


def declares_logprobs(llm: object) -> bool:
    """Whether a pydantic LLM has ``top_logprobs`` among its fields, and so takes OpenAI's words for it in a call."""
    return "top_logprobs" in getattr(type(llm), "model_fields", ())


def logprobs_wanted(request: ChatRequest, *, taken: bool) -> dict[str, Any]:
    """Return what asks for a request's log-probabilities, in OpenAI's words; nothing where they are not ``taken``."""
    return {"logprobs": True, "top_logprobs": request.alternatives} if taken and request.alternatives else {}


def value_at(given: object, path: str) -> Any:
    """Return what lies at a dotted path through mappings, lists and objects, None where there is nothing."""
    for step in path.split("."):
        if isinstance(given, Mapping):
            given = given.get(step)
        elif isinstance(given, (list, tuple)):
            given = given[int(step)] if step.isdigit() and int(step) < len(given) else None
        else:
            given = getattr(given, step, None)
    return given


def _kind(given: object) -> str:
    return f"the class {given.__name__}" if isinstance(given, type) else f"a {type(given).__name__}"


def _found(said: Sequence[object], paths: Sequence[str]) -> Iterator[Any]:
    values = (value_at(given, path) for given in said for path in paths)
    return (value for value in values if value is not None)


def _word(value: object) -> str:
    """Return a reason in small letters: of an enum its name, without that of its class."""
    return str(getattr(value, "name", value)).rpartition(".")[2].lower()


def _usage(said: Sequence[object]) -> dict[str, float]:
    usage = {}
    for kind, names in TOKENS.items():
        counts = _found(said, [place + name for place in USAGES for name in names])
        count = next((count for count in counts if finite(count) is not None), None)
        if count is not None:
            usage[kind] = count
    return usage
