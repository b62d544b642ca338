"""Several scorers in a row, each narrowing what the next, dearer one sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from ._lifecycle import listed
from ._registry import spec_of
from .errors import ArgumentError, SpecError
from .ranking import Report
from .reranker import StagedReranker, Then

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .scorer import ScorerLike

__all__ = ["Cascade"]


@final
class Cascade(StagedReranker):
    """A reranker of several stages: ``Cascade(("lexical", 50), ("cross_encoder:…", 10))``.

    Each stage is a scorer and how many of the best it passes on; the last one's number is the ranking's ``top_n`` and
    may be left out (``(scorer, None)`` or the bare scorer). A later stage sees its texts in the order of the stage
    before, whose scores are its first stage's. The ranking holds the last stage's survivors with the last stage's
    scores; ``index`` is the place in the input, ties keep the order of the stage before. A ``top_n`` given to one
    call overrides the last stage's number and cannot bring back what an earlier stage left out.
    """

    name = "cascade"

    def __init__(
        self,
        *stages: tuple[ScorerLike, int | None] | ScorerLike,
        min_score: float | None = None,
        then: Iterable[Then] = (),
    ) -> None:
        """Build the scorers that are specs; raises `ArgumentError` unless every stage but the last has a number."""
        if not stages:
            msg = "Cascade needs at least one stage, such as ('lexical', 50)"
            raise ArgumentError(msg)
        pairs = [_stage(stage) for stage in stages]
        if any(keep is None for _, keep in pairs[:-1]):
            msg = "every stage of a Cascade but the last says how many documents it passes on: ('lexical', 50)"
            raise ArgumentError(msg)
        self._set_up(pairs, min_score, then)

    @classmethod
    def from_options(cls, *, stages: Iterable[Any], min_score: float | None = None) -> Cascade:
        """Build from the options of a ``{"cascade": {"stages": [["lexical", 50], …]}}`` spec."""
        return cls(*listed(stages, "stages"), min_score=min_score)

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that `anyrank.load` reads. Raises `SpecError` for a stage or step that has none."""
        options: dict[str, Any] = {"stages": [[spec_of(stage.scorer), stage.keep] for stage in self._stages]}
        if self._then:
            msg = f"{self._then[0]!r:.80} has no spec: the steps of a cascade's then= cannot be written down"
            raise SpecError(msg)
        if self.min_score is not None:
            options["min_score"] = self.min_score
        return {"cascade": options}

    def __repr__(self) -> str:
        return f"Cascade({', '.join(f'({stage.scorer!r}, {stage.keep})' for stage in self._stages)})"

    def _report(self, reports: Sequence[Report]) -> Report:
        own = Report(scorer=self.name, model=reports[-1].model, score_kind=reports[-1].score_kind)
        return own.including(dict(zip(self._names, reports, strict=True)))


def _stage(stage: Any) -> tuple[ScorerLike, int | None]:
    if isinstance(stage, Sequence) and not isinstance(stage, (str, Mapping)):
        if len(stage) != 2:
            msg = f"a stage of a Cascade is a pair (scorer, how many it passes on); got {stage!r:.80}"
            raise ArgumentError(msg)
        return stage[0], stage[1]
    return stage, None
