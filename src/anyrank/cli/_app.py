"""The commands together, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module
from threading import active_count
from traceback import format_exc
from typing import TYPE_CHECKING, Annotated, Any, Final

from typer import Exit, Option, Typer

from anyrank import __version__
from anyrank.errors import ArgumentError, AsyncOnlyError, MissingDependencyError, ModelError, SettingError

from . import _console
from ._quiet import hush

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS: Final = ("rerank", "fuse", "eval", "compare", "tune", "scorers", "doctor")

YOURS: Final = (
    ArgumentError,
    AsyncOnlyError,
    MissingDependencyError,
    ModelError,
    SettingError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""What no second try mends: the command or its input is to be changed, or something to be installed or set."""


def build() -> Typer:
    """Return the application."""
    app = Typer(
        name="anyrank",
        help="Rerank, fuse and evaluate, with every scorer that anyrank knows.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in COMMANDS:
        app.command(name)(import_module(f"anyrank.cli.{name}").command)
    return app


def run(arguments: Sequence[str] | None) -> None:
    """Run a command and exit. An error is one line on standard error, after a traceback only with ``--traceback``."""
    own = arguments is None
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    _console.set_up()
    if own:
        hush()
    code = _code(partial(_run, arguments))
    code = _code(_console.flush) or code
    if own and active_count() > 1:
        sys.stderr.flush()
        os._exit(code)  # a model at work would keep the interpreter, and one that reads crash its end
    sys.exit(code)


def _code(step: Callable[[], None]) -> int:
    """Return the exit code of a step, 0 where it comes to its end."""
    try:
        step()
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        _console.error(str(end.code))  # a scorer that somebody else wrote may end with words
        return 1
    return 0


def _run(arguments: Sequence[str]) -> None:
    try:
        build()(args=arguments, prog_name="anyrank")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told of
        if "--traceback" in arguments:
            _console.note(format_exc().rstrip())
        _console.error(_console.said(error))
        sys.exit(2 if isinstance(error, YOURS) else 1)


def _version(wanted: Any) -> None:
    if wanted:
        _console.line(__version__)
        raise Exit


def _root(
    *,
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
    traceback: Annotated[bool, Option("--traceback", help="Show where an error comes from.")] = False,
) -> None:
    """Take the options that stand before a command; `run` heeds ``--traceback``."""
