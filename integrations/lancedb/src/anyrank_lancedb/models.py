"""LanceDB's rerankers with a model, by their names: its arguments and defaults, over anyrank's scorers.

Models and clients come at the first call with rows, a key is looked for then, and one that is given goes before the
environment's. ``scorer_options`` are further options of the scorer: ``{"base_url": …, "timeout": 10}`` of a hosted one,
``{"max_length": 512}`` of a cross-encoder. ``on_report`` is called with the `anyrank.Report` of every call. All raise
`anyrank.errors.ArgumentError`, a ``ValueError``, at construction.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyrank.errors import ArgumentError
from anyrank_lancedb.reranker import AnyRankReranker

if TYPE_CHECKING:
    from anyrank.adapter import ApiKey, OnReport
    from anyrank_lancedb._texts import Column
    from anyrank_lancedb.base import ReturnScore

MODEL_TYPES: Final = {
    "colbert": "late_interaction",
    "pylate": "late_interaction",
    "cross-encoder": "cross_encoder",
    "t5": "mono_t5",
    "rankgpt": "listwise:openai",
}
"""The scorers that stand for the model types of the package ``rerankers``."""


class _Named(AnyRankReranker):
    """What every reranker here has, wherever its arguments place it."""

    model_name: str
    return_score: ReturnScore = "relevance"
    top_n: int | None = None
    scorer_options: Mapping[str, Any] | None = None
    on_report: OnReport | None = None

    def __str__(self) -> str:
        return f"{type(self).__name__}(model_name={self.model_name})"

    def _build(self, scorer: str, options: Mapping[str, Any], api_key: ApiKey | None = None) -> None:
        """Build the scorer of this spec and model."""
        given = {} if self.scorer_options is None else self.scorer_options
        AnyRankReranker.__init__(
            self,
            f"{scorer}:{self.model_name}",
            self.column,
            return_score=self.return_score,
            top_n=self.top_n,
            scorer_options={**options, **given} if isinstance(given, Mapping) else given,
            api_key=api_key,
            on_report=self.on_report,
        )


@dataclass(eq=False)
class _Settings(_Named):
    """The settings that LanceDB's own classes lack."""

    _: KW_ONLY
    scorer_options: Mapping[str, Any] | None = None
    on_report: OnReport | None = None


@dataclass(eq=False)
class _Hosted(_Settings):
    """A rerank service, by the name of its scorer."""

    service: ClassVar[str]

    model_name: str
    column: Column = "text"
    top_n: int | None = None
    return_score: ReturnScore = "relevance"
    api_key: InitVar[ApiKey | None] = None

    def __post_init__(self, api_key: ApiKey | None) -> None:
        """Build the scorer, which looks for a key when it first needs one."""
        self._build(self.service, {}, api_key)


@dataclass(eq=False)
class CohereReranker(_Hosted):
    """Cohere, by version 1 of its API as LanceDB asks it; the key is ``api_key`` or in ``COHERE_API_KEY``."""

    service: ClassVar[str] = "cohere_v1"

    model_name: str = "rerank-english-v3.0"

    def __post_init__(self, api_key: ApiKey | None) -> None:
        """Build the scorer, whose own first variable for a key is the one of Cohere's client."""
        super().__post_init__(partial(os.environ.get, "COHERE_API_KEY") if api_key is None else api_key)


@dataclass(eq=False)
class JinaReranker(_Hosted):
    """Jina AI; the key is ``api_key`` or in ``JINA_API_KEY``."""

    service: ClassVar[str] = "jina"

    model_name: str = "jina-reranker-v2-base-multilingual"


@dataclass(eq=False)
class VoyageAIReranker(_Hosted):
    """Voyage AI; the key is ``api_key`` or in ``VOYAGE_API_KEY``. ``truncation`` cuts texts that are too long."""

    service: ClassVar[str] = "voyage"

    truncation: bool | None = True

    def __post_init__(self, api_key: ApiKey | None) -> None:
        """Build the scorer, which looks for a key when it first needs one."""
        self._build(self.service, {"truncation": self.truncation}, api_key)


@dataclass(eq=False)
class OpenaiReranker(_Settings):
    """A chat model of OpenAI that is asked for an order; the key is ``api_key`` or in ``OPENAI_API_KEY``.

    It answers with the texts' numbers. What it writes never becomes part of a row.
    """

    model_name: str = "gpt-4-turbo-preview"
    column: Column = "text"
    return_score: ReturnScore = "relevance"
    api_key: InitVar[ApiKey | None] = None

    def __post_init__(self, api_key: ApiKey | None) -> None:
        """Build the scorer, which looks for a key when it first needs one."""
        self._build("listwise:openai", {}, api_key)


@dataclass(eq=False)
class CrossEncoderReranker(_Settings):
    """A cross-encoder in this process; the score is what ``CrossEncoder.predict`` gives, behind the saved activation.

    ``device`` None takes a GPU where there is one, Apple's too. ``trust_remote_code``, LanceDB's default, is off: it
    runs code from the model's repository, and then wants the commit that you have read as ``revision``.
    """

    model_name: str = "cross-encoder/ms-marco-TinyBERT-L-6"
    column: Column = "text"
    device: str | None = None
    return_score: ReturnScore = "relevance"
    trust_remote_code: bool = False
    batch_size: int = 32
    _: KW_ONLY
    revision: str | None = None

    def __post_init__(self) -> None:
        """Build the scorer, which loads its model when it first needs it."""
        names = ("device", "trust_remote_code", "batch_size", "revision")
        self._build("cross_encoder", {"activation": "model", **{name: getattr(self, name) for name in names}})


@dataclass(eq=False)
class AnswerdotaiRerankers(_Settings):
    """A model of a kind that the package ``rerankers`` knows, by `MODEL_TYPES`; that package is not needed."""

    model_type: str = "colbert"
    model_name: str = "answerdotai/answerai-colbert-small-v1"
    column: Column = "text"
    return_score: ReturnScore = "relevance"
    _: KW_ONLY
    device: str | None = None

    def __post_init__(self) -> None:
        """Build the scorer. Raises `ArgumentError` for a kind of model that has no scorer here."""
        if self.model_type not in MODEL_TYPES:
            msg = (
                f"no scorer stands for model_type={self.model_type!r:.80}; known: {', '.join(MODEL_TYPES)}. "
                "AnyRankReranker takes any scorer that anyrank has"
            )
            raise ArgumentError(msg)
        self._build(MODEL_TYPES[self.model_type], {"device": self.device})


@dataclass(eq=False)
class ColbertReranker(_Settings):
    """A ColBERT model in this process; the score is its MaxSim."""

    model_name: str = "colbert-ir/colbertv2.0"
    column: Column = "text"
    return_score: ReturnScore = "relevance"
    _: KW_ONLY
    device: str | None = None

    def __post_init__(self) -> None:
        """Build the scorer, which loads its model when it first needs it."""
        self._build("late_interaction", {"device": self.device})
