"""The retriever's own say, as a scorer."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from . import _checks
from .errors import ArgumentError
from .scorer import Candidates, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FirstStage"]


class FirstStage:
    """Keeps the order a list was given in, so that the retriever has a vote in an `Ensemble`.

    ``FirstStage()`` scores by place, 1 / rank (kind ``reciprocal_rank``). ``FirstStage("score")`` gives the
    retriever's own scores (their kind is the retriever's); it raises `ArgumentError` when the host handed over none,
    not all, or scores that rise from one document to the next.
    """

    name: Final = "first_stage"
    scope: Final[Scope] = "order"
    modalities: Final = frozenset({"text", "image"})

    def __init__(self, by: Literal["rank", "score"] = "rank") -> None:
        """Choose what is kept: ``"rank"`` or ``"score"``."""
        if by not in ("rank", "score"):
            msg = f"FirstStage keeps the 'rank' or the 'score' of the first stage; got {by!r}"
            raise ArgumentError(msg)
        self.by: Literal["rank", "score"] = by
        self.score_kind = "reciprocal_rank" if by == "rank" else None

    @property
    def spec(self) -> str:
        """The spec that `anyrank.load` reads."""
        return "first_stage" if self.by == "rank" else "first_stage:score"

    def __repr__(self) -> str:
        return "FirstStage()" if self.by == "rank" else "FirstStage('score')"

    def score(self, _query: str, texts: Sequence[str]) -> list[float]:
        """Return 1 / rank, or the first stage's scores as they came."""
        if self.by == "rank":
            return [1 / rank for rank in range(1, len(texts) + 1)]
        return _scores_of(texts)

    async def ascore(self, query: str, texts: Sequence[str]) -> list[float]:
        """Score as `score` does: there is nothing to wait for."""
        return self.score(query, texts)


def _scores_of(texts: Sequence[str]) -> list[float]:
    given = texts.first_stage if isinstance(texts, Candidates) else None
    scores = [number for score in given or () if (number := _checks.finite(score)) is not None]
    if len(scores) != len(texts):
        msg = (
            f"FirstStage('score') needs the retriever's score of every document; {len(texts) - len(scores)} of "
            f"{len(texts)} have none: let the retriever give them, or use FirstStage() for its order"
        )
        raise ArgumentError(msg)
    for place, (above, below) in enumerate(pairwise(scores), start=1):
        if below > above:
            msg = (
                f"the first stage's scores rise at document {place} ({above} to {below}): higher must mean better and "
                "come first; turn distances round before, or use FirstStage() for the order"
            )
            raise ArgumentError(msg)
    return scores
