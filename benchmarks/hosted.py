"""What a hosted scorer costs over the bare HTTP request, and beside what each framework has for the same service.

One `cohere` scorer against a local service with Cohere's API, asyncio in a process of its own. Whatever stands in one
table was measured in one run, and every side has to return the right ranking.

overhead   one call after another, to a service that answers at once
split      1,000 documents to a service that takes 100 a request, and 50 ms for it
burst      500 calls at once to a service that takes 200 ms, connections opened anew
peers      langchain-cohere, llama-index-postprocessor-cohere-rerank, cohere-haystack and rerankers, those that are
           installed, each with its host's objects beside our adapter with the same
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

try:
    import aiohttp
    import requests

    from _peers import MODEL, PEERS, TOP_N, Build, Peer
    from _service import KEY, QUERY, documents, ranked, service
    from _timing import console, show, turns
    from anyrank import Reranker
    from anyrank.scorers.cohere import scorer as cohere
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install rich 'anyrank[async]'", file=sys.stderr)
    raise SystemExit(2) from None

Texts: TypeAlias = list[str]

HEADERS = {"Authorization": f"Bearer {KEY}"}
PATH = "/v2/rerank"


def body(texts: Texts) -> dict[str, Any]:
    """Return what the scorer sends, too."""
    return {"model": MODEL, "query": QUERY, "documents": texts, "top_n": len(texts)}


@contextmanager
def ours(url: str, **options: Any) -> Iterator[Reranker]:
    """Give our side."""
    with cohere(MODEL, api_key=KEY, base_url=url, **options) as scorer:
        yield Reranker(scorer)


def posted(post: Callable[..., requests.Response], url: str, texts: Texts) -> Any:
    """Post as one does by hand."""
    return post(url + PATH, json=body(texts), headers=HEADERS, timeout=60).json()


async def aposted(session: aiohttp.ClientSession, url: str, texts: Texts) -> Any:
    """Post as one does by hand, awaited."""
    async with session.post(url + PATH, json=body(texts), headers=HEADERS) as response:
        return await response.json()


async def opened() -> aiohttp.ClientSession:
    """Return a session without a bound."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


def check(who: str, found: Sequence[int], texts: Texts, top_n: int | None = None) -> None:
    """Raise RuntimeError for a wrong ranking."""
    if list(found) != ranked(texts)[:top_n]:
        msg = f"{who} returned a wrong ranking: {list(found)!r:.200}"
        raise RuntimeError(msg)


def overhead(repeats: int) -> None:
    """Time call after call: ours, and bare posts of the same body."""
    with service() as url:
        rows = [row for count in (10, 100) for row in _overhead(url, documents(count), repeats)]
    show("Overhead of a call", ("", "documents", "µs", "ratio"), rows)


def _overhead(url: str, texts: Texts, repeats: int) -> Iterator[tuple[str, ...]]:
    with requests.Session() as kept, ours(url) as reranker, asyncio.Runner() as runner:
        wait = runner.get_loop().run_until_complete
        session = wait(opened())
        check("anyrank", reranker.rerank(QUERY, texts).indices, texts)
        check("the service", [one["index"] for one in posted(kept.post, url, texts)["results"]], texts)
        ways = {
            "requests.Session.post": lambda: posted(kept.post, url, texts),
            "requests.post": lambda: posted(requests.post, url, texts),
            "Reranker.rerank": lambda: reranker.rerank(QUERY, texts),
            "aiohttp.ClientSession.post": lambda: wait(aposted(session, url, texts)),
            "Reranker.arerank": lambda: wait(reranker.arerank(QUERY, texts)),
        }
        took = turns(ways, repeats)
        wait(session.close())
    for name, seconds in took.items():
        ratio = seconds / took["requests.Session.post"]
        yield name, str(len(texts)), f"{seconds * 1e6:,.0f}", f"{ratio:.2f}"


def split(repeats: int) -> None:
    """Time a list that has to be split."""
    texts = documents(1000)
    parts = [texts[start : start + 100] for start in range(0, 1000, 100)]
    with (
        service(delay=0.05) as url,
        requests.Session() as kept,
        ours(url, max_documents=100) as eight,
        ours(url, max_documents=100, max_concurrency=None) as ten,
        asyncio.Runner() as runner,
    ):
        wait = runner.get_loop().run_until_complete
        check("anyrank", eight.rerank(QUERY, texts).indices, texts)
        ways = {
            "one bare request of 100": lambda: posted(kept.post, url, parts[0]),
            "ten bare requests, one after another": lambda: [posted(kept.post, url, part) for part in parts],
            "rerank, 8 requests at once (default)": lambda: eight.rerank(QUERY, texts),
            "rerank, 10 at once": lambda: ten.rerank(QUERY, texts),
            "arerank, 8 requests at once (default)": lambda: wait(eight.arerank(QUERY, texts)),
            "arerank, 10 at once": lambda: wait(ten.arerank(QUERY, texts)),
        }
        took = turns(ways, repeats)
    one = took["one bare request of 100"]
    rows = ((name, f"{seconds * 1e3:.0f}", f"{seconds / one:.2f}") for name, seconds in took.items())
    show("1,000 documents, 100 a request, 50 ms each", ("", "ms", "over one bare request"), rows)


