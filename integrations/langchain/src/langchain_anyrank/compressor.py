"""Any scorer as a LangChain document compressor."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Self

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.runnables import RunnableSerializable
from pydantic import Field, PrivateAttr, SecretStr, SkipValidation, model_validator
from typing_extensions import TypedDict

from anyrank import Ranking, Report
from anyrank.adapter import HostLifecycle, HostReranker, RerankerLike, StepLike
from anyrank.errors import ArgumentError, SpecError
from langchain_anyrank._documents import documents_of, fields_of, scores_of
from langchain_anyrank._run import RankingRunnable, Settled


class RerankInput(TypedDict):
    """What a reranker is invoked with."""

    query: str
    documents: Sequence[Document]


class AnyRankCompressor(
    HostLifecycle,
    BaseDocumentCompressor,
    RankingRunnable[RerankInput],
    RunnableSerializable[RerankInput, list[Document]],
    Settled,
):
    """Reranks documents with any anyrank scorer; a document compressor and a Runnable over ``{"query", "documents"}``.

    ``scorer`` is a spec such as ``"lexical"`` or ``"cross_encoder:BAAI/bge-reranker-v2-m3"``, a scorer object, a
    function ``(query, texts) -> floats``, a `Reranker` or a `Cascade`. ``scorer_options`` and ``api_key`` go with a
    spec. ``top_n`` documents come back at most (None: all, or the wrapped reranker's own number), those that score
    at least ``score_threshold``. ``then`` lists steps before that cut: functions from ranking to ranking, or specs of
    `anyrank.diversity` such as ``"dedupe"`` and ``{"cap": {"by": "source", "per_group": 2}}``, whose fields are those
    of the metadata (and ``"id"``). ``on_report`` is called with the `anyrank.Report` of every call.

    The documents that come back are copies, best first, with the score in ``metadata["relevance_score"]``. If all
    that go in have one, `anyrank.FirstStage` ``("score")`` reads it.

    Raises pydantic's ``ValidationError``, a ``ValueError``, at construction. With a spec it can be written with
    ``langchain_core.load.dumps``, the key as a reference to the secret ``ANYRANK_API_KEY``.
    """

    scorer: SkipValidation[RerankerLike]
    scorer_options: Mapping[str, Any] | None = None
    api_key: SecretStr | None = None
    top_n: SkipValidation[int | None] = None
    score_threshold: SkipValidation[float | None] = None
    then: SkipValidation[Sequence[StepLike] | None] = None
    on_report: Callable[[Report], object] | None = Field(default=None, exclude=True, repr=False)

    _host: HostReranker = PrivateAttr()

    @model_validator(mode="after")
    def _build(self) -> Self:
        self._host = HostReranker(
            self.scorer,
            scorer_options=self.scorer_options,
            api_key=None if self.api_key is None else self.api_key.get_secret_value,
            top_n=self.top_n,
            score_threshold=self.score_threshold,
            then=self.then,
            fields_of=fields_of,
            on_report=self.on_report,
        )
        return self

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Rerank as `invoke` does: the document compressor's own method."""
        return self.invoke({"query": query, "documents": documents}, {"callbacks": callbacks})

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Rerank as `ainvoke` does."""
        return await self.ainvoke({"query": query, "documents": documents}, {"callbacks": callbacks})

    def __getstate__(self) -> dict[Any, Any]:
        """Leave the key out of pickles, as the scorer does."""
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "api_key": None}}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say yes: what cannot be written down, `to_json` marks as such."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The key is written as a reference to this secret."""
        return {"api_key": "ANYRANK_API_KEY"}

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Write the spec and settings; a live scorer or step gives LangChain's mark that it cannot come back."""
        try:
            self._host.written()
        except SpecError:
            return self.to_json_not_implemented()
        return super().to_json()

    @property
    def _model_name(self) -> str:
        return self._host.model_name

    def _rank(self, given: RerankInput, *, k: int | None) -> Ranking[Document]:
        query, documents = _question(given)
        return self._host.rerank(query, documents, text=TEXT, first_stage=scores_of(documents), top_n=k)

    async def _arank(self, given: RerankInput, *, k: int | None) -> Ranking[Document]:
        query, documents = _question(given)
        return await self._host.arerank(query, documents, text=TEXT, first_stage=scores_of(documents), top_n=k)


TEXT = attrgetter("page_content")


def _question(given: Any) -> tuple[str, list[Document]]:
    if isinstance(given, Mapping) and given.keys() >= {"query", "documents"}:
        return given["query"], documents_of(given["documents"], "documents")
    found = f"the keys {', '.join(map(repr, given))}" if isinstance(given, Mapping) else f"a {type(given).__name__}"
    msg = f"a reranker takes {{'query': 'text', 'documents': [Document, …]}}; got {found}"
    raise ArgumentError(msg)
