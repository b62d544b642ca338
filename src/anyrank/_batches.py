"""Which texts go into which request, and how the answers become one score a text again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from .scorer import Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .ranking import Report

FLOORS: Final = {"probability": 0.0, "grade": 0.0, "cosine": -1.0}
"""What a text that was not sent scores, by kind; on other scales, one less than the lowest score of the reply."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One batch's scores, in its order; its places in the order of the reply; and what else the reply told."""

    scores: Sequence[float]
    sequence: Sequence[int]
    usage: Mapping[str, float]
    model: str | None

    @property
    def ordered(self) -> bool:
        """Whether the service gave them best first."""
        shown = [self.scores[place] for place in self.sequence]
        return all(one >= following for one, following in pairwise(shown))


def merged(
    kind: str, count: int, batches: Sequence[Sequence[int]], answers: Sequence[Answer], report: Report
) -> Scores:
    """Return one score a text from the answers about its batches, in input order.

    Texts in no batch get the floor. Where scores tie, each service's own order within its reply decides, if it sorted.
    """
    scores: list[float | None] = [None] * count
    finer: list[float] = [float(count)] * count
    for batch, answer in zip(batches, answers, strict=True):
        ordered = answer.ordered
        for position, inner in enumerate(answer.sequence):
            place = batch[inner]
            scores[place] = answer.scores[inner]
            finer[place] = batch[0] + position if ordered else place
    known = [score for score in scores if score is not None]
    floor = FLOORS.get(kind, min(known) - 1.0 if known else 0.0)
    values = [floor if score is None else score for score in scores]
    if len(set(values)) == count:
        return Scores(values, report=report)
    ranked = sorted(range(count), key=lambda place: (-values[place], finer[place]))
    order = {place: -float(rank) for rank, place in enumerate(ranked)}
    return Scores(values, order=map(order.__getitem__, range(count)), report=report)


def split(places: Sequence[int], sizes: Sequence[int], most: int | None, most_bytes: int | None) -> Iterator[list[int]]:
    """Give the places in batches of at most ``most`` and ``most_bytes``, equal in count if possible.

    A text that is too large on its own goes alone: the service says what it does with it.
    """
    parts = -(-len(places) // most) if most else 1
    even = -(-len(places) // parts)
    batch: list[int] = []
    full = 0
    for place, size in zip(places, sizes, strict=True):
        if batch and (len(batch) == even or (most_bytes is not None and full + size > most_bytes)):
            yield batch
            batch, full = [], 0
        batch.append(place)
        full += size
    yield batch


def size_of(text: str) -> int:
    """Return a text's UTF-8 bytes."""
    return len(text.encode(errors="replace"))
