"""Which rows of several result lists are the same, and how the lists' votes put them into an order."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import reduce
from itertools import accumulate, chain, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Places: TypeAlias = Sequence[int] | NDArray[np.intp]
    Totals: TypeAlias = Sequence[float] | Floats

MANY = 64
"""Rows from which on Arrow and numpy are faster than Python's own dicts."""


class Roll(ABC):
    """The distinct rows of several lists; ``repeats`` says whether one of the lists holds a row twice.

    What stands for a row is the roll's own. Places count through all lists, one behind the other.
    """

    repeats: bool

    @staticmethod
    def of(ids: Sequence[Any]) -> Roll:
        """Tell rows apart by each list's ids, an Arrow array."""
        return _FewRows(ids) if sum(map(len, ids)) < MANY else _ManyRows(ids)

    @property
    @abstractmethod
    def rows(self) -> Sequence[Any]:
        """The distinct rows in the order in which they are first seen."""

    @abstractmethod
    def first(self, rows: Sequence[Any]) -> Places:
        """Return the place of each row's first copy."""

    @abstractmethod
    def last(self, rows: Sequence[Any]) -> Places:
        """Return the place of each row's last copy."""

    @abstractmethod
    def elected(self, votes: Sequence[Floats], misses: Sequence[float]) -> tuple[Any, Totals]:
        """Return the distinct rows by the sum of their votes, best first, and these sums; of lists without repeats.

        ``votes`` has for each list one vote a row, ``misses`` its vote on the rows it lacks. Sums do not depend on the
        order of the lists, and equal ones keep the order in which rows are first seen.
        """


class _FewRows(Roll):
    """Rows are their ids, in Python's own dicts: a call of numpy takes longer than all of them."""

    def __init__(self, ids: Sequence[Any]) -> None:
        self._lists: list[list[int]] = [one.to_pylist() for one in ids]
        self._all = list(chain.from_iterable(self._lists))
        self.repeats = any(len(set(one)) < len(one) for one in self._lists)

    @property
    def rows(self) -> list[int]:
        return list(dict.fromkeys(self._all))

    def first(self, rows: Sequence[int]) -> list[int]:
        places = dict(zip(reversed(self._all), range(len(self._all) - 1, -1, -1), strict=True))
        return [places[row] for row in rows]

    def last(self, rows: Sequence[int]) -> list[int]:
        places = dict(zip(self._all, range(len(self._all)), strict=True))
        return [places[row] for row in rows]

    def elected(self, votes: Sequence[Floats], misses: Sequence[float]) -> tuple[list[int], list[float]]:
        rows = self.rows
        voted = [dict(zip(one, vote.tolist(), strict=True)) for one, vote in zip(self._lists, votes, strict=True)]
        columns = [map(vote.get, rows, repeat(miss)) for vote, miss in zip(voted, misses, strict=True)]
        totals = dict(zip(rows, map(math.fsum, zip(*columns, strict=True)), strict=True))
        order = sorted(rows, key=totals.__getitem__, reverse=True)
        return order, [totals[row] for row in order]


class _ManyRows(Roll):
    """Rows are numbers, and lists of them arrays."""

    def __init__(self, ids: Sequence[Any]) -> None:
        coded = pa.array(np.concatenate([one.to_numpy() for one in ids])).dictionary_encode()
        self._all: NDArray[np.intp] = coded.indices.to_numpy()
        self._size = len(coded.dictionary)
        ends = accumulate(map(len, ids))
        self._lists = [self._all[end - len(one) : end] for one, end in zip(ids, ends, strict=True)]
        self.repeats = any(np.count_nonzero(np.bincount(one)) < len(one) for one in self._lists)

    @property
    def rows(self) -> Sequence[int]:
        return range(self._size)

    def first(self, rows: Sequence[int]) -> NDArray[np.intp]:
        return self._places(np.arange(len(self._all))[::-1], self._all[::-1], rows)

    def last(self, rows: Sequence[int]) -> NDArray[np.intp]:
        return self._places(np.arange(len(self._all)), self._all, rows)

    def elected(self, votes: Sequence[Floats], misses: Sequence[float]) -> tuple[NDArray[np.intp], Floats]:
        columns = np.empty((len(votes), self._size))
        for column, numbers, vote, miss in zip(columns, self._lists, votes, misses, strict=True):
            column[:] = miss
            column[numbers] = vote
        totals: Floats = reduce(np.add, np.sort(columns, axis=0) if len(columns) > 2 else columns)
        order = np.argsort(-totals, kind="stable")
        return order, totals[order]

    def _places(self, places: Any, numbers: Any, rows: Sequence[int]) -> NDArray[np.intp]:
        found = np.empty(self._size, np.intp)
        found[numbers] = places  # of repeated numbers the last assignment stays
        return found[np.asarray(rows, np.intp)]
