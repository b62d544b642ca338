"""What the compositions share that stand around one scorer and rely on its scoring text by text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._lifecycle import Held
from ._question import Composition
from .errors import ArgumentError
from .scorer import AnyScorer, Scope, ScorerLike, traits

if TYPE_CHECKING:
    from collections.abc import Iterable


class TextByText(Composition):
    """Base of the compositions around one scorer whose scores depend on query and text only."""

    scope: Final[Scope] = "text"

    def _hold(self, scorer: ScorerLike) -> None:
        """Build the scorer if it is a spec. Raises `ArgumentError` for one that looks at the other texts too."""
        self._held = Held([scorer])
        known = traits(self.scorer)
        if known.scope != "text":
            name = type(self).__name__
            msg = (
                f"{name} needs a scorer whose scores depend on each text alone (scope 'text'); those of {known.name!r} "
                f"depend on the whole {known.scope}: put {name} around its members instead, where it has any"
            )
            raise ArgumentError(msg)

    @property
    def scorer(self) -> AnyScorer:
        """The scorer inside."""
        return self._held.scorers[0]

    @property
    def model(self) -> str | None:
        """Its model."""
        return traits(self.scorer).model

    @property
    def score_kind(self) -> str | None:
        """Its score kind."""
        return traits(self.scorer).score_kind


def characters(texts: Iterable[str]) -> int:
    """Return how long the texts are together."""
    return sum(map(len, texts))
