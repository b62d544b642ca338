"""What an evaluation finds: what was answered to each query, how good it is, and what it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anyrank._checks import suggest
from anyrank.errors import ArgumentError
from anyrank.ranking import added

from .metrics import Values, mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Answer", "Comparison", "Evaluation", "percentile"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one query: document ids, best first, with their scores, and what it took.

    ``seconds`` is the wall time of the rerank call, or of the retriever for a first stage's own row; None where
    rankings were given. ``error`` is what the reranker raised; the order is empty then.
    """

    order: tuple[str, ...]
    scores: tuple[float | None, ...] = ()
    seconds: float | None = None
    requests: int = 0
    usage: Mapping[str, float] = field(default_factory=dict)
    degraded: bool = False
    truncated: int = 0
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Answer:
        """Undo `to_dict`, also after JSON has made lists of tuples."""
        sequences = {name: tuple(values[name]) for name in ("order", "scores")}
        return cls(**{**values, **sequences})


@dataclass(frozen=True)
class Evaluation:
    """One row of a comparison: a first stage, as it is or reranked, measured on the judged queries.

    ``values`` are figures by metric and query. A query that failed counts 0 in every metric: a user would have got
    nothing (wrap the scorer in ``Fallback(scorer, FirstStage())`` to keep the first stage's order instead; such
    queries then count as degraded). ``answers`` are by query. ``baseline`` is the first stage as it is; None for a
    first stage's own row. ``fingerprint`` tells the reranker's scores from another's, where it can be told.
    ``price`` is what a unit of usage costs.
    """

    first_stage: str
    reranker: str | None
    answers: Mapping[str, Answer]
    values: Values
    baseline: Evaluation | None = field(default=None, repr=False)
    fingerprint: str | None = None
    price: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The row's name: ``"bm25"``, or ``"bm25 > jina"`` for a reranked one."""
        return self.first_stage if self.reranker is None else f"{self.first_stage} > {self.reranker}"

    @property
    def means(self) -> dict[str, float]:
        """Each metric's mean over the queries."""
        return {metric: mean(figures) for metric, figures in self.values.items()}

    @property
    def failures(self) -> dict[str, str]:
        """What was raised, by query."""
        return {query: answer.error for query, answer in self.answers.items() if answer.error is not None}

    @property
    def degraded(self) -> list[str]:
        """The queries for which a stand-in answered."""
        return [query for query, answer in self.answers.items() if answer.degraded]

    @property
    def truncated(self) -> int:
        """How many texts were cut."""
        return sum(answer.truncated for answer in self.answers.values())

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return sum(answer.requests for answer in self.answers.values())

    @property
    def usage(self) -> dict[str, float]:
        """What was used, in the provider's own units."""
        return added(answer.usage for answer in self.answers.values())

    @property
    def cost(self) -> float | None:
        """What the usage cost at ``price``, or as the scorer itself says (``usage["cost"]``); None if not known.

        One unit with a price is enough: services bill by one of the units that they report.
        """
        usage = self.usage
        known = [usage[unit] * each for unit, each in self.price.items() if unit in usage]
        return sum(known) if known else usage.get("cost")

    def latency(self, share: float) -> float | None:
        """Return the seconds within which that share of the queries was answered; None where nothing was timed."""
        seconds = [answer.seconds for answer in self.answers.values() if answer.seconds is not None]
        return percentile(seconds, share) if seconds else None


@dataclass(frozen=True)
class Comparison:
    """Rows to be compared, on the same queries by the same metrics.

    ``queries`` are the texts of the queries that count, by id, where they are known; ``without_relevant`` is how many
    judged queries do not count, since nothing relevant to them is known.
    """

    rows: Sequence[Evaluation]
    queries: Mapping[str, str] = field(default_factory=dict)
    without_relevant: int = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(self.rows[0].values)

    def best(self, metric: str) -> Evaluation:
        """Return the row with the highest mean, the first of equal ones."""
        return max(self.rows, key=lambda row: row.means[metric])

    def __getitem__(self, name: str) -> Evaluation:
        """Return the row of that name. Raises `ArgumentError` for an unknown one."""
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            msg = f"no row named {name!r}; {suggest(name, rows)}"
            raise ArgumentError(msg)
        return rows[name]


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that this share of the values does not exceed, interpolated between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = ordered[int(place)]
    return below + (ordered[min(int(place) + 1, len(ordered) - 1)] - below) * (place % 1)
