r"""Lines of a file or of standard input, and the JSON on them.

Only ``"\n"`` ends a line: texts hold other characters that `str.splitlines` would break at.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from contextlib import contextmanager, nullcontext, suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from anyrank.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = [
    "STDIN",
    "Line",
    "expect_another",
    "is_json_lines",
    "lines",
    "parsed",
    "piped",
    "read_object",
    "reading",
    "source_name",
    "written",
]

STDIN: Final = Path("-")


class Line(NamedTuple):
    """A line that is not blank, after where it stands: ``"docs.txt, line 3"``."""

    place: str
    text: str


def lines(path: Path | None) -> Iterator[Line]:
    """Yield the lines of a file; of standard input for None and ``-``. Blank ones are left out.

    Raises `ArgumentError` for a file that cannot be read, and where neither a file nor a pipe gives anything to read.
    """
    name = source_name(path)
    with reading(name), _opened(path) as source:
        for number, text in enumerate(source, 1):
            line = text.rstrip("\r\n").removeprefix("\ufeff" if number == 1 else "")
            if line.strip():
                yield Line(f"{name}, line {number}", line)


@contextmanager
def reading(name: object) -> Iterator[None]:
    """Raise `ArgumentError`, with the name of what is read, where that is not possible."""
    try:
        yield
    except UnicodeDecodeError as error:
        msg = f"{name}: not UTF-8 ({error.reason}): convert it, as with iconv -t UTF-8"
        raise ArgumentError(msg) from None
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{name}: {(getattr(error, 'strerror', None) or str(error)).lower()}"
        raise ArgumentError(msg) from None


def source_name(path: Path | None) -> str:
    """Return what is read, for messages."""
    return "standard input" if path is None or path == STDIN else str(path)


def is_json_lines(path: Path | None) -> bool:
    """Whether a file's name says that it holds JSON."""
    return path is not None and path.suffix in (".jsonl", ".ndjson", ".json")


def read_object(line: Line) -> dict[str, Any]:
    """Return the JSON object on a line. Raises `ArgumentError` for anything else."""
    found = parsed(line.text, line.place, "a JSON object")
    if not isinstance(found, dict):
        msg = f"{line.place}: not a JSON object, but a {type(found).__name__}"
        raise ArgumentError(msg)
    return found


def parsed(text: str, place: str, what: str = "JSON") -> Any:
    """Return the value of strict JSON. Raises `ArgumentError`, with the place, for anything else."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        why: object = error
        if isinstance(error, json.JSONDecodeError):
            row = f"line {error.lineno}, " if "\n" in text else ""
            why = f"{error.msg}, {row}character {error.colno}"
        msg = f"{place}: not {what}: {why}"
        raise ArgumentError(msg) from None


def piped() -> bool:
    """Whether something may come from standard input: nobody is at a terminal to type it."""
    return sys.stdin is not None and not sys.stdin.isatty()


def expect_another(source: Path | None, output: Path | None) -> None:
    """Raise `ArgumentError` where a file would be emptied to be written while it is read, or for nothing."""
    if output is None or not output.is_file():
        return
    if source is not None and source != STDIN and not source.exists():
        msg = f"{source}: no such file or directory"
        raise ArgumentError(msg)
    with suppress(AttributeError, UnsupportedOperation):  # standard input is closed, or no file
        read = os.fstat(sys.stdin.fileno()) if source is None or source == STDIN else source.stat()
        if os.path.samestat(read, output.stat()):
            msg = f"{output} is read and written: give another file to --output"
            raise ArgumentError(msg)


def written(value: Any) -> str:
    """Return a value as strict JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _opened(path: Path | None) -> AbstractContextManager[IO[str]]:
    if (path is None and not piped()) or (path == STDIN and sys.stdin is None):
        msg = "nothing to read: name a file, or pipe something in (- reads what is typed, up to Ctrl-D)"
        raise ArgumentError(msg)
    if path is None or path == STDIN:
        return nullcontext(sys.stdin)
    if path.suffix == ".gz":
        import gzip

        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def _refuse(constant: str) -> NoReturn:
    msg = f"it has no {constant}"
    raise ValueError(msg)
