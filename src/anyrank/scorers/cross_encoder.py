"""A cross-encoder: a model that reads query and text together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from anyrank._library import LibraryModel, fitted, tokens_cut
from anyrank._local import Job
from anyrank.errors import ModelError
from anyrank.ranking import Report
from anyrank.scorer import Candidates, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

    activation: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        super().__post_init__()
        self._one_of("activation", (None, "sigmoid"))

    @property
    def score_kind(self) -> str:
        """``probability`` with an activation, else ``logit``."""
        return "probability" if self.activation else "logit"

    def _load(self) -> Model:
        model = self._open("CrossEncoder", max_length=self.max_length)
        _refuse_untrained(self.model, model)
        _refuse_unread(self.model, model)
        self._accelerated(model)
        return model

    def _score(self, model: Model, query: str, texts: Candidates) -> Scores:
        return self._score_all(model, [Job(query, texts)])[0]

    def _score_all(self, model: Model, jobs: Sequence[Job]) -> list[Scores]:
        logits = iter(self._logits(model, [(job.query, text) for job in jobs for text in job.texts]))
        return [self._scores(list(islice(logits, len(job.texts))), _cut(model, job)) for job in jobs]

    def _logits(self, model: Model, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return one logit a pair, batches made of pairs of like length; one that does not fit is halved."""
        from torch import nn

        found = fitted(
            lambda part: model.predict(
                part,
                batch_size=self._together(model),
                activation_fn=nn.Identity(),
                show_progress_bar=False,
                convert_to_tensor=True,
            ),
            list(pairs),
        )
        logits = found.float()
        values: list[float] = (logits[:, 1] - logits[:, 0] if logits.ndim == 2 else logits).tolist()
        return values

    def _scores(self, raw: list[float], cut: Mapping[int, int]) -> Scores:
        report = Report(truncated=cut)
        if self.activation is None:
            return Scores(raw, report=report)
        from torch import sigmoid, tensor

        return Scores(sigmoid(tensor(raw)).tolist(), order=raw, report=report)


def _cut(model: Model, job: Job) -> dict[int, int]:
    """Return how many tokens are cut from each pair; nothing is known of models that are prompted in their own way."""
    if len(model) > 1:
        return {}
    tokenizer: Any = model.tokenizer
    return tokens_cut(tokenizer, model.max_seq_length or 2**31, [job.query] * len(job.texts), job.texts)


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
