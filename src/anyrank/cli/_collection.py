"""What an evaluation stands on: a folder in the BEIR layout, and files that add to it or replace what it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from anyrank import _checks
from anyrank.errors import ArgumentError

from . import _console, _runs
from ._lines import STDIN, piped

if TYPE_CHECKING:
    from anyrank.evaluation import Collection, Run
    from anyrank.evaluation.collection import Files

__all__ = ["Judged", "Texts", "read"]


@dataclass(frozen=True)
class Judged:
    """The options that say which runs are measured, against which judgments."""

    paths: Annotated[
        list[str] | None,
        Argument(
            metavar="FOLDER|[NAME=]RUN",
            help="A collection in the BEIR layout; runs, as TREC's columns or JSON lines; or both.",
        ),
    ] = None
    only: Annotated[
        list[str] | None, Option("--only", metavar="NAME", help="Only this one of the runs. Repeatable.")
    ] = None
    qrels: Annotated[
        Path | None, Option("--qrels", metavar="FILE", help="Judgments: TREC's columns, BEIR's, or JSON lines.")
    ] = None
    split: Annotated[
        str | None,
        Option("--split", metavar="NAME", help="Which of the folder's judgments; test, if there are several."),
    ] = None
    relevant: Annotated[int, Option("--relevant", metavar="GRADE", help="The lowest grade that is relevant.")] = 1
    depth: Annotated[
        int | None, Option("--depth", metavar="N", min=1, help="Only the first N candidates of every query.")
    ] = None
    limit_queries: Annotated[
        int | None, Option("--limit-queries", metavar="N", min=1, help="Only N queries, evenly spread over all.")
    ] = None


@dataclass(frozen=True)
class Texts:
    """The options that say where the texts are."""

    queries: Annotated[
        Path | None, Option("--queries", metavar="FILE", help="Queries: JSON lines with _id and text.")
    ] = None
    corpus: Annotated[
        Path | None, Option("--corpus", metavar="FILE", help="Documents: JSON lines with _id, title and text.")
    ] = None
    text: Annotated[
        list[str] | None,
        Option("--text", metavar="FIELD", help="The field that is scored, for title and text. Repeatable."),
    ] = None


def read(judged: Judged, texts: Texts, needs: Mapping[str, str]) -> Collection:
    """Read what the options name.

    ``needs`` says which of ``queries`` and ``corpus`` must be there, and for what. Documents are read only if they are
    needed, and only those that a run has for a query that counts, or that are judged for one. Raises `ArgumentError`,
    before anything is read, for a file that is missing.
    """
    from anyrank.evaluation import Collection, read_qrels, read_queries
    from anyrank.evaluation.collection import named_in, with_documents

    folder, files = _located(judged, texts)
    where = _qrels(judged, folder, files)
    _expect(needs, folder, files)
    qrels = _spread(read_qrels(where), judged)
    runs = {name: _counting(_runs.read(path), qrels, judged.depth) for name, path in files.runs.items()}
    queries = read_queries(files.queries) if files.queries else {}
    documents: Mapping[str, Any] = {}
    if "corpus" in needs and files.corpus:
        documents = _documents(files.corpus, named_in(runs, qrels), as_rows=bool(texts.text))
        runs = {name: with_documents(name, run, documents) for name, run in runs.items()}
    title = folder.resolve().name if folder else Path(where.name.removesuffix(".gz")).stem
    return Collection(title, qrels, queries, documents, runs)


def _located(judged: Judged, texts: Texts) -> tuple[Path | None, Files]:
    """Return the folder, where there is one, and all files but the judgments."""
    from anyrank.evaluation.collection import Files

    given = judged.paths or []
    folders = [Path(path) for path in given if Path(path).is_dir()]
    if len(folders) > 1:
        msg = f"one collection at a time; got {' and '.join(map(str, folders))}"
        raise ArgumentError(msg)
    folder = folders[0] if folders else None
    held = Files.of(folder) if folder else Files()
    named = _runs.located(path for path in given if not Path(path).is_dir())
    runs = {_runs.printable(name): path for name, path in held.runs.items()} | named
    return folder, replace(
        held,
        runs=_chosen(runs, judged.only, folder),
        queries=_there(texts.queries) or held.queries,
        corpus=_there(texts.corpus) or held.corpus,
    )


def _qrels(judged: Judged, folder: Path | None, files: Files) -> Path:
    found = _there(judged.qrels) or files.qrels(judged.split)
    if found is None:
        said = f"{folder} has no qrels/*.tsv" if folder else "no judgments, nor a folder in the BEIR layout"
        msg = f"{said}: name a file of judgments with --qrels"
        raise ArgumentError(msg)
    return found


def _expect(needs: Mapping[str, str], folder: Path | None, files: Files) -> None:
    """Raise `ArgumentError` for the first file that something needs, and that is not there."""
    for what, why in needs.items():
        if getattr(files, what) is None:
            place = f", and {folder} has none" if folder else ""
            texts = "documents" if what == "corpus" else what
            msg = f"{why} needs the texts of {texts}{place}: name a file of JSON lines with --{what}"
            raise ArgumentError(msg)


def _there(path: Path | None) -> Path | None:
    if path is None or (path.exists() and not path.is_dir()):
        return path
    msg = f"{path}: {'a folder, where a file is expected' if path.is_dir() else 'no such file'}"
    raise ArgumentError(msg)


def _chosen(runs: Mapping[str, Path], only: Sequence[str] | None, folder: Path | None) -> Mapping[str, Path]:
    """Return the runs that are asked for; without any, standard input is one, if something is piped into it."""
    if runs and (unknown := set(only or ()) - set(runs)):
        msg = f"no run is named {min(unknown)!r}; {_checks.suggest(min(unknown), runs)}"
        raise ArgumentError(msg)
    if runs:
        return {name: path for name, path in runs.items() if not only or name in only}
    if piped():
        return {_runs.name_of(STDIN): STDIN}
    said = f"{folder} has no runs/*.trec" if folder else "there is no run"
    msg = f"{said}: name the files of runs, or pipe one into standard input"
    raise ArgumentError(msg)


def _counting(run: Run, qrels: Mapping[str, object], depth: int | None) -> Run:
    """Return the first candidates of the queries that are judged."""
    return {query: ranking[:depth] for query, ranking in run.items() if query in qrels}


def _spread(qrels: Mapping[str, Mapping[str, int]], judged: Judged) -> Mapping[str, Mapping[str, int]]:
    """Return the judgments of at most so many queries that count, evenly spread over them."""
    most = judged.limit_queries
    counting = [query for query, grades in qrels.items() if max(grades.values(), default=0) >= judged.relevant]
    if most is None or len(counting) <= most:
        return qrels
    _console.remark(f"only {most} of {len(counting)} queries with a relevant document, evenly spread")
    chosen = (counting[place * len(counting) // most] for place in range(most))
    return {query: qrels[query] for query in chosen}


def _documents(path: Path, wanted: set[str], *, as_rows: bool) -> Mapping[str, Any]:
    """Return the wanted documents by id: with all their fields, or with title and text as one, as in BEIR."""
    from anyrank.evaluation.collection import read_documents, rows_by_id

    if as_rows:
        return {key: {**row, "id": key} for _, key, row in rows_by_id(path, wanted)}
    return read_documents(path, wanted)
