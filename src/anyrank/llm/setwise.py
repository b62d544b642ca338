"""A chat model that picks the best of a few passages, over and over."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from anyrank.errors import ArgumentError

from ._asking import led, parts
from ._reading import read_choice
from ._schemas import choice_schema
from ._scorer import LLMScorer, builder, reciprocal_ranks
from .prompts import SETWISE, Prompt

if TYPE_CHECKING:
    from collections.abc import Generator

    from anyrank._rounds import Rounds

    from ._questions import Asking

__all__ = ["Setwise"]

Group: TypeAlias = tuple[int, ...]


@dataclass(eq=False)
class Setwise(LLMScorer):
    """Picks the best of ``choices`` passages at a time, until the first ``keep`` places are known.

    The picks are a knock-out tournament: the first place takes about n / (choices - 1) questions in a few rounds, and
    each further one only those again in which the winner before it stood. All other candidates follow in the order
    they had. The scores are reciprocal ranks. A question without a usable answer goes to the passage that stood first,
    and the report is ``degraded``. The other options are those of every LLM reranker, see `anyrank.llm.LLMScorer`.
    """

    name: ClassVar[str] = "setwise"
    default_prompt: ClassVar[Prompt] = SETWISE
    unanswered: ClassVar[str] = "the passage that stood first was taken"

    choices: int = field(default=5, kw_only=True)
    keep: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options. Raises `ArgumentError`."""
        super().__post_init__()
        self._check("choices", "keep")
        if self.choices < 2:
            msg = f"choices={self.choices} must be 2 or more: there is nothing to choose from"
            raise ArgumentError(msg)

    def _ranked(self, asking: Asking) -> Rounds[Any, list[float]]:
        size = asking.together(min(self.choices, len(asking)))
        order = yield from led(picks(len(asking), size, self.keep), partial(self._round, asking))
        return reciprocal_ranks(order)

    def _round(self, asking: Asking, groups: list[Group]) -> Rounds[Any, dict[Group, int]]:
        asking.talk.rounds += 1
        best = yield from parts(asking.talk, [partial(self._picked, asking, group) for group in groups])
        return dict(zip(groups, best, strict=True))

    def _picked(self, asking: Asking, group: Group) -> Rounds[Any, int]:
        request = asking.request(group, schema=choice_schema("best", len(group)))
        numbers = [str(number) for number in range(1, len(group) + 1)]
        reading = yield from asking.asked(request, partial(read_choice, choices=numbers))
        if reading.answer is None:
            asking.talk.lost.append(reading.status)
            return group[0]
        return group[int(reading.answer) - 1]


def picks(count: int, size: int, keep: int) -> Generator[list[Group], dict[Group, int], list[int]]:
    """Yield rounds of groups whose best is wanted, be sent it for each, and return all candidates best first.

    What was picked from a group stays picked: only groups that lost their best, and those above them, are asked about
    again.
    """
    known: dict[Group, int] = {}
    left = dict.fromkeys(range(count))
    order: list[int] = []
    while left and len(order) < keep:
        level: list[int | None] = [place if place in left else None for place in range(count)]
        while len(level) > 1:
            cut = [level[start : start + size] for start in range(0, len(level), size)]
            groups = [tuple(place for place in part if place is not None) for part in cut]
            unknown = [group for group in groups if len(group) > 1 and group not in known]
            if unknown:
                known |= yield unknown
            level = [known.get(group, group[0]) if group else None for group in groups]
        order.append(best := next(place for place in level if place is not None))
        del left[best]
    return [*order, *left]


scorer = builder(Setwise)
