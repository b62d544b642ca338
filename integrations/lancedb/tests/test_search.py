"""`rerank` and `arerank`: more candidates than come back, pages, and event loops that are never held."""

import asyncio
import contextvars
import gc
import threading
import warnings

import lancedb
import pytest
from lance_results import QUERY, ids, scores, vectors
from lancedb.query import LanceVectorQueryBuilder

import anyrank
from anyrank.errors import ArgumentError
from anyrank_lancedb import AnyRankReranker, RRFReranker, arerank, rerank

VECTOR = vectors(1, seed=7)[0]
WAIT = 20.0


def by_length(_query, texts):
    """Score by length."""
    return [float(len(text)) for text in texts]


def searches(table):
    """Return the three kinds of search, and the text that each has to be told."""
    return [
        (table.search(VECTOR), QUERY),
        (table.search("sorted list", query_type="fts"), None),
        (table.search(query_type="hybrid").vector(VECTOR).text("sorted list"), None),
    ]


def queries(table):
    """Return the same searches of an async table."""
    return [
        (table.query().nearest_to(VECTOR), QUERY),
        (table.query().nearest_to_text("sorted list"), None),
        (table.query().nearest_to(VECTOR).nearest_to_text("sorted list"), None),
    ]


def awaited(database, table, work):
    """Open the table in LanceDB's async API and await what ``work`` makes of it."""

    async def main():
        return await work(await (await lancedb.connect_async(database.uri)).open_table(table.name))

    return asyncio.run(main())


@pytest.mark.parametrize("return_score", ["relevance", "all"])
def test_both_apis_find_the_same(database, table, return_score):
    """A page of a search is the same rows and scores, sync and async, of every kind of search."""
    reranker = AnyRankReranker(by_length, return_score=return_score)
    page = {"candidates": 6, "limit": 3, "offset": 1}
    sync = [rerank(search, reranker, query, **page) for search, query in searches(table)]

    async def pages(opened):
        return [await arerank(search, reranker, query, **page) for search, query in queries(opened)]

    for ours, theirs in zip(sync, awaited(database, table, pages), strict=True):
        assert ids(ours) == ids(theirs)
        assert scores(ours) == scores(theirs)
        assert ("_distance" in theirs.column_names or "_score" in theirs.column_names) == (return_score == "all")


def test_pages_follow_each_other(table):
    """The offset counts after reranking: pages hold no row twice and leave none out."""
    reranker = AnyRankReranker(by_length)
    pages = [rerank(table.search(VECTOR), reranker, QUERY, candidates=8, limit=3, offset=start) for start in (0, 3, 6)]
    together = [row for page in pages for row in ids(page)]
    assert together == ids(rerank(table.search(VECTOR), reranker, QUERY, candidates=8))
    assert len(set(together)) == len(together) == 8


def test_the_query_may_be_another(table):
    """What the reranker is asked need not be what was searched for."""
    heard = []

    def listens(query, texts):
        heard.append(query)
        return by_length(query, texts)

    for search, _ in searches(table):
        rerank(search, AnyRankReranker(listens), "another question")
    assert heard == ["another question"] * 3


def test_sync_searches_off_the_loop(table):
    """`arerank` takes searches of the sync API, and fusions."""
    found = asyncio.run(arerank(searches(table)[2][0], RRFReranker(), limit=4))
    assert ids(found) == ids(rerank(searches(table)[2][0], RRFReranker(), limit=4))


def test_a_search_stays_as_it_was(database, table):
    """It may be run again, as itself or with another reranker, also while it still runs."""

    def constant(number):
        return AnyRankReranker(lambda _query, texts: [number] * len(texts))

    search = table.search(VECTOR).limit(2)
    rerank(search, constant(1.0), QUERY, candidates=6)
    assert search.to_arrow().column_names == table.search(VECTOR).limit(2).to_arrow().column_names
    assert ids(search.to_arrow()) == ids(table.search(VECTOR).limit(2).to_arrow())

    async def main(opened):
        for again in (search, queries(opened)[0][0].limit(2), queries(opened)[2][0].limit(2)):
            both = await asyncio.gather(*(arerank(again, constant(number), QUERY) for number in (1.0, 2.0)))
            assert [set(scores(found)) for found in both] == [{1.0}, {2.0}]
        once = queries(opened)[0][0].limit(2)
        await arerank(once, constant(1.0), QUERY)
        assert "_relevance_score" not in (await once.to_arrow()).column_names

    awaited(database, table, main)


def test_a_hybrid_search_keeps_to_its_limit(table):
    """LanceDB cuts a hybrid search's rows to its limit, however many its two lists gave the reranker."""
    seen = []

    def counting(query, texts):
        seen.append(len(texts))
        return by_length(query, texts)

    found = rerank(searches(table)[2][0], AnyRankReranker(counting), candidates=3)
    assert found.num_rows == 3 < seen[0] <= 6


