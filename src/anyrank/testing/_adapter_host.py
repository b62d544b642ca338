"""The host's side of the adapter contract, and the questions it is asked."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import pytest

from ._base import Contract, installed_scorers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TEXTS = ("merge sorted inputs", "count items", "merge sort and merge again", "", "open a file")
QUERY = "merge sorted"
WAIT = 20.0
"""Seconds after which a test that would hang fails instead."""

KEYED = """
class Keyed:
    def __init__(self, model=None, *, api_key=None, factor=1.0):
        self.api_key, self.factor = api_key, factor
    def score(self, query, texts):
        key = self.api_key() if callable(self.api_key) else self.api_key
        if key != "s3cr3t":
            raise PermissionError("no key")
        return [self.factor * len(text) for text in texts]
"""
"""A module with a scorer that takes the key ``s3cr3t`` and scores by length, for `installed_scorers`."""


def by_length(_query: str, texts: Sequence[str]) -> list[float]:
    """Score by length: easy to check by eye."""
    return [float(len(text)) for text in texts]


def never(_query: str, _texts: Sequence[str]) -> list[float]:
    """Fail the test: a scorer that must not be asked."""
    msg = "the scorer was asked about nothing"
    raise AssertionError(msg)


def fail(_query: str, _texts: Sequence[str]) -> list[float]:
    """Raise what a broken backend does."""
    msg = "out of order"
    raise OSError(msg)


class AdapterHost(Contract):
    """What a subclass of `AdapterContract` says: how the host builds, calls, reads and writes down its reranker."""

    unknown_keyword_error: type[Exception] | tuple[type[Exception], ...] = (ValueError, TypeError)

    @abstractmethod
    def build(self, scorer: Any, **settings: Any) -> Any:
        """Return the adapter. ``settings`` are in the common words; ``top_n`` may need the host's name for it."""

    @abstractmethod
    def documents(self, texts: Sequence[str]) -> list[Any]:
        """Return host documents with ids, nested metadata and, where the host has them, first-stage scores."""

    @abstractmethod
    def rerank(self, adapter: Any, query: str, documents: Any) -> list[Any]:
        """Call the adapter from sync code and return the documents."""

    @abstractmethod
    async def arerank(self, adapter: Any, query: str, documents: Any) -> list[Any]:
        """Call the adapter's native async method."""

    @abstractmethod
    def text(self, document: Any) -> str:
        """Return a document's text."""

    @abstractmethod
    def score(self, document: Any) -> Any:
        """Return the score that the adapter attached."""

    @abstractmethod
    def rest(self, document: Any) -> Any:
        """Return all of a document but its score, comparable: type, id, text, metadata."""

    @abstractmethod
    def save(self, adapter: Any) -> str:
        """Write the adapter down the host's way."""

    @abstractmethod
    def restore(self, saved: str) -> Any:
        """Build the adapter from what `save` wrote."""

    def api_key(self, key: str) -> Any:
        """Return a key as the host's users pass it."""
        return key

    @pytest.fixture
    def keyed(self, tmp_path: Path) -> Iterator[str]:
        """Give the spec of an installed scorer that takes the key ``s3cr3t`` and scores by length."""
        with installed_scorers(tmp_path, "keyed_scorer", KEYED, {"keyed": "Keyed"}):
            yield "keyed"

    def texts(self, documents: Sequence[Any]) -> list[str]:
        """Return the documents' texts."""
        return [self.text(document) for document in documents]

    def ranked(self, scorer: Any, texts: Sequence[str] = TEXTS, **settings: Any) -> list[str]:
        """Rerank these texts with this scorer and return them in order."""
        return self.texts(self.rerank(self.build(scorer, **settings), QUERY, self.documents(texts)))
