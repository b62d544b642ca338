"""Fusion of RedisVL's result lists, which RedisVL itself leaves to the server."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from anyrank import Ranking
from anyrank.adapter import checked_top_n
from anyrank.errors import FusionError
from anyrank.fusion import Fuser

D = TypeVar("D", bound=Mapping[str, Any])


def fuse_results(
    results: Mapping[str, Sequence[D]],
    method: str = "rrf",
    *,
    weights: Mapping[str, float] | None = None,
    scores: Mapping[str, str] | None = None,
    distances: Mapping[str, str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    limit: int | None = None,
) -> tuple[list[D], list[float]]:
    """Return one list of the documents of several named result lists, best first, and their fused scores.

    ``results`` are what queries returned, each under a name: ``{"text": index.query(…), "vector": index.query(…)}``.
    Documents with the same ``id`` are one; its dict in the first list survives as it is. ``method`` is one of
    `anyrank.fusion.METHODS`, ``weights`` go by name (None: equal), ``parameters`` are the method's own (``{"k": 60}``)
    and may hold ``normalize``. ``limit`` documents come back at most (None: all).

    A method that reads scores has to be told the field of each list: in ``scores`` where higher is better
    (``{"text": "score"}``), in ``distances`` where lower is (``{"vector": "vector_distance"}``), which then counts
    with its sign turned. Numbers may be strings, as RedisVL gives distances.

    Raises `anyrank.errors.FusionError` (a `ValueError`) for an unknown method, list or parameter, for weights that
    cannot be, for documents without ``id``, and for scores that are missing or in another order than their list;
    `ArgumentError` for a bad ``limit``.
    """
    fuser = Fuser(method, weights=weights, parameters=parameters or {}, top_n=checked_top_n(limit, "limit"))
    if not isinstance(results, Mapping):
        msg = f"fuse_results takes named lists, {{'text': index.query(…), …}}; got a {type(results).__name__}"
        raise FusionError(msg)
    fields = _signed(scores or {}, distances or {}, {*results, *(weights or ())})
    for name in results:
        if fuser.reads_scores and name not in fields:
            msg = (
                f"method {method!r} reads scores: say where list {name!r} has them, scores={{{name!r}: 'score'}} where "
                f"higher is better, distances={{{name!r}: 'vector_distance'}} where lower is; or use a rank method "
                "such as 'rrf'"
            )
            raise FusionError(msg)
    lists: dict[str, Any] = {name: _scored(name, found, fields.get(name)) for name, found in results.items()}
    fused = fuser.fuse(lists, key=_id)
    return fused.documents, fused.scores  # type: ignore[return-value]  # a fused score is never None


def _signed(
    scores: Mapping[str, str], distances: Mapping[str, str], known: Collection[str]
) -> dict[str, tuple[str, int]]:
    """Return the field of each list's scores, and the sign that makes higher better."""
    for name in (*scores, *distances):
        if name not in known:
            msg = f"there is a field for the scores of {name!r}, which is no list; known: {', '.join(sorted(known))}"
            raise FusionError(msg)
        if name in scores and name in distances:
            msg = f"list {name!r} is in scores= and in distances=: is higher better there, or lower?"
            raise FusionError(msg)
    return {name: (field, 1) for name, field in scores.items()} | {
        name: (field, -1) for name, field in distances.items()
    }


def _id(document: Mapping[str, Any]) -> Any:
    found = document.get("id") if isinstance(document, Mapping) else None
    if found is None:
        msg = f"a document has no 'id', by which documents are told apart: {document!r:.80}"
        raise FusionError(msg)
    return found


def _scored(name: str, documents: Sequence[D], field: tuple[str, int] | None) -> Sequence[D] | Ranking[D]:
    if field is None or not isinstance(documents, Iterable):  # which the fuser refuses by name
        return documents
    return Ranking.of(documents, [_number(name, document, *field) for document in documents])


def _number(name: str, document: Mapping[str, Any], field: str, sign: int) -> float:
    value = document.get(field) if isinstance(document, Mapping) else None
    try:
        return sign * float(value)  # type: ignore[arg-type]  # None is no number either
    except (TypeError, ValueError):
        msg = f"a document of list {name!r} has no number in {field!r}: {document!r:.80}"
        raise FusionError(msg) from None
