"""A cross-encoder: a model that reads query and text together."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyrank._families import deaf, prepared, read_out
from anyrank._library import LibraryModel
from anyrank._local import Job
from anyrank._pair_reader import PairReader
from anyrank._prompts import template_of
from anyrank.errors import ArgumentError, ModelError
from anyrank.ranking import Report
from anyrank.scorer import Candidates, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyrank._fit import Fitted
    from anyrank._images import ImageLoader

__all__ = ["CrossEncoder"]

KINDS: Final = {None: "logit", "sigmoid": "probability", "model": "similarity"}
"""The activations, and the kind of score that each shows."""


@dataclass(eq=False)
class CrossEncoder(LibraryModel[PairReader]):
    """Any model that ``sentence_transformers.CrossEncoder`` loads and whose read-out means something.

    The raw logit is shown and decides the order; with ``activation="sigmoid"`` the shown score is a probability while
    the logit still decides, so that scores which saturate do not tie; ``"model"`` shows what the library's ``predict``
    does, behind the activation that the model was saved with. A two-label head gives logit(1) - logit(0), with label 1
    as "relevant".

    A language model is asked and read as its repository says (``modules.json``), or as ``template`` does: the name of
    a family ("qwen3", "mxbai-v2", "zerank", "bge-gemma", "ctxl-v2", "nemotron"), "pair" for a head that was trained
    on bare pairs, or a mapping of one's own: a ``prompt`` with ``{query}``, ``{document}`` and, for a model that takes
    one, ``{instruction}``; the tokens, or their ids, that mean ``yes`` and ``no`` (the score is logit(yes) -
    logit(no), or logit(yes) without ``no``); where wanted, the default ``instruction``, another prompt for when one is
    given (``instructed``), the ``temperature`` that divides the logit before a sigmoid, and ``max_length``.
    ``instruction`` tells a model that takes one what relevant means.

    What does not fit ``max_length`` is cut from the text, and from a query that takes over three quarters of it, never
    from the prompt; ``report.truncated`` and ``report.query_truncated`` tell how much.

    ``modalities=("text", "image")`` lets a model that can read images score `anyrank.Image` documents. It has to be
    said because it is asked before the first call, and a repository tells it only once it is here. Only data URIs are
    read; ``load_image``, a function from a URL to an image of Pillow or the bytes of a file, reads others.

    A head that the checkpoint does not hold, a head of more labels, a language model nobody says how to ask, an
    instruction that it would not heed and images that it cannot read raise `ModelError` at the first call or at
    ``warm_up``. The other options are those of `LibraryModel`.
    """

    name: ClassVar[str] = "cross_encoder"

    activation: str | None = None
    template: str | Mapping[str, Any] | None = None
    instruction: str | None = None
    modalities: Sequence[str] = ("text",)
    load_image: ImageLoader | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        super().__post_init__()
        self._one_of("activation", tuple(KINDS))
        self.modalities = tuple(self.modalities or ())
        if "text" not in self.modalities or set(self.modalities) - {"text", "image"}:
            msg = f"modalities= is ('text',), or ('text', 'image'); got {self.modalities!r:.80}"
            raise ArgumentError(msg)
        template_of(self.template)
        if self.instruction is not None and not (isinstance(self.instruction, str) and self.instruction.strip()):
            msg = f"instruction= is a sentence, or None for the model's own; got {self.instruction!r:.80}"
            raise ArgumentError(msg)

    @property
    def score_kind(self) -> str:
        """``logit``, or what its activation makes of it; the one that a model was saved with may be any."""
        return KINDS[self.activation]

    @property
    def spec(self) -> str | dict[str, Any] | None:  # type: ignore[override]  # a function cannot be written down
        """The spec that `anyrank.load` reads; None with ``load_image``."""
        return super().spec if self.load_image is None else None

    def _load(self) -> PairReader:
        model: Any = self._open("CrossEncoder", max_length=self.max_length)
        template = prepared(self._place, model, template_of(self.template), self.instruction)
        if template is not None and template.max_length is not None and self.max_length is None:
            model.max_seq_length = min(template.max_length, model.max_seq_length or template.max_length)
        reader = PairReader(model, template, self.instruction if template is None else None, self.load_image)
        if reader.instruction and not reader.heeds(reader.instruction):
            raise ModelError(deaf(self.model))
        if "image" in self.modalities and not reader.sees:
            msg = f"{self.model!r} cannot read images: leave modalities= at its default, or use a model that can"
            raise ModelError(msg)
        if read_out(model) is None or self.backend == "openvino" or self.dtype == "int8":  # torch runs language models
            self._accelerated(model)
        return reader

    def _score(self, model: PairReader, query: str, texts: Candidates) -> Scores:
        return self._score_all(model, [Job(query, texts)])[0]

    def _score_all(self, model: PairReader, jobs: Sequence[Job]) -> list[Scores]:
        fits = [model.fit(job.query, job.texts) for job in jobs]
        logits = iter(model.logits([pair for fit in fits for pair in fit.pairs], self._together(model)))
        return [self._scores(model, list(islice(logits, len(fit.pairs))), fit) for fit in fits]

    def _scores(self, model: PairReader, raw: list[float], fit: Fitted) -> Scores:
        report = Report(truncated=fit.cut, query_truncated=fit.query_cut)
        if self.activation is None:
            return Scores(raw, report=report)
        return Scores(model.shown(raw, saved=self.activation == "model"), order=raw, report=report)


scorer = CrossEncoder
