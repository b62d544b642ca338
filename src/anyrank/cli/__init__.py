"""The command line ``anyrank``: rerank, fuse and evaluate without a line of code. Needs ``anyrank[cli]``.

What a command finds goes to standard output, everything else (progress, warnings, errors) to standard error. It exits
with 0 when all went well, 1 when a model or service failed or what was found is not well, 2 for input that cannot be
right, as for a misspelt option, 130 after Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments (``sys.argv`` without its first) name, and exit."""
    try:
        import rich  # noqa: F401 - it is imported when something is shown, too late to say that it is missing

        from ._app import run
    except ModuleNotFoundError as missing:
        if missing.name not in ("rich", "typer"):
            raise
        sys.stderr.write(f"anyrank: the command line needs the package {missing.name!r}: pip install 'anyrank[cli]'\n")
        sys.exit(2)
    run(arguments)
