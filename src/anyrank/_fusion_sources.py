"""What goes into a fusion: named lists of documents, and which documents are the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from ._fusion_methods import Column
from .errors import FusionError
from .ranking import Ranking, Report

T = TypeVar("T")

Key: TypeAlias = Callable[[T], Hashable]

ID_FIELDS: Final = ("id", "_id")


def default_key(document: Any) -> Hashable:
    """Return what identifies a document: a mapping's ``id`` or ``_id``, else the (hashable) document itself."""
    if isinstance(document, Mapping):
        for name in ID_FIELDS:
            if document.get(name) is not None:
                return document[name]  # type: ignore[no-any-return]
        msg = f"cannot tell documents apart: no 'id' or '_id' in {document!r:.80}; pass key=, such as key=lambda d: …"
        raise FusionError(msg)
    return document  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """One named list: its documents in order, their scores where it has them, and the report where it has one."""

    name: str
    weight: float
    documents: Sequence[T]
    scores: Sequence[float | None]
    report: Report | None


def read_source(name: str, given: Any, weight: float) -> Source[Any]:
    """Take a `Ranking`, or documents in order without scores. Raises `FusionError` for anything else."""
    if isinstance(given, Ranking):
        report = given.report if given.report.scorer else None
        return Source(name, weight, given.documents, given.scores, report)
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        msg = f"source {name!r} must be a Ranking or a list of documents in order; got a {type(given).__name__}"
        raise FusionError(msg)
    documents = list(given)
    return Source(name, weight, documents, [None] * len(documents), None)


class Pool(Generic[T]):
    """The distinct documents of all sources, in first-seen order."""

    def __init__(self, key: Key[T]) -> None:
        self.key = key
        self.documents: list[T] = []
        self._ids: dict[Hashable, int] = {}

    def column(self, source: Source[T], *, needs_scores: bool) -> Column:
        """Take in a source's documents, each once, and return its column."""
        if not needs_scores:
            return Column(source.weight, list(dict.fromkeys(map(self._number, source.documents))), ())
        check_scores(source.name, source.scores)
        kept: dict[int, float] = {}
        for document, score in zip(source.documents, source.scores, strict=True):
            kept.setdefault(self._number(document), score or 0.0)
        return Column(source.weight, list(kept), list(kept.values()))

    def _number(self, document: T) -> int:
        key = self.key(document)
        if key is None:
            msg = f"key= gave None for {document!r:.80}: it must tell documents apart"
            raise FusionError(msg)
        try:
            number = self._ids.setdefault(key, len(self.documents))
        except TypeError:
            kind = type(document).__name__
            msg = f"cannot tell documents apart: {kind} is not hashable; pass key=, such as key=lambda d: d.id"
            raise FusionError(msg) from None
        if number == len(self.documents):
            self.documents.append(document)
        return number


def check_scores(name: str, scores: Sequence[float | None]) -> None:
    """Raise `FusionError` where a method that reads scores would be misled: by missing ones, or ones that rise."""
    above = math.inf
    for place, score in enumerate(scores):
        if score is None or not math.isfinite(score):
            msg = (
                f"source {name!r} has no finite score at place {place} ({score}), and this method reads scores: give "
                "every document one (in plain Python with Ranking.of), or use a rank method such as 'rrf'"
            )
            raise FusionError(msg)
        if score > above:
            msg = (
                f"the scores of source {name!r} rise at place {place} ({above} to {score}): higher must mean better; "
                "turn distances round before, or use a rank method such as 'rrf'"
            )
            raise FusionError(msg)
        above = score
