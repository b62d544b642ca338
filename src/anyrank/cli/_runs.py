"""Runs as they are named on a command line: ``[NAME=]FILE``, and ``-`` for standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from anyrank.errors import ArgumentError

from ._lines import STDIN, piped
from ._specs import named

if TYPE_CHECKING:
    from anyrank.ranking import Ranking

__all__ = ["located", "name_of", "printable", "read"]


def located(given: Iterable[str]) -> dict[str, Path]:
    """Return the files of runs by name, a file's own where none is given.

    Raises `ArgumentError` for two of one name and for what is no file.
    """
    found: dict[str, Path] = {}
    for text in given:
        name, path = _parted(text)
        if name in found:
            msg = f"two runs are named {name!r}, {found[name]} and {path}: name one of them, as in first={path}"
            raise ArgumentError(msg)
        found[name] = path
    return found


def name_of(path: Path) -> str:
    """Return what a run is called after its file: ``bm25`` for ``runs/bm25.trec.gz``."""
    return printable("stdin" if path == STDIN else Path(path.name.removesuffix(".gz")).stem)


def printable(name: str) -> str:
    """Return a name with what a terminal might obey replaced: tables and bars show it."""
    return "".join(character if character.isprintable() else "\ufffd" for character in name)


def read(path: Path) -> dict[str, Ranking[str]]:
    """Return a run, from standard input for ``-``. Raises `ArgumentError`, with file and line."""
    from anyrank.evaluation import read_run

    if path != STDIN:
        return read_run(path)
    data = sys.stdin.buffer.read() if piped() else b""
    if not data.strip():
        msg = "standard input: a run is expected, and nothing came"
        raise ArgumentError(msg)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / ("run.jsonl" if data.lstrip().startswith(b"{") else "run.trec")
        copy.write_bytes(data)
        try:
            return read_run(copy)
        except ArgumentError as error:
            raise ArgumentError(str(error).replace(str(copy), "standard input")) from None


def _parted(text: str) -> tuple[str, Path]:
    whole = Path(text)
    name, value = (text, text) if whole.exists() else named(text)
    path = whole if name == value else Path(value)
    if path != STDIN and (path.is_dir() or not path.exists()):
        msg = f"{path}: {'a folder, where a run is expected' if path.is_dir() else 'no such file or folder'}"
        raise ArgumentError(msg)
    return (name_of(path) if name == value else name), path
