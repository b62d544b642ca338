"""Several scorers, one vote each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ._fusion_methods import Column
from ._fusion_sources import check_scores
from ._lifecycle import Held
from ._question import Composition, Question
from ._registry import spec_of
from .errors import ArgumentError
from .fusion import Fuser
from .ranking import Report
from .scorer import Candidates, Scope, ScorerLike, Scores, traits, widest

if TYPE_CHECKING:
    from ._rounds import Rounds

__all__ = ["Ensemble"]


@dataclass(frozen=True, slots=True)
class _Fusing:
    """The members' votes, to be counted: an errand, since many candidates take long enough to hold an event loop."""

    fuser: Fuser
    columns: Sequence[Column]
    size: int

    def do(self) -> Scores:
        """Count them."""
        return Scores(self.fuser.totals(self.columns, self.size))

    async def ado(self) -> Scores:
        """Count them, many in a thread."""
        if self.size <= 100:
            return self.do()
        from asyncio import to_thread

        return await to_thread(self.do)


class Ensemble(Composition):
    """Asks several scorers at once and fuses their rankings.

    ``Ensemble({"bm25": "lexical", "ce": "cross_encoder:…"}, weights={"bm25": 0.3, "ce": 0.7})``.

    ``method``, ``weights`` (by name), ``normalize`` and ``parameters`` are `anyrank.fuse`'s. `FirstStage` as a member
    keeps the retriever's order in the vote. A member that fails raises; wrap it in a `Fallback` to go on without it.
    """

    name: ClassVar[str] = "ensemble"

    def __init__(
        self,
        scorers: Mapping[str, ScorerLike],
        method: str = "rrf",
        weights: Mapping[str, float] | None = None,
        *,
        normalize: str | None = None,
        **parameters: float,
    ) -> None:
        """Build the members that are specs; raises `FusionError` for weights that are not exactly the members'."""
        if not isinstance(scorers, Mapping) or not scorers:
            msg = f"Ensemble takes named scorers, such as {{'bm25': 'lexical'}}; got {scorers!r:.80}"
            raise ArgumentError(msg)
        self._fuser = Fuser(method, weights=weights, normalize=normalize, parameters=parameters)
        self._fuser.expect(scorers)
        self._names = tuple(scorers)
        self._held = Held(scorers.values())

    @property
    def scorers(self) -> dict[str, Any]:
        """The members by name."""
        return dict(zip(self._names, self._held.scorers, strict=True))

    @property
    def score_kind(self) -> str:
        """The kind of the fused scores."""
        return self._fuser.score_kind

    @property
    def scope(self) -> Scope:
        """At least ``"list"``: a fused score depends on the other texts."""
        return widest("list", *(traits(scorer).scope for scorer in self._held.scorers))

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that `anyrank.load` reads. Raises `SpecError` for a member that has none."""
        options: dict[str, Any] = {
            "scorers": {name: spec_of(scorer) for name, scorer in self.scorers.items()},
            "method": self._fuser.method,
        }
        if self._fuser.weights is not None:
            options["weights"] = dict(self._fuser.weights)  # type: ignore[arg-type]  # always by name here
        if self._fuser.normalize is not None:
            options["normalize"] = self._fuser.normalize
        return {"ensemble": options | dict(self._fuser.parameters)}

    def __repr__(self) -> str:
        options: dict[str, Any] = {"weights": self._fuser.weights, "normalize": self._fuser.normalize}
        given = {name: value for name, value in options.items() if value is not None} | dict(self._fuser.parameters)
        shown = "".join(f", {name}={value!r}" for name, value in given.items())
        return f"Ensemble({self.scorers!r}, {self._fuser.method!r}{shown})"

    def rounds(self, query: str, texts: Candidates) -> Rounds[Scores, Scores]:
        """Ask all members in one round, and fuse what they say."""
        outcomes = yield [Question(scorer, query, texts) for scorer in self._held.scorers]
        answers = [outcome.unwrap() for outcome in outcomes]
        columns = [self._column(name, answer) for name, answer in zip(self._names, answers, strict=True)]
        [totals] = yield [_Fusing(self._fuser, columns, len(texts))]
        report = Report(scorer=self.name, score_kind=self.score_kind).including(
            {name: answer.report for name, answer in zip(self._names, answers, strict=True)}
        )
        return Scores(totals.unwrap(), report=report)

    def _column(self, name: str, answer: Scores) -> Column:
        order = answer.ranked()
        scores = [answer[i] for i in order]
        if self._fuser.reads_scores:
            check_scores(name, scores)
        return Column(self._fuser.weight(name), order, scores)
