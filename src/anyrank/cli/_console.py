"""Where output goes: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from anyrank.errors import AnyRankError, ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType
    from rich.text import Text

    from anyrank.evaluation import Progress

__all__ = [
    "error",
    "expect_file",
    "fits",
    "flush",
    "is_terminal",
    "line",
    "note",
    "opened",
    "plain",
    "progress",
    "remark",
    "said",
    "set_up",
    "show",
    "tabbed",
    "warn",
    "warnings",
]

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal might obey instead of showing it: escape sequences, and marks that turn the line's direction."""


def set_up() -> None:
    r"""Make the standard streams UTF-8 whatever the locale, with lines that end in ``"\n"`` on every system.

    What was closed before the program began swallows what is written to it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            errors = "strict" if stream is sys.stdin else "backslashreplace"  # in JSON, the very escape it needs
            with suppress(UnsupportedOperation):  # something was read from it already
                stream.reconfigure(encoding="utf-8", errors=errors, newline="\n")


def line(text: str) -> None:
    """Write one line of a result; to a terminal without control characters, which in JSON changes no value."""
    try:
        sys.stdout.write(f"{_escaped(text) if is_terminal() else text}\n")
    except OSError as failed:
        _end(failed)


def flush() -> None:
    """Hand over what was written so far."""
    try:
        sys.stdout.flush()
    except OSError as failed:
        _end(failed)


def expect_file(path: Path | None, option: str = "") -> None:
    """Raise `ArgumentError`, before there is a result to lose, for a file that cannot be written.

    ``option`` names one whose result goes to a file alone, never to standard output.
    """
    if path is None:
        return
    if str(path) == "-":
        msg = f"{option} writes a file, and not to standard output" if option else ""
    elif path.is_dir():
        msg = f"{path}: a folder, where a file is to be written"
    elif not path.parent.is_dir():
        msg = f"{path}: there is no folder {path.parent} to write it into"
    else:
        there = os.access(path if path.exists() else path.parent, os.W_OK)
        msg = "" if there else f"{path}: cannot be written: permission denied"
    if msg:
        raise ArgumentError(msg)


@contextmanager
def opened(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Give what writes a line of a result to a file, or to standard output for None and ``-``.

    Raises `ArgumentError` for a file that cannot be written.
    """
    if path is None or str(path) == "-":
        yield line
        return
    try:
        file = path.open("w", buffering=1, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        msg = f"{path}: cannot be written: {(error.strerror or str(error)).lower()}"
        raise ArgumentError(msg) from None
    with file:
        yield lambda text: file.writelines((text, "\n"))


def plain(text: str) -> Text:
    """Return a text to show to a person: never read as markup, and without control characters."""
    from rich.text import Text

    return Text(_CONTROL.sub("\ufffd", text))


def tabbed(*cells: object) -> str:
    """Return cells as one line for another program, tabs between them; None is empty."""
    return "\t".join("" if cell is None else " ".join(str(cell).split()) for cell in cells)


def show(result: RenderableType) -> None:
    """Show a result to a person, as a table for instance."""
    _console(sys.stdout).print(result)


def fits(result: RenderableType, *, wrapped: bool = False) -> bool:
    """Whether a result is no wider than the terminal; ``wrapped``: once its words are on lines of their own."""
    console = _console(sys.stdout)
    unbounded = console.options.update(width=10_000)
    wide = console.measure(result, options=unbounded)
    return (wide.minimum if wrapped else wide.maximum) <= console.width


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def note(text: str) -> None:
    """Write one line of what was asked for beside the result."""
    sys.stderr.write(f"{_escaped(text)}\n")
    sys.stderr.flush()


def remark(text: str) -> None:
    """Tell of something that is worth knowing beside the result."""
    _told("note", text, "cyan")


def warn(text: str) -> None:
    """Tell of something that is odd and did not stop the command."""
    _told("warning", text, "yellow")


def said(error: Exception) -> str:
    """Return an error's message and notes; with its type, where it is none of ours."""
    message = str(error) if isinstance(error, AnyRankError) else f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.filename:
        message = f"{error.filename}: {str(error.strerror).lower()}"
    return "\n".join([message, *getattr(error, "__notes__", ())])


@contextmanager
def warnings() -> Iterator[None]:
    """Show what the library warns of, such as a stand-in's answer, as this program's own warnings."""
    from logging import WARNING, Handler, getLogger

    class Teller(Handler):
        def emit(self, record: Any) -> None:
            warn(record.getMessage())

    teller, logger = Teller(WARNING), getLogger("anyrank")
    logger.addHandler(teller)
    try:
        yield
    finally:
        logger.removeHandler(teller)


def error(text: str) -> None:
    """Tell what stopped the command."""
    _told("error", text, "red")


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """Give what shows how far an evaluation is: a bar a row, while a person watches standard error."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = _console(sys.stderr)
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def advance(done: Progress) -> None:
            if done.row not in tasks:
                tasks[done.row] = bars.add_task(done.row, total=None)
            bars.update(tasks[done.row], completed=done.done, total=done.total or None)

        yield advance


def _told(kind: str, text: str, colour: str) -> None:
    from rich.text import Text

    said = Text.assemble(f"anyrank: {kind}: ", style=colour).append_text(plain(text))
    _console(sys.stderr).print(said, soft_wrap=True)


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _end(failed: OSError) -> NoReturn:
    """End since nothing more can be written; in silence where whoever read has enough, as ``head`` does."""
    with suppress(OSError, ValueError):  # or the interpreter complains when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(failed, BrokenPipeError):
        sys.exit(0)
    error(f"standard output: cannot be written: {(failed.strerror or str(failed)).lower()}")
    sys.exit(1)


def _console(file: Any) -> Console:
    from rich.console import Console

    return Console(file=file, highlight=False)
