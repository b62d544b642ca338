"""From documents to passages of a prompt: text that can only be read as data, cut to what the model has room for.

Lengths are counted in tokens that nobody tokenized: a bound from above for the tokenizers in use (a third of a token an
ASCII character, half a token a byte of anything else), or by the user's own ``count_tokens``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from anyrank.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FLOOR: Final = 64
"""Tokens of a passage below which fewer passages are shown at a time instead of less of each."""

OVERHEAD: Final = 8
"""Tokens for what stands around a passage or a message: its number, its line, its role."""

_IDENTIFIER: Final = re.compile(r"\[(\s*(?:passage|document|doc)?[ _]?#?\d+\s*)\]", re.IGNORECASE)
_PIPED: Final = re.compile("<([|\uff5c])|([|\uff5c])>")  # DeepSeek's are full-width
_TAG: Final = re.compile(
    r"<(/?(?:s|bos|eos|pad|unk|sep|cls|mask|eot|(?:start|end)_of_\w+|turn|think|tool_\w+|system|user|assistant|human)\s*)>",
    re.IGNORECASE,
)
_INSTRUCTION: Final = re.compile(
    r"\[(/?(?:INST|SYS|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)/?)\]|<<(/?SYS)>>", re.IGNORECASE
)


def harmless(text: str) -> str:
    """Return a text that no tokenizer takes for a turn of the conversation, with its white space as single spaces.

    The brackets of chat templates' tokens (``<|im_end|>``, ``<start_of_turn>``, ``</s>``, ``[INST]``) become round
    ones.
    """
    text = _PIPED.sub(lambda found: f"({found[1]}" if found[1] else f"{found[2]})", " ".join(text.split()))
    text = _INSTRUCTION.sub(lambda found: f"({found[1] or found[2]})", text)
    return _TAG.sub(r"(\1)", text)


def passage(text: str) -> str:
    """Return a document's text as a passage: `harmless`, and without what looks like another passage's number."""
    return _IDENTIFIER.sub(r"(\1)", harmless(text))


@dataclass(frozen=True, slots=True)
class Budget:
    """The room of a chat model: ``context`` tokens for question and answer together; ``count`` counts them."""

    context: int
    most: int | None = None
    count: Callable[[str], int] | None = None

    def tokens(self, text: str) -> int:
        """Return how many tokens a text has, or more."""
        if self.count is not None:
            return self.count(text)
        return -(-len(text) // 3) if text.isascii() else _bound(text)

    def cut(self, text: str, limit: int) -> str:
        """Return as much of a text's beginning as ``limit`` tokens hold."""
        if self.tokens(text) <= limit:
            return text
        if self.count is not None:
            return self._searched(text, limit)
        ends = accumulate(map(_cost, text))
        return text[: next(place for place, cost in enumerate(ends) if cost > 6 * limit)]

    def together(self, sizes: Sequence[int], room: int, window: int) -> int:
        """Return how many passages, ``window`` at most, can be shown at a time with no less than `FLOOR` of each.

        Raises `ArgumentError` where two have no room.
        """
        least = min(FLOOR, max(sizes), self.most or FLOOR) + OVERHEAD
        if room < min(2, window) * least:
            msg = (
                f"context_tokens={self.context} leaves {max(room, 0)} tokens for passages, too few: raise "
                "it to what the model has, or lower answer_tokens"
            )
            raise ArgumentError(msg)
        return min(window, room // least)

    def limit(self, sizes: Sequence[int], room: int) -> int:
        """Return the longest that a passage of a window may be, so that all of them fit: short ones make room."""
        left = room - OVERHEAD * len(sizes)
        limit = max(sizes)
        for place, size in enumerate(sorted(sizes)):
            share = left // (len(sizes) - place)
            if size > share:
                limit = share
                break
            left -= size
        return min(limit, self.most or limit)

    def _searched(self, text: str, limit: int) -> str:
        """Halve the span in which the cut must be: tokens grow with the text."""
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.tokens(text[:middle]) <= limit else (low, middle - 1)
        return text[:low]


def _bound(text: str) -> int:
    return -(-sum(map(_cost, text)) // 6)


def _cost(letter: str) -> int:
    """Return sixths of a token: two an ASCII character, three a byte of another."""
    return 2 if letter.isascii() else 3 * len(letter.encode(errors="replace"))
