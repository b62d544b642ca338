"""How good every fusion method of `anyrank.fuse` is on judged runs, as trec_eval measures it.

A FOLDER holds runs/*.trec (qid Q0 docid rank score tag) and qrels/*.tsv (a header, then query, document, grade).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from ctypes import c_float
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

try:
    from rich.console import Console
    from rich.table import Table

    from anyrank import Ranking, fuse
    from anyrank.errors import ArgumentError, FusionError
    from anyrank.evaluation import Judge, Run, read_qrels, read_run, trec_eval_order
    from anyrank.fusion import METHODS
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install rich 'anyrank[eval]'", file=sys.stderr)
    raise SystemExit(2) from None

METRICS = ("NDCG@10", "MAP", "Recall@50")
CAPTION = (
    "All figures are of anyrank's own order; 'by id' is the NDCG@10 that trec_eval gives the same scores, since it "
    "orders equal ones (in 32 bits) by document id, descending, and 'worst' and 'best' are those of any order of them."
)


@dataclass(frozen=True)
class Figures:
    """Means over the queries; None where a run has no scores, or no fusion was timed."""

    ndcg: float
    average_precision: float
    recall: float
    ndcg_by_id: float | None = None
    ndcg_worst: float | None = None
    ndcg_best: float | None = None
    microseconds: float | None = None

    def cells(self) -> list[str]:
        """Write the figures as a row of a table."""
        took = "" if self.microseconds is None else f"{self.microseconds:,.0f}"
        means = (self.ndcg, self.ndcg_by_id, self.ndcg_worst, self.ndcg_best, self.average_precision, self.recall)
        return [*("" if mean is None else f"{mean:.4f}" for mean in means), took]


@dataclass(frozen=True)
class Bench:
    """Runs of document ids, and what judges them."""

    runs: Mapping[str, Run]
    judge: Judge

    def measure(self, run: Run, microseconds: float | None = None) -> Figures:
        """Return a run's figures; a query that it lacks counts 0."""
        orders = ({query: self._ordered(query, hits, sign) for query, hits in run.items()} for sign in (0, -1, 1))
        own, worst, best = map(self._means, orders)
        if any(hit.score is None for ranking in run.values() for hit in ranking):
            return Figures(*own)
        scores = {query: {hit.document: hit.score or 0.0 for hit in ranking} for query, ranking in run.items()}
        by_id = self._means({query: trec_eval_order(found) for query, found in scores.items()})
        return Figures(*own, by_id[0], worst[0], best[0], microseconds)

    def fused(self, names: Iterable[str], method: str) -> Figures:
        """Fuse the named runs, query by query, and measure the result. Raises `FusionError`."""
        run, seconds = {}, []
        for query in self.judge.qrels:
            rankings = {name: self.runs[name].get(query, Ranking()) for name in names}
            start = time.perf_counter()
            run[query] = fuse(rankings, method)
            seconds.append(time.perf_counter() - start)
        return self.measure(run, median(seconds) * 1e6)

    def _means(self, orders: Mapping[str, list[str]]) -> tuple[float, float, float]:
        ndcg, precision, recall = (fmean(found.values()) for found in self.judge.measure(orders).values())
        return ndcg, precision, recall

    def _ordered(self, query: str, ranking: Ranking[str], sign: int) -> list[str]:
        """Order equal scores: 1 best first, -1 best last, 0 leaves all as it is."""
        if not sign:
            return ranking.documents
        grades = self.judge.qrels.get(query, {})
        hits = sorted(ranking, key=lambda hit: (-c_float(hit.score or 0.0).value, -sign * grades.get(hit.document, 0)))
        return [hit.document for hit in hits]


def load(folder: Path, relevant: int) -> Bench:
    """Read a folder. Raises `ArgumentError` for one that cannot be used."""
    runs = {path.stem: read_run(path) for path in _files(folder, "runs/*.trec")}
    qrels = {query: grades for path in _files(folder, "qrels/*.tsv") for query, grades in read_qrels(path).items()}
    return Bench(runs, Judge(qrels, METRICS, relevant=relevant))


def _files(folder: Path, pattern: str) -> list[Path]:
    if found := sorted(folder.glob(pattern)):
        return found
    msg = f"{folder}: {f'it has no {pattern}' if folder.is_dir() else 'no such folder'}"
    raise ArgumentError(msg)


def fusions(bench: Bench, names: tuple[str, ...], console: Console) -> dict[str, Figures]:
    """Return each method's figures; a method that these runs do not allow is left out, and named."""
    done = {}
    for method in METHODS:
        try:
            with console.status(f"{method} of {'+'.join(names)}"):
                done[method] = bench.fused(names, method)
        except FusionError as error:
            console.print(f"{'+'.join(names)}: no {method}, {error}", markup=False)
    return done


def table(title: str, sections: Mapping[str, Mapping[str, Figures]]) -> Table:
    """Lay out the figures under their headings, the best NDCG@10 in bold."""
    best = max(figures.ndcg for rows in sections.values() for figures in rows.values())
    result = Table("", title=title, caption=CAPTION, title_justify="left", caption_justify="left")
    for heading in ("NDCG@10", "by id", "worst", "best", "MAP", "Recall@50", "µs/query"):
        result.add_column(heading, justify="right", no_wrap=True)
    for heading, rows in sections.items():
        result.add_row(heading, style="italic cyan")
        for name, figures in rows.items():
            result.add_row(name, *figures.cells(), style="bold" if figures.ndcg == best else None)
        result.add_section()
    return result


def report(folder: Path, options: argparse.Namespace, console: Console) -> dict[str, Mapping[str, Figures]]:
    """Print a folder's table and return all its figures, by set of runs. Raises `ArgumentError` as `load` does."""
    bench = load(folder, options.relevant)
    names = tuple(dict.fromkeys(options.runs.split(",") if options.runs else bench.runs))
    if unknown := set(names) - set(bench.runs):
        msg = f"{folder}: no run {', '.join(sorted(unknown))}; there are {', '.join(bench.runs)}"
        raise ArgumentError(msg)
    alone = {name: bench.measure(bench.runs[name]) for name in names}
    together = fusions(bench, names, console)
    pairs = {"+".join(pair): fusions(bench, pair, console) for pair in combinations(names, 2) if pair != names}
    sections = {"alone": alone, "fused by": together, "pairs, by rrf": {pair: by["rrf"] for pair, by in pairs.items()}}
    title = f"{folder.name}: {len(bench.judge.qrels)} queries, relevant from grade {options.relevant}"
    console.print(table(title, {heading: rows for heading, rows in sections.items() if rows}))
    return {"alone": alone, "+".join(names): together, **pairs}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    parser.add_argument("--runs", metavar="A,B", help="fuse these runs only, in this order (all; every pair besides)")
    parser.add_argument("--relevant", metavar="GRADE", type=int, default=1, help="the lowest relevant grade (1)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures, those of all pairs included")
    options = parser.parse_args()
    try:
        figures = {str(folder): report(folder, options, Console()) for folder in options.folders}
    except ArgumentError as error:
        parser.error(str(error))
    if options.json:
        options.json.write_text(json.dumps(figures, default=asdict, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
