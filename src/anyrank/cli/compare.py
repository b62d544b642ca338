"""``anyrank compare``: a grid of first stages, fusions and rerankers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from typer import Exit, Option

from anyrank import _checks
from anyrank.errors import ArgumentError

from ._collection import Judged, Texts, read
from ._grid import Asked, add_scorer, measured, needs_of, say_what_failed, scorers
from ._options import unfolded
from ._outputs import Outputs
from ._specs import named, spec

if TYPE_CHECKING:
    from anyrank.evaluation import Collection, Slices

SLICES: Final[Mapping[str, str]] = {"length": "queries", "overlap": "corpus"}
"""The ways to part queries, and the texts that each needs (beside the queries')."""


@dataclass(frozen=True)
class Compared:
    """The options that say what stands in the grid, beside the runs."""

    scorer: Annotated[
        list[str] | None, Option("--scorer", "-s", metavar="[NAME=]SPEC", help="A reranker. Repeatable.")
    ] = None
    rerankers: Annotated[
        Path | None, Option("--rerankers", metavar="FILE", help="Rerankers: a JSON object of specs by name.")
    ] = None
    fusion: Annotated[
        list[str] | None,
        Option("--fusion", metavar="[NAME=]METHOD", help="Fuse the runs; or JSON, keywords of fuse. Repeatable."),
    ] = None
    slices: Annotated[
        str | None, Option("--slices", metavar="LIST", help="Verdicts for parts of the queries: length,overlap.")
    ] = None


@unfolded
def command(compared: Compared, outputs: Outputs, asked: Asked, judged: Judged, texts: Texts) -> None:
    """Measure first stages, their fusions and rerankers, each with each, and say what is more than chance.

    A terminal gets a table with verdicts below it; a pipe gets every column, with tabs between them.

    For instance:

        anyrank compare scifact -s lexical -s first_stage --fusion rrf
        anyrank compare scifact -s words=lexical --slices length,overlap --html report.html
    """
    outputs.expect()
    rerankers = _rerankers(compared.scorer or (), compared.rerankers)
    fusions = _fusions(compared.fusion or ())
    ways = _ways(compared.slices)
    needs = {text: f"--slices {way}" for way in ways for text in ("queries", SLICES[way])} | needs_of(rerankers)
    collection = read(judged, texts, needs)
    _expect_rows(collection.first_stages, fusions, rerankers, outputs.against)
    depth = {} if judged.depth is None else {"top_n": judged.depth}
    cut = {name: depth | settings for name, settings in fusions.items()}
    comparison = measured(collection, rerankers, asked, judged=judged, texts=texts, fusions=cut)
    outputs.write(comparison, dict(_sliced(ways, collection, texts)), title=collection.name)
    if say_what_failed(comparison):
        raise Exit(1)


def _rerankers(given: Iterable[str], path: Path | None) -> dict[str, Any]:
    found = scorers(given)
    for name, one in _object(spec(f"@{path}"), path).items() if path else ():
        add_scorer(found, name, one)
    return found


def _object(found: Any, where: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        msg = f"{where}: a JSON object is needed, not a {type(found).__name__}"
        raise ArgumentError(msg)
    return found


def _fusions(given: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return settings of fusions by name from ``rrf``, ``NAME=rrf``, ``NAME={…}`` and ``NAME=@FILE``."""
    from anyrank import Ranking, fuse

    found: dict[str, dict[str, Any]] = {}
    for text in given:
        name, value = named(text)
        given_as = spec(value)
        settings: dict[str, Any] = {"method": given_as} if isinstance(given_as, str) else _object(given_as, value)
        fuse(dict.fromkeys(settings.get("weights") or ["any"], Ranking[str]()), **settings)  # raises for what is wrong
        if name in found:
            msg = f"two fusions are named {name!r}: name one of them, as in first={value}"
            raise ArgumentError(msg)
        found[name] = settings
    return found


def _expect_rows(runs: Iterable[str], fusions: Iterable[str], rerankers: Iterable[str], against: str | None) -> None:
    """Raise `ArgumentError` for a fusion that is named as a run is, and for ``--against`` a row that will not be."""
    if twins := set(runs) & set(fusions):
        msg = f"a run and a fusion are both named {min(twins)!r}: name the fusion, as in NAME=METHOD"
        raise ArgumentError(msg)
    stages = [*runs, *fusions]
    rows = {*stages, *(f"{stage} > {name}" for stage in stages for name in rerankers)}
    if against is not None and against not in rows:
        msg = f"--against: no row will be named {against!r}; {_checks.suggest(against, rows)}"
        raise ArgumentError(msg)


def _ways(slices: str | None) -> list[str]:
    ways = [way.strip() for way in (slices or "").split(",") if way.strip()]
    for way in ways:
        if way not in SLICES:
            msg = f"no slices are named {way!r}; {_checks.suggest(way, SLICES)}"
            raise ArgumentError(msg)
    return ways


def _sliced(ways: Iterable[str], collection: Collection, texts: Texts) -> Iterator[tuple[str, Slices]]:
    from anyrank.evaluation import slice_by_length, slice_by_overlap

    for way in ways:
        if way == "length":
            yield way, slice_by_length(collection.queries)
        else:
            yield (
                way,
                slice_by_overlap(collection.queries, collection.qrels, documents=collection.documents, text=texts.text),
            )
