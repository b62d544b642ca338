"""Does reranking help this data, which reranker, and at what latency and price?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from anyrank import _checks
from anyrank.errors import ArgumentError

from .grid import Grid, Ties
from .results import Comparison, Evaluation, distinct, row_name
from .tables import by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from anyrank.adapter import RerankerLike
    from anyrank.text import TextOf

    from .asking import Progress, Store
    from .retrievers import FirstStageLike

__all__ = ["Options", "compare", "evaluate"]


class Options(TypedDict, total=False):
    """The further keywords of `evaluate` and `compare`.

    ``metrics`` and ``relevant``, the lowest grade that counts as relevant, are as `Judge` takes them. ``text`` says how
    to read a document, as in `anyrank.Reranker.rerank`; ``key`` what judgments call it (by default `document_id`).
    ``max_concurrency`` queries are asked at once, one by default: then ``latency`` is that of a single caller.
    ``store`` keeps every answer, in a folder of JSON lines or any mutable mapping of str to JSON values, and a run with
    the same store goes on where the last one was killed. ``on_progress`` is called after every answer.
    ``ties="trec_eval"`` measures rankings that have scores in trec_eval's own order, by score and then by id, instead
    of the order that a user gets.
    """

    metrics: Iterable[str]
    text: TextOf[Any]
    key: Callable[[Any], object]
    relevant: int
    max_concurrency: int | None
    store: Store | Path | str | None
    on_progress: Callable[[Progress], object] | None
    ties: Ties


def evaluate(
    reranker: RerankerLike,
    queries: Any,
    *,
    candidates: FirstStageLike,
    qrels: Any,
    price: Mapping[str, float] | None = None,
    **options: Unpack[Options],
) -> Evaluation:
    """Measure a reranker on judged queries, beside its first stage's own order (``.baseline``).

    ``reranker`` is a spec, a scorer, a function, a `Reranker` or a `Cascade`. ``queries`` are texts by id,
    ``candidates`` rankings by query id or a retriever (`retrieve`), ``qrels`` grades by query id and document id; each
    may also be a file, a table or a list (`read_queries`, `read_run`, `read_qrels`). ``price`` is what a unit of usage
    costs, by unit.

    Only queries that have a relevant document are asked. One that fails is counted, named and measured as 0; an error
    that every query would meet (an unknown model, a missing key, an argument) is raised. Raises `ArgumentError` where
    queries, candidates and judgments do not go together.

    >>> documents = [{"id": "d1", "text": "Bananas are rich in potassium."}, {"id": "d2", "text": "Paris, France"}]
    >>> found = evaluate("lexical", {"q": "france"}, candidates={"q": documents}, qrels={"q": "d2"}, metrics=["MRR"])
    >>> found.baseline.means, found.means
    ({'MRR': 0.5}, {'MRR': 1.0})
    """
    comparison = compare(
        {"reranker": reranker},
        queries,
        first_stages={"first stage": candidates},
        qrels=qrels,
        prices={"reranker": by_name(price=price or {})},
        **options,
    )
    return comparison.rows[-1]


def compare(
    rerankers: Mapping[str, RerankerLike],
    queries: Any,
    *,
    first_stages: Mapping[str, FirstStageLike],
    qrels: Any,
    fusions: Mapping[str, Mapping[str, Any]] | None = None,
    prices: Mapping[str, Mapping[str, float]] | None = None,
    **options: Unpack[Options],
) -> Comparison:
    """Measure every first stage as it is and under every reranker, one row each.

    ``fusions`` are further first stages, by name: the keywords of `anyrank.fuse` (``{"method": "rrf", "k": 10}``) over
    all first stages, or over those that its ``weights`` name. The other arguments are `evaluate`'s; ``queries`` None
    will do where nothing is reranked.
    """
    rerankers, stages = by_name(rerankers=rerankers), by_name(first_stages=first_stages)
    mixed, costs = by_name(fusions=fusions or {}), by_name(prices=prices or {})
    _refuse_unknown(costs, rerankers, "a price for the reranker")
    _refuse_unknown(options, Options.__annotations__, "an option")
    distinct([row_name(stage, name) for stage in [*stages, *mixed] for name in (None, *rerankers)])
    grid = Grid.of(qrels, queries, needed=bool(rerankers), **options)
    if stages.keys() >= grid.judge.qrels.keys():
        msg = f"first_stages= are by name, such as {{'bm25': rankings}}; these are by query id: {', '.join(stages)}"
        raise ArgumentError(msg)
    runs = {name: grid.candidates(name, source) for name, source in stages.items()}
    fused = {name: grid.fused(runs, settings) for name, settings in mixed.items()}
    rows: list[Evaluation] = []
    for stage, run in [*runs.items(), *fused.items()]:
        baseline = grid.as_it_is(stage, run)
        reranked = [
            grid.reranked(baseline, run, name, reranker, price=costs.get(name)) for name, reranker in rerankers.items()
        ]
        rows += [baseline, *reranked]
    return Comparison(rows, grid.queries, grid.judge.without_relevant)


def _refuse_unknown(given: Iterable[str], known: Iterable[str], what: str) -> None:
    for name in given:
        if name not in known:
            msg = f"there is {what} {name!r}, which is unknown; {_checks.suggest(name, known)}"
            raise ArgumentError(msg)
