"""How good rankings are, as ``trec_eval`` measures it.

The figures come from `ir-measures <https://ir-measur.es>`_ over ``pytrec-eval-terrier``, which is trec_eval itself
(``pip install 'anyrank[eval]'``). What is said here is which order they get, and which queries count.

**Order.** trec_eval ignores the order and the ranks of a run: it sorts by score, as 32-bit floats, and equal ones by
document id, descending. A user gets the order of a `Ranking`, ties in the first stage's order. So each document is
handed over with minus its rank as its score, which cannot tie: what is measured is what a user gets.
`trec_eval_order` gives the other order, for figures to be held against someone else's.

**Queries.** The mean is over every judged query that has a relevant document, and one without a ranking counts 0, as
with ``trec_eval -c``. Queries without a relevant document are left out: no order of their documents is better than
another (trec_eval counts them as 0, whatever was found).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ctypes import c_float
from statistics import fmean
from typing import Any, Final, TypeAlias

from anyrank import _checks
from anyrank._registry import require
from anyrank.errors import ArgumentError

from .tables import read_qrels

__all__ = ["METRICS", "Judge", "Values", "trec_eval_order"]

Values: TypeAlias = Mapping[str, Mapping[str, float]]
"""A figure for each metric's name and query id."""

METRICS: Final = ("NDCG@10", "MRR@10", "MAP", "Recall@10", "Hit@10", "Judged@10")
"""What is measured unless something else is asked for."""

NAMES: Final = {
    **dict.fromkeys(("hit", "hits", "hit_rate", "hitrate", "success"), "Success"),
    "judged": "Judged",
    "map": "AP",
    "mrr": "RR",
    "ndcg": "nDCG",
    "precision": "P",
    "recall": "R",
}
"""What ir-measures calls the field's metrics; here in any case."""


class Judge:
    """Measures rankings of document ids against judgments, whatever `read_qrels` takes.

    ``metrics`` are names such as ``"NDCG@10"``, ``"MRR@10"``, ``"MAP"``, ``"Recall@50"``, ``"Hit@10"`` (a relevant
    document among ten), ``"Judged@10"`` (the share of ten that is judged), or any that ir-measures reads.
    ``relevant`` is the lowest grade that counts as relevant where a metric knows only relevant or not, and for which
    queries count. Raises `ArgumentError` for a metric that is none or that needs another library, and where no query
    counts, and `MissingDependencyError` without ir-measures.
    """

    def __init__(self, qrels: Any, metrics: Iterable[str] = METRICS, *, relevant: int = 1) -> None:
        """Choose the queries and read the metrics' names."""
        library = require("ir_measures", needed_by="anyrank.evaluation", install="anyrank[eval]")
        self.relevant = _checks.count(relevant, "relevant")
        judged = read_qrels(qrels)
        self.qrels = {query: grades for query, grades in judged.items() if max(grades.values(), default=0) >= relevant}
        self.without_relevant = len(judged) - len(self.qrels)
        if not self.qrels:
            msg = f"none of the {len(judged)} judged queries has a document of grade {relevant} or better"
            raise ArgumentError(msg)
        self._measures = {name: _measure(library, name, relevant) for name in _listed(metrics)}
        self._ids = {query: _numbered(grades) for query, grades in self.qrels.items()}
        self._queries = list(self.qrels)
        numbered = {
            str(number): {self._ids[query][document]: grade for document, grade in self.qrels[query].items()}
            for number, query in enumerate(self._queries)
        }
        try:
            self._evaluator: Any = library.evaluator(list(set(self._measures.values())), numbered)
        except ValueError as error:  # it says which package has the metric
            raise ArgumentError(str(error)) from None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, as they were given."""
        return tuple(self._measures)

    @property
    def depth(self) -> int | None:
        """How many documents of a ranking the metrics look at; None for all."""
        cutoffs = [measure.params.get("cutoff") for measure in self._measures.values()]
        return None if None in cutoffs else max(cutoffs)

    def measure(self, orders: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
        """Return each metric's figure of each query that counts; ``orders`` are document ids, best first, by query id.

        Rankings of queries that do not count are not looked at.
        """
        run = {
            str(number): _by_rank(orders[query], self._ids[query])
            for number, query in enumerate(self._queries)
            if orders.get(query)
        }
        found = {measure: dict.fromkeys(self._queries, 0.0) for measure in self._measures.values()}
        for figure in self._evaluator.iter_calc(run):
            found[figure.measure][self._queries[int(figure.query_id)]] = float(figure.value)
        return {name: found[measure] for name, measure in self._measures.items()}


def mean(figures: Mapping[str, float]) -> float:
    """Return the mean over the queries."""
    return fmean(figures.values())


def trec_eval_order(scores: Mapping[str, float]) -> list[str]:
    """Return document ids in the order in which trec_eval reads their scores.

    By score, as a 32-bit float, and equal ones by id, both descending (``form_res_rels.c`` of trec_eval 9).
    """
    return sorted(scores, key=lambda document: (c_float(scores[document]).value, document), reverse=True)


def _numbered(documents: Iterable[str]) -> dict[str, str]:
    """Return numbers that stand for ids: trec_eval, in C, ends the process over some, such as half a surrogate pair."""
    return {document: str(number) for number, document in enumerate(documents)}


def _by_rank(order: Sequence[str], judged: Mapping[str, str]) -> dict[str, float]:
    """Return minus the rank of each document, each once, under what stands for its id."""
    ranks = enumerate(dict.fromkeys(order), 1)
    return {judged.get(document, f"unjudged-{rank}"): -float(rank) for rank, document in ranks}


def _listed(metrics: Iterable[str]) -> list[str]:
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    if not names:
        msg = f"no metric was asked for: metrics= takes names such as {', '.join(METRICS)}"
        raise ArgumentError(msg)
    return names


def _measure(library: Any, name: str, relevant: int) -> Any:
    word, rest = re.fullmatch(r"([A-Za-z_]*)(.*)", str(name), re.DOTALL).groups()  # type: ignore[union-attr]  # matches all
    try:
        measure = library.parse_measure(NAMES.get(word.lower(), word) + rest)
        measure.validate_params()
        if measure.params.get("cutoff", 1) < 1:
            raise ValueError  # noqa: TRY301 - as the library does for other numbers
    except (AssertionError, AttributeError, NameError, SyntaxError, TypeError, ValueError, KeyError):
        msg = f"no metric named {name!r}; {_checks.suggest(str(name), METRICS)}, and all of https://ir-measur.es"
        raise ArgumentError(msg) from None
    return measure(rel=relevant) if _knows_only_relevant(measure) else measure


def _knows_only_relevant(measure: Any) -> bool:
    return "rel" in measure.SUPPORTED_PARAMS and "rel" not in measure.params
