"""`AnyRankRanker`: Haystack documents in, `anyrank.adapter.HostReranker`, Haystack documents out.

The class has to be defined here: `Pipeline.loads` imports components from ``haystack_integrations`` and from no
package that it does not know. Annotations are not postponed: Haystack makes sockets of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.tracing.tracer import Span, tracer
from haystack.utils import Secret

from anyrank import Ranking
from anyrank.adapter import HostReranker, OnReport, RerankerLike, StepLike
from anyrank.errors import ArgumentError
from haystack_integrations.common.anyrank.documents import by_score, checked_top_k, distinct, is_shared, scored


@component
class AnyRankRanker:
    """Orders documents by their relevance to a query, as any anyrank scorer sees it.

    ``scorer`` is a spec such as ``"lexical"`` or ``"cross_encoder:BAAI/bge-reranker-v2-m3"``, with
    ``scorer_options`` and ``api_key`` for it; or a scorer object, a function ``(query, texts) -> floats``, an
    `anyrank.Reranker` or an `anyrank.Cascade`, without them (and then the component cannot be written to YAML).

    ``top_k`` documents come back (None: all, or the wrapped reranker's own number), of those that score at least
    ``score_threshold``. The scored text is the values of ``meta_fields_to_embed`` and the content, joined by
    ``meta_data_separator``. ``then`` lists steps before the cut: functions from ranking to ranking, or specs of
    `anyrank.diversity` such as ``"dedupe"`` and ``{"cap": {"by": "source", "per_group": 2}}``; their fields are those
    of ``meta`` (and ``"id"``, ``"embedding"``), their text is the content.
    ``on_report`` is called with the `anyrank.Report` of every call; it is not written down.

    The key is read when the scorer first needs it, models and clients come at `warm_up` or the first call.
    Raises `anyrank.errors.ArgumentError` (a `ValueError`) for settings that cannot be right.
    """

    def __init__(  # noqa: PLR0913 - Haystack configures a component by flat keywords
        self,
        *,
        scorer: RerankerLike,
        scorer_options: dict[str, Any] | None = None,
        api_key: Secret | None = None,
        top_k: int | None = None,
        meta_fields_to_embed: list[str] | None = None,
        meta_data_separator: str = "\n",
        score_threshold: float | None = None,
        then: list[StepLike] | None = None,
        on_report: OnReport | None = None,
    ) -> None:
        self.api_key = api_key
        self._top_k = checked_top_k(top_k)
        self.meta_fields_to_embed = _field_names(meta_fields_to_embed)
        self.meta_data_separator = meta_data_separator
        self._reranker = HostReranker(
            scorer,
            scorer_options=scorer_options,
            api_key=None if api_key is None else _secret(api_key).resolve_value,
            top_n=self._top_k,
            score_threshold=score_threshold,
            then=then,
            fields_of=_fields,
            on_report=on_report,
        )

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, list[Document]]:
        """Return the most relevant documents, best first, under ``"documents"``.

        They are new objects that differ from the given ones only in their score. Documents with the same id count
        once, the copy with the best score; those of several branches count in the order of their scores. ``top_k``
        overrides the component's own for this call.
        Raises `anyrank.errors.ArgumentError` for a bad ``top_k`` or query, and whatever the scorer raises.
        """
        call = self._call(query, documents, top_k)
        with self._span(call) as span:
            return _answer(self._reranker.rerank(**call), span)

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Return what `run` does, without blocking the event loop."""
        call = self._call(query, documents, top_k)
        with self._span(call) as span:
            return _answer(await self._reranker.arerank(**call), span)

    @property
    def top_k(self) -> int | None:
        """How many documents come back; fixed, but for one run."""
        return self._top_k

    @property
    def score_threshold(self) -> float | None:
        """The lowest score that comes back; fixed."""
        return self._reranker.score_threshold

    def warm_up(self) -> None:
        """Load models and open clients now instead of at the first call; again, it does nothing."""
        self._reranker.warm_up()

    async def warm_up_async(self) -> None:
        """Warm up as `warm_up` does, without blocking the event loop."""
        await self._reranker.awarm_up()

    def close(self) -> None:
        """Release what was built from a spec; an object that was given belongs to its giver."""
        self._reranker.close()

    async def close_async(self) -> None:
        """Release as `close` does, on the running event loop."""
        await self._reranker.aclose()

    def to_dict(self) -> dict[str, Any]:
        """Write the component down as plain values.

        Raises `anyrank.errors.SpecError` when the scorer or a step is a live object, `ValueError` for a key that is a
        token.
        """
        return default_to_dict(
            self,
            **self._reranker.written(),
            api_key=self.api_key,
            top_k=self.top_k,
            meta_fields_to_embed=self.meta_fields_to_embed,
            meta_data_separator=self.meta_data_separator,
            score_threshold=self.score_threshold,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build the component that `to_dict` wrote down."""
        return default_from_dict(cls, data)

    def _call(self, query: str, documents: Iterable[Document], top_k: int | None) -> dict[str, Any]:
        candidates = distinct(documents)
        if is_shared(self, "documents"):
            candidates = by_score(candidates)
        return {
            "query": query,
            "documents": candidates,
            "text": self._text,
            "first_stage": [document.score for document in candidates],
            "top_n": checked_top_k(top_k),
        }

    def _text(self, document: Document) -> str:
        meta = document.meta
        embedded = [str(meta[name]) for name in self.meta_fields_to_embed if meta.get(name) is not None]
        return self.meta_data_separator.join([*embedded, document.content or ""])

    @contextmanager
    def _span(self, call: Mapping[str, Any]) -> Iterator[Span]:
        """Open a span inside the component's own; Haystack's switch decides whether it holds texts."""
        tags = {
            "anyrank.model": self._reranker.model_name,
            "anyrank.candidates": len(call["documents"]),
            "anyrank.top_k": call["top_n"] or self._reranker.top_n,
        }
        with tracer.trace("anyrank.rerank", tags=tags, parent_span=tracer.current_span()) as span:
            span.set_content_tag("anyrank.input", {"query": call["query"], "documents": call["documents"]})
            yield span

    def _get_telemetry_data(self) -> dict[str, Any]:
        return {"model": self._reranker.model_name}


def _fields(document: Document) -> dict[str, Any]:
    """Return what steps look field names up in."""
    return {"id": document.id, "embedding": document.embedding, **document.meta, "text": document.content}


def _answer(ranking: Ranking[Document], span: Span) -> dict[str, list[Document]]:
    """Return the output of `run`, after saying on the span what happened."""
    span.set_tags({f"anyrank.{name}": value for name, value in ranking.report.to_dict().items()})
    output = {"documents": scored(ranking)}
    span.set_content_tag("anyrank.output", output)
    return output


def _field_names(names: Iterable[str] | None) -> list[str]:
    """Return the names as a list. A bare str would be read letter by letter and silently embed nothing."""
    if isinstance(names, str):
        msg = f"meta_fields_to_embed is a list of field names; got the str {names!r}: write [{names!r}]"
        raise ArgumentError(msg)
    return list(names or ())


def _secret(api_key: object) -> Secret:
    """Return the secret. A key in clear could reach a YAML file or a repr, and is not repeated in the error."""
    if not isinstance(api_key, Secret):
        msg = f"api_key must be a Secret, such as Secret.from_env_var('JINA_API_KEY'); got a {type(api_key).__name__}"
        raise ArgumentError(msg)
    return api_key
