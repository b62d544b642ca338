"""Chat models behind an OpenAI-compatible endpoint: https://platform.openai.com/docs/api-reference/chat.

One client for OpenAI, and by ``base_url`` for vLLM, SGLang, llama.cpp, Ollama, LM Studio, gateways and other
providers. What an endpoint does not take is found out by its own refusal, left out from then on, and is not a failure;
see `anyrank.llm._dialect`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from anyrank import _checks
from anyrank._auth import KeyAuth
from anyrank._exchange import Call, Exchange
from anyrank._http import Request
from anyrank._replies import NoResultsError, dig, payload_of, request_id, usage_of
from anyrank._rounds import Rounds, arun, run
from anyrank._secrets import Hidden
from anyrank._service import Service, untrusted
from anyrank._service_options import as_json
from anyrank._template import MODEL, Option, filled
from anyrank._urls import joined
from anyrank.errors import DeadlineError, ProviderError, SpecError
from anyrank.host_chat import likeliest
from anyrank.hosted import Endpoint

from ._dialect import Dialect, Refusal
from .chat import NEVER, ChatReply, ChatRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyrank._http import Reply

__all__ = ["OpenAIChat"]

OPENAI: Final = Endpoint(
    name="openai",
    url="https://api.openai.com/v1/chat/completions",
    base_env=("OPENAI_BASE_URL",),
    auth=KeyAuth(env=("OPENAI_API_KEY",)),
    body={
        "model": MODEL,
        "temperature": Option("temperature", float, default=0.0),
        "seed": Option("seed", int),
        "reasoning_effort": Option("reasoning_effort"),
        "service_tier": Option("service_tier"),
    },
    needs_model=True,
    usage={
        "prompt_tokens": "usage.prompt_tokens",
        "completion_tokens": "usage.completion_tokens",
        "reasoning_tokens": "usage.completion_tokens_details.reasoning_tokens",
    },
    max_concurrency=None,
    timeout=(5.0, 120.0),
    deadline=None,
)

OPTIONS: Final = frozenset({*OPENAI.options, *OPENAI.auth.options}) - {
    *("model", "max_documents", "max_concurrency", "score_kind", "deadline"),
}
"""What a spec may say of the chat model: the rest is the reranker's own, or means nothing here."""

CUT: Final = ("length", "model_length", "max_tokens")
"""Why an answer ended, where that was for want of tokens; the second is Mistral's, the third Anthropic's."""


