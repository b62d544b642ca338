"""Reranks what is piped in."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from anyrank.adapter import HostReranker
from anyrank.errors import ArgumentError

from . import _console
from ._batch import answers
from ._documents import Document, Documents
from ._lines import expect_another, written
from ._options import unfolded
from ._specs import spec

if TYPE_CHECKING:
    from anyrank import Ranking, Report

__all__ = ["command"]

SHOWN = 1000
"""Characters of a text that a terminal is given at most; it cuts them to its width."""


@dataclass(frozen=True)
class Input:
    """What is reranked, and for which query."""

    query: Annotated[str | None, Argument(metavar="QUERY", help="What is asked; left out with --batch.")] = None
    file: Annotated[
        Path | None,
        Argument(metavar="FILE", help="Documents, one a line: text or JSON. Without it, or for -, what is piped in."),
    ] = None
    text: Annotated[
        list[str] | None, Option(metavar="FIELD", help="Field that holds the text; several are joined. Repeatable.")
    ] = None
    batch: Annotated[bool, Option("--batch", help="Each line of FILE has a query and its documents.")] = False


@dataclass(frozen=True)
class Settings:
    """How it is reranked."""

    scorer: Annotated[
        str, Option("--scorer", "-s", metavar="SPEC", help="A name, NAME:MODEL, JSON, or @FILE with JSON.")
    ] = "lexical"
    top_n: Annotated[int | None, Option("--top-n", "-n", help="How many come back at most.")] = None
    min_score: Annotated[float | None, Option(help="The lowest score that comes back.")] = None
    then: Annotated[
        list[str] | None, Option(metavar="STEP", help="dedupe, diversify or JSON such as '{\"cap\": …}'. Repeatable.")
    ] = None
    max_concurrency: Annotated[
        int | None,
        Option(min=1, metavar="N", help="With --batch, so many lines are under way at once.", show_default="8"),
    ] = None
    keep_going: Annotated[bool, Option("--keep-going", help="With --batch, go on after a line that fails.")] = False

    def built(self) -> HostReranker:
        """Build the reranker. Raises `ArgumentError` and its kind; nothing is loaded yet."""
        return HostReranker(
            spec(self.scorer),
            top_n=self.top_n,
            score_threshold=self.min_score,
            then=[spec(step) for step in self.then or ()],
            fields_of=Document.seen,
        )


@dataclass(frozen=True)
class Output:
    """Where the ranking goes, and as what."""

    as_json: Annotated[bool, Option("--json", help="JSON lines, also for documents that are text.")] = False
    report: Annotated[bool, Option("--report", help="Write what happened to standard error, as JSON.")] = False
    output: Annotated[Path | None, Option("--output", "-o", help="A file instead of standard output.")] = None

    def tell(self, report: Report, place: str | None = None) -> None:
        """Write what happened, where that was asked for."""
        if self.report:
            where = {} if place is None else {"line": place}
            errors = {"errors": [_console.said(error) for error in report.errors]} if report.errors else {}
            _console.note(written({**where, **report.to_dict(), **errors}))


@unfolded
def command(source: Input, settings: Settings, output: Output) -> None:
    """Put documents in order of relevance to a query, best first.

    A terminal gets a table, a pipe what went in: lines of text, or JSON lines with a score.

    For instance:

        ls | anyrank rerank "where are the tests" -n 3
        anyrank rerank "merge lists" docs.jsonl -n 50 |
            anyrank rerank "merge lists" -s cross_encoder:MODEL -n 5
    """
    _console.expect_file(output.output)
    with closing(settings.built()) as reranker, _console.warnings():
        (_many if source.batch else _one)(source, settings, output, reranker)


def _one(source: Input, settings: Settings, output: Output, reranker: HostReranker) -> None:
    for option, given in {"--keep-going": settings.keep_going, "--max-concurrency": settings.max_concurrency}.items():
        if given:
            msg = f"{option} goes with --batch"
            raise ArgumentError(msg)
    if source.query is None:
        msg = 'what is asked? anyrank rerank "the query" FILE'
        raise ArgumentError(msg)
    ranking = Documents.read(source.file, source.text or ()).reranked(reranker, source.query)
    output.tell(ranking.report)
    if _console.is_terminal() and not output.as_json and output.output is None:
        _show(ranking)
        return
    with _console.opened(output.output) as write:
        for hit in ranking:
            document = hit.document
            as_text = document.fields is None and not output.as_json
            write(document.text if as_text else written(document.scored(hit.score)))


def _many(source: Input, settings: Settings, output: Output, reranker: HostReranker) -> None:
    """Rerank each line for its own query, and write what comes of it as soon as it is its turn."""
    if source.file is not None:
        msg = f"with --batch the queries are in the lines: give the file alone, not {source.query!r:.80} too"
        raise ArgumentError(msg)
    path = None if source.query is None else Path(source.query)
    expect_another(path, output.output)
    failed = False
    with _console.opened(output.output) as write:
        for answer in answers(path, reranker, source.text or (), settings.max_concurrency or 8):
            if answer.error is not None:
                if not settings.keep_going:
                    raise answer.error
                _console.error(_console.said(answer.error))
                failed = True
            if answer.report is not None:
                output.tell(answer.report, answer.place)
            write(answer.text)
            _console.flush()
    if failed:
        raise Exit(1)


def _show(ranking: Ranking[Document]) -> None:
    """Show a line a hit: rank, score, and the text as far as the line goes."""
    from rich.console import Group
    from rich.text import Text

    scores = ["score", *(f"{hit.score:.4f}" for hit in ranking)]
    ranks = ["", *map(str, range(1, len(scores)))]
    texts = ["text", *(" ".join(hit.document.text[:SHOWN].split()) for hit in ranking)]
    edges = [max(map(len, column)) for column in (ranks, scores)]
    lines = [
        Text(f"{rank:>{edges[0]}}  {score:>{edges[1]}}  ", no_wrap=True, overflow="ellipsis").append_text(
            _console.plain(text)
        )
        for rank, score, text in zip(ranks, scores, texts, strict=True)
    ]
    lines[0].stylize("bold")
    _console.show(Group(*lines))
