"""`fuse_results`: named lists of dicts, as queries return them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import fuse
from anyrank.errors import ArgumentError, FusionError
from anyrank.fusion import METHODS
from anyrank_redisvl import fuse_results

TEXT = [{"id": "d:1", "score": "9.5"}, {"id": "d:2", "score": "4.0"}, {"id": "d:3", "score": "1.5"}]
VECTOR = [{"id": "d:2", "vector_distance": "0.1"}, {"id": "d:4", "vector_distance": "0.4"}]
FIELDS = {"scores": {"text": "score"}, "distances": {"vector": "vector_distance"}}


def ids(documents):
    """Return the documents' ids."""
    return [document["id"] for document in documents]


def test_reciprocal_ranks_by_default():
    """A document that both queries found comes first; its dict is the first list's, as it was."""
    documents, scores = fuse_results({"text": TEXT, "vector": VECTOR})
    assert ids(documents) == ["d:2", "d:1", "d:4", "d:3"]
    assert documents[0] is TEXT[1]
    assert scores == [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63]


def test_weights_go_by_name():
    """Their order decides ties and which copy survives, not that of the results."""
    documents, _ = fuse_results({"text": TEXT, "vector": VECTOR}, weights={"vector": 9, "text": 1})
    assert ids(documents)[:2] == ["d:2", "d:4"]
    assert documents[0] is VECTOR[0]


def test_distances_are_turned_round_where_it_is_said():
    """The closest hit of one list counts as much as the best of the other."""
    documents, scores = fuse_results({"text": TEXT, "vector": VECTOR}, "relative_score", **FIELDS)
    assert ids(documents) == ["d:2", "d:1", "d:3", "d:4"]
    assert scores == pytest.approx([2.5 / 8 + 1, 1.0, 0.0, 0.0])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_the_cores(method):
    """All of them give what `anyrank.fuse` gives for the same numbers."""
    from anyrank import Ranking

    lists = {
        "text": Ranking.of(TEXT, [9.5, 4.0, 1.5]),
        "vector": Ranking.of(VECTOR, [-0.1, -0.4]),
    }
    expected = fuse(lists, method)
    assert fuse_results({"text": TEXT, "vector": VECTOR}, method, **FIELDS) == (expected.documents, expected.scores)


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=3), st.integers(1, 12))
def test_each_document_once_and_no_more_than_asked(lists, limit):
    """The result holds each id at most once, none that no list has, scores never rising, at most ``limit``."""
    results = {str(place): [{"id": number} for number in found] for place, found in enumerate(lists)}
    documents, scores = fuse_results(results, limit=limit)
    distinct = {number for found in lists for number in found}
    assert len(set(ids(documents))) == len(documents) == len(scores) == min(limit, len(distinct))
    assert set(ids(documents)) <= distinct
    assert scores == sorted(scores, reverse=True)


def test_nothing_found_is_nothing_fused():
    """Empty lists, and none at all, give empty lists."""
    assert fuse_results({"text": [], "vector": []}) == ([], [])
    assert fuse_results({}) == ([], [])
    assert fuse_results({"text": []}, "dbsf", scores={"text": "score"}) == ([], [])


def test_a_list_may_stay_away():
    """A weight and a field for a list that did not come count as an empty list."""
    documents, _ = fuse_results({"text": TEXT}, "relative_score", weights={"text": 1, "vector": 1}, **FIELDS)
    assert ids(documents) == ["d:1", "d:2", "d:3"]


@pytest.mark.parametrize(
    ("results", "settings", "message"),
    [
        ([TEXT, VECTOR], {}, "named lists"),
        ({"text": TEXT}, {"method": "rff"}, "did you mean 'rrf'"),
        ({"text": TEXT}, {"method": "comb_sum"}, "say where list 'text' has them"),
        ({"text": TEXT}, {"method": "comb_sum", "scores": {"txt": "score"}}, "'txt', which is no list"),
        ({"text": TEXT}, {"scores": {"text": "score"}, "distances": {"text": "score"}}, "is higher better there"),
        ({"text": TEXT}, {"method": "comb_sum", "scores": {"text": "rank"}}, "no number in 'rank'"),
        ({"text": ["d:1"]}, {"method": "comb_sum", "scores": {"text": "rank"}}, "no number in 'rank'"),
        ({"text": [{"id": 1, "score": "nan"}]}, {"method": "comb_sum", "scores": {"text": "score"}}, "no finite score"),
        ({"vector": VECTOR}, {"method": "comb_sum", "scores": {"vector": "vector_distance"}}, "turn distances round"),
        ({"text": [{"content": "no id"}]}, {}, "has no 'id', by which documents are told apart: {'content': 'no id'}"),
        ({"text": ["d:1"]}, {}, "has no 'id'"),
        (
            {"text": None},
            {"method": "comb_sum", "scores": {"text": "score"}},
            "must be a Ranking or a list of documents",
        ),
        ({"text": TEXT}, {"weights": {"vector": 1}}, "no weight for source 'text'"),
        ({"text": TEXT}, {"parameters": {"kk": 1}}, "kk"),
    ],
)
def test_what_cannot_be_is_an_error(results, settings, message):
    """It says which list or field is meant, and what to write."""
    with pytest.raises(FusionError, match=message):
        fuse_results(results, **settings)


def test_limit_is_checked():
    """It is called what RedisVL calls it."""
    with pytest.raises(ArgumentError, match="limit must be"):
        fuse_results({"text": TEXT}, limit=0)
