"""Measuring: the options of `eval` and `compare`, and what is said beside their results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Option

from anyrank import _checks
from anyrank.errors import ArgumentError

from . import _console
from ._specs import named, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyrank.evaluation import Collection, Comparison, Progress

    from ._collection import Judged, Texts

__all__ = ["Asked", "measured", "needs_of", "say_what_failed", "scorers"]


@dataclass(frozen=True)
class Asked:
    """The options that say what is measured, and how a reranker is asked."""

    metric: Annotated[
        list[str] | None,
        Option("--metric", "-m", metavar="NAME", help="NDCG@10, MRR@10, MAP, Recall@50, Hit@10 … Repeatable."),
    ] = None
    ties: Annotated[
        Literal["given", "trec_eval"], Option("--ties", help="The order a user gets, or trec_eval's, by score and id.")
    ] = "given"
    store: Annotated[
        Path | None, Option("--store", metavar="FOLDER", help="Keep every answer there, and go on from what it has.")
    ] = None
    max_concurrency: Annotated[
        int, Option("--max-concurrency", metavar="N", min=1, help="So many queries are asked at once.")
    ] = 1
    price: Annotated[
        list[str] | None,
        Option("--price", metavar="[NAME:]UNIT=PRICE", help="What a unit of usage costs (of a reranker). Repeatable."),
    ] = None


@dataclass
class _Kept:
    """How many answers of each row were there before it was asked."""

    show: Callable[[Progress], None] | None = None
    rows: dict[str, Progress] = field(default_factory=dict)

    def __call__(self, progress: Progress) -> None:
        self.rows.setdefault(progress.row, progress)  # the first one comes before anything is asked
        if self.show:
            self.show(progress)


def scorers(given: Iterable[str]) -> dict[str, Any]:
    """Return specs by name from ``[NAME=]SPEC``.

    Raises `ArgumentError` for two of one name, and for a spec that names no scorer.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, value = named(text)
        read = spec(value)
        add_scorer(found, _called(value, read) if name == value else name, read)
    return found


def add_scorer(found: dict[str, Any], name: str, read: Any) -> None:
    """Add a spec under its name, which nothing else has, once it is seen that it can be built."""
    from anyrank import load
    from anyrank.adapter import refuse_secrets

    if name in found:
        msg = f"two rerankers are named {name!r}: name one of them, as in first=SPEC"
        raise ArgumentError(msg)
    refuse_secrets(read, f"reranker {name!r}: its spec")
    load(read)  # what is built here has opened and loaded nothing
    found[name] = read


def needs_of(rerankers: Mapping[str, Any]) -> dict[str, str]:
    """Return which texts must be there for these rerankers, as `_collection.read` takes it."""
    why = f"reranker {next(iter(rerankers))!r}" if rerankers else ""
    return dict.fromkeys(("queries", "corpus"), why) if rerankers else {}


def measured(
    collection: Collection,
    rerankers: Mapping[str, Any],
    asked: Asked,
    *,
    judged: Judged,
    texts: Texts,
    fusions: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Measure every cell of the grid while a bar shows how far it is."""
    from anyrank.evaluation import METRICS, compare

    kept = _Kept()
    try:
        with _console.progress() as kept.show:
            comparison = compare(
                rerankers,
                collection.queries or None,
                first_stages=collection.first_stages,
                qrels=collection.qrels,
                fusions=fusions,
                prices=_prices(asked.price or (), rerankers),
                metrics=asked.metric or METRICS,
                relevant=judged.relevant,
                text=texts.text,
                max_concurrency=asked.max_concurrency,
                store=asked.store,
                ties=asked.ties,
                on_progress=kept,
            )
    except BaseException:  # Ctrl-C, and what every further query would meet, such as an account that is empty
        if asked.store and asked.store.is_dir() and kept.rows:
            _console.remark(f"what was answered is kept in {asked.store}: the same command goes on from there")
        raise
    for row in kept.rows.values():
        if row.done:
            _console.remark(f"{row.row}: {row.done} of {row.total} answers are an earlier run's, kept in {asked.store}")
    return comparison


def say_what_failed(comparison: Comparison) -> bool:
    """Warn of failed and degraded queries, row by row, and return whether any failed."""
    for row in comparison.rows:
        if failures := row.failures:
            query, error = next(iter(failures.items()))
            told = f"{len(failures)} of {len(row.answers)} queries failed, and count 0"
            _console.warn(f"{row.name}: {told}; query {query!r}: {error}")
        if row.degraded:
            _console.warn(f"{row.name}: a stand-in answered {len(row.degraded)} of {len(row.answers)} queries")
        if row.price and row.usage and row.cost is None:
            units = " and ".join(map(repr, row.usage))
            _console.warn(f"{row.name}: no cost, since it uses {units}, and --price is of {', '.join(row.price)}")
    return any(row.failures for row in comparison.rows)


def _called(text: str, read: Any) -> str:
    """Return what a reranker without a name is called: never a JSON object, which may hold what nobody is to see."""
    if text.startswith("@"):
        return Path(text[1:]).stem
    return next(iter(read), text) if isinstance(read, dict) else text


def _prices(given: Iterable[str], rerankers: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return prices by reranker and unit: those of ``NAME:UNIT=PRICE`` are one's, those without a name everyone's."""
    prices: dict[str, dict[str, float]] = defaultdict(dict)
    for name, unit, price in sorted(map(_price, given)):  # everyone's first
        if name and name not in rerankers:
            msg = f"--price: no reranker is named {name!r}; {_checks.suggest(name, rerankers)}"
            raise ArgumentError(msg)
        for one in [name] if name else rerankers:
            prices[one][unit] = price
    return prices


def _price(text: str) -> tuple[str, str, float]:
    left, _, right = text.rpartition("=")
    name, _, unit = left.rpartition(":")
    try:
        price = _checks.finite(float(right))
    except ValueError:
        price = None
    if not unit or price is None or price < 0:
        msg = f"--price {text}: a unit and a number are needed, as in search_units=0.002"
        raise ArgumentError(msg)
    return name, unit, price
