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
        return row_name(self.first_stage, self.reranker)

    @property
    def means(self) -> dict[str, float]:
        """Each metric's mean over the queries."""
        return {metric: mean(figures) for metric, figures in self.values.items()}

    def figures(self, metric: str) -> Mapping[str, float]:
        """Return a metric's figure of each query. Raises `ArgumentError` for one that was not measured."""
        if metric not in self.values:
            msg = f"{metric!r} was not measured; there are {', '.join(self.values)}"
            raise ArgumentError(msg)
        return self.values[metric]

    def mean(self, metric: str) -> float:
        """Return a metric's mean over the queries. Raises `ArgumentError` for one that was not measured."""
        return mean(self.figures(metric))

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
    judged queries do not count, since nothing relevant to them is known. Raises `ArgumentError` for no row, and for two
    of one name.
    """

    rows: Sequence[Evaluation]
    queries: Mapping[str, str] = field(default_factory=dict)
    without_relevant: int = 0

    def __post_init__(self) -> None:
        """Check the names."""
        distinct([row.name for row in self.rows])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(self.rows[0].values)

    def best(self, metric: str) -> Evaluation:
        """Return the row with the highest mean, the first of equal ones."""
        return max(self.rows, key=lambda row: row.mean(metric))

    def __getitem__(self, name: str) -> Evaluation:
        """Return the row of that name. Raises `ArgumentError` for an unknown one."""
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            msg = f"no row named {name!r}; {suggest(name, rows)}"
            raise ArgumentError(msg)
        return rows[name]


def row_name(first_stage: str, reranker: str | None) -> str:
    """Return a row's name."""
    return first_stage if reranker is None else f"{first_stage} > {reranker}"


def distinct(names: Sequence[str]) -> None:
    """Raise `ArgumentError` for no row, and for two of one name."""
    if not names or len(set(names)) < len(names):
        msg = f"a comparison is of rows with a name of their own; got {', '.join(map(repr, names)) or 'no first stage'}"
        raise ArgumentError(msg)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that this share of the values does not exceed, interpolated between neighbours.

    Raises `ArgumentError` for a share that is none, such as 95.
    """
    if not 0 <= share <= 1:
        msg = f"a share is between 0 and 1, such as 0.95; got {share!r:.80}"
        raise ArgumentError(msg)
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = ordered[int(place)]
    return below + (ordered[min(int(place) + 1, len(ordered) - 1)] - below) * (place % 1)
