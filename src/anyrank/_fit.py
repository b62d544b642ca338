"""Cuts queries and texts to what a model reads of both together, so that the model's own prompt is never cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Pair = tuple[str, str]

ROUNDS: Final = 4
"""Cut text may come to a token more than it did as part of a longer one: it is measured again, and cut again."""


AT_ONCE: Final = 64
"""Pairs that are measured together: where the tokens of a text stand takes a hundred times the room of the text."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Pairs as they are read.

    ``cut`` is how many tokens each text lost, by its place; ``query_cut`` how many the query lost, where it lost most.
    """

    pairs: list[Pair]
    cut: Mapping[int, int] = field(default_factory=dict)
    query_cut: int = 0


def fitted_pairs(pairs: Sequence[Pair], tokenizer: Any, excess: Callable[[list[Pair]], dict[int, int]]) -> Fitted:
    """Cut the pairs that are too long: a text at its end, and a query where it takes over three quarters of the room.

    ``excess`` returns by how many tokens pairs are too long, by their place. Raises `ModelError` where even a pair of
    empty texts is.
    """
    found: list[Pair] = []
    cut: dict[int, int] = {}
    query_cut = 0
    for start in range(0, len(pairs), AT_ONCE):
        part = _fitted(pairs[start : start + AT_ONCE], tokenizer, excess)
        found += part.pairs
        cut |= {start + place: tokens for place, tokens in part.cut.items()}
        query_cut = max(query_cut, part.query_cut)
    return Fitted(found, cut, query_cut)


def _fitted(pairs: Sequence[Pair], tokenizer: Any, excess: Callable[[list[Pair]], dict[int, int]]) -> Fitted:
    found = list(pairs)
    over = excess(found)
    if not tokenizer.is_fast:  # it does not tell where its tokens stand: the library cuts, the longer one first
        return Fitted(found, over)
    long = {place: _Long.of(tokenizer, pairs[place]) for place in over}
    for _ in range(ROUNDS):
        if not over:
            break
        for place, tokens in over.items():
            found[place] = long[place].shorter(tokens)
        places = list(over)
        over = {places[place]: tokens for place, tokens in excess([found[place] for place in places]).items()}
    lost = {place: pair.lost for place, pair in long.items()}
    cut = {place: tokens for place, (_, tokens) in lost.items() if tokens}
    return Fitted(found, cut, max((tokens for tokens, _ in lost.values()), default=0))


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A text and where its tokens begin and end."""

    text: str
    spans: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, tokenizer: Any, text: str) -> _Tokens:
        found = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False, return_offsets_mapping=True)
        return cls(text, found["offset_mapping"])

    def whole(self, count: int) -> int:
        """Return how many of the first tokens end with a whole letter, which may take several."""
        while 0 < count < len(self.spans) and self.spans[count][0] < self.spans[count - 1][1]:
            count -= 1
        return count

    def first(self, count: int) -> str:
        """Return the text of so many tokens, without the space that came next."""
        if count >= len(self.spans):
            return self.text
        return self.text[: self.spans[count - 1][1]] if count else ""


@dataclass(slots=True)
class _Long:
    """A query and a text that are too long together."""

    query: _Tokens
    text: _Tokens
    dropped: int = 0
    lost: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, tokenizer: Any, pair: Pair) -> _Long:
        query, text = (_Tokens.of(tokenizer, part) for part in pair)
        return cls(query, text)

    def shorter(self, tokens: int) -> Pair:
        """Return the pair with so many tokens less than before."""
        self.dropped += tokens
        asked, read = len(self.query.spans), len(self.text.spans)
        room = asked + read - self.dropped
        if room < 1:
            msg = "max_length leaves no room for query and text beside the words of the model's own prompt: raise it"
            raise ModelError(msg)
        query = self.query.whole(min(asked, max(room - read, room * 3 // 4)))
        text = self.text.whole(min(read, room - query))
        self.lost = asked - query, read - text
        return self.query.first(query), self.text.first(text)