async def at_once(call: Callable[[], Awaitable[Any]], count: int) -> tuple[float, list[Any]]:
    """Return the seconds that this many calls take together, and what came back."""
    started = time.perf_counter()
    found = await asyncio.gather(*(call() for _ in range(count)))
    return time.perf_counter() - started, found


async def bare_burst(url: str, texts: Texts, count: int) -> float:
    """Return the seconds of a burst of bare posts, over new connections."""
    async with await opened() as session:
        return (await at_once(lambda: aposted(session, url, texts), count))[0]


async def our_burst(url: str, texts: Texts, count: int) -> float:
    """Return the seconds of a burst of ours, over new connections."""
    with ours(url, max_concurrency=None) as reranker:
        seconds, rankings = await at_once(lambda: reranker.arerank(QUERY, texts), count)
    for ranking in rankings:
        check("anyrank", ranking.indices, texts)
    return seconds


def pool_burst(url: str, texts: Texts, count: int) -> float:
    """Return the seconds of a burst of ours where aiohttp cannot be imported. In a process of its own."""
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # Python's own way to say so
    return asyncio.run(our_burst(url, texts, count))


def burst(count: int, rounds: int) -> None:
    """Time many calls at once."""
    texts = documents(10)
    with service(delay=0.2) as url, ProcessPoolExecutor(1, get_context("spawn")) as apart:
        pool = apart.submit(pool_burst, url, texts, count).result()
        took = [[asyncio.run(one(url, texts, count)) for one in (bare_burst, our_burst)] for _ in range(rounds)]
    bare, mine = (median(side) for side in zip(*took, strict=True))
    rows = [
        ("bare aiohttp posts", f"{bare:.2f}", "1.00"),
        ("arerank", f"{mine:.2f}", f"{mine / bare:.2f}"),
        ("arerank, the first in this process", f"{took[0][1]:.2f}", f"{took[0][1] / bare:.2f}"),
        ("arerank without aiohttp (32 threads)", f"{pool:.2f}", f"{pool / bare:.2f}"),
    ]
    show(f"{count} calls at once, 200 ms each, 10 documents", ("", "s", "ratio"), rows)


def peers(repeats: int, count: int) -> None:
    """Time what each framework has for the service, beside ours."""
    rows = []
    with service() as fast, service(delay=0.2) as slow:
        for build in PEERS:
            try:
                rows += [_one_by_one(build, fast, documents(size), repeats) for size in (10, 100)]
                rows += [_together(build, slow, documents(10), count)]
            except ModuleNotFoundError as error:
                console.print(f"{build.__name__} is skipped: {error}", markup=False)
    if rows:
        columns = ("", "", "ms", "anyrank ms", "ratio")
        show(f"The frameworks' own rerankers for Cohere, top {TOP_N}", columns, rows)


def _one_by_one(build: Build, url: str, texts: Texts, repeats: int) -> tuple[str, ...]:
    with cohere(MODEL, api_key=KEY, base_url=url) as scorer:
        peer = build(url, texts, scorer)
        _check_both(peer, texts, [peer.theirs()], [peer.ours()])
        took = turns({"theirs": peer.theirs, "ours": peer.ours}, repeats)
    return _row(peer.name, f"{len(texts)} documents", took["theirs"], took["ours"])


def _together(build: Build, url: str, texts: Texts, count: int) -> tuple[str, ...]:
    with cohere(MODEL, api_key=KEY, base_url=url, max_concurrency=None) as scorer:
        peer = build(url, texts, scorer)
        theirs, their_results = asyncio.run(at_once(peer.atheirs, count))
        mine, our_results = asyncio.run(at_once(peer.aours, count))
    _check_both(peer, texts, their_results, our_results)
    return _row(peer.name, f"{count} at once, 200 ms", theirs, mine)


def _check_both(peer: Peer, texts: Texts, theirs: Sequence[Any], mine: Sequence[Any]) -> None:
    for who, results in ((peer.name, theirs), ("anyrank", mine)):
        for result in results:
            check(who, [texts.index(text) for text in peer.texts(result)], texts, TOP_N)


def _row(name: str, what: str, theirs: float, mine: float) -> tuple[str, ...]:
    return name, what, f"{theirs * 1e3:,.2f}", f"{mine * 1e3:,.2f}", f"{theirs / mine:.1f}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300, help="calls of each side (300; of split lists a twentieth)")
    parser.add_argument("--concurrent", type=int, default=500, help="calls at once (500; of the peers a fifth)")
    given = parser.parse_args()
    overhead(given.repeats)
    split(max(given.repeats // 20, 1))
    burst(given.concurrent, rounds=5)
    peers(given.repeats, max(given.concurrent // 5, 1))


if __name__ == "__main__":
    main()
