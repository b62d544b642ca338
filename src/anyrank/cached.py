"""Scores that are kept, so that a text is scored once for a query."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any, Final

from . import _checks
from ._batches import FLOORS
from ._kept import Entry, Recent, Shelf, Store
from ._question import Composition, Question
from ._registry import spec_of
from ._rounds import Chore
from ._text_by_text import TextByText, characters
from .errors import ArgumentError, SpecError
from .ranking import Report
from .scorer import Candidates, Image, ScorerLike, Scores, traits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from ._rounds import Rounds

__all__ = ["Cached", "Store"]

MAX_ENTRIES: Final = 100_000
QUICK: Final = 300_000
"""So many characters are hashed in about a millisecond; more are not, on an event loop."""


class Cached(TextByText):
    """Keeps a scorer's scores, and asks it only about the texts that it has not scored for this query yet.

    ``store`` is any mutable mapping of str to floats and small tuples: a dict, a ``shelve``, a cache on disk or on a
    server. It is used by one thread at a time, off the event loop, and what it raises reaches the caller as it is. It
    has to bear that these threads change; a ``shelve`` that is an sqlite file, as from Python 3.13 on, does not.
    Without one, the ``max_entries`` scores used last (100 000 by default, some 25 MB) are kept in memory.

    A score is kept under a hash of the scorer's ``fingerprint`` (else its spec), the query and the text. ``key`` stands
    in for the fingerprint: for a function, which has none, or to begin afresh after a model changed behind its name.
    Calls that miss the same text at once may all ask about it. Never kept are the scores of a stand-in (``degraded``)
    and the floor of a blank text. ``report.cached`` counts the texts whose scores were there.

    >>> cached = Cached(lambda query, texts: [float(len(text)) for text in texts], key="length, version 1")
    >>> cached.score("any", ["a", "bb"]).report.cached, cached.score("any", ["bb", "ccc"]).report.cached
    (0, 1)
    """

    name: Final = "cached"

    def __init__(
        self, scorer: ScorerLike, store: Store | None = None, *, max_entries: int | None = None, key: str | None = None
    ) -> None:
        """Build the scorer if it is a spec.

        Raises `ArgumentError` for a scorer that looks at the other texts too, and for one that cannot be told apart.
        """
        if store is not None and not isinstance(store, Store):
            msg = f"store= takes a mutable mapping, such as a dict or an open shelve; got {store!r:.80}"
            raise ArgumentError(msg)
        if store is not None and max_entries is not None:
            msg = "max_entries= bounds the scores kept in memory; a store of your own has its own bounds"
            raise ArgumentError(msg)
        if key is not None and (not isinstance(key, str) or not key):
            msg = f"key= is a str that tells this scorer's scores from all others'; got {key!r:.80}"
            raise ArgumentError(msg)
        self._hold(scorer)
        self._key = key
        self._max_entries = _checks.top_n(max_entries, "max_entries")
        self._in_memory = store is None
        self._shelf = Shelf(Recent(self._max_entries or MAX_ENTRIES) if store is None else store)
        _ = self.fingerprint  # a scorer without one is refused here, not at the first call

    @property
    def fingerprint(self) -> str:
        """What the scores are kept under, beside query and text."""
        return self._key or fingerprint_of(self.scorer)

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that `anyrank.load` reads. Raises `SpecError` where there is a store of your own."""
        if not self._in_memory:
            store = type(self._shelf.store).__name__
            msg = f"Cached with a {store} as its store has no spec: a store cannot be written down"
            raise SpecError(msg)
        options = {"scorer": spec_of(self.scorer), "max_entries": self._max_entries, "key": self._key}
        return {"cached": {name: value for name, value in options.items() if value is not None}}

    def __repr__(self) -> str:
        store = "" if self._in_memory else f", {type(self._shelf.store).__name__}"
        return f"Cached({self.scorer!r}{store})"

    def rounds(self, query: str, texts: Candidates) -> Rounds[Any, Scores]:
        """Look the texts up, ask about those that are not there, and keep what comes of it."""
        quick = self._in_memory and characters(texts) <= QUICK
        [outcome] = yield [Chore(partial(self._look_up, query, texts), quick)]
        keys, found = outcome.unwrap()
        places = _first_places(keys)
        missing = {key: place for key, place in places.items() if key not in found}
        fresh, report = yield from self._ask(query, texts, missing)
        if report.degraded and found:  # a stand-in's scores do not compare with those kept: have all from one scorer
            before, found, missing = replace(report, degraded=False), {}, places
            fresh, report = yield from self._ask(query, texts, missing)
            report = report.including({"asked before": before})
        floored = {key for key, place in missing.items() if report.blank and _blank(query, texts[place])}
        if missing and not report.degraded:
            kept = {key: entry for key, entry in fresh.items() if key not in floored}
            [outcome] = yield [Chore(partial(self._shelf.write, kept), self._in_memory)]
            outcome.unwrap()
        if found and floored:
            fresh |= _floors(floored, report.score_kind, found | fresh)
        known = found | fresh
        return _scores([known[key] for key in keys], report, sum(key in found for key in keys), mixed=bool(found))

    def _look_up(self, query: str, texts: Candidates) -> tuple[list[str], dict[str, Entry]]:
        """Return each text's key, and what is kept under which of them."""
        keys = _keys(self.fingerprint, query, texts)
        return keys, self._shelf.read(dict.fromkeys(keys))

    def _ask(
        self, query: str, texts: Candidates, places: Mapping[str, int]
    ) -> Rounds[Any, tuple[dict[str, Entry], Report]]:
        """Have the texts at these places scored; return the entries by key, and the report in terms of all texts."""
        if not places:
            known = traits(self.scorer)
            return {}, Report(scorer=known.name, model=known.model, score_kind=known.score_kind)
        chosen = list(places.values())
        [outcome] = yield [Question(self.scorer, query, texts.select(chosen))]
        answer: Scores = outcome.unwrap()
        order = answer.order or [None] * len(answer)
        cut, spans = answer.report.truncated, answer.report.spans
        entries = (
            Entry(score, finer, cut.get(index, 0), spans.get(index))
            for index, (score, finer) in enumerate(zip(answer, order, strict=True))
        )
        return dict(zip(places, entries, strict=True)), answer.report.at(chosen)


