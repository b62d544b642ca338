"""Any anyrank scorer as a LlamaIndex node postprocessor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr, SecretStr
from llama_index.core.instrumentation.events.rerank import ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle

from anyrank.adapter import ApiKey, HostLifecycle, HostReranker, OnReport, RerankerLike, StepLike
from anyrank.errors import ArgumentError

from ._trace import dispatcher, query_str, rerank_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anyrank import Ranking

__all__ = ["AnyRankPostprocessor"]

RETRIEVAL_SCORE: Final = "retrieval_score"
"""The metadata key that ``keep_retrieval_score`` writes, the one LlamaIndex's own rerankers use."""


class AnyRankPostprocessor(HostLifecycle, BaseNodePostprocessor):
    """Reranks nodes: the most relevant to the query first, each with the scorer's score.

    A rename around `anyrank.adapter.HostReranker`. What is scored is a node's text as embedding models see it
    (``MetadataMode.EMBED``); a node without text counts as ``""``. The nodes themselves are handed on as they are, in
    new `NodeWithScore` objects; the caller's list and its scores stay untouched. Equal scores keep their order.

    ``scorer`` is a spec (``"lexical"``, ``"cross_encoder:BAAI/bge-reranker-v2-m3"``, a mapping for compositions), a
    scorer object, a function ``(query, texts) -> floats``, an `anyrank.Reranker` or an `anyrank.Cascade`.
    ``scorer_options`` and ``api_key`` (str or `SecretStr`) go with a spec. ``top_n`` is how many nodes come back at
    most, ``score_threshold`` the lowest score they may have, inclusive; None keeps all, or a wrapped reranker's own.
    ``then`` lists steps before that cut: functions from ranking to ranking, or specs of `anyrank.diversity` such as
    ``"dedupe"`` and ``{"cap": {"by": "file_name", "per_group": 2}}``. Their fields are those of the node's metadata
    (and ``"id"``, ``"ref_doc_id"``, ``"embedding"``), their text is the node's without metadata.
    ``keep_retrieval_score`` copies each node and writes the score it came with into ``metadata["retrieval_score"]``,
    hidden from prompts and embeddings. ``on_report`` is called with the `anyrank.Report` of every call.

    `to_dict`, `to_json` and pickle write down the settings: never key, report function, callbacks or loaded model.
    The settings cannot be changed afterwards. Raises `anyrank.errors.ArgumentError` (a `ValueError`) and its kind for
    settings that cannot be right; nothing is loaded before the first call with nodes, or `warm_up`.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    scorer: Any = Field(frozen=True, description="A spec, scorer object, function or reranker.")
    scorer_options: dict[str, Any] | None = Field(default=None, frozen=True, description="Options of a spec's scorer.")
    top_n: int | None = Field(default=None, frozen=True, description="How many nodes come back at most.")
    score_threshold: float | None = Field(default=None, frozen=True, description="The lowest score, inclusive.")
    then: list[Any] | None = Field(default=None, frozen=True, description="Steps before the cut: specs or functions.")
    keep_retrieval_score: bool = Field(
        default=False, strict=True, frozen=True, description="Whether to keep the incoming score in the metadata."
    )
    _host: HostReranker = PrivateAttr()

    def __init__(  # noqa: PLR0913 - LlamaIndex configures a postprocessor by flat keywords
        self,
        scorer: RerankerLike,
        *,
        scorer_options: Mapping[str, Any] | None = None,
        api_key: ApiKey | SecretStr | None = None,
        top_n: int | None = None,
        score_threshold: float | None = None,
        then: Sequence[StepLike] | None = None,
        keep_retrieval_score: bool = False,
        on_report: OnReport | None = None,
        **host: Any,
    ) -> None:
        reranker = HostReranker(  # first: it does not take True for 1 or "3" for 3, as pydantic would
            scorer,
            scorer_options=scorer_options,
            api_key=_hidden(api_key),
            top_n=top_n,
            score_threshold=score_threshold,
            then=then,
            fields_of=_fields,
            on_report=on_report,
        )
        settings: dict[str, Any] = {
            "scorer": scorer,
            "scorer_options": scorer_options,
            "top_n": top_n,
            "score_threshold": score_threshold,
            "then": then,
            "keep_retrieval_score": keep_retrieval_score,
        }
        super().__init__(**settings, **host)
        self._host = reranker

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex writes this class down."""
        return "AnyRankPostprocessor"

    @dispatcher.span
    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        start = self._start(nodes, query_bundle)
        with rerank_events(start, self.callback_manager) as end:
            ranking = self._host.rerank(query_str(start), nodes, text=_text, first_stage=_scores(nodes))
            return end(self._scored(ranking), ranking.report)

    @dispatcher.span  # by hand: the host's mixin gives a span only to what is abstract in its base class
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        start = self._start(nodes, query_bundle)
        with rerank_events(start, self.callback_manager) as end:
            ranking = await self._host.arerank(query_str(start), nodes, text=_text, first_stage=_scores(nodes))
            return end(self._scored(ranking), ranking.report)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy. Raises `ArgumentError` for a new setting: they are fixed, and the key is in no field."""
        if update and not update.keys() <= {"callback_manager"}:
            msg = f"the settings of {type(self).__name__} are fixed: build a new one with {', '.join(update)}"
            raise ArgumentError(msg)
        return super().model_copy(update=update, deep=deep)

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Return the settings as plain JSON values, for `from_dict`: never the key.

        Raises `anyrank.errors.SpecError` (a `ValueError`), naming the object, when ``scorer`` or a step is a live one.
        """
        return {**super().to_dict(**kwargs), **self._host.written()}

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {name: value for name, value in self if name != "callback_manager"}
        return partial(type(self), **settings), ()

    def _start(self, nodes: list[NodeWithScore], query: QueryBundle | str | None) -> ReRankStartEvent:
        if query is None:
            msg = f"{type(self).__name__} needs the query: pass query_bundle= or query_str="
            raise ArgumentError(msg)
        top_n = self._host.top_n or len(nodes)  # the event must have a number
        return ReRankStartEvent(query=query, nodes=nodes, top_n=top_n, model_name=self._host.model_name)

    def _scored(self, ranking: Ranking[NodeWithScore]) -> list[NodeWithScore]:
        node = _with_retrieval_score if self.keep_retrieval_score else _node
        return [NodeWithScore(node=node(hit.document), score=hit.score) for hit in ranking]


