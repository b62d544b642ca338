"""``anyrank tune``: which fusion suits these runs, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from . import _console
from ._collection import Judged, Texts, read
from ._grid import scorers
from ._lines import written
from ._options import unfolded

if TYPE_CHECKING:
    from rich.table import Table

    from anyrank.evaluation import Tuned


@unfolded
def command(
    *,
    metric: Annotated[
        str, Option("--metric", "-m", metavar="NAME", help="What is to be as high as it can.")
    ] = "NDCG@10",
    method: Annotated[
        list[str] | None, Option("--method", metavar="NAME", help="Try this method of fusion only. Repeatable.")
    ] = None,
    save: Annotated[
        Path | None, Option("--save", metavar="FILE", help="Write the settings, for anyrank fuse --settings.")
    ] = None,
    spec: Annotated[
        list[str] | None,
        Option("--spec", metavar="NAME=SPEC", help="Show the ensemble of these scorers, one a run. Repeatable."),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Everything as one JSON object.")] = False,
    judged: Judged,
) -> None:
    """Find the fusion of runs that is best on judged queries, and say what it is worth on queries it was not chosen on.

    A terminal gets a table and the settings; a pipe gets the same as lines, with tabs in them.

    For instance:

        anyrank tune scifact --save settings.json
        anyrank tune --qrels qrels.txt bm25.trec dense.trec -m MRR@10 --method rrf --method weighted_sum
    """
    from anyrank.evaluation import tune

    _console.expect_file(save, "--save")
    members = scorers(spec or ())
    collection = read(judged, Texts(), {})
    with _console.progress() as show:
        tuned = tune(
            collection.first_stages,
            collection.qrels,
            metric=metric,
            relevant=judged.relevant,
            methods=method,
            on_progress=show,
        )
    ensemble = tuned.spec(members) if members else None
    _show(tuned, ensemble, as_json=as_json)
    if save:
        with _console.opened(save) as write:
            write(written(tuned.settings))


def _show(tuned: Tuned, ensemble: dict[str, Any] | None, *, as_json: bool) -> None:
    if as_json:
        _console.line(written(_object(tuned, ensemble)))
        return
    if not _console.is_terminal():
        for cells in _lines(tuned, ensemble):
            _console.line(_console.tabbed(*cells))
        return
    _console.show(_table(tuned))
    flattered = f"{tuned.fitted:.4f} on the queries they were chosen on, which flatters"
    _console.show(_console.plain(str(tuned.gain)))
    _console.show(_console.plain(f"{tuned.tried} settings were tried; the best have {flattered}."))
    for one in _found(tuned, ensemble):
        _console.line(": ".join(one))  # unbroken, to be copied


def _object(tuned: Tuned, ensemble: dict[str, Any] | None) -> dict[str, Any]:
    said = {name: getattr(tuned, name) for name in ("metric", "settings", "held_out", "fitted", "untuned", "tried")}
    more = {"alone": dict(tuned.alone), "gain": tuned.gain.to_dict(), "folds": list(tuned.folds), "spec": ensemble}
    return said | more


def _figures(tuned: Tuned, *words: str) -> list[tuple[str, float]]:
    return [*tuned.alone.items(), *zip(words, (tuned.untuned, tuned.held_out), strict=True)]


def _found(tuned: Tuned, ensemble: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    yield "settings", written(tuned.settings)
    if ensemble:
        yield "spec", written(ensemble)


def _lines(tuned: Tuned, ensemble: dict[str, Any] | None) -> Iterator[tuple[str, ...]]:
    """Yield lines for another program; the gain is that of held-out queries."""
    yield from ((name, tuned.metric, f"{value:.4f}") for name, value in _figures(tuned, "untuned", "tuned"))
    yield ("verdict", tuned.gain.verdict, f"{tuned.gain.p_corrected:.4g}")
    yield from _found(tuned, ensemble)


def _table(tuned: Tuned) -> Table:
    from rich.table import Table

    table = Table("", tuned.metric)
    for name, value in _figures(tuned, "all, untuned (rrf)", "all, tuned, held out"):
        table.add_row(_console.plain(name), f"{value:.4f}")
    return table
