"""Many calls to a hosted scorer while things go wrong: is every ranking right, and does nothing grow?

One `cohere` scorer is shared by threads (half of the calls) and an event loop (the other half), on a local service
that refuses with 429, 500 and 503, resets connections before and in the middle of replies, and sends some slowly. The
right order is known, lists longer than a request may be are split, and the service counts what it gets. The calls come
in ten parts; after each, at rest, threads, open files (sockets among them) and memory are read.

Ends with status 1 where a ranking is wrong, a call fails, the service counted other requests than the reports, or
something grew from the first part to the last by more than the bounds: 2 threads, 16 files (the idle connections vary
by that much), 8 MiB; or more than 2 files are open still when the scorer is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import requests
    from rich.console import Console
    from rich.table import Table

    from _service import FAULTS, KEY, documents, ranked, score_of, service
    from anyrank import Ranking, Reranker
    from anyrank.scorers.cohere import scorer as cohere
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install rich 'anyrank[async]'", file=sys.stderr)
    raise SystemExit(2) from None

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

THREADS = TASKS = 16
PARTS = 10
SETTINGS = {"max_documents": 20, "max_retries": 10, "max_concurrency": 16}
BOUNDS = {"threads": 2, "files": 16, "MiB": 8.0}
LEFT_OPEN = 2
console = Console()


@dataclass
class Tally:
    """What came of the calls so far."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, texts: Sequence[str], ranking: Ranking[str]) -> None:
        """Check one ranking and count it."""
        scores = [score_of(text) for text in ranking.documents]
        right = ranking.indices == ranked(list(texts)) and scores == list(ranking.scores)
        with self.lock:
            self.counts.update(calls=1, requests=ranking.report.requests or 0, retries=ranking.report.retries or 0)
            if not right:
                self.problems.append(f"wrong ranking: {ranking!r:.200}")

    def fail(self, error: Exception) -> None:
        """Note a call that raised."""
        with self.lock:
            self.problems.append(f"lost call: {error!r:.200}")


def lists(count: int, seed: int) -> Iterator[list[str]]:
    """Give the documents of each call: one to thirty, of which a request holds twenty."""
    draw = random.Random(seed)
    return (documents(draw.randint(1, 30), draw.getrandbits(32)) for _ in range(count))


def in_thread(reranker: Reranker, calls: Iterator[list[str]], tally: Tally) -> None:
    """Make calls, one after the other."""
    for texts in calls:
        try:
            tally.add(texts, reranker.rerank("a query", texts))
        except Exception as error:  # noqa: BLE001 - whatever it is, the call is lost
            tally.fail(error)


async def in_task(reranker: Reranker, calls: Iterator[list[str]], tally: Tally) -> None:
    """Make calls, awaiting one after the other."""
    for texts in calls:
        try:
            tally.add(texts, await reranker.arerank("a query", texts))
        except Exception as error:  # noqa: BLE001 - as above
            tally.fail(error)


def read(tally: Tally) -> dict[str, float]:
    """Return what came of the calls, how many threads and open files there are, and the memory in use."""
    gc.collect()
    try:
        import psutil
    except ModuleNotFoundError:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        files, memory = len(list(Path("/proc/self/fd").iterdir())) - 1, pages * os.sysconf("SC_PAGE_SIZE")
    else:
        process = psutil.Process()
        files, memory = process.num_fds(), process.memory_info().rss
    counts = {name: tally.counts[name] for name in ("calls", "requests", "retries")}
    return {**counts, "threads": threading.active_count(), "files": files, "MiB": memory / 2**20}


async def soak(url: str, calls: int, tally: Tally) -> list[dict[str, float]]:
    """Make the calls, part by part; return what was read before, after each part, and after the scorer is closed."""
    loop = asyncio.get_running_loop()
    workers = THREADS + TASKS
    shares = [len(range(worker, calls // PARTS, workers)) for worker in range(workers)]
    with ThreadPoolExecutor(THREADS) as threads:
        together = threading.Barrier(THREADS)  # none is idle before all are there
        await asyncio.gather(*(loop.run_in_executor(threads, together.wait) for _ in range(THREADS)))
        readings = [read(tally)]
        async with cohere(api_key=KEY, base_url=url, **SETTINGS) as scorer:
            reranker = Reranker(scorer)
            for part in range(PARTS):
                work = [lists(share, part * workers + worker) for worker, share in enumerate(shares)]
                await asyncio.gather(
                    *(loop.run_in_executor(threads, in_thread, reranker, each, tally) for each in work[0::2]),
                    *(in_task(reranker, each, tally) for each in work[1::2]),
                )
                await asyncio.sleep(0.1)  # the threads of a split call end a little after it
                readings.append(read(tally))
    await asyncio.sleep(0.1)
    return [*readings, read(tally)]


def judge(calls: int, readings: Sequence[Mapping[str, float]], served: Mapping[str, int], tally: Tally) -> list[str]:
    """Return what is wrong."""
    first, last, closed = readings[1], readings[-2], readings[-1]
    problems = list(tally.problems)
    for name, bound in BOUNDS.items():
        if last[name] - first[name] > bound:
            problems.append(f"{name} grew from {first[name]:,.0f} to {last[name]:,.0f}")
    if (still := closed["files"] - readings[0]["files"]) > LEFT_OPEN:
        problems.append(f"{still:.0f} files were still open after close")
    if tally.counts["calls"] != calls:
        problems.append(f"{tally.counts['calls']:,} of {calls:,} calls came back")
    if tally.counts["requests"] != served["requests"]:
        problems.append(f"reports say {tally.counts['requests']:,} requests, the service {served['requests']:,}")
    if tally.counts["retries"] != sum(served[name] for name in FAULTS if name != "slow"):
        problems.append(f"reports say {tally.counts['retries']:,} retries, for these faults: {served}")
    return problems


def show(readings: Sequence[Mapping[str, float]], served: Mapping[str, int], title: str) -> None:
    """Print what was read, and what went wrong on purpose."""
    table = Table("", title=title, title_justify="left")
    for name in readings[0]:
        table.add_column(name, justify="right")
    for place, reading in enumerate(readings):
        when = {0: "before", len(readings) - 1: "closed"}.get(place, f"part {place}")
        table.add_row(when, *(f"{value:,.0f}" for value in reading.values()))
    table.caption = f"load average {os.getloadavg()[0]:.2f}; {os.cpu_count()} processors"
    console.print(table)
    console.print("faults:", ", ".join(f"{served[name]:,} {name}" for name in FAULTS), highlight=False)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000, help="calls in all, rounded to tens (10,000)")
    parser.add_argument("--faults", type=float, default=0.1, help="share of the requests that go wrong (0.1)")
    given = parser.parse_args()
    calls, tally, started = given.calls // PARTS * PARTS, Tally(), time.perf_counter()
    with service(faults=given.faults) as url:
        readings = asyncio.run(soak(url, calls, tally))
        served = requests.get(f"{url}/counts", timeout=5).json()
    show(readings, served, f"{calls:,} calls in {time.perf_counter() - started:.0f} s")
    problems = judge(calls, readings, served, tally)
    for problem in problems[:20]:
        console.print(problem, markup=False)
    console.print(f"{len(problems)} problems" if problems else "every ranking right, nothing lost, nothing grew")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
