"""A cross-encoder: a model that reads query and text together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from anyrank._local import LibraryModel
from anyrank.errors import ArgumentError, ModelError
from anyrank.scorer import Candidates, Scores

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Model

__all__ = ["CrossEncoder"]


@dataclass(eq=False)
class CrossEncoder(LibraryModel["Model"]):
    """Any model that ``sentence_transformers.CrossEncoder`` loads and whose read-out means something.

    The raw logit is shown and decides the order; with ``activation="sigmoid"`` the shown score is a probability while
    the logit still decides, so that scores which saturate do not tie. A two-label head gives logit(1) - logit(0),
    with label 1 as "relevant". A head that the checkpoint does not hold, a head of more labels, and a causal language
    model whose repository does not say how it is prompted and read raise `ModelError` at the first call or at
    ``warm_up``. The other options are those of `LibraryModel`.
    """

    name: ClassVar[str] = "cross_encoder"

    backend: str = "torch"
    activation: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        super().__post_init__()
        for option, value, known in (
            ("backend", self.backend, ("torch",)),
            ("activation", self.activation, (None, "sigmoid")),
        ):
            if value not in known:
                msg = f"cross_encoder has no {option} {value!r}; known: {', '.join(map(repr, known))}"
                raise ArgumentError(msg)

    @property
    def score_kind(self) -> str:
        """``probability`` with an activation, else ``logit``."""
        return "probability" if self.activation else "logit"

    def _load(self) -> Model:
        model = self._open("CrossEncoder", max_length=self.max_length)
        _refuse_untrained(self.model, model)
        _refuse_unread(self.model, model)
        return model

    def _score(self, model: Model, query: str, texts: Candidates) -> Scores:
        from torch import nn, sigmoid, tensor

        logits = model.predict(
            [(query, text) for text in texts],
            batch_size=self.batch_size,
            activation_fn=nn.Identity(),
            show_progress_bar=False,
            convert_to_tensor=True,
        ).float()
        if logits.ndim == 2:
            logits = logits[:, 1] - logits[:, 0]
        raw: list[float] = logits.tolist()
        if self.activation is None:
            return Scores(raw)
        return Scores(sigmoid(tensor(raw)).tolist(), order=raw)


def _refuse_untrained(name: str, model: Model) -> None:
    """Raise `ModelError` when weights are not in the checkpoint: their scores would be random."""
    transformer: Any = model.transformers_model
    suspects = [
        key for key, weight in transformer.named_parameters() if not getattr(weight, "_is_hf_initialized", False)
    ]
    if not suspects:
        return
    config = transformer.config
    _, loading = type(transformer).from_pretrained(
        transformer.name_or_path,
        config=config,
        revision=getattr(config, "_commit_hash", None) or "main",
        output_loading_info=True,
    )
    missing = sorted(loading["missing_keys"])
    if missing:
        msg = (
            f"{name!r} is no trained cross-encoder: the checkpoint lacks {', '.join(missing[:4])}, so scores would be "
            "random. Use a model trained for reranking, or 'embedding:…' for a bi-encoder"
        )
        raise ModelError(msg)


def _refuse_unread(name: str, model: Model) -> None:
    """Raise `ModelError` when it is not known which of the model's outputs means "relevant"."""
    from sentence_transformers.cross_encoder.modules.logit_score import LogitScore

    reading = next((module for module in model if isinstance(module, LogitScore)), None)
    if reading is None:
        if model.num_labels > 2:
            msg = f"{name!r} has a head of {model.num_labels} labels; a reranker's has one, or two (no, yes)"
            raise ModelError(msg)
        return
    tokenizer: Any = model.tokenizer
    if reading.true_token_id in (reading.false_token_id, tokenizer.unk_token_id):
        msg = f"{name!r}: its tokenizer has no token for 'yes' or 'no', so that every text would score the same"
        raise ModelError(msg)
    if not _says_how(name, model):
        msg = (
            f"{name!r} is a causal language model without a modules.json that says how it is prompted and read, so "
            "scores would be close to random. Use a repository with modules.json (such as a sentence-transformers "
            "conversion of it)"
        )
        raise ModelError(msg)


def _says_how(name: str, model: Model) -> bool:
    from transformers.utils.hub import cached_file

    transformer: Any = model.transformers_model
    revision = getattr(transformer.config, "_commit_hash", None)
    found = cached_file(name, "modules.json", revision=revision, _raise_exceptions_for_missing_entries=False)
    return found is not None


scorer = CrossEncoder