def fingerprint_of(scorer: object) -> str:
    """Return what the scorer declares, else its spec and its members' fingerprints. Raises `ArgumentError`."""
    from json import dumps

    known = traits(scorer)
    if known.fingerprint:
        return known.fingerprint
    try:
        spec = dumps(spec_of(scorer), sort_keys=True)
    except (SpecError, TypeError, ValueError) as error:
        msg = (
            f"Cached cannot tell the scores of {known.name!r} from another scorer's: {error}. Give key='…', a name "
            "that changes whenever the scores do, or let the scorer declare a fingerprint"
        )
        raise ArgumentError(msg) from error
    members = scorer._held.scorers if isinstance(scorer, Composition) else ()  # noqa: SLF001 - it is a base of ours
    return dumps([spec, *map(fingerprint_of, members)])


def _keys(fingerprint: str, query: str, texts: Iterable[str]) -> list[str]:
    """Return each text's key: the same in every process, another one for an image of the same characters."""
    from hashlib import blake2b

    begun = blake2b(digest_size=20, person=b"anyrank 1")
    for part in map(_bytes, (fingerprint, query)):
        begun.update(b"%d:%b" % (len(part), part))
    keys = []
    for text in texts:
        one = begun.copy()
        one.update(b"image:" if isinstance(text, Image) else b"text:")
        one.update(_bytes(text))
        keys.append(one.hexdigest())
    return keys


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _first_places(keys: Sequence[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, place)
    return places


def _blank(query: str, text: str) -> bool:
    return not query.strip() or not text.strip()


def _floors(floored: AbstractSet[str], kind: str | None, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the floor of the texts that were not sent: in their own answer it was that of fewer scores."""
    lowest = min(entry.score for key, entry in entries.items() if key not in floored)
    return dict.fromkeys(floored, Entry(FLOORS.get(kind or "", lowest - 1.0)))


def _scores(entries: Sequence[Entry], report: Report, hits: int, *, mixed: bool) -> Scores:
    told = replace(
        report,
        truncated={place: entry.truncated for place, entry in enumerate(entries) if entry.truncated},
        spans={place: entry.span for place, entry in enumerate(entries) if entry.span is not None},
        cached=report.cached + hits,
    )
    return Scores((entry.score for entry in entries), order=_order(entries, mixed=mixed), report=told)


def _order(entries: Sequence[Entry], *, mixed: bool) -> list[float] | None:
    """Return the order values as they are where they can stand together.

    Those of several answers need not compare: a service's own sequence is one of its reply. Where they contradict the
    scores, they only decide between equal ones.
    """
    orders = [entry.order for entry in entries if entry.order is not None]
    if not orders:
        return None
    keys = [(entry.score, -inf if entry.order is None else entry.order) for entry in entries]
    if len(orders) == len(entries):
        rising = sorted(keys, key=lambda key: key[::-1])
        if not mixed or all(lower <= upper for (lower, _), (upper, _) in pairwise(rising)):
            return orders
    ranks = {key: float(rank) for rank, key in enumerate(sorted(set(keys)))}
    return [ranks[key] for key in keys]
