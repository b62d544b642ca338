"""What reranking and fusion need to know about LangChain's documents."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document

from anyrank.adapter import checked_documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anyrank import Ranking

SCORE = "relevance_score"
"""Where LangChain's rerankers leave the score, in a document's metadata."""


def documents_of(given: Any, name: str) -> list[Document]:
    """Return a list of documents; raises `ArgumentError`, saying what ``name`` holds instead."""
    return checked_documents(given, Document, "LangChain", name)


def identity(document: Document) -> tuple[str, str]:
    """Return what tells documents apart: the id where there is one, else the text, and never one for the other."""
    return ("id", document.id) if document.id else ("page_content", document.page_content)


def fields_of(document: Document) -> dict[str, Any]:
    """Return what steps look field names up in: the metadata, the id, and the page content as ``"text"``."""
    return {"id": document.id, **document.metadata, "text": document.page_content}


def scores_of(documents: Iterable[Document]) -> list[float] | None:
    """Return the scores an earlier step left, or None unless every document has a number there."""
    scores = [document.metadata.get(SCORE) for document in documents]
    return scores if all(isinstance(score, Real) and not isinstance(score, bool) for score in scores) else None  # type: ignore[return-value]  # looked at each


def scored(ranking: Ranking[Document]) -> list[Document]:
    """Return copies, best first, with their scores; id, subclass and all other metadata stay."""
    return [
        hit.document.model_copy(update={"metadata": {**hit.document.metadata, SCORE: hit.score}}) for hit in ranking
    ]
