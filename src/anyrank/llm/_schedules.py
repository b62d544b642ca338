"""Which windows of candidates are ranked when: pure, and blind to what ranks them.

A schedule is a generator. It yields a round, a list of windows that can be ranked at the same time; a window is a tuple
of two candidates or more, numbered from 0 in the order of the first stage. It is sent the same windows, each best
first, and returns all candidates best first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Final, TypeAlias

Window: TypeAlias = tuple[int, ...]
Schedule: TypeAlias = Generator[list[Window], list[Window], list[int]]


def single(count: int) -> Schedule:
    """Rank all candidates in one window."""
    [order] = yield from _ranked([range(count)])
    return list(order)


def sliding(count: int, size: int, stride: int) -> Schedule:
    """Slide a window from the back to the front, as RankGPT does (Sun et al. 2023, arXiv 2304.09542).

    What is best climbs from window to window; only the first ``stride`` places are sure. One window a round.
    """
    order = list(range(count))
    end = count
    while True:
        start = max(end - size, 0)
        [order[start:end]] = yield from _ranked([order[start:end]])
        if start == 0:
            return order
        end -= stride


FEW: Final = 8
"""Blocks to a cover up to which two covers tell apart who goes into the last round."""


def blocks(count: int, size: int, keep: int) -> Schedule:
    """Rank two covers of all candidates at once, then the best of them together: two rounds, three for long lists.

    Each candidate is in two blocks, each of which reaches through the whole list; with hardly a neighbour in common
    they say how many others beat it, and so who goes into the last round (JointRank, Dedov 2025, arXiv 2506.22262): as
    many windows as ``keep`` places need. Where a cover has more than `FEW` blocks, too many beat all that they meet;
    half as many blocks' worth of the best then have two covers again.
    """
    order, tail = list(range(count)), list[int]()
    while (parts := -(-len(order) // size)) > 1:
        order = _by_losses(order, (yield from _ranked(_covers(order, parts))))
        best = max(FEW // 2 * size, keep)
        if parts <= FEW or best >= len(order):
            break
        order, tail = order[:best], order[best:]
    finals = -(-min(keep, len(order)) // size)
    last = yield from _ranked(order[at * size : (at + 1) * size] for at in range(finals))
    return [*(place for window in last for place in window), *order[finals * size :], *tail]


def tournament(count: int, size: int, keep: int) -> Schedule:
    """Rank blocks, send the best ``keep`` of each to the next round, until one window holds all that are left."""
    left = list(range(count))
    out: list[list[int]] = []
    while len(left) > size:
        parts = -(-len(left) // size)
        ranked = yield from _ranked(left[part::parts] for part in range(parts))
        going = [max(min(keep, len(block) - 1), 1) for block in ranked]
        out.append(_by_rank(block[cut:] for block, cut in zip(ranked, going, strict=True)))
        left = _by_rank(block[:cut] for block, cut in zip(ranked, going, strict=True))
    [order] = yield from _ranked([left])
    return [*order, *(place for losers in reversed(out) for place in losers)]


SCHEDULES: Final[tuple[str, ...]] = ("blocks", "sliding", "tournament", "single")


def rounds_of(schedule: Schedule) -> list[int]:
    """Return how many windows each round of a schedule has, whatever they come to."""
    sizes: list[int] = []
    driven(schedule, lambda windows: sizes.append(len(windows)) or windows)  # type: ignore[func-returns-value]
    return sizes


def driven(schedule: Schedule, ranked: Callable[[list[Window]], list[Window]]) -> list[int]:
    """Drive a schedule with a function that ranks a round's windows."""
    try:
        windows = next(schedule)
        while True:
            windows = schedule.send(ranked(windows))
    except StopIteration as done:
        order: list[int] = done.value
        return order


def _ranked(windows: Iterable[Sequence[int]]) -> Generator[list[Window], list[Window], list[Window]]:
    """Have a round's windows ranked; one candidate alone needs nobody."""
    ranked = [tuple(window) for window in windows]
    asked = [place for place, window in enumerate(ranked) if len(window) > 1]
    if asked:
        answers = yield [ranked[place] for place in asked]
        for place, answer in zip(asked, answers, strict=True):
            ranked[place] = answer
    return ranked


def _covers(order: Sequence[int], parts: int) -> list[Sequence[int]]:
    """Deal candidates out to blocks twice: by turns, and then a block further on in each turn."""
    turns = [order[block::parts] for block in range(parts)]
    shifted = [
        [place for at, place in enumerate(order) if (at + at // parts) % parts == block] for block in range(parts)
    ]
    return [*turns, *shifted]


def _by_losses(order: Sequence[int], ranked: Iterable[Window]) -> list[int]:
    """Sort candidates by how many others beat them in their blocks; ties stay in order."""
    losses = Counter[int]()
    for block in ranked:
        losses.update({place: rank for rank, place in enumerate(block)})
    return sorted(order, key=losses.__getitem__)


def _by_rank(blocks: Iterable[Sequence[int]]) -> list[int]:
    """Take the first of every block, then the second of every block, and so on."""
    ranked = sorted((rank, place) for block in blocks for rank, place in enumerate(block))
    return [place for _, place in ranked]