def _hidden(api_key: ApiKey | SecretStr | None) -> ApiKey | None:
    """Return the key as a function, whose repr does not show it."""
    secret = SecretStr(api_key) if isinstance(api_key, str) else api_key
    return secret.get_secret_value if isinstance(secret, SecretStr) else secret


def _text(found: NodeWithScore) -> str:
    return found.node.get_content(metadata_mode=MetadataMode.EMBED)


def _fields(found: NodeWithScore) -> dict[str, Any]:
    """Return what steps look field names up in."""
    node = found.node
    own = {"id": node.node_id, "ref_doc_id": node.ref_doc_id, "embedding": node.embedding}
    return {**own, **node.metadata, "text": node.get_content(metadata_mode=MetadataMode.NONE)}


def _scores(nodes: Iterable[NodeWithScore]) -> list[float | None]:
    return [found.score for found in nodes]


def _node(found: NodeWithScore) -> BaseNode:
    return found.node


def _with_retrieval_score(found: NodeWithScore) -> BaseNode:
    """Return a copy of the node that knows the score it came with, and shows it to no model."""
    node = found.node
    return node.model_copy(
        update={
            "metadata": {**node.metadata, RETRIEVAL_SCORE: found.score},
            "excluded_llm_metadata_keys": _including(node.excluded_llm_metadata_keys),
            "excluded_embed_metadata_keys": _including(node.excluded_embed_metadata_keys),
        }
    )


def _including(excluded: list[str]) -> list[str]:
    return excluded if RETRIEVAL_SCORE in excluded else [*excluded, RETRIEVAL_SCORE]
