"""Several named lists of documents to one."""

from collections.abc import Mapping
from typing import Any, Self

from langchain_core.documents import Document
from langchain_core.runnables import RunnableSerializable
from pydantic import PrivateAttr, SkipValidation, model_validator

from anyrank import Ranking
from anyrank.errors import FusionError
from anyrank.fusion import Fuser
from langchain_anyrank._documents import SCORE, documents_of, identity, scores_of
from langchain_anyrank._run import RankingRunnable, Settled

NamedLists = dict[str, list[Document]]


class Fusion(RankingRunnable[NamedLists], RunnableSerializable[NamedLists, list[Document]], Settled):
    """Fuses named lists, ``{"bm25": [Document, …], "dense": [Document, …]}``, into one; `anyrank.fuse` as a Runnable.

    ``method`` is one of `anyrank.fusion.METHODS`, ``parameters`` are its own (``{"k": 60}``, ``{"normalize": …}``).
    ``weights`` go by name: a list that has none is an error, a weight whose list is missing counts as an empty list.
    Without weights all lists count the same. ``top_n`` documents come back at most.

    Documents are the same when their ids are, or, without an id, their texts; the first copy survives, lists taken
    in the order of the weights. The fused score is in ``metadata["relevance_score"]``; a method that reads scores
    finds those of the lists there.

    Raises pydantic's ``ValidationError``, a ``ValueError``, at construction.
    """

    weights: Mapping[str, SkipValidation[float]] | None = None
    method: str = "rrf"
    parameters: Mapping[str, Any] | None = None
    top_n: SkipValidation[int | None] = None

    _fuser: Fuser = PrivateAttr()

    @model_validator(mode="after")
    def _build(self) -> Self:
        self._fuser = Fuser(self.method, weights=self.weights, parameters=self.parameters or {}, top_n=self.top_n)
        return self

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say yes: all settings are plain values."""
        return True

    def expect(self, sources: Mapping[str, Any]) -> None:
        """Raise `FusionError` unless the weights, if any, are for exactly these sources."""
        self._fuser.expect(sources)

    @property
    def _model_name(self) -> str:
        return self.method

    def _rank(self, given: NamedLists, *, k: int | None) -> Ranking[Document]:
        if not isinstance(given, Mapping):
            msg = f"Fusion takes named lists, {{'bm25': [Document, …], …}}; got a {type(given).__name__}"
            raise FusionError(msg)
        rankings = {name: self._ranking(name, documents) for name, documents in given.items()}
        return self._fuser.fuse(rankings, key=identity, top_n=k)

    async def _arank(self, given: NamedLists, *, k: int | None) -> Ranking[Document]:
        return self._rank(given, k=k)

    def _ranking(self, name: str, given: Any) -> Ranking[Document]:
        documents = documents_of(given, f"source {name!r}")
        scores = scores_of(documents)
        if scores is None and self._fuser.reads_scores:
            msg = (
                f"method {self.method!r} reads scores, and not every document of source {name!r} has a number in "
                f"metadata[{SCORE!r}]: put it there (higher is better), or use a rank method such as 'rrf'"
            )
            raise FusionError(msg)
        return Ranking.of(documents, scores)
