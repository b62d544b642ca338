"""How long MaxSim takes over vectors that are there already, beside PyLate's, LanceDB's and sentence-transformers'.

Packages that exclude each other live in environments of their own: ``--peer pylate=/path/to/its/bin/python``,
``--peer lancedb=…`` (lancedb and rerankers). Every way gets the same saved arrays in a process of its own; the
processes take turns, and each has to return the same scores. LanceDB's `ColbertReranker` hands texts to rerankers,
which pads and calls the function measured here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

try:
    import numpy as np
    import torch
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install rich 'anyrank[local]'", file=sys.stderr)
    raise SystemExit(2) from None

Tensor: TypeAlias = torch.Tensor
Call: TypeAlias = Callable[[], Any]


def ours(query: Tensor, documents: list[Tensor]) -> Call:
    """`maxsim` on documents as they come: one array each."""
    from anyrank.scorers.late_interaction import maxsim

    return lambda: maxsim(query, documents)


def ours_padded(query: Tensor, documents: list[Tensor]) -> Call:
    """`maxsim` on one padded array and its mask, which are there already."""
    from anyrank.scorers.late_interaction import maxsim

    padded, mask = pad(documents)
    return lambda: maxsim(query, padded, mask)


def einsum(query: Tensor, documents: list[Tensor]) -> Call:
    """Pad, multiply all at once, mask: how it is written down most often."""

    def call() -> Tensor:
        padded, mask = pad(documents)
        products = torch.einsum("qd,btd->bqt", query, padded)
        return products.masked_fill(~mask[:, None], -torch.inf).amax(dim=2).sum(dim=1)

    return call


def library(query: Tensor, documents: list[Tensor]) -> Call:
    """What `MultiVectorEncoder.similarity` calls."""
    from sentence_transformers.util import maxsim

    return lambda: maxsim([query], documents)[0]


def pylate(query: Tensor, documents: list[Tensor]) -> Call:
    """`rank.rerank`, which pads and sorts."""
    rerank = import_module("pylate.rank").rerank
    ids = list(range(len(documents)))

    def call() -> list[float]:
        found = rerank([ids], [query], [documents])[0]
        return [hit["score"] for hit in sorted(found, key=lambda hit: hit["id"])]

    return call


def lancedb(query: Tensor, documents: list[Tensor]) -> Call:
    """What rerankers scores with below `ColbertReranker`: a padded array that is there already."""
    score = import_module("rerankers.models.colbert_ranker")._colbert_score  # noqa: SLF001 - there is no other
    padded, mask = pad(documents)
    counts = torch.ones(1, len(query))
    return lambda: score(query[None], padded, counts, mask)[0] * len(query)


WAYS: dict[str, tuple[str, Callable[[Tensor, list[Tensor]], Call]]] = {
    "anyrank": ("anyrank.maxsim, list", ours),
    "anyrank_padded": ("anyrank.maxsim, padded", ours_padded),
    "einsum": ("pad_sequence and einsum", einsum),
    "library": ("sentence-transformers maxsim, list", library),
    "pylate": ("PyLate rank.rerank, list", pylate),
    "lancedb": ("LanceDB ColbertReranker (rerankers), padded", lancedb),
}
PEERS = ("pylate", "lancedb")


def pad(documents: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return one array of all documents, and where it has tokens."""
    padded = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True)
    lengths = torch.tensor([len(document) for document in documents])
    return padded, torch.arange(padded.shape[1]) < lengths[:, None]


def write(folder: Path, options: argparse.Namespace) -> None:
    """Save normalised vectors of one query and of documents, of one length or down to a fifth of it."""
    random = np.random.default_rng(0)

    def unit(count: int) -> Any:
        rows = random.standard_normal((count, options.size), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    shortest = options.tokens if options.even else max(1, options.tokens // 5)
    lengths = random.integers(shortest, options.tokens + 1, options.documents)
    np.savez(folder / "vectors.npz", query=unit(options.query), **{str(i): unit(n) for i, n in enumerate(lengths)})


def measure(way: str, folder: Path, repeats: int) -> dict[str, Any]:
    """Time one way in this process, after three calls to warm up: the median milliseconds, and the scores."""
    with np.load(folder / "vectors.npz") as saved:
        query = torch.from_numpy(saved["query"])
        documents = [torch.from_numpy(saved[str(place)]) for place in range(len(saved.files) - 1)]
    _, build = WAYS[way]
    took = []
    with torch.inference_mode():
        call = build(query, documents)
        for _ in range(repeats + 3):
            started = time.perf_counter()
            scores = call()
            took.append(time.perf_counter() - started)
    return {"milliseconds": 1e3 * median(took[3:]), "scores": torch.as_tensor(scores).tolist()}


def turns(pythons: dict[str, str], folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what every way took, way by way and round by round, each in a process of its environment."""
    for _ in range(options.rounds):
        for way, python in pythons.items():
            command = [python, "-W", "ignore", __file__, "--measure", way, "--folder", str(folder)]
            result = subprocess.run(  # noqa: S603 - what the caller named
                [*command, "--repeats", str(options.repeats)], stdout=subprocess.PIPE, text=True, check=True
            )
            yield way, json.loads(result.stdout.splitlines()[-1])


def compare(options: argparse.Namespace) -> None:
    """Run all ways in turn, check that they agree, and print the table."""
    from rich.console import Console
    from rich.table import Table

    pythons = {way: sys.executable for way in WAYS if way not in PEERS} | dict(options.peer)
    took: dict[str, list[float]] = {way: [] for way in pythons}
    scores: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        write(Path(folder), options)
        for way, found in turns(pythons, Path(folder), options):
            took[way].append(found["milliseconds"])
            scores[way] = found["scores"]
    length = f"{options.tokens}" if options.even else f"up to {options.tokens}"
    shape = f"{options.documents} documents of {length} tokens, {options.size} dimensions"
    table = Table("", "ms", "ratio", "scores differ by", title=f"MaxSim of {shape}")
    for way, each in took.items():
        apart = max(abs(one - other) for one, other in zip(scores[way], scores["einsum"], strict=True))
        ratio = median(each) / median(took["anyrank"])
        table.add_row(WAYS[way][0], f"{median(each):.2f}", f"{ratio:.2f}", f"{apart:.1g}")
    console = Console()
    console.print(table)
    console.print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors, torch {torch.__version__}")


def peer(text: str) -> tuple[str, str]:
    """Read ``name=python``."""
    name, _, python = text.partition("=")
    if name not in PEERS or not python:
        msg = f"write one of {', '.join(PEERS)}, =, and its environment's python; got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return name, python


def main() -> None:
    """Read the options; measure, or have it measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=300, help="of the longest document (300)")
    parser.add_argument("--size", type=int, default=128, help="dimensions (128)")
    parser.add_argument("--query", type=int, default=32, help="tokens of the query (32)")
    parser.add_argument("--even", action="store_true", help="every document has as many tokens")
    parser.add_argument("--rounds", type=int, default=7, help="processes of each way (7)")
    parser.add_argument("--repeats", type=int, default=50, help="calls in a process (50)")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.folder, options.repeats)))
    else:
        compare(options)


if __name__ == "__main__":
    main()
