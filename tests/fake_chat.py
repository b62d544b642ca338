"""A chat endpoint on loopback that refuses what the real ones refuse, each in its own words.

A `Host` says what an endpoint takes, from its documents and from refusals that its users quote. The model behind it
finds the query and the numbered passages in the prompt and ranks them by shared words, so that a right order is known.
``fake_service.py`` runs it, and ``fake_faults.py`` has what can go wrong on top.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fake_service import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODEL = "gpt-test"
FIELDS = {"model", "messages", "temperature", "seed", "reasoning_effort", "service_tier", "max_tokens"}
FIELDS |= {"max_completion_tokens", "response_format", "logprobs", "top_logprobs", "metadata"}
ROOM = 2000
"""Words that a prompt may have."""


def openai_error(message: str, param: str | None, _payload: Any) -> Any:
    """Return OpenAI's form of an error."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}}


def text_error(message: str, _param: str | None, _payload: Any) -> Any:
    """Return LM Studio's: a bare string."""
    return {"error": message}


def listed_error(message: str, _param: str | None, _payload: Any) -> Any:
    """Return Gemini's: a list."""
    return [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]


def wrapped_error(message: str, param: str | None, payload: Any) -> Any:
    """Return OpenRouter's: what the provider behind it said, as a string of JSON."""
    raw = json.dumps(openai_error(message, param, payload))
    return {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}, "user_id": "u"}


