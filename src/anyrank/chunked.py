"""Long texts in windows, for scorers that read only so much of one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from inspect import getattr_static
from itertools import groupby
from math import fsum
from typing import TYPE_CHECKING, Any, Final

from . import _checks
from ._question import Question
from ._registry import spec_of
from ._rounds import Chore
from ._text_by_text import TextByText, characters
from ._windows import Measure, Tokens, Words, measure_of
from .errors import ArgumentError, SpecError
from .scorer import Candidates, Image, ScorerLike, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._rounds import Rounds

__all__ = ["Chunked"]

SIZE: Final = 256
QUICK: Final = 20_000
"""So many characters are cut in a few milliseconds; more are not, on an event loop."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the text at ``place``; ``span`` are the characters where it begins and ends, None for a whole text."""

    place: int
    text: str
    span: tuple[int, int] | None = None


class Chunked(TextByText):
    """Scores a long text as overlapping windows, each of which the scorer inside reads whole.

    ``size`` is how much a window holds, ``overlap`` how much of it the next one repeats (a quarter of it by default),
    both in words: runs of up to 16 characters without a space, or single characters in scripts without spaces.
    ``length`` measures otherwise: a fast tokenizer of transformers or tokenizers, or a function from a text to a number
    (``len`` counts characters). A scorer that has such a ``tokenizer`` is measured with it.

    ``max_length`` is what the scorer reads of query and text together: what the query takes is taken off the window, to
    a quarter of ``max_length`` at most. Without ``size`` a window takes all that is left, or 256.

    ``aggregate`` makes one score of a text's windows: ``"max"``, ``"mean"``, ``"first"``, or the mean of the best,
    ``"top_3_mean"``. A text of one window goes as it is. All windows of all texts are one question to the scorer.
    ``report.spans`` says of each text of several windows where the best one begins and ends, in characters.

    >>> def reads_three_words(query, texts):
    ...     return [float(query in text.split()[:3]) for text in texts]
    >>> scores = Chunked(reads_three_words, 3, overlap=1).score("needle", ["hay hay hay hay needle hay", "hay"])
    >>> scores, scores.report.spans
    ((1.0, 0.0), {0: (8, 22)})
    """

    name: Final = "chunked"

    def __init__(
        self,
        scorer: ScorerLike,
        size: int | None = None,
        *,
        overlap: int | None = None,
        aggregate: str = "max",
        max_length: int | None = None,
        length: Any = None,
    ) -> None:
        """Build the scorer if it is a spec.

        Raises `ArgumentError` for a scorer that looks at the other texts too, and for numbers that cannot be.
        """
        self.size = _checks.top_n(size, "size")
        self.overlap = _overlap(overlap)
        self.aggregate = aggregate
        self._best = _best(aggregate)
        self.max_length = _checks.top_n(max_length, "max_length")
        self.length = length
        self._given = None if length is None else measure_of(length)
        self._lent: tuple[Any, Measure] | None = None
        holds = min(filter(None, (self.size, self.max_length)), default=SIZE)
        if self.overlap is not None and self.overlap >= holds:
            msg = f"overlap={overlap} must be less than a window, which holds {holds}"
            raise ArgumentError(msg)
        self._hold(scorer)

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that `anyrank.load` reads. Raises `SpecError` where there is a measure of your own."""
        if self.length is not None:
            msg = f"{self!r:.120} has no spec: its length= cannot be written down"
            raise SpecError(msg)
        options = {name: getattr(self, name) for name in ("size", "overlap", "aggregate", "max_length")}
        said = {name: value for name, value in options.items() if value is not None and value != "max"}
        return {"chunked": {"scorer": spec_of(self.scorer), **said}}

    def __repr__(self) -> str:
        return f"Chunked({self.scorer!r}, {self.size}, overlap={self.overlap}, aggregate={self.aggregate!r})"

    def warm_up(self) -> None:
        """Load what the scorer needs, and its tokenizer."""
        super().warm_up()
        self._measure()

    async def awarm_up(self) -> None:
        """Load what the scorer needs, and its tokenizer, without blocking the event loop."""
        from asyncio import to_thread

        await super().awarm_up()
        await to_thread(self._measure)

    def rounds(self, query: str, texts: Candidates) -> Rounds[Any, Scores]:
        """Ask about all windows at once, and make one score a text of theirs."""
        lent = getattr_static(self.scorer, "tokenizer", None) is not None  # to read it may load the model
        quick = self.length is None and not lent and characters(texts) <= QUICK
        [outcome] = yield [Chore(partial(self._cut, query, texts), quick)]
        windows: list[Window] = outcome.unwrap()
        places = [window.place for window in windows]
        asked = Candidates((window.text for window in windows), texts.select(places).first_stage)
        [outcome] = yield [Question(self.scorer, query, asked)]
        return self._joined(windows, outcome.unwrap())

    def _cut(self, query: str, texts: Candidates) -> list[Window]:
        """Return the windows of all texts, in their order."""
        measure, limit = self._measure()
        room, overlap = self._room(measure, limit, query)
        cut = [list(_windows(place, text, measure, room, overlap)) for place, text in enumerate(texts)]
        most = 1 if self.aggregate == "first" else None
        return [window for own in cut for window in own[:most]]

    def _measure(self) -> tuple[Measure, int | None]:
        """Return what measures a text, and how much of query and text together the scorer reads, if that is known."""
        measure, reads = self._given, None
        if measure is None:
            lent = getattr(self.scorer, "tokenizer", None)
            if self._lent is None or self._lent[0] is not lent:
                self._lent = lent, Tokens.of(lent) or Words()
            measure = self._lent[1]
            reads = getattr(self.scorer, "max_length", None) if isinstance(measure, Tokens) else None
        known = [limit for limit in (reads, measure.limit) if limit]  # a prompt's words are off the second already
        return measure, self.max_length or min(known, default=None)

    def _room(self, measure: Measure, limit: int | None, query: str) -> tuple[float, float]:
        """Return how much a window for this query holds, and how much of that the next one repeats."""
        room: float = self.size or SIZE
        if limit is not None:
            left = max(limit - measure.margin - measure.pieces(query).weight, limit // 4, 1)
            room = min(left, self.size or left)
        overlap = room // 4 if self.overlap is None else self.overlap
        return room, overlap if overlap < room else room // 2

    def _joined(self, windows: Sequence[Window], answer: Scores) -> Scores:
        """Return one score a text from those of its windows."""
        finer = answer.order or answer
        tops: list[list[int]] = []
        for _, own in groupby(range(len(windows)), lambda index: windows[index].place):
            tops.append(sorted(own, key=lambda index: (finer[index], answer[index]), reverse=True)[: self._best])
        bests = [windows[top[0]] for top in tops]
        report = replace(
            answer.report.at([window.place for window in windows]),
            spans={window.place: window.span for window in bests if window.span is not None},
        )
        one_decides = self._best == 1 and answer.order is not None
        return Scores(
            (fsum(answer[index] for index in top) / len(top) for top in tops),
            order=[finer[top[0]] for top in tops] if one_decides else None,
            report=report,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_lent": None}  # it belongs to the scorer


def _windows(place: int, text: str, measure: Measure, room: float, overlap: float) -> Iterator[Window]:
    """Yield the windows of one text that have something in them, or the text as it is where there is one at most."""
    pieces = None if isinstance(text, Image) else measure.pieces(text)
    cut = pieces.windows(room, overlap) if pieces is not None and pieces.weight > room else ()
    spans = [(start, end) for start, end in cut if text[start:end].strip()]
    if not spans:
        yield Window(place, text)
    for start, end in spans:
        yield Window(place, text[start:end], (start, end))


def _overlap(value: int | None) -> int | None:
    return 0 if value == 0 and not isinstance(value, bool) else _checks.top_n(value, "overlap")


def _best(aggregate: str) -> int | None:
    """Return how many of a text's best windows its score is the mean of; None for all."""
    found = re.fullmatch(r"max|first|mean|top_([1-9][0-9]*)_mean", aggregate) if isinstance(aggregate, str) else None
    if found is None:
        msg = f"aggregate must be 'max', 'mean', 'first' or the mean of the best, 'top_3_mean'; got {aggregate!r:.80}"
        raise ArgumentError(msg)
    if aggregate == "mean":
        return None
    return int(found[1] or 1)
