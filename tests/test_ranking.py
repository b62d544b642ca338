"""Rankings and reports: immutable, sliceable, whole."""

import copy
import dataclasses
import json
import pickle

import pytest

from anyrank import Hit, Ranking, Report, Reranker
from anyrank.errors import ArgumentError


def test_a_retrievers_list_is_taken_as_it_is():
    """`Ranking.of` keeps order and scores, whatever they say; scores are optional."""
    assert list(Ranking.of(["a", "b"], [0.1, 0.9])) == [Hit("a", 0, 0.1), Hit("b", 1, 0.9)]
    assert Ranking.of(["a", "b"]).scores == [None, None]


def test_as_many_scores_as_documents():
    """Another count of scores is an error."""
    with pytest.raises(ArgumentError, match="1 scores for 2 documents"):
        Ranking.of(["a", "b"], [0.1])


@pytest.mark.parametrize(
    ("documents", "scores", "says"),
    [("ab", None, "one str"), (["a"], [None], "a number; got None"), (["a"], ["x"], "a number; got 'x'")],
)
def test_what_is_no_ranking(documents, scores, says):
    """A lone string is no list of documents, and a score is a number."""
    with pytest.raises(ArgumentError, match=says):
        Ranking.of(documents, scores)


def test_it_is_a_sequence():
    """Length, index, iteration, containment; a slice is a ranking with the same report."""
    ranking = Reranker("lexical").rerank("b", ["a", "b", "c"])
    assert len(ranking) == 3
    assert ranking[0].document == "b"
    assert ranking[-1].document == "c"
    assert isinstance(ranking[:2], Ranking)
    assert ranking[:2].report is ranking.report
    assert ranking[1:].documents == ["a", "c"]
    assert ranking[0] in ranking


def test_views_line_up():
    """Documents, scores and indices are in the order of the hits."""
    ranking = Reranker("lexical").rerank("b", ["a", "b"])
    assert ranking.documents == ["b", "a"]
    assert ranking.indices == [1, 0]
    assert ranking.scores == [hit.score for hit in ranking]


def test_nothing_can_be_changed():
    """Hits, rankings and reports are frozen."""
    ranking = Ranking.of(["a", "b"], [2.0, 1.0])
    for thing, name in ((ranking, "hits"), (ranking[0], "score"), (ranking.report, "scorer")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, None)


def test_equal_hits_make_equal_rankings():
    """Two runs of the same question are equal although they took different times."""
    one, other = (Reranker("lexical").rerank("b", ["a", "b"]) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != one[:1]


def test_copies_and_pickles():
    """A ranking survives both, report included."""
    ranking = Reranker("lexical").rerank("b", ["a", "b"])
    for twin in (copy.deepcopy(ranking), pickle.loads(pickle.dumps(ranking))):
        assert twin == ranking
        assert twin.report == ranking.report


def test_repr_is_short():
    """A long ranking does not print all its documents."""
    shown = repr(Ranking.of(range(1000)))
    assert "hits=1000" in shown
    assert len(shown) < 300


def test_a_report_as_plain_values():
    """Only what it says, as JSON can hold it; no message of an error, which may quote a document."""
    member = Report(scorer="b", truncated={3: 7})
    report = Report(scorer="a", usage={"tokens": 5}, errors=(OSError("a document"),)).including({"b": member})
    assert (
        json.loads(json.dumps(report.to_dict()))
        == report.to_dict()
        == {
            "scorer": "a",
            "degraded": False,
            "usage": {"tokens": 5},
            "truncated": {"3": 7},
            "errors": ["OSError"],
            "members": {"b": {"scorer": "b", "degraded": False, "truncated": {"3": 7}}},
        }
    )


def test_a_report_adds_its_members_up():
    """Sums of usage, requests and repairs; the largest cuts; errors in order; degraded if any is."""
    error = OSError("down")
    whole = Report(scorer="ensemble", requests=1, query_truncated=2).including(
        {
            "a": Report(usage={"tokens": 5}, requests=2, truncated={0: 3, 1: 1}, query_truncated=4, blank=1),
            "b": Report(usage={"tokens": 2, "units": 1}, truncated={0: 7}, repaired=2, degraded=True, errors=(error,)),
        }
    )
    assert whole.usage == {"tokens": 7, "units": 1}
    assert (whole.requests, whole.blank, whole.repaired) == (3, 1, 2)
    assert (whole.truncated, whole.query_truncated) == ({0: 7, 1: 1}, 4)
    assert whole.degraded
    assert whole.errors == (error,)
    assert set(whole.members) == {"a", "b"}
