"""A chat model that compares passages two at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING, Any, ClassVar

from anyrank.errors import ArgumentError

from ._asking import parts
from ._reading import read_choice
from ._schemas import choice_schema
from ._scorer import LLMScorer, builder
from .prompts import PAIRWISE, Prompt

if TYPE_CHECKING:
    from anyrank._rounds import Rounds
    from anyrank.scorer import Scope

    from ._questions import Asking

__all__ = ["Pairwise"]


@dataclass(eq=False)
class Pairwise(LLMScorer):
    """Compares each passage with each other one, in both orders; a score is the share of comparisons won.

    Each pair is asked about twice, since models favour a position: who is preferred in one order only has half a win.
    That takes n * (n - 1) questions for n passages, in one round; more than ``max_questions`` (None: any number) are
    refused before any is asked. A question without a usable answer counts as half a win, and the report is
    ``degraded``. The other options are those of every LLM reranker, see `anyrank.llm.LLMScorer`.
    """

    name: ClassVar[str] = "pairwise"
    scope: ClassVar[Scope] = "list"
    default_prompt: ClassVar[Prompt] = PAIRWISE
    unanswered: ClassVar[str] = "each counts as half a win"

    max_questions: int | None = field(default=1000, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options. Raises `ArgumentError`."""
        super().__post_init__()
        self._check("max_questions", optional=True)

    @property
    def score_kind(self) -> str:
        """The share of comparisons won, from 0 to 1."""
        return "win_rate"

    def _ranked(self, asking: Asking) -> Rounds[Any, list[float]]:
        count = len(asking)
        pairs = list(permutations(range(count), 2))
        if self.max_questions is not None and len(pairs) > self.max_questions:
            msg = (
                f"{count} passages make {len(pairs)} pairwise questions; max_questions={self.max_questions}: rerank "
                "fewer (a Cascade narrows them down), or use listwise or setwise"
            )
            raise ArgumentError(msg)
        if count == 1:
            return [1.0]
        asking.together(2)  # or there is no room
        asking.talk.rounds = 1
        won = yield from parts(asking.talk, [partial(self._compared, asking, pair) for pair in pairs])
        wins = [0.0] * count
        for (one, other), share in zip(pairs, won, strict=True):
            wins[one] += share
            wins[other] += 1.0 - share
        return [total / (2 * (count - 1)) for total in wins]

    def _compared(self, asking: Asking, pair: tuple[int, int]) -> Rounds[Any, float]:
        """Return 1.0 where the first is better, 0.0 where the second is, 0.5 where nothing usable is said."""
        request = asking.request(pair, schema=choice_schema("better", 2))
        reading = yield from asking.asked(request, partial(read_choice, choices=("1", "2")))
        if reading.answer is None:
            asking.talk.lost.append(reading.status)
            return 0.5
        return 1.0 if reading.answer == "1" else 0.0


scorer = builder(Pairwise)
