"""The next scorer when one fails, and never in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._lifecycle import Held, listed, unique
from ._question import Composition, Question
from ._registry import spec_of
from .errors import ArgumentError
from .ranking import Report
from .scorer import Candidates, Scope, ScorerLike, Scores, traits, widest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._rounds import Rounds

__all__ = ["Fallback"]


class Fallback(Composition):
    """Asks the first scorer, and the next one only when it raises or gives an answer that is not allowed.

    End with `FirstStage` to keep the given order when all else fails. A stand-in's answer has ``report.degraded``
    set and what was raised in ``report.errors``; a threshold is never applied to it. When all scorers fail, the last
    one's exception reaches the caller, with the others as notes.
    """

    name: Final = "fallback"

    def __init__(self, *scorers: ScorerLike) -> None:
        """Take two or more scorers, the preferred one first."""
        if len(scorers) < 2:
            msg = f"Fallback needs a scorer and at least one to fall back on; got {len(scorers)}"
            raise ArgumentError(msg)
        self._held = Held(scorers)
        self._names = unique(traits(scorer).name for scorer in self._held.scorers)

    @classmethod
    def from_options(cls, *, scorers: Iterable[ScorerLike]) -> Fallback:
        """Build from the options of a ``{"fallback": {"scorers": […]}}`` spec."""
        return cls(*listed(scorers, "scorers"))

    @property
    def scope(self) -> Scope:
        """The widest scope of the members."""
        return widest(*(traits(scorer).scope for scorer in self._held.scorers))

    @property
    def score_kind(self) -> str | None:
        """The preferred scorer's score kind."""
        return traits(self._held.scorers[0]).score_kind

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that `anyrank.load` reads. Raises `SpecError` for a member that has none."""
        return {"fallback": {"scorers": [spec_of(scorer) for scorer in self._held.scorers]}}

    def __repr__(self) -> str:
        return f"Fallback({', '.join(map(repr, self._held.scorers))})"

    def rounds(self, query: str, texts: Candidates) -> Rounds[Scores, Scores]:
        """Ask one member after the other until one answers."""
        errors: list[Exception] = []
        for name, scorer in zip(self._names, self._held.scorers, strict=True):
            [outcome] = yield [Question(scorer, query, texts)]
            if outcome.error is None:
                return _stood_in(outcome.unwrap(), name, errors)
            errors.append(outcome.error)
        last = errors[-1]
        for name, error in zip(self._names, errors[:-1], strict=False):
            note = f"before that, scorer {name!r} failed: {type(error).__name__}: {error}"
            if note not in getattr(last, "__notes__", ()):  # the same object may be raised again and again
                last.add_note(note)
        raise last


def _stood_in(scores: Scores, name: str, errors: list[Exception]) -> Scores:
    if not errors:
        return scores
    own = Report(
        scorer=scores.report.scorer,
        model=scores.report.model,
        score_kind=scores.report.score_kind,
        degraded=True,
        errors=tuple(errors),
    )
    report = own.including({name: scores.report})
    return Scores(scores, order=scores.order, report=report)
