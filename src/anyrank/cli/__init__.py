"""The command line ``anyrank``: rerank, fuse and evaluate without a line of code. Needs ``anyrank[cli]``.

What a command finds goes to standard output, everything else (progress, warnings, errors) to standard error. It exits
with 0 when all went well, 1 when a model or service failed or what was found is not well, 2 for input that cannot be
right, as for a misspelt option, 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments (``sys.argv`` without its first) name, and exit."""
    try:
        for package in ("packaging", "rich"):  # imported when they are needed, too late to say that they are missing
            import_module(package)
        from ._app import run

        run(arguments)
    except ModuleNotFoundError as missing:
        if missing.name not in ("packaging", "rich", "typer"):
            raise
        sys.stderr.write(f"anyrank: the command line needs the package {missing.name!r}: pip install 'anyrank[cli]'\n")
        sys.exit(2)
    except KeyboardInterrupt:  # before there is a command that it could end
        sys.exit(130)
