"""What the three frameworks have in common here, so that one story can be told about all of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeAlias, TypeVar

from anyrank.adapter import RerankerLike

from .minilm import MiniLM, Vectors
from .passages import Passage

D = TypeVar("D")
"""The framework's own kind of document."""

Found: TypeAlias = list[tuple[str, float]]
"""Names and scores, best first: what can be compared between frameworks."""


@dataclass(frozen=True)
class Corpus:
    """The passages, what the model made of each of them, and the model."""

    passages: Sequence[Passage]
    vectors: Vectors
    minilm: MiniLM


@dataclass(frozen=True)
class Settings:
    """How deep each stage looks, and who reranks."""

    scorer: RerankerLike
    retrieved: int = 50
    candidates: int = 30
    top_n: int = 10


class Host(ABC, Generic[D]):
    """One framework: two retrievers over its own in-memory store, fusion, reranking."""

    name: ClassVar[str]

    def __init__(self, corpus: Corpus, settings: Settings) -> None:
        """Put the passages into the store and build the chain."""

    @abstractmethod
    def bm25(self, question: str) -> list[D]:
        """Ask the retriever that counts words."""

    @abstractmethod
    def dense(self, question: str) -> list[D]:
        """Ask the retriever that compares embeddings."""

    @abstractmethod
    def fused(self, question: str) -> list[D]:
        """Ask both and fuse what they find."""

    @abstractmethod
    def reranked(self, question: str, candidates: Sequence[D]) -> list[D]:
        """Let the scorer have the last word."""

    @abstractmethod
    def documents(self, passages: Sequence[Passage], scores: Sequence[float]) -> list[D]:
        """Make of passages and scores what a retriever of the framework would give."""

    @abstractmethod
    def found(self, documents: Sequence[D]) -> Found:
        """Read the names and scores of documents."""
