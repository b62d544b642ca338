"""Scores of a cross-encoder as sentence-transformers shows them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from anyrank import Scores, load
from anyrank.scorers.cross_encoder import CrossEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyrank._local import Job


class ShownAsUpstream(CrossEncoder):
    """A cross-encoder whose shown scores are behind the model's own activation, as those of its ``predict`` are.

    The logits still decide the order. What two labels are read out as is no logit that the activation is meant for,
    and stays as it is.
    """

    _activation: Callable[[Any], Any] | None = None

    def _open(self, kind: str, **settings: Any) -> Any:
        model: Any = super()._open(kind, **settings)
        self._activation = model.activation_fn if model.num_labels == 1 and not self.activation else None
        return model

    def _score_all(self, model: Any, jobs: Sequence[Job]) -> list[Scores]:
        return [self._shown(scores) for scores in super()._score_all(model, jobs)]

    def _shown(self, logits: Scores) -> Scores:
        if self._activation is None:
            return logits
        from torch import tensor

        return Scores(self._activation(tensor(logits)).tolist(), order=logits, report=logits.report)


def shown_as_upstream(model: str, options: Mapping[str, Any]) -> ShownAsUpstream:
    """Build the scorer; raises `SpecError` for options that a cross-encoder does not have."""
    checked: Any = load({"cross_encoder": {**options, "model": model}})
    return ShownAsUpstream(**{field.name: getattr(checked, field.name) for field in fields(checked)})
