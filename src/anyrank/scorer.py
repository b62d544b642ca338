"""The one contract a backend meets: texts in, one float a text out, in input order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, Protocol, Self, TypeAlias, runtime_checkable

from ._secrets import names_secret
from .errors import ArgumentError
from .ranking import Report

__all__ = [
    "RANK_KINDS",
    "AnyScorer",
    "AsyncScorer",
    "Candidates",
    "FunctionScorer",
    "Image",
    "Scope",
    "Scorer",
    "ScorerLike",
    "Scores",
    "SpecFromFields",
    "Traits",
    "spec_from",
    "traits",
    "widest",
]

Scope: TypeAlias = Literal["text", "list", "order"]

SCOPES: Final[tuple[Scope, ...]] = ("text", "list", "order")
"""What a score may depend on, narrowest first: its own text, the other texts too, their order as well."""

RANK_KINDS: Final = frozenset({"rank", "reciprocal_rank", "win_rate"})
"""Score kinds that only say a place in this very list: a fixed threshold on them means nothing."""


class Image(str):
    """A picture as a document: a URL or a data URI, for scorers whose modalities include ``"image"``."""

    __slots__ = ()


class Candidates(tuple[str, ...]):  # noqa: SLOT001 - a tuple of any length cannot have slots
    """The texts a scorer is handed: a tuple of str that may carry the retriever's own scores.

    ``first_stage`` is one float a text, higher for better, or None where the host has no scores; single scores may
    be None too. A scorer that only wants texts never notices.
    """

    first_stage: tuple[float | None, ...] | None

    def __new__(cls, texts: Iterable[str], first_stage: Iterable[float | None] | None = None) -> Self:
        """Take the texts and, one a text, the first stage's scores. Raises `ArgumentError` on another count."""
        self = super().__new__(cls, texts)
        self.first_stage = None if first_stage is None else tuple(first_stage)
        if self.first_stage is not None and len(self.first_stage) != len(self):
            msg = f"{len(self.first_stage)} first-stage scores for {len(self)} texts"
            raise ArgumentError(msg)
        return self

    @classmethod
    def of(cls, texts: Iterable[str]) -> Candidates:
        """Return the texts as candidates, the very same object where they are that already."""
        return texts if isinstance(texts, Candidates) else cls(texts)

    def select(self, indices: Sequence[int]) -> Candidates:
        """Return the texts at these places, in this order, with their first-stage scores."""
        first = self.first_stage
        return Candidates((self[i] for i in indices), None if first is None else (first[i] for i in indices))


class Scores(tuple[float, ...]):  # noqa: SLOT001 - as above
    """What a scorer may return instead of bare floats: the floats plus what it knows.

    ``order``, where given, holds finer floats that decide the order where the shown values tie or saturate (logits
    behind a sigmoid). ``report`` says usage, truncation and repair; the name, kind and time are filled in for it.
    """

    order: tuple[float, ...] | None
    report: Report

    def __new__(
        cls, values: Iterable[float], *, order: Iterable[float] | None = None, report: Report | None = None
    ) -> Self:
        """Take one value a text, in input order."""
        self = super().__new__(cls, values)
        self.order = None if order is None else tuple(order)
        self.report = report or Report()
        return self

    def ranked(self) -> list[int]:
        """Return the places of the texts, best first: by ``order``, then by value; ties in input order."""
        keys: Sequence[Any] = self if self.order is None else list(zip(self.order, self, strict=True))
        return sorted(range(len(self)), key=keys.__getitem__, reverse=True)


@runtime_checkable
class Scorer(Protocol):
    """Anything with ``score``. A plain function of the same shape works too.

    A scorer may declare more, each with a default: ``name`` (its function's or class's), ``model``,
    ``score_kind`` (``"logit"``, ``"probability"``, ``"cosine"``, …), ``scope`` (``"text"``), ``modalities``
    (``{"text"}``), ``fingerprint`` (for caches), ``ascore`` (a native async ``score``), ``warm_up`` / ``awarm_up``,
    ``close`` / ``aclose``.
    """

    def score(self, query: str, texts: Candidates, /) -> Sequence[float]:
        """Return one finite float a text, in input order, higher for more relevant."""
        ...


