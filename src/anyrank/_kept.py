"""Where `anyrank.Cached` keeps scores, and what it keeps of one."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from . import _checks
from .errors import ScoresError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@runtime_checkable
class Store(Protocol):
    """What scores can be kept in: any mutable mapping, and all else with these two methods."""

    def get(self, key: str, /) -> Any:
        """Return what is kept under the key, None if nothing is."""
        ...

    def __setitem__(self, key: str, value: Any, /) -> None:
        """Keep a float, or a tuple of numbers, None and one such tuple."""
        ...


class Entry(NamedTuple):
    """What is kept of a text: its score, and what else the answer said about it."""

    score: float
    order: float | None = None
    truncated: int = 0
    span: tuple[int, int] | None = None

    def stored(self) -> float | tuple[Any, ...]:
        """Return a float where there is nothing but the score, else a tuple."""
        return self.score if self == Entry(self.score) else tuple(self)

    @classmethod
    def read(cls, key: str, value: Any) -> Entry:
        """Undo `stored`, from stores too that make lists of tuples. Raises `ScoresError` for anything else."""
        score = _checks.finite(value)
        if score is not None:
            return cls(score)
        try:
            score, order, truncated, span = value
            finer = None if order is None else float(order)
            return cls(float(score), finer, int(truncated), None if span is None else (int(span[0]), int(span[1])))
        except (TypeError, ValueError, LookupError):
            msg = f"the store of Cached holds under {key!r} what it was never given: {value!r:.80}"
            raise ScoresError(msg) from None


class Recent:
    """The entries that were used last. A copy and a pickle start empty."""

    def __init__(self, most: int) -> None:
        """Keep so many."""
        self._most = most
        self._entries: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, /) -> Any:
        """Return what is kept, None if nothing is; it now is the last that was used."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def __setitem__(self, key: str, value: Any, /) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def __reduce__(self) -> tuple[type[Recent], tuple[int]]:
        return Recent, (self._most,)


class Shelf:
    """A store that one thread at a time may use. A copy, a pickle and a forked process have a lock of their own."""

    def __init__(self, store: Store) -> None:
        """Take the store as it is."""
        self.store = store
        self._renew()

    def _renew(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Shelf], tuple[Store]]:
        return Shelf, (self.store,)

    def _lock_here(self) -> threading.Lock:
        if self._pid != os.getpid():  # a thread that the fork left behind may hold it
            self._renew()
        return self._lock

    def read(self, keys: Iterable[str]) -> dict[str, Entry]:
        """Return what is there."""
        with self._lock_here():
            values = {key: self.store.get(key) for key in keys}
        return {key: Entry.read(key, value) for key, value in values.items() if value is not None}

    def write(self, entries: Mapping[str, Entry]) -> None:
        """Keep the entries."""
        with self._lock_here():
            for key, entry in entries.items():
                self.store[key] = entry.stored()
