"""How alike documents are: sets by what they share, vectors by their direction."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from .errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet


def dissimilar(bags: Sequence[AbstractSet[Any]], threshold: float) -> list[int]:
    """Return the places of the sets whose Jaccard similarity to every one kept before them is below the threshold.

    Exact, by prefix and position: with the elements in one order, rarest first, two sets of that similarity have the
    first element they share among the first ``n - ceil(threshold * n) + 1`` of each (Chaudhuri, Ganti & Kaushik, 2006,
    doi:10.1109/ICDE.2006.9), and share no more than what stands from there on (PPJoin: Xiao, Wang, Lin & Yu, 2008,
    doi:10.1145/1367497.1367516). Elements of one set alone only count in its size.
    """
    kept: dict[int, set[int]] = {}
    holders: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for place, row in enumerate(_rows(bags)):
        size, items = len(bags[place]), set(row)
        needed = math.ceil(threshold * size - 1e-9)  # 0.07 * 100 is 7.000000000000001
        prefix = list(zip(row[: max(0, len(row) - needed + 1)], range(len(row), 0, -1), strict=False))
        most: dict[int, int] = {}  # how many elements each candidate can share
        for item, left in prefix:
            for other, left_there in holders.get(item, ()):
                if other not in most:
                    most[other] = min(left, left_there)
        near = (other for other, shared in most.items() if _ratio(shared, size + len(bags[other])) >= threshold)
        if any(_ratio(len(items & kept[other]), size + len(bags[other])) >= threshold for other in near):
            continue
        kept[place] = items
        for item, left in prefix:
            holders[item].append((place, left))
    return list(kept)


def _rows(bags: Sequence[AbstractSet[Any]]) -> list[list[int]]:
    """Return the elements of each set that another one has too, as numbers, the rarest element's the lowest."""
    counts = Counter(chain.from_iterable(bags))
    shared = sorted(((item, count) for item, count in counts.items() if count > 1), key=itemgetter(1))
    numbers = {item: number for number, (item, _) in enumerate(shared)}
    return [sorted([numbers[item] for item in bag if item in numbers]) for bag in bags]


def jaccard(one: AbstractSet[Any], other: AbstractSet[Any]) -> float:
    """Return the number of elements in both over the number in either; 0.0 for two empty sets."""
    return _ratio(len(one & other), len(one) + len(other))


def _ratio(shared: int, total: int) -> float:
    """Return what two sets share over what they hold together; ``total`` is the sum of their sizes."""
    return shared / (total - shared) if shared else 0.0


def unit_vectors(vectors: Iterable[Any], indices: Iterable[int]) -> list[list[float]]:
    """Return the vectors with length 1; one of zeros stays. Raises `ArgumentError`, saying which document has none."""
    units: list[list[float]] = []
    for vector, index in zip(vectors, indices, strict=True):
        try:
            numbers = [] if isinstance(vector, str) else [*map(float, vector)]
        except (TypeError, ValueError):
            numbers = []
        length = math.hypot(*numbers)
        if not numbers or not math.isfinite(length) or len(numbers) != len((units or [numbers])[0]):
            msg = f"document {index} has no vector like the others, of finite numbers and as many: {vector!r:.80}"
            raise ArgumentError(msg)
        units.append([number / length for number in numbers] if length else numbers)
    return units
