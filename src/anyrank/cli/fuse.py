"""Makes one run of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from anyrank import Ranking
from anyrank.errors import ArgumentError

from . import _console
from ._float32 import falling
from ._lines import written
from ._options import unfolded
from ._runs import located, read
from ._specs import named, setting, spec

if TYPE_CHECKING:
    from anyrank.fusion import Fuser

__all__ = ["command"]


@dataclass(frozen=True)
class Fusion:
    """How the runs are fused: the keywords of `anyrank.fuse`."""

    method: Annotated[str | None, Option(help="The formula: rrf, weighted_sum, borda …", show_default="rrf")] = None
    weight: Annotated[
        list[str] | None, Option(metavar="NAME=0.7", help="A run's say; for all or none. Repeatable.")
    ] = None
    normalize: Annotated[str | None, Option(help="What is done to scores first: min_max, z_score …")] = None
    param: Annotated[
        list[str] | None, Option(metavar="NAME=VALUE", help="The method's own, such as k=10. Repeatable.")
    ] = None
    top_n: Annotated[int | None, Option("--top-n", "-n", help="How many documents a query keeps at most.")] = None
    settings: Annotated[
        Path | None, Option(help="A file from anyrank tune; the options given beside it come first.")
    ] = None

    def fuser(self, names: Sequence[str]) -> Fuser:
        """Return what fuses runs of these names. Raises `FusionError` and its kind."""
        from anyrank.fusion import Fuser

        given = dict(self._saved())
        own = {"method": self.method, "normalize": self.normalize, "top_n": self.top_n}
        given |= {name: value for name, value in own.items() if value is not None}
        given |= _pairs(self.param, "--param", "k=10")
        if self.weight:
            given["weights"] = _pairs(self.weight, "--weight", "bm25=0.7")
        settings = {name: given.pop(name) for name in ("weights", "normalize", "top_n") if name in given}
        fuser = Fuser(given.pop("method", "rrf"), parameters=given, **settings)
        fuser.expect(names)
        return fuser

    def _saved(self) -> Mapping[str, Any]:
        found = spec(f"@{self.settings}") if self.settings else {}
        if not isinstance(found, Mapping):
            msg = f"{self.settings}: settings of a fusion are a JSON object, as anyrank tune saves it"
            raise ArgumentError(msg)
        return found


@unfolded
def command(
    *,
    run: Annotated[
        list[str], Argument(metavar="[NAME=]RUN", help="TREC's six columns, or JSON lines; - is what is piped in.")
    ],
    fusion: Fusion,
    as_json: Annotated[bool, Option("--json", help="JSON lines, not TREC's columns.")] = False,
    output: Annotated[Path | None, Option("--output", "-o", help="A file instead of standard output.")] = None,
) -> None:
    """Fuse the rankings of several runs into one run.

    A run is named after its file unless a name is given. What trec_eval reads in the output has the order of the
    fusion: a score that it would take for a tie, as it reads 32 bits, is written one step lower.

    For instance:

        anyrank fuse bm25.trec dense.trec > both.trec
        anyrank fuse words=a.trec sense=b.trec --weight words=0.3 --weight sense=0.7
    """
    _console.expect_file(output)
    paths = located(run)
    fuser = fusion.fuser(list(paths))
    runs = {name: read(path) for name, path in paths.items()}
    queries = dict.fromkeys(query for found in runs.values() for query in found)
    rows = _json_rows if as_json else _trec_rows
    with _console.opened(output) as write:
        for query in queries:
            lists = {name: found.get(query, Ranking[str]()) for name, found in runs.items()}
            for row in rows(query, fuser.fuse(lists)):
                write(row)


def _trec_rows(query: str, ranking: Ranking[str]) -> Iterator[str]:
    """Yield a query's lines of a TREC run. Raises `ArgumentError` for an id that the format cannot hold."""
    from anyrank.evaluation.files import expect_ids, run_lines

    expect_ids([query, *ranking.documents])
    scores = falling([hit.score or 0.0 for hit in ranking])
    yield from run_lines(query, zip(ranking.documents, scores, strict=True))


def _json_rows(query: str, ranking: Ranking[str]) -> Iterator[str]:
    for rank, hit in enumerate(ranking, 1):
        yield written({"query_id": query, "doc_id": hit.document, "rank": rank, "score": hit.score})


def _pairs(given: Sequence[str] | None, option: str, example: str) -> dict[str, Any]:
    """Return the values of ``NAME=VALUE`` by name. Raises `ArgumentError` for another form, or a name given twice."""
    pairs: dict[str, Any] = {}
    for text in given or ():
        name, value = named(text)
        if name == value or name in pairs:
            why = "is given twice" if name in pairs else "is not a name and a value"
            msg = f"{option} {text!r} {why}: write {option} {example}, once for each"
            raise ArgumentError(msg)
        pairs[name] = setting(value)
    return pairs
