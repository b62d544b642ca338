"""Any scorer as a RedisVL reranker."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, FieldSerializationInfo, SkipValidation, field_serializer

from anyrank.adapter import ApiKey, HostReranker, OnReport, RerankerLike, StepLike
from anyrank_redisvl._call import fields_of
from anyrank_redisvl.base import SharedReranker


class AnyRankReranker(SharedReranker):
    """Orders query results by their relevance, as any anyrank scorer sees it.

    ``scorer`` is a spec such as ``"lexical"`` or ``"cross_encoder:BAAI/bge-reranker-v2-m3"``, with
    ``scorer_options`` and ``api_key`` for it; or a scorer object, a function ``(query, texts) -> floats``, an
    `anyrank.Reranker` or an `anyrank.Cascade`, without them. ``rank_by`` names the field, or the fields, whose text
    is scored, joined by line ends; without it, that is ``content``. ``limit`` documents come back at most (None: all,
    or the wrapped reranker's own number), of those that score at least ``score_threshold``, with their scores unless
    ``return_score`` is False. ``then`` lists steps before the cut: functions from ranking to ranking, or specs of
    `anyrank.diversity` such as ``"dedupe"`` and ``{"cap": {"by": "source", "per_group": 2}}``, which see a dict
    for each document, and as its text what is scored. ``on_report`` is called with the `anyrank.Report` of every call.

    The key is read when the scorer first needs it, models and clients come at `warm_up` or the first call.
    ``model_dump`` and ``model_dump_json`` write a spec and the settings down, never the key; a live scorer or step
    makes them raise a ``ValueError`` that names it. Raises `anyrank.errors.ArgumentError` and its kind, or pydantic's
    ``ValidationError``, which both are a ``ValueError``, for settings that cannot be right.
    """

    model: str = Field(frozen=True, exclude=True)
    scorer: SkipValidation[RerankerLike] = Field(frozen=True)
    scorer_options: SkipValidation[Mapping[str, Any] | None] = Field(frozen=True)
    score_threshold: SkipValidation[float | None] = Field(frozen=True)
    then: SkipValidation[Sequence[StepLike] | None] = Field(frozen=True)

    def __init__(  # noqa: PLR0913 - a reranker's settings, which its users write side by side
        self,
        scorer: RerankerLike,
        rank_by: str | Sequence[str] | None = None,
        limit: int | None = 3,
        return_score: bool = True,  # noqa: FBT001, FBT002 - RedisVL's order of arguments
        *,
        scorer_options: Mapping[str, Any] | None = None,
        api_key: ApiKey | None = None,
        score_threshold: float | None = None,
        then: Sequence[StepLike] | None = None,
        on_report: OnReport | None = None,
    ) -> None:
        host = HostReranker(
            scorer,
            scorer_options=scorer_options,
            api_key=api_key,
            score_threshold=score_threshold,
            then=then,
            fields_of=fields_of,
            on_report=on_report,
        )
        super().__init__(
            model=host.model_name,
            scorer=scorer,
            rank_by=rank_by,
            limit=limit,
            return_score=return_score,
            scorer_options=scorer_options,
            score_threshold=score_threshold,
            then=then,
        )
        self._host = host

    @field_serializer("scorer", "scorer_options", "then")
    def _written(self, _value: Any, info: FieldSerializationInfo) -> Any:
        return self._host.written().get(info.field_name)

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in self if name != "model"}
