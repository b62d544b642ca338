"""A judged collection: queries, judgments, documents and the rankings of first stages."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias

from anyrank import _checks
from anyrank.errors import ArgumentError
from anyrank.ranking import Hit, Ranking

from .files import Row, read_jsonl
from .tables import Qrels, read_qrels, read_queries, read_run

__all__ = ["Collection", "Document", "Run", "read_collection"]

Run: TypeAlias = Mapping[str, Ranking[Any]]
"""Rankings by query id, of documents or of their ids."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a collection: its id, and the text that is scored."""

    id: str
    text: str


@dataclass(frozen=True)
class Collection:
    """Queries and judgments by query id, documents by id, and the rankings of first stages by the stage's name.

    A collection may hold ids only; then its runs can be compared and fused, but not reranked.
    """

    name: str
    qrels: Qrels
    queries: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    first_stages: Mapping[str, Run] = field(default_factory=dict)


@dataclass(frozen=True)
class Files:
    """Where a collection lies: judgments by split, runs by name, and texts; None for a file that is not there."""

    splits: Mapping[str, Path] = field(default_factory=dict)
    runs: Mapping[str, Path] = field(default_factory=dict)
    queries: Path | None = None
    corpus: Path | None = None

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Look for the files of the BEIR layout, each as it is or gzipped, as ``….gz``."""
        return cls(
            _named(folder, "qrels/*.tsv"),
            _named(folder, "runs/*.trec"),
            _named(folder, "queries.jsonl").get("queries"),
            _named(folder, "corpus.jsonl").get("corpus"),
        )

    def qrels(self, split: str | None) -> Path | None:
        """Return the judgments of a split; for None the only ones, or those of ``"test"``; None where there are none.

        Raises `ArgumentError` for a split that is not there.
        """
        wanted = next(iter(self.splits)) if split is None and len(self.splits) == 1 else split or "test"
        if self.splits and wanted not in self.splits:
            msg = f"no judgments for split {wanted!r}; {_checks.suggest(wanted, self.splits)}: say which split is meant"
            raise ArgumentError(msg)
        return self.splits.get(wanted)


def read_collection(folder: Path | str, *, split: str | None = None) -> Collection:
    """Read a folder in the BEIR layout.

    It holds ``qrels/*.tsv``, and as far as they are there ``queries.jsonl`` (``_id``, ``text``), ``corpus.jsonl``
    (``_id``, ``title``, ``text``; a document's text is both, joined by a blank, as in BEIR) and ``runs/*.trec`` (the
    rank column decides the order), each also gzipped, as ``….gz``. ``split`` chooses among several judgment files;
    None takes the only one, or ``"test"``. Where there are runs, only documents that they or the judgments name are
    kept. Raises `ArgumentError`, with file and line, for what cannot be read.
    """
    folder = Path(folder)
    files = Files.of(folder)
    found = files.qrels(split)
    if found is None:
        msg = f"{folder}: {'it has no qrels/*.tsv' if folder.is_dir() else 'no such folder'}"
        raise ArgumentError(msg)
    qrels = read_qrels(found)
    runs: dict[str, Run] = {name: read_run(path) for name, path in files.runs.items()}
    queries = read_queries(files.queries) if files.queries else {}
    documents = read_documents(files.corpus, named_in(runs, qrels) if runs else None) if files.corpus else {}
    if documents:
        runs = {name: with_documents(name, run, documents) for name, run in runs.items()}
    return Collection(folder.resolve().name, qrels, queries, documents, runs)


def named_in(runs: Mapping[str, Run], qrels: Qrels) -> set[str]:
    """Return the ids of all documents that runs and judgments name."""
    found = {str(hit.document) for run in runs.values() for ranking in run.values() for hit in ranking}
    return found.union(*qrels.values())


def read_documents(path: Path, wanted: Container[str] | None = None) -> dict[str, Document]:
    """Return the documents of a file by id, those that are wanted (None: all). Raises `ArgumentError`."""
    found: dict[str, Document] = {}
    for place, key, row in rows_by_id(path, wanted):
        if not isinstance(row.get("text"), str):
            msg = f"{place}: a 'text' is needed; there are {', '.join(row)}"
            raise ArgumentError(msg)
        document = Document(key, f"{row.get('title') or ''} {row['text']}".strip())
        if found.setdefault(key, document) != document:
            msg = f"{place}: {key!r} stands twice, with another text"
            raise ArgumentError(msg)
    return found


def rows_by_id(path: Path, wanted: Container[str] | None = None) -> Iterator[tuple[str, str, Row]]:
    """Yield the wanted rows of a file (None: all) after where they stand and their ``_id``, or ``id``."""
    for place, row in read_jsonl(path):
        key = row.get("_id", row.get("id"))
        if key is None:
            msg = f"{place}: an '_id' (or 'id') is needed; there are {', '.join(row) or 'no fields'}"
            raise ArgumentError(msg)
        if wanted is None or str(key) in wanted:
            yield place, str(key), row


def with_documents(name: str, run: Run, documents: Mapping[str, Any]) -> dict[str, Ranking[Any]]:
    """Return a run with documents in the place of their ids. Raises `ArgumentError` for one that is not known."""
    missing = sorted({hit.document for ranking in run.values() for hit in ranking} - documents.keys())
    if missing:
        msg = f"run {name!r} names {len(missing)} documents that the corpus lacks, such as {missing[0]!r}"
        raise ArgumentError(msg)
    return {
        query: Ranking(tuple(Hit(documents[hit.document], hit.index, hit.score) for hit in ranking))
        for query, ranking in run.items()
    }


def _named(folder: Path, pattern: str) -> dict[str, Path]:
    """Return files by their names without suffixes, in order; of two of a name the one that is not gzipped."""
    found = [*folder.glob(f"{pattern}.gz"), *folder.glob(pattern)]
    named = {Path(path.name.removesuffix(".gz")).stem: path for path in found}
    return dict(sorted(named.items()))
