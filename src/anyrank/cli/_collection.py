"""What an evaluation stands on: a folder in the BEIR layout, and files that add to it or replace what it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from anyrank import _checks
from anyrank.errors import ArgumentError

from . import _console, _runs

if TYPE_CHECKING:
    from anyrank.evaluation import Collection, Run
    from anyrank.ranking import Ranking

__all__ = ["Judged", "Texts", "read"]


@dataclass(frozen=True)
class Judged:
    """The options that say which runs are measured, against which judgments."""

    paths: Annotated[
        list[str] | None,
        Argument(metavar="FOLDER|[NAME=]RUN", help="A collection in the BEIR layout, runs, or both."),
    ] = None
    run: Annotated[
        list[str] | None,
        Option("--run", metavar="[NAME=]FILE", help="A run: TREC's columns or JSON lines. Repeatable."),
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


@dataclass(frozen=True)
class _Files:
    """Where everything lies; None for what is not there."""

    folder: Path | None
    runs: Mapping[str, Path]
    qrels: Path
    queries: Path | None
    corpus: Path | None

    def expect(self, needs: Mapping[str, str]) -> None:
        """Raise `ArgumentError` for the first file that something needs, and that is not there."""
        for what, why in needs.items():
            if getattr(self, what) is None:
                place = f", and {self.folder} has none" if self.folder else ""
                texts = "documents" if what == "corpus" else what
                msg = f"{why} needs the texts of {texts}{place}: name a file of JSON lines with --{what}"
                raise ArgumentError(msg)


def read(judged: Judged, texts: Texts, needs: Mapping[str, str]) -> Collection:
    """Read what the options name.

    ``needs`` says which of ``queries`` and ``corpus`` must be there, and for what. Documents are read only if they are
    needed, and only those that a run has for a query that counts, or that are judged for one. Raises `ArgumentError`,
    before anything is read, for a file that is missing.
    """
    from anyrank.evaluation import Collection, read_qrels, read_queries

    files = _files(judged, texts)
    files.expect(needs)
    qrels = _spread(read_qrels(files.qrels), judged)
    runs: dict[str, Run] = {
        name: {query: ranking[: judged.depth] for query, ranking in _runs.read(path).items()}
        for name, path in files.runs.items()
    }
    queries = read_queries(files.queries) if files.queries else {}
    documents: dict[str, Any] = {}
    if "corpus" in needs and files.corpus:
        wanted = {hit.document for run in runs.values() for query in qrels for hit in run.get(query, ())}
        documents = _documents(files.corpus, wanted.union(*qrels.values()), as_rows=bool(texts.text))
        runs = {name: _with_documents(name, run, documents, qrels) for name, run in runs.items()}
    return Collection(_title(files), qrels, queries, documents, runs)


def _files(judged: Judged, texts: Texts) -> _Files:
    given = judged.paths or []
    folders = [Path(path) for path in given if Path(path).is_dir()]
    if len(folders) > 1:
        msg = f"one collection at a time; got {' and '.join(map(str, folders))}"
        raise ArgumentError(msg)
    folder = folders[0] if folders else None
    named = _runs.located([*(path for path in given if not Path(path).is_dir()), *(judged.run or [])])
    return _Files(
        folder,
        _chosen(_held(folder) | named, judged.only, folder),
        _there(judged.qrels) or _judgments(folder, judged.split),
        _there(texts.queries) or _first(folder, "queries.jsonl", "queries.jsonl.gz"),
        _there(texts.corpus) or _first(folder, "corpus.jsonl", "corpus.jsonl.gz"),
    )


def _there(path: Path | None) -> Path | None:
    if path is None or (path.exists() and not path.is_dir()):
        return path
    msg = f"{path}: {'a folder, where a file is expected' if path.is_dir() else 'no such file'}"
    raise ArgumentError(msg)


def _first(folder: Path | None, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None) if folder else None


def _held(folder: Path | None) -> dict[str, Path]:
    """Return the runs of a folder."""
    files = sorted([*folder.glob("runs/*.trec"), *folder.glob("runs/*.trec.gz")]) if folder else []
    return {_runs.name_of(path): path for path in files}


def _chosen(runs: Mapping[str, Path], only: Sequence[str] | None, folder: Path | None) -> Mapping[str, Path]:
    """Return the runs that are asked for; without any, standard input is one, if something is piped into it."""
    if runs and (unknown := set(only or ()) - set(runs)):
        msg = f"no run is named {min(unknown)!r}; {_checks.suggest(min(unknown), runs)}"
        raise ArgumentError(msg)
    if runs:
        return {name: path for name, path in runs.items() if not only or name in only}
    if _runs.piped():
        return {_runs.name_of(_runs.STDIN): _runs.STDIN}
    said = f"{folder} has no runs/*.trec" if folder else "there is no run"
    msg = f"{said}: name the files of runs, or pipe one into standard input"
    raise ArgumentError(msg)


def _judgments(folder: Path | None, split: str | None) -> Path:
    files = sorted([*folder.glob("qrels/*.tsv"), *folder.glob("qrels/*.tsv.gz")]) if folder else []
    found = {_runs.name_of(path): path for path in files}
    wanted = next(iter(found)) if split is None and len(found) == 1 else split or "test"
    if wanted in found:
        return found[wanted]
    if found:
        known = _checks.suggest(wanted, found)
        msg = f"{folder} has no judgments for split {wanted!r}; {known}: say which with --split"
    else:
        said = f"{folder} has no qrels/*.tsv" if folder else "no judgments, nor a folder in the BEIR layout"
        msg = f"{said}: name a file of judgments with --qrels"
    raise ArgumentError(msg)


def _spread(qrels: Mapping[str, Mapping[str, int]], judged: Judged) -> Mapping[str, Mapping[str, int]]:
    """Return the judgments of at most so many queries that count, evenly spread over them."""
    most = judged.limit_queries
    counting = [query for query, grades in qrels.items() if max(grades.values(), default=0) >= judged.relevant]
    if most is None or len(counting) <= most:
        return qrels
    _console.remark(f"only {most} of {len(counting)} queries with a relevant document, evenly spread")
    chosen = (counting[place * len(counting) // most] for place in range(most))
    return {query: qrels[query] for query in chosen}


def _documents(path: Path, wanted: set[str], *, as_rows: bool) -> dict[str, Any]:
    """Return the wanted documents by id: with all their fields, or with title and text as one, as in BEIR."""
    from anyrank.evaluation import Document
    from anyrank.evaluation.files import read_jsonl

    found: dict[str, Any] = {}
    for place, row in read_jsonl(path):
        name = str(row.get("_id", row.get("id", "")))
        if not name or not (as_rows or isinstance(row.get("text"), str)):
            msg = f"{place}: '_id' (or 'id') and 'text' are needed; there are {', '.join(row) or 'no fields'}"
            raise ArgumentError(msg)
        if name in wanted:
            found[name] = (
                {**row, "id": name} if as_rows else Document(name, f"{row.get('title') or ''} {row['text']}".strip())
            )
    return found


def _with_documents(
    name: str, run: Run, documents: Mapping[str, Any], qrels: Mapping[str, object]
) -> dict[str, Ranking[Any]]:
    """Put documents in the place of ids, wherever a query is judged."""
    from anyrank.ranking import Hit, Ranking

    counting = {query: ranking for query, ranking in run.items() if query in qrels}
    missing = sorted({hit.document for ranking in counting.values() for hit in ranking} - documents.keys())
    if missing:
        msg = f"run {name!r} has {len(missing)} documents that the corpus lacks, such as {missing[0]!r}"
        raise ArgumentError(msg)
    return {
        query: Ranking(tuple(Hit(documents[hit.document], hit.index, hit.score) for hit in ranking))
        for query, ranking in counting.items()
    }


def _title(files: _Files) -> str:
    return files.folder.resolve().name if files.folder else Path(files.qrels.name.removesuffix(".gz")).stem
