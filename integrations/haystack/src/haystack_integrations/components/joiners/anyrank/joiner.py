"""`FusionJoiner`: named lists of Haystack documents in, `anyrank.fusion.Fuser`, one list out.

The class has to be defined here: `Pipeline.loads` imports components from ``haystack_integrations`` and from no
package that it does not know. Annotations are not postponed: Haystack makes sockets of them.
"""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final, Self

from haystack import Document, component, default_from_dict, default_to_dict

from anyrank import Ranking
from anyrank.adapter import host_ranking
from anyrank.errors import FusionError
from anyrank.fusion import Fuser
from haystack_integrations.common.anyrank.documents import (
    by_score,
    checked_top_k,
    distinct,
    documents_of,
    is_shared,
    scored,
)

RESERVED: Final = ("get", "self", "top_k")
"""Names that cannot be inputs: Haystack keeps sockets as attributes beside its ``get``; `FusionJoiner.run` has two."""


@component
class FusionJoiner:
    """Fuses several lists of documents into one, with an input socket for each list, named by its weight.

    ``FusionJoiner(weights={"bm25": 0.7, "dense": 0.3})`` has the inputs ``bm25`` and ``dense``: a weight belongs to
    its list whatever arrives first. An input that is not connected, or whose branch was skipped, is an empty list.

    ``method`` is one of `anyrank.fusion.METHODS`, ``parameters`` are its own (``{"k": 60}``) and may hold
    ``normalize``; ``top_k`` documents come back (None: all). Documents with the same id are one: its copy in the
    first list, in the order of the weights, survives, and ties keep first-seen order.

    Retrievers that feed the *same* input are shards of one source: their lists are merged by score. Scores that
    cannot be compared belong on two inputs.

    Raises `anyrank.errors.FusionError` (a `ValueError`) for names, weights, a method or parameters that cannot be.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        *,
        method: str = "rrf",
        parameters: dict[str, Any] | None = None,
        top_k: int | None = None,
    ) -> None:
        self._fuser = Fuser(method, weights=_named(weights), parameters=parameters or {})
        self._parameters = parameters
        self.top_k = checked_top_k(top_k)
        for name in weights:
            component.set_input_type(self, name, list[Document], default=None)

    @component.output_types(documents=list[Document])
    def run(self, top_k: int | None = None, **lists: list[Document] | None) -> dict[str, list[Document]]:
        """Return the fused documents, best first, under ``"documents"``.

        They are new objects that differ from the given ones only in their score, the fused one. ``top_k`` overrides
        the component's own for this call. Raises `anyrank.errors.ArgumentError` for a bad ``top_k`` or an unknown
        list, and for missing or rising scores where the method reads scores.
        """
        limit = checked_top_k(top_k) or self.top_k
        rankings = {name: self._ranking(name, documents or []) for name, documents in lists.items()}
        return {"documents": scored(self._fuser.fuse(rankings, key=attrgetter("id"), top_n=limit))}

    @component.output_types(documents=list[Document])
    async def run_async(self, top_k: int | None = None, **lists: list[Document] | None) -> dict[str, list[Document]]:
        """Return what `run` does: it waits for nothing."""
        return self.run(top_k, **lists)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each input, by name."""
        return dict(self._fuser.weights or {})  # type: ignore[arg-type]  # always by name here

    @property
    def method(self) -> str:
        """The fusion method."""
        return self._fuser.method

    def to_dict(self) -> dict[str, Any]:
        """Write the component down as plain values.

        YAML sorts the keys of a dict, and the order of the weights has a meaning: out of alphabetical order they are
        written as pairs.
        """
        weights = self.weights
        written = weights if list(weights) == sorted(weights) else [list(pair) for pair in weights.items()]
        return default_to_dict(self, weights=written, method=self.method, parameters=self._parameters, top_k=self.top_k)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build the component that `to_dict` wrote down."""
        settings = dict(data.get("init_parameters", {}))
        settings["weights"] = dict(settings.get("weights", {}))
        return default_from_dict(cls, {**data, "init_parameters": settings})

    def _ranking(self, name: str, documents: list[Document]) -> Ranking[Document]:
        """Return a list as it came, or, where Haystack strung several together as they arrived, by score and id."""
        documents = by_score(distinct(documents)) if is_shared(self, name) else documents_of(documents)
        return host_ranking(documents, (document.score for document in documents))


def _named(weights: object) -> dict[str, float]:
    """Return the weights as a dict. Raises `FusionError` unless their names can be inputs of a component."""
    if not isinstance(weights, Mapping):
        msg = f"weights must be a dict by input name, such as {{'bm25': 0.7, 'dense': 0.3}}; got {weights!r:.80}"
        raise FusionError(msg)
    for name in weights:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or name in RESERVED:
            msg = (
                f"weights: {name!r} cannot be the name of an input: take a Python name without a leading underscore, "
                f"other than {', '.join(RESERVED)}"
            )
            raise FusionError(msg)
    return dict(weights)