@runtime_checkable
class AsyncScorer(Protocol):
    """A scorer that can only be awaited; sync ``rerank`` refuses it by name."""

    async def ascore(self, query: str, texts: Candidates, /) -> Sequence[float]:
        """Return one finite float a text, in input order, higher for more relevant."""
        ...


AnyScorer: TypeAlias = Scorer | AsyncScorer

ScoreFunction: TypeAlias = Callable[[str, Candidates], Sequence[float] | Awaitable[Sequence[float]]]
ScorerLike: TypeAlias = Scorer | AsyncScorer | ScoreFunction | str | Mapping[str, Any]
"""What can stand for a scorer: an object, a function, or a spec that `load` reads."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a scorer declares about itself, defaults filled in."""

    name: str
    model: str | None = None
    score_kind: str | None = None
    scope: Scope = "text"
    modalities: frozenset[str] = frozenset({"text"})
    fingerprint: str | None = None


def traits(scorer: object) -> Traits:
    """Read what a scorer declares."""
    scope = getattr(scorer, "scope", "text")
    name = _said(scorer, "name") or type(scorer).__name__
    modalities = getattr(scorer, "modalities", None) or ("text",)
    if scope not in SCOPES:
        msg = f"scorer {name!r} declares scope={scope!r}; a scope is one of {', '.join(SCOPES)}"
        raise ArgumentError(msg)
    return Traits(
        name=name,
        model=_said(scorer, "model"),
        score_kind=_said(scorer, "score_kind"),
        scope=scope,
        modalities=frozenset([modalities] if isinstance(modalities, str) else modalities),
        fingerprint=_said(scorer, "fingerprint"),
    )


def _said(scorer: object, name: str) -> str | None:
    """Return a declaration that is text. A scorer may keep its model object under a name that means one here."""
    if isinstance(getattr(type(scorer), name, None), cached_property):
        return None  # to ask would load what is behind it
    value = getattr(scorer, name, None)
    return value if isinstance(value, str) else None


def widest(*scopes: Scope) -> Scope:
    """Return the widest of several scopes: a composition depends on all that its members do."""
    return max(scopes, key=SCOPES.index)


class SpecFromFields:
    """For scorers that are dataclasses: ``spec`` from the fields that differ from their defaults, keys left out."""

    name: ClassVar[str]

    @property
    def spec(self) -> str | dict[str, Any]:
        """The spec that `anyrank.load` reads."""
        changed = {
            field.name: getattr(self, field.name)
            for field in fields(self)  # type: ignore[arg-type]  # subclasses are dataclasses
            if field.init
            and (field.default is MISSING or getattr(self, field.name) != field.default)
            and not names_secret(field.name)
        }
        return spec_from(self.name, changed)


def spec_from(name: str, options: dict[str, Any], first: str = "model") -> str | dict[str, Any]:
    """Write a spec, as short as it can be; ``first`` is the option that may stand behind the colon."""
    if set(options) == {first}:
        return f"{name}:{options[first]}"
    return {name: options} if options else name


class FunctionScorer:
    """A plain function as a scorer; a coroutine function makes an async-only one."""

    def __init__(self, function: ScoreFunction) -> None:
        """Take a function of ``(query, texts)``."""
        from inspect import iscoroutinefunction

        call = getattr(function, "__call__", None)  # noqa: B004 - looks at the method, for objects with async __call__
        self.name: str = getattr(function, "__name__", None) or type(function).__name__
        self.function = function
        if iscoroutinefunction(function) or iscoroutinefunction(call):
            self.ascore = function
        else:
            self.score = function

    def __getattr__(self, name: str) -> Any:
        """Forward what a callable object declares."""
        if name.startswith("__") or name == "function":
            raise AttributeError(name)
        return getattr(self.function, name)

    def __repr__(self) -> str:
        return f"FunctionScorer({self.name})"
