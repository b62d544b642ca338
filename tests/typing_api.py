"""Read by mypy only: the public types are what a user expects, and a document's type survives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_type

from anyrank import Candidates, Cascade, Ensemble, Fallback, FirstStage, Hit, Ranking, Reranker, Scores, fuse, load


@dataclass
class Page:
    """A user's own document."""

    title: str
    body: str


def length(_query: str, texts: tuple[str, ...]) -> list[float]:
    """Score by length."""
    return [float(len(text)) for text in texts]


async def later(query: str, texts: tuple[str, ...]) -> Scores:
    """Score by length, some time."""
    return Scores(length(query, texts), order=[1.0 for _ in texts])


class Mine:
    """A user's own scorer."""

    def score(self, query: str, texts: tuple[str, ...]) -> list[float]:
        """Score by length."""
        return length(query, texts)


async def main() -> None:
    """Never run."""
    pages = [Page("a", "b")]
    reranker = Reranker(Mine(), top_n=3)
    ranking = reranker.rerank("q", pages, text=["title", "body"])
    assert_type(ranking, Ranking[Page])
    assert_type(ranking[0], Hit[Page])
    assert_type(ranking[0].document, Page)
    assert_type(ranking[:1], Ranking[Page])
    assert_type(ranking.documents, list[Page])
    assert_type(reranker.rerank("q", ranking, text=lambda page: page.title), Ranking[Page])
    assert_type(reranker.rerank_many([("q", pages)], max_concurrency=2), list[Ranking[Page]])
    assert_type(Cascade(("lexical", 3), Mine()).rerank("q", ["a"]), Ranking[str])
    assert_type(
        fuse({"a": ranking, "b": ranking}, weights={"a": 1, "b": 2}, key=lambda page: page.title), Ranking[Page]
    )
    assert_type(Ranking.of(pages, [1.0]), Ranking[Page])

    Reranker(length)
    Reranker(later)
    Reranker(Ensemble({"a": Mine(), "b": FirstStage(), "c": "lexical"}, weights={"a": 1, "b": 1, "c": 2}))
    Reranker(Fallback(load("lexical"), load("first_stage"), FirstStage()))
    assert_type(load("lexical").score("q", Candidates(["a"])), Sequence[float])
    assert_type(await reranker.arerank("q", pages, text="title"), Ranking[Page])
    assert_type(fuse([["a"], ["b"]]), Ranking[str])
    assert_type(fuse([ranking, ranking]), Ranking[Page])
    assert_type(fuse({"bm25": ranking, "dense": Ranking.of(pages)}, weights={"bm25": 0.7, "dense": 0.3}), Ranking[Page])
    assert_type(fuse([["a"], ["b"]], "rrf", k=10, top_n=3), Ranking[str])