def test_what_is_no_search_is_named(database, table):
    """A table, an unawaited search, a search of the other API and a scorer are refused by what they are."""
    lexical = AnyRankReranker("lexical")
    with pytest.raises(ArgumentError, match=r"such as table\.search\(…\).*got a LanceTable"):
        rerank(table, lexical, QUERY)
    for scorer in ("lexical", anyrank.Reranker("lexical")):
        with pytest.raises(ArgumentError, match=r"such as AnyRankReranker\('lexical'\); got a (str|Reranker)"):
            rerank(table.search(VECTOR), scorer, QUERY)

    async def main(opened):
        with pytest.raises(ArgumentError, match="got a coroutine"):
            await arerank(opened.search(VECTOR), lexical, QUERY)
        with pytest.raises(ArgumentError, match="await arerank"):
            rerank(queries(opened)[0][0], lexical, QUERY)
        found = await arerank(await opened.search(VECTOR), lexical, QUERY, limit=2)
        assert found.num_rows == 2

    awaited(database, table, main)


def test_async_scorers_run_on_the_callers_loop(database, table):
    """Forty searches at once wait for each other in an async scorer, more than a thread pool would let in."""

    async def main(opened):
        together = asyncio.Barrier(40)

        async def scorer(query, texts):
            await together.wait()
            return by_length(query, texts)

        reranker = AnyRankReranker(scorer)
        work = [arerank(queries(opened)[2][0].limit(2), reranker) for _ in range(40)]
        return await asyncio.wait_for(asyncio.gather(*work), WAIT)

    assert len(awaited(database, table, main)) == 40


def test_sync_scorers_do_not_use_up_the_pool(database, table):
    """More searches at once than the loop's pool has threads, each with a scorer that needs one, all come back."""

    async def main(opened):
        reranker = AnyRankReranker(by_length)
        work = [arerank(queries(opened)[0][0].limit(2), reranker, QUERY) for _ in range(64)]
        return await asyncio.wait_for(asyncio.gather(*work), WAIT)

    assert len(awaited(database, table, main)) == 64


def test_errors_reach_the_caller(database, table):
    """What a scorer raises comes out of both as the same object."""
    error = OSError("out of order")

    def broken(_query, _texts):
        raise error

    reranker = AnyRankReranker(broken)
    with pytest.raises(OSError, match="out of order") as raised:
        rerank(table.search(VECTOR), reranker, QUERY)
    assert raised.value is error
    with pytest.raises(OSError, match="out of order") as raised:
        awaited(database, table, lambda opened: arerank(queries(opened)[0][0], reranker, QUERY))
    assert raised.value is error


def test_cancelling_reaches_the_scorer(database, table):
    """A search that is given up cancels the scorer's work."""

    async def main(opened):
        began, ended = asyncio.Event(), asyncio.Event()

        async def forever(_query, _texts):
            began.set()
            try:
                await asyncio.sleep(WAIT)
            finally:
                ended.set()

        work = asyncio.ensure_future(arerank(queries(opened)[0][0], AnyRankReranker(forever), QUERY))
        await asyncio.wait_for(began.wait(), WAIT)
        work.cancel()
        await asyncio.wait_for(ended.wait(), WAIT)
        with pytest.raises(asyncio.CancelledError):
            await work

    awaited(database, table, main)


def test_given_up_while_it_searches(table, monkeypatch):
    """A search that ends when nobody waits any more, and the loop is closed, asks no reranker and warns of nothing."""
    asked, began, release = [], threading.Event(), threading.Event()
    run, before = LanceVectorQueryBuilder.to_arrow, set(threading.enumerate())

    def slow(search):
        began.set()
        release.wait(WAIT)
        return run(search)

    async def main():
        work = asyncio.ensure_future(arerank(table.search(VECTOR), AnyRankReranker(asked.append), QUERY))
        await asyncio.to_thread(began.wait, WAIT)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    monkeypatch.setattr(LanceVectorQueryBuilder, "to_arrow", slow)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        asyncio.run(main())
        release.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(WAIT)
        gc.collect()
    assert asked == [warning.message for warning in warned if warning.category is RuntimeWarning] == []


def test_context_reaches_the_scorer(database, table):
    """A scorer sees the context variables of whoever awaits, as tracing needs."""
    trace = contextvars.ContextVar("trace", default="none")
    seen = []

    def scorer(query, texts):
        seen.append(trace.get())
        return by_length(query, texts)

    def work(opened):
        trace.set("mine")
        return arerank(queries(opened)[2][0], AnyRankReranker(scorer))

    awaited(database, table, work)
    assert seen == ["mine"]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"candidates": 0}, "candidates must be a whole number above 0"),
        ({"limit": -1}, "limit must be"),
        ({"offset": -1}, "offset must be a whole number of at least 0"),
        ({"offset": True}, "offset must be a whole number of at least 0"),
        ({"candidates": 5, "limit": 3, "offset": 5}, "too few for a page of 3 rows from row 5 on"),
        ({"candidates": 5, "limit": 6}, "too few for a page of 6 rows"),
    ],
)
def test_pages_that_cannot_be(table, page, message):
    """They are refused before anything is searched."""
    with pytest.raises(ArgumentError, match=message):
        rerank(table.search(VECTOR), AnyRankReranker("lexical"), QUERY, **page)
