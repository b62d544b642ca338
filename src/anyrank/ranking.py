"""What comes out: a `Ranking` of `Hit` objects and the `Report` of how it came about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, SupportsIndex, TypeVar, overload

from . import _checks
from .errors import ArgumentError

__all__ = ["Hit", "Ranking", "Report"]

T = TypeVar("T")
K = TypeVar("K")
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """One document of a ranking.

    ``index`` is its place in the input, counted from 0. ``score`` is higher for better; it is None only in a
    ranking made by `Ranking.of` without scores.
    """

    document: T
    index: int
    score: float | None


@dataclass(frozen=True)
class Report:
    """What happened while a ranking was made.

    ``usage`` is in the provider's own unit (``{"search_units": 1}``). ``requests`` counts all that were sent,
    ``retries`` those of them that repeated one; ``request_ids`` are the provider's names for them. ``seconds`` is wall
    time. ``truncated`` maps the place of a text in the input to the number of tokens that were cut from it, and
    ``query_truncated`` is how many were cut from the query, beside the text that left it the least room; ``spans``
    maps the place of a text that was scored in windows to the characters where its best one begins and ends.
    ``cached`` counts texts whose scores were kept from an earlier call, ``blank`` those that were given a floor score
    unseen. ``answers`` counts what a chat model answered, by what it was good for (``"ok"``, ``"repaired"``,
    ``"truncated"``, ``"refused"``, ``"unparsable"``), ``repaired`` those that had to be mended, ``rounds`` how often
    a question had to wait for the answer to another. ``degraded`` says that a scorer failed and another one, or the
    given order, stands in; ``errors`` holds what was raised. ``members`` are the reports of a composition's parts, by
    name.
    """

    scorer: str | None = None
    model: str | None = None
    score_kind: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)
    requests: int = 0
    retries: int = 0
    request_ids: tuple[str, ...] = ()
    seconds: float = 0.0
    truncated: Mapping[int, int] = field(default_factory=dict)
    query_truncated: int = 0
    spans: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    cached: int = 0
    blank: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)
    repaired: int = 0
    rounds: int = 0
    degraded: bool = False
    errors: tuple[Exception, ...] = ()
    members: Mapping[str, Report] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what the report says as plain JSON values, for a trace or a log.

        What it does not say is left out; whether it is degraded always stands there, to be filtered by.

        An error is the name of its type: messages may quote documents, which traces hold only where that is asked for.
        """
        said: dict[str, Any] = {field.name: value for field in fields(self) if (value := getattr(self, field.name))}
        said["degraded"] = self.degraded
        for name in said.keys() & {"usage", "truncated", "answers"}:
            said[name] = {str(key): amount for key, amount in said[name].items()}
        if self.spans:
            said["spans"] = {str(index): list(span) for index, span in self.spans.items()}
        if self.request_ids:
            said["request_ids"] = list(self.request_ids)
        if self.errors:
            said["errors"] = [type(error).__name__ for error in self.errors]
        if self.members:
            said["members"] = {name: member.to_dict() for name, member in self.members.items()}
        return said

    def including(self, members: Mapping[str, Report]) -> Report:
        """Return this report with its members', their sums added to its own."""
        if not members:
            return self
        parts = (self, *members.values())
        return replace(
            self,
            usage=added(part.usage for part in parts),
            requests=sum(part.requests for part in parts),
            retries=sum(part.retries for part in parts),
            request_ids=tuple(name for part in parts for name in part.request_ids),
            truncated=_largest(part.truncated for part in parts),
            query_truncated=max(part.query_truncated for part in parts),
            spans={index: span for part in reversed(parts) for index, span in part.spans.items()},
            cached=sum(part.cached for part in parts),
            blank=sum(part.blank for part in parts),
            answers=added(part.answers for part in parts),
            repaired=sum(part.repaired for part in parts),
            rounds=sum(part.rounds for part in parts),
            degraded=any(part.degraded for part in parts),
            errors=tuple(error for part in parts for error in part.errors),
            members={**self.members, **members},
        )

    def at(self, places: Sequence[int]) -> Report:
        """Return the report with text ``i`` called ``places[i]``; cuts of texts that share a place are added up."""
        if not (self.truncated or self.spans):
            return self
        return replace(
            self,
            truncated=added({places[index]: tokens} for index, tokens in self.truncated.items()),
            spans={places[index]: span for index, span in self.spans.items()},
            members={name: member.at(places) for name, member in self.members.items()},
        )


def _score(score: object) -> float:
    number = _checks.real(score)
    if number is None:
        msg = f"a score must be a number; got {score!r:.80}"
        raise ArgumentError(msg)
    return number


def added(parts: Iterable[Mapping[K, N]]) -> dict[K, N]:
    """Return the sums, key by key: usage by unit, cut tokens by place."""
    total: dict[K, N] = {}
    for part in parts:
        for key, amount in part.items():
            total[key] = total[key] + amount if key in total else amount
    return total


def _largest(cuts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    most: dict[int, int] = {}
    for cut in cuts:
        for index, tokens in cut.items():
            most[index] = max(most.get(index, 0), tokens)
    return most


@dataclass(frozen=True, repr=False)
class Ranking(Sequence[Hit[T]]):
    """An immutable sequence of hits, best first, with the report of how it was made.

    Slicing gives a `Ranking`. Two rankings are equal when their hits are.
    """

    hits: tuple[Hit[T], ...] = ()
    report: Report = field(default_factory=Report, compare=False)

    @classmethod
    def of(cls, documents: Iterable[T], scores: Iterable[float] | None = None) -> Ranking[T]:
        """Take a retriever's list as it is: its order is authoritative, the scores (higher is better) optional.

        Raises `ArgumentError` unless there is one number a document.
        """
        if isinstance(documents, (str, bytes, Mapping)):
            msg = f"a ranking is made of a list of documents; got one {type(documents).__name__}"
            raise ArgumentError(msg)
        items = list(documents)
        values = [None] * len(items) if scores is None else [_score(score) for score in scores]
        if len(values) != len(items):
            msg = f"{len(values)} scores for {len(items)} documents: give one score a document, or none at all"
            raise ArgumentError(msg)
        return cls(tuple(map(Hit, items, range(len(items)), values)))

    @property
    def documents(self) -> list[T]:
        """The documents, best first."""
        return [hit.document for hit in self.hits]

    @property
    def scores(self) -> list[float | None]:
        """The scores, best first."""
        return [hit.score for hit in self.hits]

    @property
    def indices(self) -> list[int]:
        """Each document's place in the input, best first."""
        return [hit.index for hit in self.hits]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit[T]]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Hit[T]: ...
    @overload
    def __getitem__(self, index: slice) -> Ranking[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Hit[T] | Ranking[T]:
        if isinstance(index, slice):
            return Ranking(self.hits[index], self.report)
        return self.hits[index]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self.hits[:3])) + (", …" if len(self.hits) > 3 else "")
        return f"Ranking([{shown}], hits={len(self.hits)}, scorer={self.report.scorer!r})"
