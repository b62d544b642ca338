"""Chat models behind an OpenAI-compatible endpoint: https://platform.openai.com/docs/api-reference/chat.

One client for OpenAI, and by ``base_url`` for vLLM, SGLang, llama.cpp, Ollama, LM Studio and gateways. What an endpoint
does not take (a JSON Schema, a temperature, a newer name of a field) is found out by its own refusal, left out from
then on, and is not a failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from anyrank._auth import KeyAuth
from anyrank._exchange import Call
from anyrank._http import Request
from anyrank._replies import NoResultsError, dig, payload_of, request_id, usage_of
from anyrank._rounds import Rounds, arun, run
from anyrank._secrets import Hidden
from anyrank._service import Service, untrusted
from anyrank._service_options import as_json
from anyrank._template import MODEL, Option, filled
from anyrank.errors import ProviderError, SpecError
from anyrank.hosted import Endpoint

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

FORMATS: Final = ("json_schema", "json_object", "text")
"""How an answer's form is asked for, strictest first. The prompt asks for JSON by itself."""

_FORM: Final = re.compile(r"response.?format|json.?schema|json.?object|structured|grammar|guided|schema", re.IGNORECASE)
_LIMIT: Final = re.compile(r"max_completion_tokens", re.IGNORECASE)
_TOO_LONG: Final = re.compile(
    r"context.{0,20}(length|window|size)|too long|too many tokens|maximum.{0,20}tokens", re.IGNORECASE
)
_FILTERED: Final = re.compile(r"content.?filter|content management|content.?policy|safety", re.IGNORECASE)
_NAMED: Final = re.compile(r"model|api.?key|quota|messages|role", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an endpoint is known to take. ``dropped`` are fields of the body that it refuses."""

    form: str = FORMATS[0]
    limit: str = "max_completion_tokens"
    dropped: frozenset[str] = frozenset()

    def simpler(self, refusal: ProviderError, sent: Mapping[str, Any], explicit: Mapping[str, Any]) -> Dialect | None:
        """Return what to speak after a refusal, None where it is about something else.

        An option that the user gave is never dropped.
        """
        words = str(refusal)
        if refusal.status not in (400, 415, 422, 501) or _TOO_LONG.search(words):
            return None
        if self.limit in sent and _LIMIT.search(words):
            return None if self.limit == "max_tokens" else replace(self, limit="max_tokens")
        for name in ("temperature", "seed"):
            if name in sent and name not in explicit and re.search(name, words, re.IGNORECASE):
                return replace(self, dropped=self.dropped | {name})
        if "response_format" not in sent or (_NAMED.search(words) and not _FORM.search(words)):
            return None
        return replace(self, form=FORMATS[FORMATS.index(self.form) + 1])


class OpenAIChat(Service):
    """A chat model over HTTP: ``OpenAIChat("gpt-4.1-mini")``, ``OpenAIChat("qwen3", base_url="http://localhost:8000/v1")``.

    The key is ``api_key``, else ``OPENAI_API_KEY``; behind a ``base_url`` none is needed. ``temperature`` is 0 unless
    the model takes none; ``seed``, ``reasoning_effort`` and ``service_tier`` are sent where given. The other options
    are those of `anyrank.hosted.COMMON`. Retries, deadlines, keys and errors are those of every hosted scorer.
    """

    def __init__(self, model: str, **options: Any) -> None:
        """Check spelling and types. Raises `SpecError`."""
        options = Hidden(options)  # a traceback quotes the variables of its frames
        super().__init__(OPENAI, OPENAI.bound(model, **options))
        self._dialect = Dialect()

    def chat(self, request: ChatRequest) -> ChatReply:
        """Answer. Raises `SettingError`, `ProviderError` and its kinds."""
        return run(self._rounds(request))

    async def achat(self, request: ChatRequest) -> ChatReply:
        """Answer on the running event loop; cancelling cancels the request."""
        return await arun(self._rounds(request))

    def _rounds(self, request: ChatRequest) -> Rounds[Any, ChatReply]:
        values = self._values()
        url = self._url(values)
        call = Call(self._seconds(request))
        texts = tuple(message.content for message in request.messages)
        exchange = replace(self._exchange(call, values), auth=self._auth(url), texts=texts)
        while True:
            dialect = self._dialect
            body = self._body(request, values, dialect)
            try:
                reply = yield from exchange.send(Request("POST", url, self._headers(values), as_json(body)))
            except ProviderError as refusal:
                if refusal.status == 400 and _FILTERED.search(str(refusal)):
                    return ChatReply("", refused=True, model=self.model, requests=len(call.attempts))
                simpler = dialect.simpler(refusal, body, self._given)
                if simpler is None:
                    raise
                self._dialect = simpler
                continue
            try:
                return self._read(reply, call)
            except ValueError as error:
                raise untrusted(exchange, reply, error) from None

    def _body(self, request: ChatRequest, values: Mapping[Any, Any], dialect: Dialect) -> dict[str, Any]:
        body: dict[str, Any] = filled(self._row.body, values, ())
        body = {name: value for name, value in body.items() if name not in dialect.dropped}
        body["messages"] = [message.to_dict() for message in request.messages]
        if request.max_tokens is not None:
            body[dialect.limit] = request.max_tokens
        if request.schema is not None and dialect.form != "text":
            body["response_format"] = _form(dialect.form, request.schema)
        if request.alternatives:
            body |= {"logprobs": True, "top_logprobs": request.alternatives}
        return body | (values["extra_body"] or {})

    def _read(self, reply: Reply, call: Call) -> ChatReply:
        """Read a reply. Raises ValueError where it holds no answer."""
        payload = payload_of(reply)
        choice = dig(payload, "choices.0")
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            msg = "no 'choices.0.message'"
            raise NoResultsError(msg)
        call.named(request_id(reply, payload))
        finish = choice.get("finish_reason")
        model = dig(payload, "model")
        return ChatReply(
            _content(choice["message"].get("content")),
            cut=finish == "length",
            refused=bool(choice["message"].get("refusal")) or finish == "content_filter",
            alternatives=_alternatives(dig(choice, "logprobs.content")),
            usage=usage_of(payload, self._row.usage),
            model=model if isinstance(model, str) else self.model,
            requests=len(call.attempts),
            retries=len(call.retries),
            request_ids=tuple(call.request_ids),
        )

    def _seconds(self, request: ChatRequest) -> float | None:
        """Return the seconds there are for a request: its own, or this client's for each."""
        own: float | None = self._options["deadline"]
        left = None if request.until == NEVER else max(request.until - monotonic(), 0.001)
        return min((seconds for seconds in (own, left) if seconds is not None), default=None)

    def _auth(self, url: str) -> KeyAuth:
        """Return how a key is shown: behind another URL than OpenAI's there may be none."""
        return KeyAuth(env=("OPENAI_API_KEY",), required=url == OPENAI.url)


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


def _form(form: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if form == "json_object":
        return {"type": form}
    return {"type": form, "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def _content(content: Any) -> str:
    """Return an answer's text: some servers give it in parts, and none at all beside a refusal."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _alternatives(tokens: Any) -> dict[str, float] | None:
    """Return the likeliest tokens at the first place that holds more than white space."""
    if not isinstance(tokens, list):
        return None
    for token in tokens:
        top = dig(token, "top_logprobs")
        if isinstance(top, list) and top and str(dig(token, "token") or "").strip():
            found: dict[str, float] = {}
            for one in top:
                name, logprob = dig(one, "token"), dig(one, "logprob")
                if isinstance(name, str) and isinstance(logprob, (int, float)):
                    found[name] = max(float(logprob), found.get(name, float("-inf")))
            return found
    return None
