"""What an OpenAI-compatible endpoint takes of a chat request, learnt from its own refusals.

Each calls itself compatible, and each refuses something else: a JSON Schema, a temperature, a newer name of a field.
Nothing here sends, and nothing here knows an endpoint by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from anyrank._http import Reply
    from anyrank.errors import ProviderError

    from .chat import ChatRequest

FORMS: Final = ("json_schema", "json_object", "text")
"""How an answer's form is asked for, strictest first. The prompt asks for JSON by itself."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an endpoint is spoken to: of each thing there is to say the ways left to try, of which the first is in use.

    ``limit`` names the field that bounds an answer, ``form`` how its form is asked for, ``top_logprobs`` how many
    alternatives are asked for at most, and ``temperature`` whether there is one.
    """

    limit: tuple[str, ...] = ("max_tokens", "max_completion_tokens")
    form: tuple[str, ...] = FORMS
    top_logprobs: tuple[int, ...] = (20, 5)
    temperature: tuple[bool, ...] = (True, False)

    def body(self, request: ChatRequest, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON of a request: ``settings``, such as the model, and what is asked."""
        body = {name: value for name, value in settings.items() if name != "temperature" or self.temperature[0]}
        body["messages"] = [message.to_dict() for message in request.messages]
        if request.max_tokens is not None:
            body[self.limit[0]] = request.max_tokens
        if request.schema is not None and self.form[0] != "text":
            body["response_format"] = _format(self.form[0], request.schema)
        if request.alternatives:
            body |= {"logprobs": True, "top_logprobs": min(request.alternatives, self.top_logprobs[0])}
        return body

    def simpler(self, refusal: Refusal, fields: AbstractSet[str]) -> Dialect | None:
        """Return what to speak after a refusal of a body with these fields, None where that would not help.

        A refusal that names none of them, and nothing else that could be its reason, is taken to mean the answer's
        form: no field is refused more often.
        """
        if refusal.status not in TEACHING or refusal.means("overflow"):
            return None
        subjects = [subject for subject, names in _FIELDS.items() if names & fields and len(getattr(self, subject)) > 1]
        meant = next((subject for subject in subjects if refusal.means(subject)), None)
        if meant is None and "form" in subjects and not refusal.means("other"):
            meant = "form"
        return None if meant is None else replace(self, **{meant: getattr(self, meant)[1:]})


TEACHING: Final = frozenset({400, 415, 422, 501})
"""The statuses with which a request is refused for what it says."""

_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "limit": frozenset({"max_tokens", "max_completion_tokens"}),
    "temperature": frozenset({"temperature"}),
    "top_logprobs": frozenset({"top_logprobs"}),
    "form": frozenset({"response_format"}),
}
"""The fields of a body that each part of a `Dialect` decides about, in the order in which they are looked for."""

_MEANING: Final = {
    meaning: re.compile(pattern, re.IGNORECASE)
    for meaning, pattern in {
        "limit": r"max_(completion_)?tokens",
        "temperature": r"temperature",
        "top_logprobs": r"logprobs",
        "form": r"response.?format|json.?(schema|object|mode)|schema|structured.?output|grammar|guided",
        "overflow": r"context.{0,30}(length|window|size)|(prompt|input|tokens).{0,80}too (long|large)"
        r"|maximum.{0,40}tokens|exceeds?.{0,40}tokens",
        "filter": r"content.?(filter|management|policy)|usage.?polic|flagged|safety.?system|data_inspection",
        "no room": r"output limit was reached|max completion tokens reached",
        "other": r"model|api.?key|quota|messages|role|billing",
    }.items()
}

_ECHO: Final = re.compile(r"""\\*["']input\\*["']\s*:""")
"""Where FastAPI and vLLM begin to quote the request, which names every field it has."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an endpoint says of a request that it does not take.

    The whole reply is looked at, since gateways put the words of the one behind them far inside.
    """

    status: int = 0
    words: str = field(default="", repr=False)  # may quote a key

    @classmethod
    def of(cls, reply: Reply) -> Refusal:
        """Read a reply, up to where it begins to quote the request."""
        return cls(reply.status, _ECHO.split(reply.body[:8192].decode(errors="replace"), maxsplit=1)[0])

    def means(self, meaning: str) -> bool:
        """Whether its words are about this."""
        return _MEANING[meaning].search(self.words) is not None

    @property
    def answer(self) -> Literal["refused", "cut"] | None:
        """What it comes to where it is an answer: some endpoints refuse what a filter stops, or what is cut off."""
        if self.status in (400, 403) and self.means("filter"):
            return "refused"
        return "cut" if self.status == 400 and self.means("no room") else None

    def advise(self, error: ProviderError) -> None:
        """Add to an error what its words do not say: what to change here."""
        if self.means("overflow"):
            error.add_note("the prompt was longer than the model takes: lower the reranker's context_tokens")
        elif self.means("top_logprobs"):
            error.add_note("logprobs=False makes pointwise go by the answer alone")


def _format(form: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if form == "json_object":
        return {"type": form}
    return {"type": form, "json_schema": {"name": "answer", "strict": True, "schema": schema}}
