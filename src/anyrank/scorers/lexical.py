"""BM25 over the candidates at hand: no index, no model, no dependency."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from unicodedata import normalize

from anyrank import _checks
from anyrank.errors import ArgumentError
from anyrank.scorer import SpecFromFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyrank.scorer import Scope

__all__ = ["Lexical"]

# Scripts written without spaces between words are read as characters and overlapping pairs of them.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Marks that join the letter before them (accents, vowel signs) and that `re` counts as no part of a word.
_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0903\u093a-\u094f\u0951-\u0957"
    "\u0962\u0963\u0980-\u0983\u09bc-\u09d7\u09e2\u09e3\u0a00-\u0a03\u0a3c-\u0a51\u0a70-\u0a75\u0abc-\u0acd\u0b3c-\u0b57"
    "\u0b82\u0bbe-\u0bd7\u0c00-\u0c04\u0c3c-\u0c56\u0c81-\u0c83\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d57"
)
_WORD = re.compile(rf"[{_UNSPACED}]+|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+")
_UNSPACED_WORD = re.compile(rf"[{_UNSPACED}]")


@dataclass(frozen=True, kw_only=True)
class Lexical(SpecFromFields):
    """BM25 with the candidate list as its collection (scope ``"list"``), as in Lucene.

    Each distinct query word adds ``idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))`` for each
    time it stands in the query, with ``idf = ln(1 + (N - df + 0.5) / (df + 0.5))``; N, df and the mean length are
    those of the candidates. Words are runs of letters and digits with their marks, case folded; Chinese, Japanese,
    Thai, Lao, Khmer and Burmese text is read as characters and pairs of them. Robertson & Zaragoza, 2009,
    doi:10.1561/1500000019.

    ``ngrams`` reads every word as its overlapping runs of so many characters, its edges being two of them, so that
    "rank" and "ranking" have three of their four-grams in common: a stemmer for every language (McNamee & Mayfield,
    2004, doi:10.1023/B:INRT.0000009441.78971.be). ``activation="share"`` divides a query's scores by the most that a
    text could get, ``(k1 + 1) * sum(idf)`` over those of its words that any candidate has: 0 to 1, score kind
    ``similarity``, in the same order.
    """

    name: ClassVar[str] = "lexical"
    scope: ClassVar[Scope] = "list"

    k1: float = 1.2
    b: float = 0.75
    ngrams: int | None = None
    activation: str | None = None

    def __post_init__(self) -> None:
        """Check the settings; raises `ArgumentError`."""
        k1, b = _checks.finite(self.k1), _checks.finite(self.b)
        if k1 is None or b is None or k1 < 0 or not 0 <= b <= 1:
            msg = f"lexical needs k1 >= 0 and b between 0 and 1; got k1={self.k1!r}, b={self.b!r}"
            raise ArgumentError(msg)
        _checks.top_n(self.ngrams, "ngrams")
        if self.activation not in (None, "share"):
            msg = f"lexical has no activation {self.activation!r}; known: None, 'share'"
            raise ArgumentError(msg)

    @property
    def score_kind(self) -> str:
        """``bm25``, or ``similarity`` for the share."""
        return "bm25" if self.activation is None else "similarity"

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return each text's BM25 score, 0.0 for one that shares no word with the query."""
        wanted = Counter(self._terms(query))
        bags: list[Counter[str]] = []
        lengths: list[int] = []
        for text in texts:
            found = self._terms(text)
            lengths.append(len(found))
            bags.append(Counter(word for word in found if word in wanted))
        mean = sum(lengths) / len(lengths) or 1.0 if lengths else 1.0
        holding = {word: sum(word in bag for bag in bags) for word in wanted}
        weight = {word: wanted[word] * _idf(len(bags), many) for word, many in holding.items() if many}
        most = (self.k1 + 1) * math.fsum(weight.values()) if self.activation and weight else 1.0
        scores = []
        for bag, length in zip(bags, lengths, strict=True):
            damping = self.k1 * (1 - self.b + self.b * length / mean)
            total = math.fsum(weight[word] * tf * (self.k1 + 1) / (tf + damping) for word, tf in bag.items())
            scores.append(total / most)
        return scores

    def _terms(self, text: str) -> list[str]:
        """Return what is counted: words, or their n-grams."""
        found = words(text)
        if self.ngrams is None:
            return found
        return [gram for word in found for gram in _grams(f"^{word}$", self.ngrams)]


def words(text: str) -> list[str]:
    """Return the words of a text, case folded; unspaced scripts as characters and overlapping pairs of them."""
    found: list[str] = []
    for word in _WORD.findall(normalize("NFC", text).casefold()):
        if _UNSPACED_WORD.match(word):
            found.extend(word)
            found.extend(word[i : i + 2] for i in range(len(word) - 1))
        else:
            found.append(word)
    return found


def _grams(word: str, size: int) -> list[str]:
    """Return a word's runs of so many characters; a shorter word whole."""
    return [word[start : start + size] for start in range(max(1, len(word) - size + 1))]


def _idf(size: int, containing: int) -> float:
    return math.log(1 + (size - containing + 0.5) / (containing + 0.5))


scorer = Lexical
