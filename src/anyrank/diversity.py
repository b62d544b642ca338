"""Steps for ``then=`` of a reranker: fewer copies of one text, fewer hits of one source, less of the same.

>>> from anyrank import Reranker
>>> texts = ["merge sorted lists", "Merge  sorted lists", "merge two sorted lists", "sort one list", "open a file"]
>>> reranker = Reranker("lexical", top_n=2, then=[dedupe(ignore_case=True), diversify()])
>>> reranker.rerank("merge sorted lists or sort", texts).documents
['merge sorted lists', 'sort one list']

A step is a function from ranking to ranking. It chooses and orders: hits, scores and report stay as they are, and the
best hit stays the first. Steps run in their order, before ``top_n`` cuts.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass
from inspect import signature
from itertools import pairwise
from operator import mul
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, TypeVar, get_args
from unicodedata import normalize

from . import _checks
from ._similarity import dissimilar, jaccard, unit_vectors
from .errors import ArgumentError, SpecError
from .normalize import min_max, rank
from .ranking import Ranking
from .scorer import Image
from .scorers.lexical import words
from .text import TextOf, texts_of, values_of

if TYPE_CHECKING:
    from .reranker import Then

__all__ = ["Cap", "Dedupe", "Diversify", "FieldsOf", "Step", "cap", "dedupe", "diversify", "load_step"]

T = TypeVar("T")

FieldsOf: TypeAlias = Callable[[Any], Mapping[str, Any]]
"""Gives what field names are looked up in, for documents that keep their fields inside, such as in ``metadata``."""

Overflow: TypeAlias = Literal["drop", "end"]

WORDS: Final = 3
"""How many words a shingle has, unless told."""


class Step(ABC):
    """What the steps here share: ranking in, a selection of its hits out."""

    _fields_of: FieldsOf | None = None

    def __call__(self, ranking: Ranking[T]) -> Ranking[T]:
        """Return a ranking of the hits that stay, in their new order. Raises `ArgumentError` and its kind."""
        if not isinstance(ranking, Ranking):
            msg = f"{type(self).__name__.lower()} takes a Ranking; got a {type(ranking).__name__}"
            raise ArgumentError(msg)
        return Ranking(tuple(ranking.hits[place] for place in self._places(ranking)), ranking.report)

    def reading(self, fields_of: FieldsOf) -> Self:
        """Return a step that looks up field names in what this gives of a document; functions get the document."""
        other = copy(self)
        vars(other)["_fields_of"] = fields_of
        return other

    @abstractmethod
    def _places(self, ranking: Ranking[Any]) -> Iterable[int]:
        """Return the places in the ranking of the hits that stay, in their new order."""

    def _seen(self, ranking: Ranking[Any]) -> list[Any]:
        documents = ranking.documents
        return documents if self._fields_of is None else [self._fields_of(document) for document in documents]

    def _texts(self, ranking: Ranking[Any], text: TextOf[Any]) -> list[str]:
        return texts_of(ranking.documents if callable(text) else self._seen(ranking), text)

    def _values(self, ranking: Ranking[Any], of: Callable[[Any], Any] | str) -> list[Any]:
        """Return what a function or a field gives of each document; a field that is not there gives None."""
        if not isinstance(of, str):
            return [of(document) for document in ranking.documents]
        return values_of(self._seen(ranking), of)


@dataclass(frozen=True)
class Dedupe(Step):
    """Drops every copy of a text but the best-ranked one.

    Without ``threshold``, copies are texts that are equal after Unicode's NFC with each run of white space read as
    one space; ``ignore_case`` folds case first. With it, between 0 and 1, they are texts whose shingles have at least
    this Jaccard similarity, ``|A & B| / |A | B|``, to a text that stays (the resemblance of Broder, 1997,
    doi:10.1109/SEQUEN.1997.666900). Shingles are the distinct runs of three words, or as many as ``words`` says,
    as the scorer ``lexical`` reads words: without case and punctuation. ``characters`` makes them runs of so many
    characters instead. A shorter text is one shingle. Nothing is estimated: every pair that could reach the threshold
    is compared.

    A document without text is no copy of another, and pictures are compared whole. ``text`` is read as in
    `Reranker.rerank`.

    >>> from anyrank import Ranking
    >>> log = ["job 7 failed: disk full", "job 8 failed: disk full", "job 7 done"]
    >>> dedupe(threshold=0.6, words=1)(Ranking.of(log)).documents
    ['job 7 failed: disk full', 'job 7 done']
    """

    threshold: float | None = None
    _: KW_ONLY
    words: int | None = None
    characters: int | None = None
    ignore_case: bool = False
    text: TextOf[Any] = None

    def __post_init__(self) -> None:
        """Check the settings; raises `ArgumentError`."""
        if self.threshold is not None and _share(self.threshold, "threshold") == 0:
            msg = "threshold must be above 0: every two texts are that similar"
            raise ArgumentError(msg)
        sizes = {"words": self.words, "characters": self.characters}
        given = [name for name, size in sizes.items() if size is not None]
        for name in given:
            _checks.count(sizes[name], name)
        if given and self.threshold is None:
            msg = f"{given[0]}= is the size of shingles, and goes with threshold=, such as 0.9"
            raise ArgumentError(msg)
        if len(given) == 2:
            msg = "shingles are of words= or of characters=: give one of them"
            raise ArgumentError(msg)
        texts_of((), self.text)

    def _places(self, ranking: Ranking[Any]) -> list[int]:
        bags = [self._bag(text) for text in self._texts(ranking, self.text)]
        return dissimilar(bags, self.threshold or 1.0)

    def _bag(self, text: str) -> set[Any]:
        """Return what is compared of a text: its shingles, or itself as the only one; nothing of a blank one."""
        if isinstance(text, Image):
            return {text}
        plain = " ".join(normalize("NFC", text).split())
        plain = plain.casefold() if self.ignore_case else plain
        if self.threshold is None or not plain:
            return {plain} - {""}
        units = plain if self.characters else words(plain) or [plain]
        size = min(self.characters or self.words or WORDS, len(units))
        return set(zip(*(units[start:] for start in range(size)), strict=False))


@dataclass(frozen=True)
class Cap(Step):
    """Keeps the best ``per_group`` hits of each group.

    ``by`` says a document's group: a field's name (``"source"``) or a function from the document to anything
    hashable. Documents whose group is None, or that lack the field, are in no group and stay; a field that none of
    them has is an error. Hits beyond the cap are dropped, or, with ``overflow="end"``, put behind all others.

    >>> from anyrank import Ranking
    >>> cap(by=len, per_group=1)(Ranking.of(["ab", "cd", "e"])).documents
    ['ab', 'e']
    >>> cap(by=len, per_group=1, overflow="end")(Ranking.of(["ab", "cd", "e"])).documents
    ['ab', 'e', 'cd']
    """

    by: Callable[[Any], Hashable] | str
    per_group: int
    _: KW_ONLY
    overflow: Overflow = "drop"

    def __post_init__(self) -> None:
        """Check the settings; raises `ArgumentError`."""
        _reader(self.by, "by")
        _checks.count(self.per_group, "per_group")
        if self.overflow not in get_args(Overflow):
            msg = f"overflow must be 'drop' or 'end'; got {self.overflow!r:.80}"
            raise ArgumentError(msg)

    def _places(self, ranking: Ranking[Any]) -> list[int]:
        sizes: Counter[Hashable] = Counter()
        kept: list[int] = []
        beyond: list[int] = []
        for place, group in enumerate(self._values(ranking, self.by)):
            if group is not None:
                sizes[_hashable(group, ranking[place].index)] += 1
            (beyond if sizes[group] > self.per_group else kept).append(place)
        return kept + beyond if self.overflow == "end" else kept


@dataclass(frozen=True)
class Diversify(Step):
    """Orders by maximal marginal relevance: next comes what is relevant and unlike all that came before.

    The first hit stays; each next one is the hit with the largest ``weight * relevance - (1 - weight) * (its largest
    similarity to a hit before)``, the better-ranked of equals (Carbonell & Goldstein, 1998,
    doi:10.1145/290941.291025). ``weight`` 1 keeps the order, 0 looks at similarity alone. ``top_n`` hits are chosen
    and the others dropped (None: all are ordered); for n hits that is n times ``top_n`` similarities.

    Relevance is the score, brought to 0 … 1 within the ranking: the best hit has 1, the last 0, equal scores all 1.
    Scores that are missing, infinite, or rise along the ranking do not say why it has this order: then places count,
    ``1 - place / n``.

    ``similarity`` is ``"words"``, the Jaccard similarity of two texts' distinct words (``text`` is read as in
    `Reranker.rerank`; a text without words is like no other, pictures are compared whole), or a function of two
    documents, best between 0 and 1. ``vectors`` in its place, a function from a document to its vector or the name of
    a field that holds it, makes it the cosine; vectors of zeros are like no other.

    >>> from anyrank import Ranking
    >>> found = Ranking.of(["sort a list", "sort a list now", "merge files"], [3.0, 2.9, 2.7])
    >>> diversify(weight=0.5)(found).documents
    ['sort a list', 'merge files', 'sort a list now']
    """

    similarity: Callable[[Any, Any], float] | str = "words"
    _: KW_ONLY
    weight: float = 0.7
    vectors: Callable[[Any], Sequence[float]] | str | None = None
    top_n: int | None = None
    text: TextOf[Any] = None

    def __post_init__(self) -> None:
        """Check the settings; raises `ArgumentError`."""
        if self.similarity != "words" and not callable(self.similarity):
            msg = (
                f"similarity must be 'words' or a function of two documents; got {self.similarity!r:.80} "
                "(for documents that have a vector, vectors= says where)"
            )
            raise ArgumentError(msg)
        if self.vectors is not None:
            _reader(self.vectors, "vectors")
        given = {
            "similarity": callable(self.similarity),
            "vectors": self.vectors is not None,
            "text": self.text is not None,
        }
        ways = [name for name, there in given.items() if there]
        if len(ways) > 1:
            msg = f"{'= and '.join(ways)}= are different ways to compare documents: give one of them"
            raise ArgumentError(msg)
        _share(self.weight, "weight")
        _checks.top_n(self.top_n)
        texts_of((), self.text)

    def _places(self, ranking: Ranking[Any]) -> Sequence[int]:
        wanted = range(len(ranking))[: self.top_n]
        if self.weight == 1 or len(ranking) < 2:
            return wanted
        similar, relevance = self._similarity(ranking), _relevance(ranking)
        gain = [self.weight * value for value in relevance]
        chosen, nearest = [0], [-math.inf] * len(ranking)
        rest = list(range(1, len(ranking)))
        for _ in wanted[1:]:
            last = chosen[-1]
            for place in rest:
                nearest[place] = max(nearest[place], similar(place, last))
            best = max(rest, key=lambda place: gain[place] - (1 - self.weight) * nearest[place])
            rest.remove(best)
            chosen.append(best)
        return chosen

    def _similarity(self, ranking: Ranking[Any]) -> Callable[[int, int], float]:
        """Return the similarity of two hits, given by their places."""
        if self.vectors is not None:
            units = unit_vectors(self._values(ranking, self.vectors), ranking.indices)
            return lambda one, other: sum(map(mul, units[one], units[other]))
        if callable(self.similarity):
            compare, documents = self.similarity, ranking.documents
            return lambda one, other: _finite(compare(documents[one], documents[other]))
        bags = [_distinct_words(text) for text in self._texts(ranking, self.text)]
        return lambda one, other: jaccard(bags[one], bags[other])


dedupe = Dedupe
cap = Cap
diversify = Diversify

STEPS: Final[Mapping[str, type[Step]]] = {"dedupe": Dedupe, "cap": Cap, "diversify": Diversify}
"""The steps that a spec can name."""


def load_step(step: object) -> Then:
    """Return the step that a spec names, ``"dedupe"`` or ``{"cap": {"by": "source", "per_group": 2}}``.

    A function from ranking to ranking is returned as it is. Raises `SpecError` for anything else.
    """
    if callable(step) and not isinstance(step, type):
        return step
    spec = {step: {}} if isinstance(step, str) else step
    if not isinstance(spec, Mapping) or len(spec) != 1 or not isinstance(next(iter(spec.values())), Mapping):
        msg = f"not a step: {step!r:.120}; write 'dedupe', {{'cap': {{'by': 'source', 'per_group': 2}}}} or a function"
        raise SpecError(msg)
    [(name, options)] = spec.items()
    if name not in STEPS:
        msg = f"no step named {name!r}; {_checks.suggest(name, STEPS)}"
        raise SpecError(msg)
    accepted = signature(STEPS[name])
    try:
        accepted.bind(**options)
    except TypeError as error:
        msg = f"step {name!r}: {error}; its options: {', '.join(accepted.parameters)}"
        raise SpecError(msg) from None
    return STEPS[name](**options)


def _distinct_words(text: str) -> set[str]:
    return {text} if isinstance(text, Image) else set(words(text))


def _relevance(ranking: Ranking[Any]) -> list[float]:
    scores = [score for hit in ranking if (score := _checks.finite(hit.score)) is not None]
    falling = all(one >= other for one, other in pairwise(scores))
    if len(scores) < len(ranking) or not falling or math.isinf(scores[0] - scores[-1]):
        return rank(range(len(ranking)))
    return min_max(scores)


def _finite(similarity: object) -> float:
    number = _checks.finite(similarity)
    if number is None:
        msg = f"similarity= must give a finite number for two documents; got {similarity!r:.80}"
        raise ArgumentError(msg)
    return number


def _hashable(group: Any, index: int) -> Hashable:
    try:
        hash(group)
    except TypeError:
        msg = f"by= gives document {index} a {type(group).__name__}, which cannot name a group: {group!r:.80}"
        raise ArgumentError(msg) from None
    return group  # type: ignore[no-any-return]  # tried above


def _reader(given: object, name: str) -> None:
    if not callable(given) and not (isinstance(given, str) and given):
        msg = f"{name} must be a field's name or a function of a document; got {given!r:.80}"
        raise ArgumentError(msg)


def _share(given: object, name: str) -> float:
    number = _checks.finite(given)
    if number is None or not 0 <= number <= 1:
        msg = f"{name} must be a number between 0 and 1; got {given!r:.80}"
        raise ArgumentError(msg)
    return number
