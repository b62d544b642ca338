"""From documents to passages of a prompt: text that can only be read as data, cut to what the model has room for.

Lengths are in tokens, by the user's own ``count_tokens`` or by an estimate from above. It was measured with eight
vocabularies (cl100k, o200k, Llama 3 and 4, Qwen, DeepSeek, Mistral's first and Tekken) on prose in 38 languages, code,
markup and tables: English comes to 0.55 to 0.75 of it, Chinese to 0.45 to 0.8, Finnish and numbers to nearly all. Older
vocabularies (cl100k, Llama 3, Mistral's first) need up to twice as much for Armenian, Georgian, Ethiopic, Burmese,
Khmer and the scripts of southern India, and all of them need more for strings of random characters.
"""

from __future__ import annotations

import re
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import TYPE_CHECKING, Final

from anyrank import _checks
from anyrank.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FLOOR: Final = 64
"""Tokens of a passage below which fewer passages are shown at a time instead of less of each."""

OVERHEAD: Final = 8
"""Tokens for what a chat template puts around a message."""

_UNSEEN: Final = re.compile(
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
    "|(?<=[ -~\\d\uff3b\u3010\u3014])[\u200c\u200d]+"  # between letters and in emoji scripts need these two
)
_ID: Final = r" ?(?:(?:passage|document|doc) ?)?[_#]?\d+ ?"
_IDENTIFIERS: Final = re.compile(rf"[\[\uff3b\u3010\u3014]({_ID}(?:[,;>]{_ID})*)[\]\uff3d\u3011\u3015]", re.IGNORECASE)
_TOKENS: Final = (
    (re.compile("[<\\[]([|\uff5c])"), r"(\1"),  # DeepSeek's are full-width, EXAONE's square
    (re.compile("([|\uff5c])[>\\]]"), r"\1)"),
    (re.compile(r"\[(/?(?:[A-Z_]+|gMASK)/?)\]"), r"(\1)"),
    (re.compile(r"<<(/?SYS)>>"), r"(\1)"),
    (
        re.compile(
            r"<(/?(?:(?=\w*_)\w++|s|bos|eos|pad|unk|sep|cls|mask|eot|sop|eop|turn|think|seed:\w++|unused\d++|"
            r"system|user|assistant|human)) ?>",
            re.IGNORECASE,
        ),
        r"(\1)",
    ),
)


def harmless(text: str) -> str:
    """Return a text that no tokenizer takes for a turn of the conversation, with its white space as single spaces.

    The brackets of chat templates' tokens (``<|im_end|>``, ``<start_of_turn>``, ``</s>``, ``[INST]``) become round
    ones. Characters that nobody sees go. So a text has no lines, and nothing in it can begin one.
    """
    text = " ".join(_UNSEEN.sub("", text).split())
    for token, round_ in _TOKENS:
        text = token.sub(round_, text)
    return text


def passage(text: str) -> str:
    """Return a document's text as a passage: `harmless`, and without what looks like another passage's number."""
    return _IDENTIFIERS.sub(r"(\1)", harmless(text))


class _Costs(dict[str, int]):
    """Sixths of a token, by character; looked up once each."""

    def __missing__(self, letter: str) -> int:
        if not letter.isascii():
            cost = _BLOCKS[bisect(_ENDS, ord(letter))]
        else:
            cost = 2 if letter.islower() or letter == " " else 3 if letter.isupper() else 8 if letter.isdigit() else 5
        self[letter] = cost
        return cost


_ENDS: Final = (0x370, 0x530, 0x900, 0x1E00, 0x1F00, 0x10000)
_BLOCKS: Final = (12, 6, 8, 9, 12, 9, 24)
"""Accented Latin; Greek, Cyrillic; Armenian to Arabic; three bytes; Latin of Vietnamese; three bytes; four bytes."""

_COSTS: Final = _Costs()


@dataclass(frozen=True, slots=True)
class Budget:
    """The room of a chat model: ``context`` tokens for question and answer together; ``count`` counts them.

    ``most`` is for one passage at most, ``around`` is what stands around each.
    """

    context: int
    most: int | None = None
    count: Callable[[str], int] | None = None
    around: int = 0

    def tokens(self, text: str) -> int:
        """Return how many tokens a text has, or more. Raises `ArgumentError` where ``count`` gives no such number."""
        if self.count is None:
            return -(-sum(map(_COSTS.__getitem__, text)) // 6)
        count = self.count(text)
        number = _checks.finite(count)
        if number is None or number < 0:
            msg = f"count_tokens must return a number of tokens, 0 or more; got {count!r:.80}"
            raise ArgumentError(msg)
        return ceil(number)

    def cut(self, text: str, limit: int) -> str:
        """Return as much of a text's beginning as ``limit`` tokens hold, at least its first character."""
        if self.tokens(text) <= limit:
            return text
        end = self._end(text, limit) if self.count is None else self._searched(text, limit)
        return text[: max(end, 1)]

    def together(self, sizes: Sequence[int], room: int, window: int) -> int:
        """Return how many passages, ``window`` at most, can be shown at a time with no less than `FLOOR` of each.

        Raises `ArgumentError` where two have no room.
        """
        least = max(min(FLOOR, max(sizes), self.most or FLOOR) + self.around, 1)
        if room < min(2, window) * least:
            msg = (
                f"context_tokens={self.context} leaves {max(room, 0)} tokens for passages, too few: raise "
                "it to what the model has, or lower answer_tokens"
            )
            raise ArgumentError(msg)
        return min(window, room // least)

    def limit(self, sizes: Sequence[int], room: int) -> int:
        """Return the longest that a passage of a window may be, so that all of them fit: short ones make room."""
        left = room - self.around * len(sizes)
        limit = max(sizes)
        for place, size in enumerate(sorted(sizes)):
            share = left // (len(sizes) - place)
            if size > share:
                limit = share
                break
            left -= size
        return min(limit, self.most or limit)

    def _end(self, text: str, limit: int) -> int:
        ends = accumulate(map(_COSTS.__getitem__, text))
        return next(place for place, cost in enumerate(ends) if cost > 6 * limit)

    def _searched(self, text: str, limit: int) -> int:
        """Halve the span in which the cut must be: tokens grow with the text."""
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.tokens(text[:middle]) <= limit else (low, middle - 1)
        return low
