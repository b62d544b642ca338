"""RedisVL's own three rerankers, with its names, arguments and defaults, over anyrank's scorers."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Unpack

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer

from anyrank.adapter import HostReranker, OnReport, checked_top_n
from anyrank.errors import ArgumentError
from anyrank_redisvl._call import CONTENT, InputTypeError, Ranked, RankOptions, Record, checked_flag
from anyrank_redisvl.base import SharedReranker

if TYPE_CHECKING:
    from anyrank.text import TextOf

MINI_LM: Final = "cross-encoder/ms-marco-MiniLM-L-6-v2"


class CohereRankOptions(RankOptions, total=False):
    """The keywords of one call of `CohereReranker`."""

    max_chunks_per_doc: int | None


class VoyageRankOptions(RankOptions, total=False):
    """The keywords of one call of `VoyageAIReranker`."""

    truncation: bool | None


class DropIn(SharedReranker):
    """What RedisVL's rerankers share here: ``options`` go to the scorer, and stand beside the fields in a dump."""

    options: dict[str, Any] = Field(default_factory=dict, frozen=True)

    @model_serializer(mode="wrap")
    def _flat(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _flattened(write(self))

    def _settings(self) -> dict[str, Any]:
        return _flattened(dict(self))


class HFCrossEncoderReranker(DropIn):
    """Reranks with a cross-encoder from Hugging Face, on this machine; in place of RedisVL's class of this name.

    Scores are those of ``CrossEncoder.predict``: behind the model's own activation, which for most models is a
    sigmoid. Strings come back as ``{"content": string}``. Beyond RedisVL: ``rank_by``, which here works as everywhere,
    ``on_report``, and ``options``, those of the scorer ``cross_encoder`` (``device``, ``max_length``, ``batch_size``,
    ``revision``, …). ``model_name`` is another word for ``model``.

    The model is loaded at the first call with documents, or by ``warm_up``. Raises `anyrank.errors.ArgumentError` and
    its kind, or pydantic's ``ValidationError`` (both a ``ValueError``), for settings that cannot be right; a call also
    raises `ModelError` for a model that is no reranker.
    """

    _wraps: ClassVar[bool] = True

    def __init__(
        self,
        model: str = MINI_LM,
        limit: int | None = 3,
        return_score: bool = True,  # noqa: FBT001, FBT002 - RedisVL's order of arguments
        *,
        rank_by: str | Sequence[str] | None = None,
        model_name: str | None = None,
        on_report: OnReport | None = None,
        **options: Any,
    ) -> None:
        if model_name is not None and model not in (MINI_LM, model_name):
            msg = f"model={model!r} and model_name={model_name!r} are two names for one thing: give one"
            raise ArgumentError(msg)
        model = model_name or model
        spec = {"cross_encoder": {"activation": "model", **options, "model": model}}
        super().__init__(model=model, rank_by=rank_by, limit=limit, return_score=return_score, options=options)
        self._host = HostReranker(spec, on_report=on_report)


class ServiceReranker(DropIn):
    """A reranker behind an API; one of its scorer's options may also be given by call.

    A class says its scorer, the variable in which RedisVL looks for the key, and the model unless one is named.
    """

    _spec: ClassVar[str]
    _variable: ClassVar[str]
    _usual: ClassVar[str]

    _build: Callable[..., HostReranker] = PrivateAttr()
    _others: dict[Any, HostReranker] = PrivateAttr(default_factory=dict)

    def __init__(
        self,
        model: str | None = None,
        rank_by: str | Sequence[str] | None = None,
        limit: int | None = 5,
        return_score: bool = True,  # noqa: FBT001, FBT002 - RedisVL's order of arguments
        api_config: Mapping[str, Any] | None = None,
        *,
        on_report: OnReport | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(api_config, Mapping | None):
            msg = f"api_config must be a dict, such as {{'api_key': …}}; got a {type(api_config).__name__}"
            raise InputTypeError(msg)
        model = self._usual if model is None else model
        options = {**(api_config or {}), **options}
        key = options.pop("api_key", None)
        key = partial(os.environ.get, self._variable) if key is None else key
        spec = f"{self._spec}:{model}"
        super().__init__(model=model, rank_by=rank_by, limit=limit, return_score=return_score, options=options)

        def build(**by_call: Any) -> HostReranker:
            return HostReranker(spec, scorer_options={**options, **by_call}, api_key=key, on_report=on_report)

        self._build, self._host = build, build()

    def _with(self, option: str, value: Any) -> HostReranker:
        """Return the reranker whose scorer has this option, for None the usual one; it is kept for further calls."""
        if value is None:
            return self._host
        if value not in self._others:
            self._others.setdefault(value, self._build(**{option: value}))
        return self._others[value]

    def close(self) -> None:
        """Let go of the connections."""
        super().close()
        for host in self._others.values():
            host.close()

    async def aclose(self) -> None:
        """Let go of the connections, and wait for those of this event loop."""
        await super().aclose()
        for host in self._others.values():
            await host.aclose()


class CohereReranker(ServiceReranker):
    """Reranks with Cohere's API, version 1; in place of RedisVL's class of this name.

    ``model`` is ``rerank-english-v3.0`` unless said. ``api_config`` may hold ``api_key``, else ``COHERE_API_KEY`` or
    ``CO_API_KEY`` counts; what else it holds, and ``options``, are options of the scorer ``cohere_v1`` (``base_url``,
    ``timeout``, ``max_retries``, …). The fields of ``rank_by`` are joined here and sent as one text; without it that
    is ``content``. ``on_report`` is called with the `anyrank.Report` of every call.

    A missing key is a `SettingError` at the first call with documents, not at construction. Raises
    `anyrank.errors.ArgumentError` and its kind, or pydantic's ``ValidationError`` (both a ``ValueError``), for settings
    that cannot be right; a call raises `ProviderError` and its kind.
    """

    _spec: ClassVar[str] = "cohere_v1"
    _variable: ClassVar[str] = "COHERE_API_KEY"
    _usual: ClassVar[str] = "rerank-english-v3.0"
    _known: ClassVar[frozenset[str]] = CohereRankOptions.__optional_keys__

    def rank(self, query: str, docs: Sequence[Record | str], **options: Unpack[CohereRankOptions]) -> Ranked:
        """Return what `AnyRankReranker.rank` does; ``max_chunks_per_doc`` bounds what Cohere reads of a document."""
        return self._rank(query, docs, options)

    async def arank(self, query: str, docs: Sequence[Record | str], **options: Unpack[CohereRankOptions]) -> Ranked:
        """Return what `rank` does, without blocking the event loop."""
        return await self._arank(query, docs, options)

    def _asked(self, options: Mapping[str, Any]) -> HostReranker:
        name = "max_chunks_per_doc"
        return self._with(name, checked_top_n(options.get(name), name))


class VoyageAIReranker(ServiceReranker):
    """Reranks with Voyage AI's API; in place of RedisVL's class of this name.

    ``model`` is ``rerank-2.5`` unless said. ``api_config`` may hold ``api_key``, else ``VOYAGE_API_KEY`` counts; what
    else it holds, and ``options``, are options of the scorer ``voyage`` (``base_url``, ``timeout``, ``max_retries``,
    …). Without ``rank_by``, a document is its ``content``, or, where it has none, all its fields as ``name: value``.
    ``on_report`` is called with the `anyrank.Report` of every call.

    A missing key is a `SettingError` at the first call with documents, not at construction. Raises what
    `CohereReranker` does.
    """

    _spec: ClassVar[str] = "voyage"
    _variable: ClassVar[str] = "VOYAGE_API_KEY"
    _usual: ClassVar[str] = "rerank-2.5"
    _known: ClassVar[frozenset[str]] = VoyageRankOptions.__optional_keys__

    def rank(self, query: str, docs: Sequence[Record | str], **options: Unpack[VoyageRankOptions]) -> Ranked:
        """Return what `AnyRankReranker.rank` does; ``truncation`` says whether Voyage may cut long texts."""
        return self._rank(query, docs, options)

    async def arank(self, query: str, docs: Sequence[Record | str], **options: Unpack[VoyageRankOptions]) -> Ranked:
        """Return what `rank` does, without blocking the event loop."""
        return await self._arank(query, docs, options)

    def _asked(self, options: Mapping[str, Any]) -> HostReranker:
        value = options.get("truncation")
        return self._with("truncation", None if value is None else checked_flag(value, "truncation"))

    def _unnamed(self, records: Sequence[Record]) -> "TextOf[Record]":  # noqa: ARG002 - each record speaks for itself
        return _content_or_all


def _flattened(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a drop-in's settings as its constructor takes them: the options beside the rest."""
    options = settings.pop("options", {})
    return {**settings, **options}


def _content_or_all(record: Record) -> Any:
    """Return the content, or all fields of a record without one, as the guide's last example needs."""
    if CONTENT in record:
        return record[CONTENT]
    return "\n".join(f"{name}: {value}" for name, value in record.items() if isinstance(value, (str, int, float)))
