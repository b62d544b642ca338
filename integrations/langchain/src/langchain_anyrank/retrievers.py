"""Retrievers over other retrievers: one reranks, one fuses."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, RetrieverLike
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config, patch_config
from langchain_core.runnables.config import get_executor_for_config
from pydantic import AliasChoices, Field, PlainValidator, PrivateAttr, SkipValidation, model_validator

from anyrank.adapter import aeach, checked_top_n
from langchain_anyrank._run import Settled
from langchain_anyrank.compressor import AnyRankCompressor
from langchain_anyrank.fusion import Fusion

ConfigOfPart = Callable[..., RunnableConfig]
"""Gives the config of a part's run: the caller's, nested in ours, with a tag if one is passed."""


class _OverRetrievers(BaseRetriever, Settled):
    """What both share: ``top_n``, also called ``k``, and the caller's whole config, which LangChain keeps to itself."""

    top_n: SkipValidation[int | None] = Field(default=None, validation_alias=AliasChoices("top_n", "k"))

    @abstractmethod
    def _find(self, query: str, config_of: ConfigOfPart, k: int | None) -> list[Document]:
        """Ask the parts, and return at most ``k`` documents, best first."""

    @abstractmethod
    async def _afind(self, query: str, config_of: ConfigOfPart, k: int | None) -> list[Document]:
        """Find as `_find` does, without blocking the event loop."""

    def invoke(
        self,
        input: str,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        k: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return new documents for a query, best first. ``k`` overrides ``top_n`` for this call."""
        return super().invoke(input, config, outer=ensure_config(config), k=k, **kwargs)

    async def ainvoke(
        self,
        input: str,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        k: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return what `invoke` does, without blocking the event loop."""
        return await super().ainvoke(input, config, outer=ensure_config(config), k=k, **kwargs)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, **outer: Any
    ) -> list[Document]:
        return self._find(query, _config_of(run_manager, **outer), self.top_n if k is None else k)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None, **outer: Any
    ) -> list[Document]:
        return await self._afind(query, _config_of(run_manager, **outer), self.top_n if k is None else k)


def _config_of(
    run_manager: CallbackManagerForRetrieverRun | AsyncCallbackManagerForRetrieverRun,
    outer: RunnableConfig | None = None,
) -> ConfigOfPart:
    return lambda tag=None: patch_config(outer, callbacks=run_manager.get_child(tag))


def _reranker(given: Any) -> Runnable[Any, list[Document]]:
    return given if isinstance(given, Runnable) else AnyRankCompressor(scorer=given)


class RerankRetriever(_OverRetrievers):
    """Asks ``retriever``, then reranks what it found.

    ``retriever`` is any Runnable from a query to documents. ``reranker`` is an `AnyRankCompressor`, another Runnable
    over ``{"query", "documents"}`` (a compressor ``.with_retry()``; with ``top_n``, one that takes ``k``), or whatever
    an `AnyRankCompressor` takes as ``scorer=``, which then becomes one. ``top_n`` (LangChain's ``k``) None keeps the
    reranker's own.

    Unlike ``ContextualCompressionRetriever`` it passes the whole config on: callbacks, tags, metadata, configurable.
    Raises pydantic's ``ValidationError``, a ``ValueError``, at construction.
    """

    retriever: RetrieverLike
    reranker: Annotated[Any, PlainValidator(_reranker)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        checked_top_n(self.top_n, "top_n")
        return self

    def _find(self, query: str, config_of: ConfigOfPart, k: int | None) -> list[Document]:
        given = {"query": query, "documents": self.retriever.invoke(query, config_of())}
        return self.reranker.invoke(given, config_of(), **_limit(k))  # type: ignore[no-any-return]  # see _reranker

    async def _afind(self, query: str, config_of: ConfigOfPart, k: int | None) -> list[Document]:
        given = {"query": query, "documents": await self.retriever.ainvoke(query, config_of())}
        return await self.reranker.ainvoke(given, config_of(), **_limit(k))  # type: ignore[no-any-return]  # as above


def _limit(k: int | None) -> dict[str, int]:
    """Return the keyword for a reranker that may know no ``k``."""
    return {} if k is None else {"k": k}


class FusionRetriever(_OverRetrievers):
    """Asks all ``retrievers`` at the same time, in sync code too, then fuses their lists as `Fusion` does.

    ``retrievers`` are Runnables from a query to documents, by name; ``weights`` are for exactly these names (None:
    equal). ``method``, ``parameters`` and ``top_n`` (LangChain's ``k``) are those of `Fusion`. In a trace each
    retriever's run is tagged with its name. The first error of a retriever is raised.

    Raises pydantic's ``ValidationError``, a ``ValueError``, at construction.
    """

    retrievers: Annotated[dict[str, RetrieverLike], Field(min_length=1)]
    weights: Mapping[str, SkipValidation[float]] | None = None
    method: str = "rrf"
    parameters: Mapping[str, Any] | None = None

    _fusion: Fusion = PrivateAttr()

    @model_validator(mode="after")
    def _build(self) -> Self:
        self._fusion = Fusion(weights=self.weights, method=self.method, parameters=self.parameters, top_n=self.top_n)
        self._fusion.expect(self.retrievers)
        return self

    def _find(self, query: str, config_of: ConfigOfPart, k: int | None) -> list[Document]:
        configs = [config_of(name) for name in self.retrievers]
        with get_executor_for_config(config_of()) as executor:
            lists = list(executor.map(lambda one, config: one.invoke(query, config), self.retrievers.values(), configs))
        return self._fusion.invoke(dict(zip(self.retrievers, lists, strict=True)), config_of(), k=k)

    async def _afind(self, query: str, config_of: ConfigOfPart, k: int | None) -> list[Document]:
        async def ask(name: str) -> list[Document]:
            return await self.retrievers[name].ainvoke(query, config_of(name))

        lists = await aeach(ask, self.retrievers, config_of().get("max_concurrency"))
        return await self._fusion.ainvoke(dict(zip(self.retrievers, lists, strict=True)), config_of(), k=k)
