r"""Judgments, runs, queries and whole collections from files: TREC, BEIR and JSON lines, plain or gzipped.

Only ``"\n"`` ends a line: passages hold other characters that `str.splitlines` would break at. Every error names the
file and the line.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from anyrank.errors import ArgumentError

__all__ = ["read_jsonl", "read_rows", "write_run"]

Row: TypeAlias = Mapping[str, Any]

QRELS_COLUMNS = {4: ("query_id", "iteration", "doc_id", "relevance"), 3: ("query_id", "doc_id", "relevance")}
"""TREC's four columns, or BEIR's three under a header."""

RUN_COLUMNS = {6: ("query_id", "Q0", "doc_id", "rank", "score", "tag")}


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank after where it stands, for errors: ``"runs/bm25.trec, line 3"``."""
    opened: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    try:
        with cast(IO[str], opened(path, "rt", encoding="utf-8", newline="\n")) as lines:
            for number, line in enumerate(lines, 1):
                if text := line.strip(" \t\r\n\ufeff"):
                    yield f"{path}, line {number}", text
    except FileNotFoundError:
        msg = f"{path}: no such file"
        raise ArgumentError(msg) from None
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 ({error.reason} at byte {error.start})"
        raise ArgumentError(msg) from None


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


def read_rows(path: Path | str, columns: Mapping[int, tuple[str, ...]]) -> Iterator[tuple[str, Row]]:
    """Yield the rows of a table in a file after where they stand: JSON lines by its name, else columns by blanks.

    ``columns`` are the names of the columns by how many there are; a first line whose last column is no number is
    taken for a header and left out.
    """
    path = Path(path)
    if {".jsonl", ".ndjson", ".json"} & set(path.suffixes):
        yield from read_jsonl(path)
        return
    for place, line in lines_of(path):
        cells = re.split(r"[ \t]+", line)
        if place.endswith(", line 1") and len(cells) == 3 and not re.fullmatch(r"[+-]?\d+(\.0*)?", cells[-1]):
            continue
        if len(cells) not in columns:
            wanted = " or ".join(map(str, columns))
            msg = f"{place}: {len(cells)} columns where {wanted} are expected ({' '.join(columns[max(columns)])})"
            raise ArgumentError(msg)
        yield place, dict(zip(columns[len(cells)], cells, strict=True))


def write_run(path: Path | str, orders: Mapping[str, list[str]], tag: str = "anyrank") -> None:
    """Write rankings of document ids as a TREC run that ``trec_eval`` reads in this very order.

    The score of a document is minus its rank, so that no two tie. Raises `ArgumentError` for an id with a blank in it,
    which the format cannot hold.
    """
    for identifier in {*orders, *(document for order in orders.values() for document in order), tag}:
        if not identifier or re.search(r"\s", identifier):
            msg = f"a TREC run cannot hold the id {identifier!r}: ids are not empty and have no blanks in them"
            raise ArgumentError(msg)
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        for query, order in orders.items():
            file.writelines(f"{query} Q0 {document} {rank} {-rank} {tag}\n" for rank, document in enumerate(order, 1))
