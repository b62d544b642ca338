"""Answers that are kept, so that a run which was killed goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from anyrank.errors import ArgumentError

__all__ = ["Folder"]


class Folder(MutableMapping[str, Any]):
    """A mapping of str to JSON values, kept as JSON lines in a folder.

    Every entry is one line, written at once. Each object that writes has a file of its own, so that several processes
    may fill one folder, and a line that was cut off by a kill is the last of its file: it is left out when the folder
    is read. Of two entries under a key, the later file's counts; nothing is ever removed.
    """

    def __init__(self, path: Path | str) -> None:
        """Read what is there; the folder is made at the first entry. Raises `ArgumentError` for a file."""
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            msg = f"{self.path} is a file: results are kept in a folder"
            raise ArgumentError(msg)
        self._lock = Lock()
        self._file: Path | None = None
        self._entries: dict[str, Any] = {}
        for file in sorted(self.path.glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns):
            self._entries.update(_entries(file))

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __setitem__(self, key: str, value: Any) -> None:
        line = json.dumps([key, value], ensure_ascii=True, allow_nan=False) + "\n"
        with self._lock:
            self.path.mkdir(parents=True, exist_ok=True)
            file, self._file = self._file or self.path / f"{uuid4().hex}.jsonl", None
            with file.open("a", encoding="ascii", newline="\n") as lines:
                lines.write(line)
            self._file = file  # and not after an error, such as a full disk: what it left is the last of its file
            self._entries[key] = value

    def __delitem__(self, key: str) -> None:
        msg = f"results are only added to {self.path}: remove its files to begin afresh"
        raise TypeError(msg)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _entries(file: Path) -> dict[str, Any]:
    """Return the entries of a file but for a last line that was cut off."""
    *whole, cut = file.read_text(encoding="utf-8", errors="replace").split("\n")
    entries: dict[str, Any] = {}
    for number, line in enumerate([*whole, cut], 1):
        entry = _entry(line)
        if entry is not None:
            entries[entry[0]] = entry[1]
        elif number <= len(whole):
            msg = (
                f"{file}, line {number}: no result of an evaluation: {line!r:.80}; give the results a folder of their "
                "own, or remove the file if it held some"
            )
            raise ArgumentError(msg)
    return entries


def _entry(line: str) -> list[Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, list) and len(found) == 2 and isinstance(found[0], str) else None
