"""Where a long text is cut: into windows of so many words, tokens or whatever measures it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import _checks
from .errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3001-\u30ff\u3100-\u312f\u31a0-\u31ff\u3400-\u9fff"
    "\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Chinese and Japanese: written without spaces, so that each character counts."""

UNLIMITED: Final = 10**9
"""Tokenizers that know no end say a number above this."""

WHOLE: Final = 8
BLOCK: Final = 20_000

_WORD: Final = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]{{1,16}}")


@dataclass(frozen=True, slots=True)
class Pieces:
    """The smallest parts of a text that stay whole: where each begins and ends, and how much those up to it weigh."""

    starts: Sequence[int]
    ends: Sequence[int]
    weights: Sequence[float]

    @property
    def weight(self) -> float:
        """How much the text weighs."""
        return self.weights[-1] if self.weights else 0

    def windows(self, room: float, overlap: float) -> Iterator[tuple[int, int]]:
        """Yield where windows of at most ``room`` begin and end, each with the last ``overlap`` of the one before.

        The last is as full as the others. A piece heavier than ``room`` is a window alone. There is at least one piece.
        """
        totals = [0.0, *self.weights]
        first, count = 0, len(self.starts)
        while True:
            beyond = max(bisect_right(totals, totals[first] + room) - 1, first + 1)
            if beyond >= count:
                fullest = bisect_left(totals, totals[count] - room)
                yield self.starts[min(first, fullest)], self.ends[-1]
                return
            yield self.starts[first], self.ends[beyond - 1]
            first = min(max(bisect_left(totals, totals[beyond] - overlap), first + 1), beyond)


class Measure(Protocol):
    """How long texts are."""

    @property
    def margin(self) -> int:
        """What frames a pair of texts, beside what they come to themselves."""
        ...

    @property
    def limit(self) -> int | None:
        """How much of a pair of texts the model reads, if that is known."""
        ...

    def pieces(self, text: str) -> Pieces:
        """Return the text's pieces, none of a blank text."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """Counts words, or what a function says of them.

    A word is a run of up to 16 characters without a space, or one character of a script that has no spaces.
    """

    length: Callable[[str], float] | None = None
    margin: int = 0
    limit: int | None = None

    def pieces(self, text: str) -> Pieces:
        """Return the words; each weighs with the space before it."""
        spans = [match.span() for match in _WORD.finditer(text)]
        starts, ends = [start for start, _ in spans], [end for _, end in spans]
        if self.length is None:
            return Pieces(starts, ends, range(1, len(spans) + 1))
        cuts = [0, *ends]
        return Pieces(starts, ends, list(accumulate(self._weight(text[a:b]) for a, b in zip(cuts, ends, strict=False))))

    def _weight(self, text: str) -> float:
        weight = _checks.finite(self.length(text))  # type: ignore[misc]  # the caller looked
        if weight is None or weight < 0:
            msg = f"length= must return a number of at least 0; it returned {weight!r} for {text!r:.80}"
            raise ArgumentError(msg)
        return weight


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts the tokens of a fast tokenizer. A word of up to `WHOLE` of them stays whole."""

    tokenizer: Any
    limit: int | None

    @classmethod
    def of(cls, tokenizer: Any) -> Tokens | None:
        """Return the measure of a tokenizer of transformers or tokenizers; None where it tells no offsets.

        It works on a copy: whoever lent it may set padding and truncation in another thread meanwhile.
        """
        core = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not all(hasattr(core, method) for method in ("to_str", "encode_batch", "no_truncation")):
            return None
        own = type(core).from_str(core.to_str())
        own.no_truncation()
        own.no_padding()
        limit = getattr(tokenizer, "model_max_length", UNLIMITED)
        return cls(own, limit if limit < UNLIMITED else None)

    @property
    def margin(self) -> int:
        """How many tokens frame a pair of texts."""
        return int(self.tokenizer.num_special_tokens_to_add(is_pair=True))

    def pieces(self, text: str) -> Pieces:
        """Return the words, each with the number of its tokens."""
        whole = text.encode(errors="replace").decode()  # no tokenizer takes a lone surrogate
        starts: list[int] = []
        ends: list[int] = []
        counts: list[int] = []
        for begin, block in _blocks(whole):
            [found] = self.tokenizer.encode_batch([block], add_special_tokens=False)  # unlike encode, it frees the lock
            last = None
            for (start, end), word in zip(found.offsets, found.word_ids, strict=True):
                if word is not None and word == last and counts[-1] < WHOLE:  # half a word may be other tokens
                    ends[-1], counts[-1] = begin + end, counts[-1] + 1
                elif start < end:
                    starts.append(begin + start)
                    ends.append(begin + end)
                    counts.append(1)
                    last = word
        return Pieces(starts, ends, list(accumulate(counts)))


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield the text in parts that do not keep other threads waiting, each with its place, cut at spaces if it can."""
    begin = 0
    while begin < len(text):
        end = begin + BLOCK
        if end < len(text):
            end = text.rfind(" ", begin + 1, end) + 1 or end
        yield begin, text[begin:end]
        begin = end


def measure_of(length: Any) -> Measure:
    """Return the measure that ``length=`` stands for. Raises `ArgumentError`."""
    if length is None:
        return Words()
    tokens = Tokens.of(length)
    if tokens is not None:
        return tokens
    if callable(length) and not hasattr(length, "tokenize"):
        return Words(length)
    msg = (
        "length= takes a fast tokenizer (of transformers or tokenizers), which tells where its tokens stand, or a "
        f"function from a text to a number, such as len; got {length!r:.80}"
    )
    raise ArgumentError(msg)