class OpenAIChat(Service):
    """A chat model over HTTP: ``OpenAIChat("gpt-4.1-mini")``, ``OpenAIChat("qwen3", base_url="http://localhost:8000/v1")``.

    The key is ``api_key``, else ``OPENAI_API_KEY``; behind a ``base_url`` none is needed. ``temperature`` is 0 unless
    the model takes none; ``seed``, ``reasoning_effort`` and ``service_tier`` are sent where given, and ``extra_body``
    overrides everything. ``deadline`` bounds one question, None for no end. The other options are ``timeout``,
    ``max_retries``, ``headers`` and ``allow_http`` of `anyrank.hosted.COMMON`. Retries, keys and errors are those of
    every hosted scorer.
    """

    name = OPENAI.name

    def __init__(self, model: str, **options: Any) -> None:
        """Check spelling and types. Raises `SpecError`."""
        options = Hidden(options)  # a traceback quotes the variables of its frames
        known = OPTIONS | {"deadline"}
        for name in options.keys() - known:
            msg = f"chat model 'openai' has no option {name!r}; {_checks.suggest(name, known)}"
            raise SpecError(msg)
        super().__init__(OPENAI, OPENAI.bound(model, **options))
        self._dialects: dict[str, Dialect] = {}

    def chat(self, request: ChatRequest) -> ChatReply:
        """Answer. Raises `SettingError`, `ProviderError` and its kinds."""
        return run(self._rounds(request))

    async def achat(self, request: ChatRequest) -> ChatReply:
        """Answer on the running event loop; cancelling cancels the request."""
        return await arun(self._rounds(request))

    def _rounds(self, request: ChatRequest) -> Rounds[Any, ChatReply]:
        values = self._values()
        url = self._url(values)
        question = self._question(request, values, url)
        known = dialect = self._dialects.get(url) or first_dialect(url)
        extra = values["extra_body"] or {}
        while True:
            body = dialect.body(request, filled(self._row.body, values, ())) | extra
            try:
                reply = yield from question.send(Request("POST", url, self._headers(values), as_json(body)))
                break
            except ProviderError as error:
                refusal = question.refusal(error)
                if refusal.answer is not None:
                    return self._reply(question.call, "", **{refusal.answer: True})
                simpler = dialect.simpler(refusal, body.keys() - {*self._given, *extra})
                if simpler is None:
                    refusal.advise(error)
                    raise
                dialect = simpler
        if dialect is not known:  # kept only now: a guess that did not help is no lesson
            self._dialects[url] = dialect
        try:
            return self._read(reply, question.call)
        except ValueError as error:
            raise untrusted(question, reply, error) from None

    def _question(self, request: ChatRequest, values: Mapping[Any, Any], url: str) -> Question:
        """Return the exchange of one question; without a key where the endpoint is not OpenAI's and none is found."""
        question = self._exchange(Call(self._seconds(request)), values, Question)
        auth = KeyAuth(env=OPENAI.auth.env, required=url == OPENAI.url)
        return replace(question, auth=auth, texts=tuple(message.content for message in request.messages))

    def _seconds(self, request: ChatRequest) -> float | None:
        """Return the seconds there are for a request: its own, or this client's for each."""
        own: float | None = self._options["deadline"]
        left = None if request.until == NEVER else max(request.until - monotonic(), 0.001)
        return min((seconds for seconds in (own, left) if seconds is not None), default=None)

    def _url(self, values: Mapping[Any, Any]) -> str:
        """Return the whole URL. A base has all of the path but its end, as for OpenAI's own clients, or none of it."""
        base = values["base_url"] or self._row.base_from_environment()
        if base is None:
            return OPENAI.url
        return joined(base, "/chat/completions" if urlsplit(base).path.strip("/") else OPENAI.url)

    def _read(self, reply: Reply, call: Call) -> ChatReply:
        """Read a reply. Raises ValueError where it holds no answer."""
        payload = payload_of(reply)
        choice = dig(payload, "choices.0")
        message = dig(choice, "message")
        if not isinstance(message, dict):
            msg = "no 'choices.0.message'"
            raise NoResultsError(msg)
        if choice.get("error"):  # OpenRouter's way to say that the model behind it failed
            msg = "an error in the place of an answer"
            raise NoResultsError(msg)
        call.named(request_id(reply, payload))
        finish = str(choice.get("finish_reason"))
        model = dig(payload, "model")
        return self._reply(
            call,
            _text(message.get("content")),
            cut=finish in CUT,
            refused=bool(message.get("refusal")) or finish.startswith("content_filter"),
            alternatives=likeliest(dig(choice, "logprobs.content")),
            usage=usage_of(payload, self._row.usage),
            **({"model": model} if isinstance(model, str) else {}),
        )

    def _reply(self, call: Call, text: str, **more: Any) -> ChatReply:
        took = {"requests": len(call.attempts), "retries": len(call.retries), "request_ids": tuple(call.request_ids)}
        return ChatReply(text, **{"model": self.model, **took, **more})


@dataclass(frozen=True)
class Question(Exchange):
    """One question's exchange. It keeps what the endpoint refused with: of that an error shows a redacted part only."""

    refused: list[Reply] = field(default_factory=list, repr=False)

    def error(self, kind: type[ProviderError], what: str, reply: Reply | None = None) -> ProviderError:
        """Return an error that names service, model and request, and keep the reply it comes from."""
        if reply is not None:
            self.refused.append(reply)
        return super().error(kind, what, reply)

    def late(self) -> ProviderError:
        """Return the error of a question that took too long: it may have had but the rest of the reranker's time."""
        return self.error(DeadlineError, f"did not answer in the {self.call.deadline or 0:.3g} seconds left for it")

    def refusal(self, error: ProviderError) -> Refusal:
        """Return what an error says of the request: nothing, where no reply came."""
        return Refusal() if error.status is None else Refusal.of(self.refused[-1])


def first_dialect(url: str) -> Dialect:
    """Return what to begin with: OpenAI's newer models want its newer name of the limit, which others do not know."""
    limits = Dialect().limit
    return Dialect(limit=limits[::-1] if url == OPENAI.url else limits)


def read_spec(spec: str) -> tuple[str, str]:
    """Return a chat model's kind and name. Raises `SpecError` for a kind that is not known."""
    kind, _, model = spec.partition(":")
    if kind.strip() == "openai" and model.strip():
        return "openai", model.strip()
    msg = (
        f"{spec!r:.80} is no chat model: write 'openai:<model>', such as 'openai:gpt-4.1-mini', with base_url= for any "
        "other OpenAI-compatible server"
    )
    raise SpecError(msg)


def from_spec(spec: str, options: Mapping[str, Any]) -> OpenAIChat:
    """Build the chat model that a spec names. Raises `SpecError`."""
    return OpenAIChat(read_spec(spec)[1], **options)


def _text(content: Any) -> str:
    """Return an answer's text: some servers give it in parts, and none at all beside a refusal."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
