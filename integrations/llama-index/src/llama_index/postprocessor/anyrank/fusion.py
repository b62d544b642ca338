"""Several LlamaIndex retrievers as one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from anyrank.adapter import aeach, each, host_ranking
from anyrank.errors import FusionError
from anyrank.fusion import Fuser

from ._trace import dispatcher

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from anyrank import Ranking

__all__ = ["FusionRetriever"]


class FusionRetriever(BaseRetriever):
    """Asks several named retrievers at the same time and fuses what they find: `anyrank.fuse`. No LLM is involved.

    ``method`` is one of `anyrank.fusion.METHODS`, ``parameters`` its own (``{"k": 60}``), ``weights`` go by the names
    of the retrievers and are used as given (None: equal); ``top_n`` is how many nodes come back at most. Each list
    counts in the order in which its retriever gave it; only methods that read scores look at them, and refuse
    missing or rising ones. Nodes with the same ``node_id`` are one: the copy from the first retriever, in the order
    of the weights, survives. It comes in a new `NodeWithScore`; what the retrievers gave stays untouched.

    Retrievers with an ``_aretrieve`` of their own are awaited, the others asked in threads. What a retriever raises
    is raised. ``host`` are `BaseRetriever`'s own arguments, such as ``callback_manager``. Raises
    `anyrank.errors.FusionError` (a `ValueError`) for an unknown method, parameter or name, or a bad weight.
    """

    def __init__(
        self,
        retrievers: Mapping[str, BaseRetriever],
        *,
        method: str = "rrf",
        weights: Mapping[str, float] | None = None,
        parameters: Mapping[str, Any] | None = None,
        top_n: int | None = None,
        **host: Any,
    ) -> None:
        super().__init__(**host)
        self._retrievers: Final = _named(retrievers)
        self._fuser: Final = Fuser(method, weights=weights, parameters=parameters or {}, top_n=top_n)
        self._fuser.expect(self._retrievers)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._fused(each(lambda one: one.retrieve(query_bundle), self._retrievers.values(), limit=None))

    @dispatcher.span
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        asked = self._retrievers.values()
        return self._fused(await aeach(lambda one: _aretrieved(one, query_bundle), asked, limit=None))

    def _fused(self, lists: Sequence[Sequence[NodeWithScore]]) -> list[NodeWithScore]:
        named = zip(self._retrievers, lists, strict=True)
        rankings = {name: host_ranking(found, (node.score for node in found)) for name, found in named}
        fused: Ranking[NodeWithScore] = self._fuser.fuse(rankings, key=_node_id)
        return [NodeWithScore(node=hit.document.node, score=hit.score) for hit in fused]


def _named(retrievers: Mapping[str, BaseRetriever]) -> dict[str, BaseRetriever]:
    """Return the retrievers by name, all of them known to be retrievers."""
    if not isinstance(retrievers, Mapping) or not retrievers:
        msg = f"retrievers must be a dict with a name for each, {{'bm25': …, 'dense': …}}; got {retrievers!r:.80}"
        raise FusionError(msg)
    for name, retriever in retrievers.items():
        if not isinstance(retriever, BaseRetriever):
            msg = f"retriever {name!r} is a {type(retriever).__name__}, no retriever; an index has as_retriever()"
            raise FusionError(msg)
    return dict(retrievers)


def _node_id(found: NodeWithScore) -> str:
    return found.node_id


def _aretrieved(retriever: BaseRetriever, query: QueryBundle) -> Coroutine[Any, Any, list[NodeWithScore]]:
    """Ask a retriever on the event loop; without an ``_aretrieve`` of its own the host's would block it."""
    if type(retriever)._aretrieve is BaseRetriever._aretrieve:  # noqa: SLF001 - the host's own extension point
        return asyncio.to_thread(retriever.retrieve, query)
    return retriever.aretrieve(query)
