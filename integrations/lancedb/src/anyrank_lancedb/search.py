"""Searches that give a reranker more candidates than come back, and that never block an event loop."""

from __future__ import annotations

from asyncio import get_running_loop, run, run_coroutine_threadsafe, to_thread, wrap_future
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextvars import copy_context
from copy import copy
from inspect import iscoroutine, iscoroutinefunction
from threading import Event, Thread
from typing import Any, TypeAlias

import lancedb.rerankers
import pyarrow as pa
from lancedb.query import AsyncVectorQuery, LanceVectorQueryBuilder

from anyrank.adapter import checked_top_n
from anyrank.errors import ArgumentError

Ask: TypeAlias = Callable[..., pa.Table]
"""Calls a reranker's method by its name."""


def rerank(
    query_builder: Any,
    reranker: lancedb.rerankers.Reranker,
    query: str | None = None,
    *,
    candidates: int | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pa.Table:
    """Run a search, rerank what it finds, and return ``limit`` rows after the first ``offset``.

    ``query_builder`` is a search of LanceDB's sync API: vector, full-text or hybrid. ``candidates`` is how many rows
    each of its lists gives the reranker; None is the search's own ``limit``, 10 if it has none. ``limit`` None returns
    all that LanceDB does, which of a hybrid search are as many rows, best first, not two lists of them. ``query`` is
    what the reranker is asked, by default what the search was asked, which for a search by vector is nothing.

    The search is left as it was. Raises `anyrank.errors.ArgumentError` for what is no search or no reranker, and for
    numbers that cannot be right.
    """
    page = _Page(candidates, limit, offset)

    def ask(method: str, *given: Any) -> pa.Table:
        return getattr(reranker, method)(*given)

    search = _attached(query_builder, _Asking(reranker, ask, query), page)
    if iscoroutinefunction(search.to_arrow):
        msg = f"rerank takes a search of LanceDB's sync API; got {_named(search)}: use `await arerank(…)`"
        raise ArgumentError(msg)
    return page.of(search.to_arrow())


async def arerank(
    query_builder: Any,
    reranker: lancedb.rerankers.Reranker,
    query: str | None = None,
    *,
    candidates: int | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pa.Table:
    """Run a search as `rerank` does, of LanceDB's async or sync API, without ever blocking the event loop.

    LanceDB calls a reranker where it stands: ``await search.rerank(reranker).to_arrow()`` holds the loop until the
    scores are there. Here the search waits in a thread of its own, and the reranker works on the running loop, by its
    async methods where it has any. Of an async search ``candidates`` stays the limit.
    """
    page, loop = _Page(candidates, limit, offset), get_running_loop()
    pending: list[Future[pa.Table]] = []
    over = Event()

    def ask(method: str, *given: Any) -> pa.Table:
        if over.is_set():  # given up while it searched, and the loop may be closed by now
            raise CancelledError
        pending.append(run_coroutine_threadsafe(_awaited(reranker, method, *given), loop))
        if over.is_set():  # given up before the line above was through
            pending[-1].cancel()
        return pending[-1].result()

    search = _attached(query_builder, _Asking(reranker, ask, query), page)
    try:
        return page.of(await wrap_future(_in_own_thread(lambda: _result(search))))
    finally:
        over.set()
        for work in pending:
            work.cancel()


class _Page:
    """Which rows are fetched, and which of them come back."""

    def __init__(self, candidates: int | None, limit: int | None, offset: int) -> None:
        self.candidates = checked_top_n(candidates, "candidates")
        self.limit = checked_top_n(limit, "limit")
        self.offset = offset
        if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
            msg = f"offset must be a whole number of at least 0; got {offset!r:.80}"
            raise ArgumentError(msg)
        if self.candidates is not None and self.candidates < max(self.limit or 1, offset + 1):
            msg = f"candidates={candidates} are too few for a page of {limit or 'all'} rows from row {offset} on"
            raise ArgumentError(msg)

    def of(self, table: pa.Table) -> pa.Table:
        """Return this page of all that was found."""
        return table.slice(self.offset, self.limit)


class _Asking(lancedb.rerankers.Reranker):  # type: ignore[misc]  # an untyped package's class
    """Stands in LanceDB's query for a reranker, and passes on what it is asked."""

    def __init__(self, reranker: lancedb.rerankers.Reranker, ask: Ask, query: str | None) -> None:
        if not isinstance(reranker, lancedb.rerankers.Reranker):
            msg = f"reranker must be LanceDB's kind, such as AnyRankReranker('lexical'); got {_named(reranker)}"
            raise ArgumentError(msg)
        super().__init__(reranker.score)
        self._ask = ask
        self._query = query

    def rerank_vector(self, query: Any, vector_results: pa.Table) -> pa.Table:
        return self._ask("rerank_vector", self._query or query, vector_results)

    def rerank_fts(self, query: Any, fts_results: pa.Table) -> pa.Table:
        return self._ask("rerank_fts", self._query or query, fts_results)

    def rerank_hybrid(self, query: Any, vector_results: pa.Table, fts_results: pa.Table) -> pa.Table:
        return self._ask("rerank_hybrid", self._query or query, vector_results, fts_results)


def _attached(query_builder: Any, reranker: _Asking, page: _Page) -> Any:
    """Return a copy of the search with this reranker: a search that runs twice, even at once, has one for each run."""
    if not hasattr(query_builder, "rerank"):
        msg = (
            "query_builder must be a search, such as table.search(…), of the async API `await table.search(…)`; "
            f"got {_named(query_builder)}"
        )
        raise ArgumentError(msg)
    search = copy(query_builder)
    if page.candidates is not None:
        search = search.limit(page.candidates)
    if isinstance(search, (LanceVectorQueryBuilder, AsyncVectorQuery)):
        return search.rerank(reranker, query_string=reranker._query)  # noqa: SLF001 - of this module
    return search.rerank(reranker)


def _named(given: Any) -> str:
    if iscoroutine(given):
        given.close()  # nobody is going to await it
    return f"a {type(given).__name__}: {given!r:.80}"


def _result(search: Any) -> pa.Table:
    """Run a search of either API in a thread that has no event loop."""
    table = search.to_arrow()
    return run(table) if iscoroutine(table) else table


async def _awaited(reranker: lancedb.rerankers.Reranker, method: str, *given: Any) -> pa.Table:
    native = getattr(reranker, f"a{method}", None)
    return await (native(*given) if native else to_thread(getattr(reranker, method), *given))


def _in_own_thread(work: Callable[[], pa.Table]) -> Future[pa.Table]:
    """Start the work at once, whatever else waits: a pool's threads may all wait for one that it has no room for."""
    future: Future[pa.Table] = Future()
    future.set_running_or_notify_cancel()

    def target() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            future.set_exception(error)

    Thread(target=copy_context().run, args=(target,), name="anyrank", daemon=True).start()
    return future
