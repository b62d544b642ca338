"""A chat model that judges each passage on its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyrank import _checks
from anyrank.errors import ArgumentError, ReplyError

from ._asking import parts
from ._reading import Reading, read_choice
from ._scorer import LLMScorer, builder
from .prompts import GRADED, YES_NO, Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyrank._rounds import Rounds
    from anyrank.scorer import Scope

    from ._questions import Asking
    from .chat import ChatReply

__all__ = ["Pointwise"]

SCALES: Final[Mapping[str, Mapping[str, float]]] = {
    "yes_no": {"yes": 1.0, "no": 0.0},
    "graded": {"0": 0.0, "1": 1.0, "2": 2.0, "3": 3.0},
}
"""The words of an answer and what each is worth, by scale."""

ALTERNATIVES: Final = 20
"""First tokens that are asked for with their log-probabilities: the most that servers give."""


@dataclass(eq=False)
class Pointwise(LLMScorer):
    """Judges each passage on its own, one question a passage, all in one round.

    ``scale`` ``"yes_no"`` asks whether a passage is relevant and gives the probability of "yes" among "yes" and "no";
    ``"graded"`` asks for a grade from 0 to 3 and gives the expected one. Both read the log-probabilities of the first
    token; a model that gives none is an error, unless ``logprobs=False`` says to take the bare answer: 0 or 1, or a
    whole grade. A passage without a usable answer gets 0, and the report is ``degraded``. The other options are those
    of every LLM reranker, see `anyrank.llm.LLMScorer`.
    """

    name: ClassVar[str] = "pointwise"
    scope: ClassVar[Scope] = "text"
    default_prompt: ClassVar[Prompt] = YES_NO
    unanswered: ClassVar[str] = "each of these passages has the score 0"

    scale: str = field(default="yes_no", kw_only=True)
    logprobs: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options. Raises `ArgumentError`."""
        super().__post_init__()
        if self.scale not in SCALES:
            msg = f"no scale {self.scale!r}; {_checks.suggest(self.scale, SCALES)}"
            raise ArgumentError(msg)
        self._said = Prompt.of(self.prompt, GRADED if self.scale == "graded" else YES_NO)

    @property
    def score_kind(self) -> str:
        """``probability``, or ``grade``: from 0 to 3."""
        return "grade" if self.scale == "graded" else "probability"

    def _ranked(self, asking: Asking) -> Rounds[Any, list[float]]:
        asking.together(1)  # or there is no room
        asking.talk.rounds = 1
        return (yield from parts(asking.talk, [partial(self._judged, asking, place) for place in range(len(asking))]))

    def _judged(self, asking: Asking, place: int) -> Rounds[Any, float]:
        request = asking.request([place])
        if self.logprobs:
            request = replace(request, max_tokens=1, alternatives=ALTERNATIVES)
        reading = yield from asking.asked(request, self._expected if self.logprobs else self._answered)
        if reading.answer is None:
            asking.talk.lost.append(reading.status)
        return reading.answer or 0.0

    def _answered(self, reply: ChatReply) -> Reading[float]:
        worth = SCALES[self.scale]
        reading = read_choice(reply, worth)
        return Reading(reading.status, None if reading.answer is None else worth[reading.answer], reading.why)

    def _expected(self, reply: ChatReply) -> Reading[float]:
        """Return what the answer is worth on average, over the words of the scale among the likeliest tokens."""
        if reply.refused:
            return Reading("refused", why="it was a refusal")
        if reply.alternatives is None:
            msg = (
                f"{reply.model or self.model or 'the chat model'} gives no log-probabilities: use a model and server "
                "that do, or logprobs=False to go by the answer alone"
            )
            raise ReplyError(msg)
        worth = SCALES[self.scale]
        mass = dict.fromkeys(worth, 0.0)
        for token, logprob in reply.alternatives.items():
            word = token.strip().strip("\"'.").lower()
            if word in mass:
                mass[word] += math.exp(min(logprob, 0.0))
        total = sum(mass.values())
        if not total > 0.0:  # NaN too
            return Reading("unparsable", why=f"it must begin with one of {', '.join(worth)}")
        return Reading("ok", sum(mass[word] * worth[word] for word in worth) / total)


scorer = builder(Pointwise)
