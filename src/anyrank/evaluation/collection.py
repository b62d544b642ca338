"""A judged collection: queries, judgments, documents and the rankings of first stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from anyrank.errors import ArgumentError
from anyrank.ranking import Hit, Ranking

from .files import read_jsonl
from .tables import Qrels, read_qrels, read_run

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


def read_collection(folder: Path | str, *, split: str | None = None) -> Collection:
    """Read a folder in the BEIR layout.

    It holds ``qrels/*.tsv``, and as far as they are there ``queries.jsonl`` (``_id``, ``text``), ``corpus.jsonl``
    (``_id``, ``title``, ``text``; a document's text is both, joined by a blank, as in BEIR) and ``runs/*.trec`` (the
    rank column decides the order), each also gzipped, as ``….gz``. ``split`` chooses among several judgment files;
    None takes the only one, or ``"test"``. Where there are runs, only documents that they or the judgments name are
    kept. Raises `ArgumentError`, with file and line, for what cannot be read.
    """
    folder = Path(folder)
    qrels = read_qrels(_judgments(folder, split))
    files = sorted([*folder.glob("runs/*.trec"), *folder.glob("runs/*.trec.gz")])
    runs = {path.name.removesuffix(".gz").removesuffix(".trec"): read_run(path) for path in files}
    named = {hit.document for run in runs.values() for ranking in run.values() for hit in ranking}
    wanted = named.union(*qrels.values()) if runs else None
    documents = {key: Document(key, text) for key, text in _texts(folder / "corpus.jsonl", wanted).items()}
    stages = {name: _with_documents(name, run, documents) for name, run in runs.items()} if documents else runs
    return Collection(folder.resolve().name, qrels, _texts(folder / "queries.jsonl"), documents, stages)


def _judgments(folder: Path, split: str | None) -> Path:
    files = [*folder.glob("qrels/*.tsv.gz"), *folder.glob("qrels/*.tsv")]
    found = {path.name.partition(".tsv")[0]: path for path in sorted(files)}
    if split is None and len(found) == 1:
        return next(iter(found.values()))
    if (wanted := split or "test") in found:
        return found[wanted]
    if found:
        msg = f"{folder}: no judgments for split {wanted!r}; there are {', '.join(found)}: name one as split="
    else:
        msg = f"{folder}: {'it has no qrels/*.tsv' if folder.is_dir() else 'no such folder'}"
    raise ArgumentError(msg)


def _texts(path: Path, wanted: set[str] | None = None) -> dict[str, str]:
    """Return the texts of a file by id, those that are wanted (None: all); none where there is no file."""
    texts: dict[str, str] = {}
    found = next((file for file in (path, path.with_name(f"{path.name}.gz")) if file.exists()), None)
    for place, row in read_jsonl(found) if found else ():
        if row.get("_id") is None or not isinstance(row.get("text"), str):
            msg = f"{place}: '_id' and 'text' are needed; there are {', '.join(row) or 'no fields'}"
            raise ArgumentError(msg)
        key, text = str(row["_id"]), f"{row.get('title') or ''} {row['text']}".strip()
        if (wanted is None or key in wanted) and texts.setdefault(key, text) != text:
            msg = f"{place}: {key!r} stands twice, with another text"
            raise ArgumentError(msg)
    return texts


def _with_documents(name: str, run: Run, documents: Mapping[str, Document]) -> dict[str, Ranking[Document]]:
    missing = sorted({hit.document for ranking in run.values() for hit in ranking} - documents.keys())
    if missing:
        msg = f"run {name!r} names {len(missing)} documents that corpus.jsonl lacks, such as {missing[0]!r}"
        raise ArgumentError(msg)
    return {
        query: Ranking(tuple(Hit(documents[hit.document], hit.index, hit.score) for hit in ranking))
        for query, ranking in run.items()
    }
