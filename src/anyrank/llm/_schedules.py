"""Which windows of candidates are ranked when: pure, and blind to what ranks them.

A schedule is a generator. It yields a round, a list of windows that can be ranked at the same time; a window is a tuple
of candidates, numbered from 0 in the order of the first stage. It is sent the same windows, each best first, and
returns all candidates best first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from fractions import Fraction
from typing import Final, TypeAlias

Window: TypeAlias = tuple[int, ...]
Schedule: TypeAlias = Generator[list[Window], list[Window], list[int]]


def single(count: int) -> Schedule:
    """Rank all candidates in one window."""
    [order] = yield [tuple(range(count))]
    return list(order)


def sliding(count: int, size: int, stride: int) -> Schedule:
    """Slide a window from the back to the front, as RankGPT does (Sun et al. 2023, arXiv 2304.09542).

    What is best climbs from window to window; only the first ``stride`` places are sure. One window a round.
    """
    order = list(range(count))
    end = count
    while True:
        start = max(end - size, 0)
        [order[start:end]] = yield [tuple(order[start:end])]
        if start == 0:
            return order
        end -= stride


def blocks(count: int, size: int, keep: int) -> Schedule:
    """Rank two covers of all candidates at once, then the best of them together: two rounds, however many there are.

    Each candidate is in two blocks with hardly a neighbour in common, and the share of others that it beats there
    (JointRank, Dedov 2025, arXiv 2506.22262) says who goes into the last round: as many windows as ``keep`` places
    need.
    """
    if count <= size:
        return (yield from single(count))
    parts = -(-count // size)
    covers = (
        sorted(range(count), key=lambda place: place % parts),
        sorted(range(count), key=lambda place: (place // parts) % parts),
    )
    ranked = yield [block for cover in covers for block in _evenly(cover, parts)]
    order = _by_wins(ranked)
    finals = -(-min(keep, count) // size)
    last = yield [tuple(order[at * size : (at + 1) * size]) for at in range(finals)]
    return [place for window in last for place in window] + order[finals * size :]


def tournament(count: int, size: int, keep: int) -> Schedule:
    """Rank blocks, send the best ``keep`` of each to the next round, until one window holds all that are left."""
    left = list(range(count))
    out: list[list[int]] = []
    while len(left) > size:
        parts = -(-len(left) // size)
        ranked = yield [tuple(left[part::parts]) for part in range(parts)]
        going = [max(min(keep, len(block) - 1), 1) for block in ranked]
        out.append(_by_rank(block[cut:] for block, cut in zip(ranked, going, strict=True)))
        left = _by_rank(block[:cut] for block, cut in zip(ranked, going, strict=True))
    [order] = yield [tuple(left)]
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


def _evenly(order: Sequence[int], parts: int) -> Iterable[Window]:
    """Cut a sequence into parts whose lengths differ by one at most."""
    length, longer = divmod(len(order), parts)
    start = 0
    for part in range(parts):
        end = start + length + (part < longer)
        yield tuple(order[start:end])
        start = end


def _by_wins(ranked: Iterable[Window]) -> list[int]:
    """Sort candidates by the share of others that they beat in their blocks; ties in the first stage's order."""
    wins: dict[int, int] = {}
    met: dict[int, int] = {}
    for block in ranked:
        for rank, place in enumerate(block):
            wins[place] = wins.get(place, 0) + len(block) - 1 - rank
            met[place] = met.get(place, 0) + len(block) - 1
    return sorted(wins, key=lambda place: (-Fraction(wins[place], met[place] or 1), place))


def _by_rank(blocks: Iterable[Sequence[int]]) -> list[int]:
    """Take the first of every block, then the second of every block, and so on."""
    ranked = sorted((rank, place) for block in blocks for rank, place in enumerate(block))
    return [place for _, place in ranked]
