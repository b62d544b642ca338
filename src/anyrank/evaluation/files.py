r"""Judgments, runs, queries and whole collections from files: TREC, BEIR and JSON lines, plain or gzipped.

Only ``"\n"`` ends a line: passages hold other characters that `str.splitlines` would break at. Every error names the
file and the line.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

from anyrank.errors import ArgumentError

__all__ = ["read_json", "read_jsonl", "read_rows", "write_run"]

Row: TypeAlias = Mapping[str, Any]

QRELS_COLUMNS: Final = {4: ("query_id", "iteration", "doc_id", "relevance"), 3: ("query_id", "doc_id", "relevance")}
"""TREC's four columns, or BEIR's three."""

RUN_COLUMNS: Final = {6: ("query_id", "Q0", "doc_id", "rank", "score", "tag")}

QUERY_COLUMNS: Final = {2: ("id", "text")}


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank after where it stands, for errors: ``"runs/bm25.trec, line 3"``."""
    number = 0
    try:
        with _opened(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if text := line.decode("utf-8-sig" if number == 1 else "utf-8").strip(" \t\r\n"):
                    yield f"{path}, line {number}", text
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise ArgumentError(msg) from None
    except UnicodeDecodeError as error:
        msg = f"{path}, line {number}: not UTF-8 ({error.reason}): write the file as UTF-8"
        raise ArgumentError(msg) from None
    except (OSError, EOFError) as error:
        msg = f"{path}, after line {number}: it cannot be read: {error}"
        raise ArgumentError(msg) from error


def _opened(path: Path, mode: str, **options: Any) -> IO[Any]:
    function: Callable[..., IO[Any]] = gzip.open if path.suffix == ".gz" else open
    return function(path, mode, **options)


def read_jsonl(path: Path | str) -> Iterator[tuple[str, Row]]:
    """Yield each object of a file of JSON lines after where it stands. Raises `ArgumentError` for anything else."""
    for place, line in lines_of(Path(path)):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            msg = f"{place}: not JSON: {error}"
            raise ArgumentError(msg) from None
        if not isinstance(row, dict):
            msg = f"{place}: a JSON object is needed, not {type(row).__name__}"
            raise ArgumentError(msg)
        yield place, row


def read_json(path: Path) -> Any:
    """Return what a file of one JSON value holds; None for one of several, as JSON lines are."""
    text = "\n".join(line for _, line in lines_of(path))
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def read_rows(
    path: Path | str, columns: Mapping[int, tuple[str, ...]], known: Collection[str] = ()
) -> Iterator[tuple[str, Row]]:
    """Yield the rows of a table in a file after where they stand: JSON lines by its name, else columns.

    Columns are parted by tabs where that gives as many as there should be, so that ids may have blanks in them, else by
    blanks. ``columns`` are their names by how many there are; a first line with two of the ``known`` names in it is a
    header, which names them itself.
    """
    path = Path(path)
    if {".jsonl", ".ndjson", ".json"} & set(path.suffixes):
        yield from read_jsonl(path)
        return
    for place, line in lines_of(path):
        cells = _cells(line, columns)
        if place.endswith(", line 1") and len({*map(str.lower, cells)} & {*known}) > 1:
            columns = {len(cells): tuple(map(str.lower, cells))}
            continue
        if len(cells) not in columns:
            wanted = " or ".join(map(str, columns))
            msg = f"{place}: {len(cells)} columns where {wanted} are expected ({' '.join(columns[max(columns)])})"
            raise ArgumentError(msg)
        yield place, dict(zip(columns[len(cells)], cells, strict=True))


def _cells(line: str, columns: Collection[int]) -> list[str]:
    by_tabs = [cell.strip() for cell in line.split("\t")]
    return by_tabs if len(by_tabs) in columns else re.split(r"[ \t]+", line)


def write_run(path: Path | str, orders: Mapping[str, list[str]], tag: str = "anyrank") -> None:
    """Write rankings of document ids as a TREC run that ``trec_eval`` reads in this very order.

    The score of a document is minus its rank, so that no two tie. A name that ends in ``.gz`` is compressed. Raises
    `ArgumentError` for an id with a blank in it, which the format cannot hold, and for one that stands twice.
    """
    expect_ids({*orders, *(document for order in orders.values() for document in order), tag})
    for query, order in orders.items():
        if isinstance(order, str) or len(set(order)) < len(order):
            msg = f"the ranking of query {query!r} must be a list of ids, each once; got {order!r:.80}"
            raise ArgumentError(msg)
    with _opened(Path(path), "wt", encoding="utf-8", newline="\n") as file:
        for query, order in orders.items():
            hits = ((document, -rank) for rank, document in enumerate(order, 1))
            file.writelines(f"{line}\n" for line in run_lines(query, hits, tag))


def expect_ids(identifiers: Iterable[object]) -> None:
    """Raise `ArgumentError` for an id that a TREC run cannot hold."""
    for identifier in identifiers:
        if not isinstance(identifier, str) or not identifier or re.search(r"[\s\ufeff]", identifier):
            msg = (
                f"a TREC run cannot hold the id {identifier!r}: ids are str, not empty, and have no blanks in them; "
                "JSON lines can"
            )
            raise ArgumentError(msg)


def run_lines(query: str, hits: Iterable[tuple[str, float]], tag: str = "anyrank") -> Iterator[str]:
    """Yield a line of a TREC run for each document and its score, best first."""
    for rank, (document, score) in enumerate(hits, 1):
        yield f"{query} Q0 {document} {rank} {score} {tag}"
