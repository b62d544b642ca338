"""What the classes here share: settings that are fixed, and one traced run a call."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self, TypeVar

from langchain_core.documents import Document
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config
from pydantic import BaseModel, ConfigDict

from anyrank.adapter import checked_top_n
from langchain_anyrank._documents import scored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.callbacks import AsyncCallbackManagerForChainRun, CallbackManagerForChainRun

    from anyrank import Ranking, Report

Given = TypeVar("Given")


class Settled(BaseModel):  # noqa: PLW1641 - pydantic gives what is frozen its hash
    """Settings that are looked at when the object is built, and fixed from then on. Two with the same are equal.

    A misspelt setting is an error, and no error repeats what was passed, which may hold a key. To be named last among
    the bases, so that its config goes before theirs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; with ``update``, one that is built anew, so that it is checked and all settings hold."""
        copied = super().model_copy(deep=deep)
        return type(self)(**{**dict(copied), **update}) if update else copied

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and dict(self) == dict(other)


class RankingRunnable(Runnable[Given, list[Document]]):
    """A Runnable that ranks: one nested run of type ``retriever`` a call, with the report in its metadata."""

    @abstractmethod
    def _rank(self, given: Given, *, k: int | None) -> Ranking[Document]:
        """Rank what was given, at most ``k`` documents of it."""

    @abstractmethod
    async def _arank(self, given: Given, *, k: int | None) -> Ranking[Document]:
        """Rank as `_rank` does, without blocking the event loop."""

    @property
    @abstractmethod
    def _model_name(self) -> str:
        """What the trace shows as the model."""

    def invoke(
        self,
        input: Given,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        k: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return new documents, best first, the score in ``metadata["relevance_score"]``.

        ``k`` overrides ``top_n`` for this call. Raises `anyrank.AnyRankError` for bad input, and whatever a scorer
        raises.
        """
        return self._call_with_config(self._answer, input, self._traced(config), "retriever", k=k, **kwargs)

    async def ainvoke(
        self,
        input: Given,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        k: int | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return what `invoke` does, without blocking the event loop."""
        return await self._acall_with_config(self._aanswer, input, self._traced(config), "retriever", k=k, **kwargs)

    def _answer(self, given: Given, run_manager: CallbackManagerForChainRun, *, k: int | None = None) -> list[Document]:
        ranking = self._rank(given, k=checked_top_n(k, "k"))
        _note(ranking.report, run_manager)
        return scored(ranking)

    async def _aanswer(
        self, given: Given, run_manager: AsyncCallbackManagerForChainRun, *, k: int | None = None
    ) -> list[Document]:
        ranking = await self._arank(given, k=checked_top_n(k, "k"))
        _note(ranking.report, run_manager)
        return scored(ranking)

    def _traced(self, config: RunnableConfig | None) -> RunnableConfig:
        config = ensure_config(config)
        known = {"ls_provider": "anyrank", "ls_model_name": self._model_name}
        config["metadata"] = {**(config.get("metadata") or {}), **known}
        return config


def _note(report: Report, run_manager: CallbackManagerForChainRun | AsyncCallbackManagerForChainRun) -> None:
    """Put the report where the run's end shows it: handlers share the run's metadata; LangSmith may keep a copy."""
    from langsmith.run_helpers import get_current_run_tree

    run_manager.metadata["anyrank"] = plain = report.to_dict()
    tree = get_current_run_tree()
    if tree is not None and tree.id == run_manager.run_id:
        tree.metadata["anyrank"] = plain
