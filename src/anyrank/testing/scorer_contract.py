"""What every scorer does, whatever is behind it."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest

from anyrank import Reranker, load, spec_of
from anyrank._lifecycle import acall, call
from anyrank.scorer import Candidates, Image, traits

from ._base import Contract

TEXTS = (
    "The capital of France is Paris.",
    "Bananas are rich in potassium.",
    "Paris lies on the river Seine.",
    "",
    "Die Hauptstadt von Frankreich heißt Paris.",
    "巴黎是法国的首都。",
    "A heap keeps its smallest item first.",
    "The capital of France is Paris.",
)
ODD_TEXTS = (
    "   ",
    "\x00\x07",
    "\u202e\u05e9\u05dc\u05d5\u05dd\u202c",
    "\U0001f469\u200d\U0001f467",
    "word " * 3000,
    "\ud800 alone",
    "\n\n",
)


class ScorerContract(Contract):
    """Subclass it with a fixture ``scorer`` that gives a fresh scorer object (or a spec) for each test.

    ``tolerance`` is how far two scores of the same pair may lie apart. ``query``, ``relevant`` and ``irrelevant`` are
    a case the scorer must get right; set ``relevant`` to None for one that knows no relevance.
    """

    tolerance: float = 1e-5
    query: str = "What is the capital of France?"
    relevant: str | None = "The capital of France is Paris."
    irrelevant: str = "Bananas are rich in potassium."

    @pytest.fixture
    def scorer(self) -> Any:
        """Give a fresh scorer."""
        raise NotImplementedError

    @pytest.fixture
    def reranker(self, scorer: Any) -> Any:
        """Give a reranker over the scorer, which is closed afterwards."""
        reranker = Reranker(scorer)
        yield reranker
        call(reranker.scorer, "close")

    def scores(self, reranker: Reranker, texts: Any) -> list[float]:
        """Return the scores of the texts, in input order."""
        ranking = reranker.rerank(self.query, list(texts))
        found = {hit.index: hit.score for hit in ranking}
        return [float(found[index] or 0.0) for index in range(len(ranking))]

    def close(self, one: float, other: float) -> bool:
        """Whether two scores are the same within the tolerance."""
        return math.isclose(one, other, rel_tol=self.tolerance, abs_tol=self.tolerance)

    def test_every_text_has_one_finite_score(self, reranker: Reranker) -> None:
        """The ranking is a permutation of the input with finite floats, best first."""
        ranking = reranker.rerank(self.query, list(TEXTS))
        assert sorted(ranking.indices) == list(range(len(TEXTS)))
        assert [hit.document for hit in ranking] == [TEXTS[hit.index] for hit in ranking]
        assert all(type(hit.score) is float and math.isfinite(hit.score) for hit in ranking)

    def test_relevant_beats_irrelevant(self, reranker: Reranker) -> None:
        """The scorer gets its easy case right, wherever the relevant text stands."""
        if self.relevant is None:
            pytest.skip("this scorer knows no relevance")
        for documents in ([self.relevant, self.irrelevant], [self.irrelevant, self.relevant]):
            assert reranker.rerank(self.query, documents)[0].document == self.relevant

    def test_a_score_depends_on_what_the_scope_says(self, reranker: Reranker) -> None:
        """``text``: alone and in company score the same. ``text`` and ``list``: scores follow a shuffle."""
        scope = traits(reranker.scorer).scope
        together = self.scores(reranker, TEXTS)
        if scope == "text":
            for text, score in zip(TEXTS, together, strict=True):
                alone = reranker.rerank(self.query, [text])
                if not alone.report.blank:  # the floor of a blank text may be the lowest score of the others
                    assert self.close(alone[0].score or 0.0, score), text
        if scope in ("text", "list"):
            places = random.Random(7).sample(range(len(TEXTS)), len(TEXTS))
            shuffled = self.scores(reranker, [TEXTS[place] for place in places])
            for place, score in zip(places, shuffled, strict=True):
                assert self.close(together[place], score), TEXTS[place]

    def test_equal_texts_score_equal(self, reranker: Reranker) -> None:
        """The same text twice has the same score, unless the scorer looks at the order."""
        if traits(reranker.scorer).scope == "order":
            pytest.skip("this scorer looks at the order")
        scores = self.scores(reranker, TEXTS)
        assert self.close(scores[0], scores[-1])

    def test_a_lone_text_is_scored(self, reranker: Reranker) -> None:
        """One document gives a ranking of one."""
        assert reranker.rerank(self.query, ["Paris"]).documents == ["Paris"]

    def test_no_texts_give_no_scores(self, scorer: Any) -> None:
        """An empty list is answered without asking the scorer, in both colours."""
        assert len(Reranker(scorer).rerank(self.query, [])) == 0
        assert len(asyncio.run(Reranker(scorer).arerank(self.query, []))) == 0

    def test_odd_texts_and_a_blank_query_are_scored(self, reranker: Reranker) -> None:
        """Blank, very long, right-to-left and broken text gets a score like any other."""
        assert len(reranker.rerank("", list(ODD_TEXTS))) == len(ODD_TEXTS)
        assert len(reranker.rerank(self.query, list(ODD_TEXTS))) == len(ODD_TEXTS)

    def test_async_gives_the_same(self, reranker: Reranker) -> None:
        """``arerank`` returns what ``rerank`` does, on one event loop after another."""
        expected = reranker.rerank(self.query, list(TEXTS))
        for _ in range(2):
            ranking = asyncio.run(reranker.arerank(self.query, list(TEXTS)))
            assert ranking.indices == expected.indices
            assert all(self.close(a.score or 0, b.score or 0) for a, b in zip(ranking, expected, strict=True))

    def test_several_callers_at_once(self, reranker: Reranker) -> None:
        """Concurrent calls keep their answers apart."""
        lists = [list(TEXTS[start:]) for start in range(4)]
        expected = [reranker.rerank(self.query, documents).documents for documents in lists]
        rankings = reranker.rerank_many([(self.query, documents) for documents in lists], max_concurrency=4)
        assert [ranking.documents for ranking in rankings] == expected

    def test_the_report_names_the_scorer(self, reranker: Reranker) -> None:
        """A call's report says who scored, in what kind, and how long it took."""
        report = reranker.rerank(self.query, list(TEXTS)).report
        assert report.scorer
        assert report.seconds > 0
        assert not report.degraded

    def test_images_need_the_modality(self, reranker: Reranker) -> None:
        """A text-only scorer refuses an image by name."""
        if "image" in traits(reranker.scorer).modalities:
            pytest.skip("this scorer reads images")
        with pytest.raises(ValueError, match="image"):
            reranker.rerank(self.query, [Image("https://example.org/cat.png")])

    def test_the_spec_builds_an_equal_scorer(self, reranker: Reranker) -> None:
        """Where a scorer has a spec, `load` builds one from it that scores the same."""
        if getattr(reranker.scorer, "spec", None) is None:
            pytest.skip("this scorer has no spec")
        with Reranker(load(spec_of(reranker.scorer))) as again:  # type: ignore[arg-type]  # a scorer, not a cascade
            assert again.rerank(self.query, list(TEXTS)).indices == reranker.rerank(self.query, list(TEXTS)).indices

    def test_warm_up_and_close_may_be_repeated(self, scorer: Any) -> None:
        """Warming up and closing twice is fine, and a closed scorer can be used again."""
        reranker = Reranker(scorer)
        for _ in range(2):
            reranker.warm_up()
            asyncio.run(reranker.awarm_up())
        texts = Candidates(TEXTS)
        before = self.scores(reranker, texts)
        for _ in range(2):
            call(reranker.scorer, "close")
            asyncio.run(acall(reranker.scorer, "aclose", "close"))
        assert all(self.close(a, b) for a, b in zip(self.scores(reranker, texts), before, strict=True))
        call(reranker.scorer, "close")
