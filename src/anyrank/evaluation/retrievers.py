"""First stages: from a retriever, in whichever framework, or from lists at hand to one ranking a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from anyrank._rounds import each
from anyrank.errors import ArgumentError
from anyrank.ranking import Hit, Ranking

from .tables import ranking_of, read_run

if TYPE_CHECKING:
    from .collection import Run

__all__ = ["FirstStageLike", "candidates_of", "document_id", "retrieve"]

Retrieve: TypeAlias = Callable[[str], Iterable[Any]]

FirstStageLike: TypeAlias = Any
"""What a first stage may be: all that `read_run` reads, a function of the query, or a framework's retriever."""

ID_FIELDS: Final = ("id", "_id", "node_id", "id_", "doc_id")


def document_id(document: Any) -> str:
    """Return what judgments call a document: a str or whole number itself, else its id as a field or in its metadata.

    Raises `ArgumentError` for one without.
    """
    if isinstance(document, (str, int)):
        return str(document)
    for holder in (document, getattr(document, "metadata", None), getattr(document, "meta", None)):
        for name in ID_FIELDS:
            found = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
            if found is not None and not callable(found):
                return str(found)
    msg = f"no id in {document!r:.80}: judgments name documents by their ids; pass key=, such as key=lambda d: d.id"
    raise ArgumentError(msg)


def candidates_of(source: FirstStageLike, queries: Mapping[str, str], *, max_concurrency: int | None = 1) -> Run:
    """Return a first stage's ranking for each of the queries, by id: read where it is at hand, else retrieved."""
    if not (callable(source) or _retrieves(source)):
        return read_run(source)
    function = retrieve(source)
    rankings = each(lambda query: _timed(function, query), queries.values(), max_concurrency)
    return dict(zip(queries, rankings, strict=True))


def retrieve(retriever: Any) -> Retrieve:
    """Return a retriever as a function of the query that gives its documents, best first.

    ``retriever`` is one of LangChain (``invoke``), of LlamaIndex (``retrieve``), a Haystack text retriever or pipeline
    (``run``), or a function. A dense Haystack retriever takes an embedding, not a text: give the pipeline that makes
    one. Raises `ArgumentError` for anything else.
    """
    if callable(getattr(retriever, "retrieve", None)):  # before invoke: a LlamaIndex retriever may be wrapped as both
        return retriever.retrieve  # type: ignore[no-any-return]
    if callable(getattr(retriever, "invoke", None)):
        return retriever.invoke  # type: ignore[no-any-return]
    if callable(getattr(retriever, "inputs", None)) and callable(getattr(retriever, "run", None)):
        return lambda query: _piped(retriever, query)
    if callable(getattr(retriever, "run", None)):
        return lambda query: _documents_in(retriever.run(query=query))
    if callable(retriever):
        return retriever  # type: ignore[no-any-return]
    msg = (
        f"{retriever!r:.80} is no first stage: pass rankings by query id, a function from a query to documents, or a "
        "retriever of LangChain, LlamaIndex or Haystack"
    )
    raise ArgumentError(msg)


def _retrieves(source: Any) -> bool:
    return any(callable(getattr(source, name, None)) for name in ("retrieve", "invoke", "run"))


def _timed(function: Retrieve, query: str) -> Ranking[Any]:
    started = perf_counter()
    found = function(query)
    seconds = perf_counter() - started
    ranking = ranking_of(query, found)
    report = replace(ranking.report, seconds=seconds, scorer=ranking.report.scorer or "first stage")
    return Ranking(ranking.hits, report)


def _piped(pipeline: Any, query: str) -> Sequence[Any]:
    """Give the query to every open input of a Haystack pipeline that is called ``query`` or ``text``."""
    inputs: Mapping[str, Mapping[str, Any]] = pipeline.inputs()
    data = {name: dict.fromkeys({"query", "text"} & sockets.keys(), query) for name, sockets in inputs.items()}
    given = {component: values for component, values in data.items() if values}
    if not given:
        msg = f"the pipeline has no open input 'query' or 'text'; there are {dict(inputs)!r:.200}"
        raise ArgumentError(msg)
    outputs = [output for output in pipeline.run(given).values() if "documents" in output]
    if len(outputs) != 1:
        msg = f"{len(outputs)} components of the pipeline give 'documents': end it with the one that counts"
        raise ArgumentError(msg)
    return _documents_in(outputs[0])


def _documents_in(output: Mapping[str, Any]) -> Sequence[Any]:
    documents: Sequence[Any] = output["documents"]
    return documents


def with_ids(ranking: Ranking[Any], key: Callable[[Any], object]) -> tuple[list[str], list[float | None]]:
    """Return a ranking's document ids, best first and each once, with their scores."""
    first: dict[str, Hit[Any]] = {}
    for hit in ranking:
        first.setdefault(str(key(hit.document)), hit)
    return list(first), [hit.score for hit in first.values()]