def mistral_error(_message: str, param: str | None, payload: Any) -> Any:
    """Return Mistral's: pydantic's, inside a message that is no string."""
    problem = {"type": "extra_forbidden", "loc": ["body", param], "msg": "Extra inputs are not permitted"}
    detail = [{**problem, "input": payload.get(param)}]
    return {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error", "param": None}


def echoing_error(message: str, _param: str | None, payload: Any) -> Any:
    """Return an error with the whole request behind it, as vLLM and FastAPI may."""
    problem = [{"type": "value_error", "loc": ("body",), "msg": f"Value error, {message}", "input": payload}]
    return {"error": {"message": str(problem), "type": "BadRequestError", "param": None, "code": 400}}


def vague_error(_message: str, _param: str | None, _payload: Any) -> Any:
    """Return an error that says nothing."""
    return {"detail": "Bad Request"}


@dataclass(frozen=True)
class Host:
    """What an endpoint takes. ``ignored`` are fields that it overlooks, ``forbidden`` those that it refuses."""

    error: Callable[[str, str | None, Any], Any] = openai_error
    status: int = 400
    path: str = "/v1/chat/completions"
    forms: tuple[str, ...] = ("json_schema", "json_object", "text")
    ignored: frozenset[str] = frozenset()
    forbidden: Mapping[str, str] = field(default_factory=dict)
    top_logprobs: int = 20
    strict: bool = False
    keyless: bool = False


REASONING = {
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is "
    "supported.",
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
    "instead.",
    "logprobs": "Unsupported parameter: 'logprobs' is not supported with this model.",
}

HOSTS = {
    "openai": Host(strict=True),
    "openai, reasoning": Host(strict=True, forbidden=REASONING),
    "openai, before schemas": Host(strict=True, forms=("json_object", "text")),
    "openai, before json": Host(strict=True, forms=("text",)),
    "openrouter": Host(error=wrapped_error, path="/api/v1/chat/completions", forbidden=REASONING),
    "anthropic": Host(
        ignored=frozenset({"response_format", "logprobs", "seed"}),
        forbidden={"temperature": "`temperature` is deprecated for this model."},
    ),
    "gemini": Host(
        error=listed_error,
        path="/v1beta/openai/chat/completions",
        forbidden={"seed": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'},
    ),
    "mistral": Host(error=mistral_error, status=422, forbidden={"max_completion_tokens": "", "seed": ""}),
    "ollama": Host(ignored=frozenset({"max_completion_tokens", "logprobs"})),
    "lm studio": Host(error=text_error, forms=("json_schema", "text"), ignored=frozenset({"logprobs"})),
    "fireworks": Host(top_logprobs=5),
    "vllm, echoing": Host(error=echoing_error, forms=("text",), top_logprobs=5),
    "vague": Host(error=vague_error, forms=("text",)),
    "silent": Host(ignored=frozenset({"response_format", "logprobs", "top_logprobs"})),
}
"""Endpoints by name."""


class Chat:
    """What a host accepts and answers, for ``fake_service.running``."""

    says: Mapping[str, Any] = {}

    def __init__(self, host: Host | str = "openai") -> None:
        self.host = HOSTS[host] if isinstance(host, str) else host

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Return status and JSON for a request."""
        if (method, path.partition("?")[0]) != ("POST", self.host.path):
            return 404, openai_error(f"Invalid URL ({method} {path})", None, None)
        given = headers.get("authorization", "")
        if not self.host.keyless and given != f"Bearer {KEY}":
            return 401, openai_error(f"Incorrect API key provided: {given.removeprefix('Bearer ')}.", None, None)
        payload = json.loads(body)
        if payload.get("model") not in (None, MODEL):
            return 404, openai_error(f"The model `{payload['model']}` does not exist.", None, None)
        problem = self.problem(payload)
        if problem is not None:
            return self.host.status, self.host.error(*problem, payload)
        return 200, self.reply({name: value for name, value in payload.items() if name not in self.host.ignored})

    def problem(self, payload: dict[str, Any]) -> tuple[str, str | None] | None:
        """Return what is wrong with a request, and with which of its fields."""
        for name, message in self.host.forbidden.items():
            if name in payload and payload[name] != {"temperature": 1}.get(name):
                return message, name
        if not payload.get("model"):
            return "you must provide a model parameter", None
        if self.host.strict and payload.keys() - FIELDS:
            return f"Unrecognized request argument supplied: {min(payload.keys() - FIELDS)}", None
        if "max_tokens" in payload and "max_completion_tokens" in payload:
            return "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens"
        return self.wrong_messages(payload) or self.wrong_form(payload) or self.wrong_logprobs(payload)

    def wrong_messages(self, payload: dict[str, Any]) -> tuple[str, str] | None:
        messages = payload.get("messages")
        if not messages or any(
            message.keys() != {"role", "content"} or message["role"] not in ("system", "user", "assistant")
            for message in messages
        ):
            return "Invalid value for 'messages'", "messages"
        if not all(isinstance(message["content"], str) and message["content"] for message in messages):
            return "Invalid value for 'messages.content': expected a string, not blank", "messages"
        words = sum(len(message["content"].split()) for message in messages)
        if words <= ROOM:
            return None
        return f"This model's maximum context length is {ROOM} tokens, and your messages have {words}.", "messages"

    def wrong_form(self, payload: dict[str, Any]) -> tuple[str, str] | None:
        form = payload.get("response_format")
        if form is None or "response_format" in self.host.ignored:
            return None
        kind = form.get("type")
        if kind not in self.host.forms:
            said = f"Invalid parameter: 'response_format' of type '{kind}' is not supported with this model."
            known = " or ".join(f"'{one}'" for one in self.host.forms)
            return (f"'response_format.type' must be {known}" if self.host.error is text_error else said), (
                "response_format"
            )
        if kind == "json_object" and "json" not in str(payload["messages"]).lower():
            return "'messages' must contain the word 'json' in some form, to use 'response_format'.", "messages"
        if kind == "json_schema" and (wrong := wrong_schema(form.get("json_schema", {}))):
            return f"Invalid schema for response_format: {wrong}", "response_format"
        return None

    def wrong_logprobs(self, payload: dict[str, Any]) -> tuple[str, str] | None:
        wanted = payload.get("top_logprobs")
        if wanted is None or "logprobs" in self.host.ignored:
            return None
        if not payload.get("logprobs"):
            return "'top_logprobs' needs 'logprobs'.", "top_logprobs"
        if not 0 <= wanted <= self.host.top_logprobs:
            return f"Invalid 'top_logprobs': must be less than or equal to {self.host.top_logprobs}.", "top_logprobs"
        return None

    def reply(self, payload: dict[str, Any]) -> Any:
        """Return the reply: the answer to the last turn, cut at the limit of tokens."""
        text, worth = answered(payload["messages"])
        kind = payload.get("response_format", {}).get("type")
        if kind is None and text.startswith("{"):
            text = f"Here you are:\n```json\n{text}\n```"
        tokens = re.findall(r"\w+|[^\w\s]|\s+", text)
        limit = payload.get("max_completion_tokens", payload.get("max_tokens", math.inf))
        cut = len(tokens) > limit
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": "length" if cut else "stop",
            "message": {"role": "assistant", "content": "".join(tokens[: int(limit)] if cut else tokens)},
        }
        if payload.get("logprobs"):
            choice["logprobs"] = {"content": [token_logprobs(worth, payload.get("top_logprobs", 0))]}
        asked = sum(len(message["content"].split()) for message in payload["messages"])
        written = min(len(tokens), limit)
        usage = {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written}
        named = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": MODEL}
        return {**named, "choices": [choice], "usage": usage}


def wrong_schema(form: dict[str, Any]) -> str | None:
    """Return what breaks OpenAI's rules for a strict schema."""
    schema = form.get("schema", {})
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", form.get("name", "")) or form.get("strict") is not True:
        return "it needs a name, and strict: true"
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        return "In context=(), 'additionalProperties' is required to be supplied and to be false."
    if sorted(schema.get("required", [])) != sorted(schema["properties"]):
        return "In context=(), 'required' must include every key in properties."
    unknown = set(re.findall(r'"(\w+Items|uniqueItems|\w*imum)":', json.dumps(schema)))
    return f"'{min(unknown)}' is not permitted." if unknown else None


def words(text: str) -> set[str]:
    """Return a text's words."""
    return set(re.findall(r"\w+", text.lower()))


def answered(messages: list[dict[str, str]]) -> tuple[str, float]:
    """Return a model's answer to a prompt of ours, and for one passage the share of the query's words it has."""
    prompt = next(message["content"] for message in messages if message["role"] == "user")
    query = words(re.search(r"Query: (.*)", prompt)[1])  # type: ignore[index]
    passages = re.findall(r"^(?:Passage: |\[\d+\] )(.*)", prompt, flags=re.MULTILINE)
    worth = [len(query & words(passage)) / (len(query) or 1) for passage in passages]
    best = sorted(range(1, len(passages) + 1), key=lambda number: -worth[number - 1])
    for name, value in (("ranking", best), ("better", best[0]), ("best", best[0])):
        if f'"{name}"' in prompt:
            return json.dumps({name: value}), worth[0]
    return ("Yes" if worth[0] > 0.5 else "No") if "Yes or No" in prompt else str(round(3 * worth[0])), worth[0]


def token_logprobs(worth: float, count: int) -> Any:
    """Return the log-probabilities of a first token, as OpenAI gives them, the likeliest alternatives first."""
    share = 0.02 + 0.96 * worth
    grades = {str(grade): 0.02 + 0.2 * (round(3 * worth) == grade) for grade in range(4)}
    found = {"Yes": 0.6 * share, " yes": 0.1 * share, "No": 0.7 * (1 - share), **grades}
    best = sorted(found, key=lambda token: -found[token])
    top = [{"token": token, "logprob": math.log(found[token]), "bytes": None} for token in best]
    return {**top[0], "top_logprobs": [*top, {"token": "<unk>", "logprob": -9999.0, "bytes": None}][:count]}


def saying(
    text: str | list[Any] | None = "", finish: str = "stop", *, refusal: str | None = None, **choice: Any
) -> Callable[[Any, Any], None]:
    """Return the fault of an answer in the place of the right one; ``choice`` is what else stands beside it."""
    message = {"role": "assistant", "content": text, "refusal": refusal}

    def send(handler: Any, payload: Any) -> None:
        handler.send(200, {**payload, "choices": [{"finish_reason": finish, "message": message, **choice}]})

    return send
