"""Ways to part queries, so that it can be said where reranking helps and where it hurts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from anyrank.errors import ArgumentError
from anyrank.scorers.lexical import words
from anyrank.text import TextOf, texts_of

from .tables import read_qrels

__all__ = ["Slices", "slice_by", "slice_by_length", "slice_by_overlap"]

Slices: TypeAlias = Mapping[str, str]
"""The label of each query, by its id; one without a label is in no slice."""

OVERLAP: Final = ("no overlap", "little overlap", "some overlap", "much overlap")


def slice_by(queries: Mapping[str, str], label: Callable[[str], object]) -> dict[str, str]:
    """Part queries by what a function says of their texts; slices come in the order of what it says."""
    labels = {query: str(label(text)) for query, text in queries.items()}
    return _in_order(labels, sorted(set(labels.values())))


def slice_by_length(queries: Mapping[str, str], limits: Sequence[int] = (4, 10)) -> dict[str, str]:
    """Part queries by their number of words: at most the first limit, at most the second, …, more."""
    if not limits:
        msg = "limits are numbers of words, one or more"
        raise ArgumentError(msg)
    names = [*(f"at most {limit} words" for limit in limits), f"more than {limits[-1]} words"]
    labels = {query: names[sum(len(words(text)) > limit for limit in limits)] for query, text in queries.items()}
    return _in_order(labels, names)


def slice_by_overlap(
    queries: Mapping[str, str], qrels: Any, *, documents: Mapping[str, Any], text: TextOf[Any] = None
) -> dict[str, str]:
    """Part queries by how much of them stands, word by word, in a document that is relevant to them.

    ``documents`` are by id (``Collection.documents``), those of grade 1 or better are relevant. The overlap is that of
    the document with the most: the share of the query's distinct words that it holds, rare words counting more (by the
    logarithm of how rarely they stand in all these documents): none, under a third, under two thirds, or more. Queries
    without a relevant document at hand are in no slice.
    """
    bags = {query: _bags(grades, documents, text) for query, grades in read_qrels(qrels).items()}
    counts = Counter(word for found in bags.values() for bag in found for word in bag)
    size = sum(map(len, bags.values()))
    weight = {word: math.log(1 + size / count) for word, count in counts.items()}
    rarest = math.log(1 + size)

    def overlap(query: str) -> str:
        wanted = {word: weight.get(word, rarest) for word in words(queries[query])}
        total = math.fsum(wanted.values()) or 1.0
        most = max(math.fsum(wanted[word] for word in wanted.keys() & bag) for bag in bags[query]) / total
        return OVERLAP[0] if not most else OVERLAP[1 + (most >= 1 / 3) + (most >= 2 / 3)]

    return _in_order({query: overlap(query) for query in queries if bags.get(query)}, OVERLAP)


def _bags(grades: Mapping[str, int], documents: Mapping[str, Any], text: TextOf[Any]) -> list[set[str]]:
    found = [documents[document] for document, grade in grades.items() if grade > 0 and document in documents]
    return [set(words(one)) for one in texts_of(found, text)] if found else []


def _in_order(labels: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {query: labels[query] for query in sorted(labels, key=lambda query: names.index(labels[query]))}
