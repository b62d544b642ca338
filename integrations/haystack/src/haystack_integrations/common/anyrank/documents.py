"""Haystack's documents and numbers, as the ranker and the joiner both treat them."""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from haystack import Document

from anyrank import Ranking
from anyrank.adapter import checked_documents, checked_top_n


def checked_top_k(top_k: int | None) -> int | None:
    """Accept a positive whole number, or None for all. Raises `anyrank.errors.ArgumentError`."""
    return checked_top_n(top_k, "top_k")


def is_shared(component: object, name: str) -> bool:
    """Whether the pipeline feeds this input from several places, whose lists then come as one, as they arrived."""
    socket = component.__haystack_input__.get(name)  # type: ignore[attr-defined]  # @component gives it to instances
    return socket is not None and bool(socket.is_variadic)


def by_score(documents: Iterable[Document]) -> list[Document]:
    """Return the documents in an order that does not depend on who arrived first: by score, then by id."""
    return sorted(documents, key=lambda document: (-score_of(document), document.id))


def distinct(documents: Iterable[Document]) -> list[Document]:
    """Return each document once, by id: the copy with the best score, at the place where the first one was.

    Several branches may lead into one socket, and then the same document comes more than once. The rule is the one
    Haystack's own rankers follow.
    """
    best: dict[str, Document] = {}
    for document in documents_of(documents):
        held = best.get(document.id)
        if held is None or score_of(document) > score_of(held):
            best[document.id] = document
    return list(best.values())


def documents_of(given: object) -> list[Document]:
    """Return a list of documents. Raises `anyrank.errors.ArgumentError` for anything else."""
    return checked_documents(given, Document, "Haystack")


def score_of(document: Document) -> float:
    """Return a document's score; one without comes after all that have one."""
    return -inf if document.score is None else document.score


def scored(ranking: Ranking[Document]) -> list[Document]:
    """Return new documents that differ from the ranking's only in their score."""
    return [replace(hit.document, score=hit.score) for hit in ranking]
