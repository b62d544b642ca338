"""Says what works here and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

from typer import Argument, Exit, Option

from . import _console
from ._lines import written
from ._specs import spec

if TYPE_CHECKING:
    from ._checkup import Finding

__all__ = ["command"]

COLOURS: Final = {"ok": "green", "note": "yellow", "fault": "red"}


def command(
    *,
    scorer: Annotated[str | None, Argument(metavar="SPEC", help="Also try this scorer out.")] = None,
    as_json: Annotated[bool, Option("--json", help="JSON lines, one a finding.")] = False,
) -> None:
    """Check this machine, what is installed and the environment; with a scorer, load it and rerank three documents.

    Nothing is downloaded but what a scorer to be tried needs, and a hosted one is asked once. It exits with 1 if there
    is a fault. A pipe gets a line a finding, with tabs between: ok, note or fault, what it is about, what was found.

    For instance:

        anyrank doctor cross_encoder:MODEL
    """
    faults = 0
    for finding in _findings(scorer):
        faults += finding.level == "fault"
        _tell(finding, as_json=as_json)
        _console.flush()
    if faults:
        raise Exit(1)


def _findings(scorer: str | None) -> Iterator[Finding]:
    from ._checkup import attempted, checkup
    from ._trial import trial

    read = None if scorer is None else spec(scorer)
    yield from checkup()
    if read is not None:
        yield from attempted(partial(trial, read), "trial")


def _tell(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        _console.line(written(finding.to_dict()))
    elif _console.is_terminal():
        text = _console.plain(f"{finding.level:<6}{finding.topic:<13}{finding.text}")
        text.stylize(COLOURS[finding.level], 0, 5)
        _console.show(text)
    else:
        _console.line(_console.tabbed(finding.level, finding.topic, finding.text))
