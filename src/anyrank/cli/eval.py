"""``anyrank eval``: how good are these rankings, and does a reranker make them better?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Exit, Option

from anyrank.errors import ArgumentError

from . import _console
from ._collection import Judged, Texts, read
from ._grid import Asked, measured, needs_of, say_what_failed, scorers
from ._lines import written
from ._options import unfolded
from ._tables import fitted, of_queries

if TYPE_CHECKING:
    from anyrank.evaluation import Comparison, Evaluation


@unfolded
def command(
    *,
    scorer: Annotated[
        str | None, Option("--scorer", "-s", metavar="[NAME=]SPEC", help="Rerank, and measure that beside it.")
    ] = None,
    asked: Asked,
    judged: Judged,
    texts: Texts,
    per_query: Annotated[bool, Option("--per-query", help="Also the figures of every query.")] = False,
    write_run: Annotated[
        Path | None, Option("--write-run", metavar="FILE", help="Write what was reranked as a TREC run.")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="JSON lines, one a run.")] = False,
) -> None:
    """Measure runs as trec_eval does, and what a reranker makes of them.

    A terminal gets a table; a pipe gets lines of run, metric and mean, with tabs between them.

    For instance:

        anyrank eval --qrels qrels.txt bm25.trec
        anyrank eval scifact -s lexical -m NDCG@10 --depth 20
        anyrank fuse bm25.trec dense.trec | anyrank eval --qrels qrels.txt
    """
    rerankers = scorers([scorer] if scorer else [])
    _console.expect_file(write_run, "--write-run")
    _expect(write_run, None if rerankers else "what was reranked: say by what, with --scorer")
    collection = read(judged, texts, needs_of(rerankers))
    stages = collection.first_stages
    _expect(write_run, f"one run: choose with --only, from {', '.join(stages)}" if len(stages) > 1 else None)
    comparison = measured(collection, rerankers, asked, judged=judged, texts=texts)
    _show(comparison, per_query=per_query, as_json=as_json)
    if write_run:
        _write(write_run, comparison.rows[-1])
    if say_what_failed(comparison):
        raise Exit(1)


def _expect(path: Path | None, lacking: str | None) -> None:
    """Raise `ArgumentError` where it is not clear what is to be written."""
    if path and lacking:
        msg = f"--write-run writes {lacking}"
        raise ArgumentError(msg)


def _write(path: Path, row: Evaluation) -> None:
    from anyrank.evaluation import write_run

    write_run(path, {query: list(answer.order) for query, answer in row.answers.items()})


def _show(comparison: Comparison, *, per_query: bool, as_json: bool) -> None:
    if as_json:
        for line in _objects(comparison, per_query=per_query):
            _console.line(written(line))
    elif _console.is_terminal():
        if per_query:
            _console.show(of_queries(comparison))
        _console.show(fitted(comparison))
    else:
        for cells in _lines(comparison, per_query=per_query):
            _console.line(_console.tabbed(*cells))


def _objects(comparison: Comparison, *, per_query: bool) -> Iterator[dict[str, Any]]:
    from anyrank.evaluation import rows_of

    for row, cells in zip(comparison.rows, rows_of(comparison), strict=True):
        values = {"values": row.values} if per_query else {}
        yield {"run": row.name, **cells, "usage": row.usage, "failures": row.failures, **values}


def _lines(comparison: Comparison, *, per_query: bool) -> Iterator[tuple[str, ...]]:
    """Yield run, metric and mean; per query also which one, ``all`` for the mean, as ``trec_eval -q`` does."""
    for row in comparison.rows:
        for metric, mean in row.means.items():
            if per_query:
                yield from ((row.name, metric, query, f"{value:.4f}") for query, value in row.values[metric].items())
            yield (row.name, metric, *(["all"] if per_query else []), f"{mean:.4f}")
