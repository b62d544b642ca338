"""The rerankers without a model: LanceDB's numbers, `anyrank.fuse`'s order, and what holds for every list."""

import lancedb.rerankers
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lance_results import as_of_0_40, ids, result, scores
from lancedb.query import LanceHybridQueryBuilder

import anyrank_lancedb
from anyrank import fuse
from anyrank.errors import ArgumentError, FusionError, TextError
from anyrank_lancedb import LinearCombinationReranker, MRRReranker, RRFReranker, _roll
from anyrank_lancedb._formulas import relevances

NAMES = ("RRFReranker", "MRRReranker", "LinearCombinationReranker")
ROWS = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=60)
FEW = st.lists(st.integers(0, 12), unique=True, max_size=12)
VALUES = st.floats(0, 4, width=32)

quick = settings(max_examples=60, deadline=None)


def found(rows, name, values):
    """Return a search's list: row ids and what the search left, best first."""
    ordered = sorted(values[: len(rows)], reverse=name == "_score")
    return pa.table({"_rowid": pa.array(rows, pa.uint64()), name: pa.array(ordered, pa.float32())})


@st.composite
def hybrids(draw, rows=ROWS, smallest=0):
    """Draw what the two searches of a hybrid query found, some of it the same."""
    pool = draw(rows)
    lists = []
    for name in ("_distance", "_score"):
        some = draw(st.lists(st.sampled_from(pool), unique=True, min_size=smallest)) if pool else []
        values = draw(st.lists(VALUES, min_size=len(some), max_size=len(some)))
        lists.append(found(some, name, values))
    return lists


def queried(reranker, vector, fts):
    """Rerank as LanceDB's hybrid query does: normalised before, the originals put back after."""
    combine = LanceHybridQueryBuilder._combine_hybrid_results
    return combine(fts, vector, "score", "", reranker, limit=1000, with_row_ids=True)


def by_row(table):
    """Return each row by its id."""
    return {row["_rowid"]: row for row in table.to_pylist()}


@quick
@given(
    hybrid=hybrids(rows=st.lists(st.integers(0, 2**64 - 1), unique=True, min_size=1, max_size=60), smallest=1),
    name=st.sampled_from(NAMES),
    return_score=st.sampled_from(["relevance", "all"]),
)
def test_numbers_are_lancedbs(hybrid, name, return_score):
    """In LanceDB's own query every row, column, type and float32 score is the same; rows that tie may change places."""
    ours, theirs = (
        queried(getattr(package, name)(return_score=return_score), *hybrid)
        for package in (anyrank_lancedb, lancedb.rerankers)
    )
    assert ours.schema == theirs.schema
    assert by_row(ours) == by_row(theirs)
    assert scores(ours) == scores(theirs)


@as_of_0_40
@quick
@given(lists=st.lists(FEW, min_size=1, max_size=4), name=st.sampled_from(NAMES[:2]))
def test_several_lists_are_lancedbs(lists, name):
    """So are the scores of several searches' lists, to the last bit or its neighbour."""
    tables = [found(rows, "_distance", [0.0] * len(rows)) for rows in lists]
    ours, theirs = (
        getattr(package, name)().rerank_multivector(tables) for package in (anyrank_lancedb, lancedb.rerankers)
    )
    assert scores(ours) == pytest.approx(scores(theirs), rel=2e-7)
    assert set(by_row(ours)) == set(by_row(theirs))


@quick
@given(
    lists=st.lists(st.lists(st.integers(0, 9), max_size=15), min_size=1, max_size=4),
    weights=st.lists(st.floats(0.1, 9), min_size=4, max_size=4),
    method=st.sampled_from(["rrf", "mrr"]),
    many=st.sampled_from([0, 10**9]),
)
def test_order_is_that_of_fuse(lists, weights, method, many):
    """Repeated rows included, several lists come in the order in which `anyrank.fuse` puts them."""
    weights = weights[: len(lists)]
    reranker = {"rrf": RRFReranker, "mrr": MRRReranker}[method]()
    tables = [found(rows, "_distance", [0.0] * len(rows)) for rows in lists]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_roll, "MANY", many)
        ours = reranker.rerank_multivector(tables, weights=weights)
    fused = fuse(lists, method, weights=weights)
    assert ours.column("_rowid").to_pylist() == fused.documents
    share = 1 if method == "rrf" else sum(weights)
    assert scores(ours) == pytest.approx([score / share for score in fused.scores], rel=1e-6)


@quick
@given(hybrid=hybrids(), name=st.sampled_from(NAMES), return_score=st.sampled_from(["relevance", "all"]))
def test_few_rows_and_many_are_one_formula(hybrid, name, return_score):
    """Python's dicts and numpy's arrays give the same table, bit for bit."""
    reranker = getattr(anyrank_lancedb, name)(return_score=return_score)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_roll, "MANY", 0)
        as_arrays = reranker.rerank_hybrid("", *hybrid)
        patch.setattr(_roll, "MANY", 10**9)
        assert reranker.rerank_hybrid("", *hybrid) == as_arrays


@quick
@given(lists=st.lists(FEW, min_size=3, max_size=5), seed=st.randoms(), many=st.sampled_from([0, 10**9]))
def test_totals_do_not_depend_on_the_order_of_the_lists(lists, seed, many):
    """The same lists in another order give every row the same score."""
    tables = [found(rows, "_distance", [0.0] * len(rows)) for rows in lists]
    shuffled = seed.sample(tables, len(tables))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_roll, "MANY", many)
        one, other = (by_row(RRFReranker().rerank_multivector(some)) for some in (tables, shuffled))
    assert one.keys() == other.keys()
    assert all(one[row]["_relevance_score"] == other[row]["_relevance_score"] for row in one)


@pytest.mark.parametrize("many", [0, 10**9])
def test_equal_votes_tie(many, monkeypatch):
    """Two rows with the same votes from different lists tie, though the sums differ in the order they are added up."""
    monkeypatch.setattr(_roll, "MANY", many)
    roll = _roll.Roll.of([pa.array([7, 8], pa.uint64())] * 3)
    rows, totals = roll.elected([np.array([0.3, 0.1]), np.array([0.2, 0.2]), np.array([0.1, 0.3])], [0, 0, 0])
    assert 0.3 + 0.2 + 0.1 < 0.1 + 0.2 + 0.3
    assert list(roll.first(rows)) == [0, 1]
    assert totals[0] == totals[1]


def test_of_two_types_the_wider_one_is_taken():
    """Columns that differ in type are fused into the type that holds both, or where there is none, the first's."""
    one, other = result([1], distance=[0.1]), result([2**40], distance=[0.1])
    narrow = one.set_column(0, "id", one.column("id").cast(pa.int8()))
    coded = other.set_column(1, "text", other.column("text").dictionary_encode())
    table = RRFReranker().rerank_multivector([narrow, coded])
    assert table.column("id").to_pylist() == [1, 2**40]
    assert table.schema.field("text").type == pa.string()


@quick
@given(hybrid=hybrids(), name=st.sampled_from(NAMES), weight=st.floats(0, 1))
def test_every_row_comes_back_once_best_first(hybrid, name, weight):
    """Whatever the lists: the rows are those found, the scores fall, and float32 is their type."""
    options = {"RRFReranker": (), "MRRReranker": (weight, 1 - weight), "LinearCombinationReranker": (weight,)}[name]
    table = getattr(anyrank_lancedb, name)(*options).rerank_hybrid("", *hybrid)
    rows = table.column("_rowid").to_pylist()
    assert sorted(rows) == sorted({row for one in hybrid for row in one.column("_rowid").to_pylist()})
    assert scores(table) == sorted(scores(table), reverse=True)
    assert table.schema.field("_relevance_score").type == pa.float32()


@quick
@given(values=st.lists(VALUES, min_size=1, max_size=30), distances=st.booleans())
def test_corrected_hits_are_above_a_miss(values, distances):
    """Each hit's relevance is in (0, 1], the best one's is 1, and they are in the order of the values."""
    found = relevances(np.array(values), "corrected", distances=distances)
    assert all(0 < value <= 1 for value in found)
    assert found.max() == 1.0
    worse = np.argsort(values if distances else [-value for value in values], kind="stable")
    assert (np.diff(found[worse]) <= 0).all()


@pytest.mark.parametrize("normalize", ["lancedb", "corrected", None])
def test_normalisers(normalize):
    """Three distances and a lone score, by each of the ways to read them."""
    reranker = LinearCombinationReranker(normalize=normalize)
    table = reranker.rerank_hybrid("", result([1, 2, 3], distance=[0.2, 0.4, 0.6]), result([9], score=[0.5]))
    expected = {
        "lancedb": {1: 0.7, 2: 0.35, 3: 0.0, 9: 0.0},
        "corrected": {1: 0.7, 2: 0.7 * 0.625, 3: 0.7 * 0.25, 9: 0.3},
        None: {1: 0.7 * 0.8, 2: 0.7 * 0.6, 3: 0.7 * 0.4, 9: 0.3 * 0.5},
    }[normalize]
    assert dict(zip(ids(table), scores(table), strict=True)) == pytest.approx(expected, abs=1e-6)


def test_several_searches_are_combined_by_their_mean():
    """Of several lists a linear combination is the mean of their relevances, a miss counting 1 - fill."""
    lists = [result([1, 2], distance=[0.0, 1.0]), result([2, 3], distance=[0.0, 1.0])]
    table = LinearCombinationReranker().rerank_multivector(lists, weights=[1, 3])
    assert dict(zip(ids(table), scores(table), strict=True)) == pytest.approx({2: 0.75, 1: 0.25, 3: 0.0})


def test_weighted_rrf():
    """Weights multiply the votes of the two searches; without a vote a list's rows come last."""
    vector, fts = result([1, 2], distance=[0.1, 0.2]), result([3, 1], score=[2.0, 1.0])
    table = RRFReranker(weights={"vector": 1, "fts": 3}).rerank_hybrid("", vector, fts)
    assert dict(zip(ids(table), scores(table), strict=True)) == pytest.approx(
        {1: 1 / 61 + 3 / 62, 3: 3 / 61, 2: 1 / 62}
    )
    assert ids(RRFReranker(weights={"vector": 0, "fts": 1}).rerank_hybrid("", vector, fts)) == [3, 1, 2]


def test_fill_of_one_call():
    """``merge_results`` takes another ``fill``, as LanceDB's does."""
    vector, fts = result([1], distance=[0.0]), result([2], score=[0.0])
    reranker = LinearCombinationReranker()
    assert scores(reranker.merge_results(vector, fts)) == pytest.approx([0.7, 0.0])
    assert scores(reranker.merge_results(vector, fts, 0.5)) == pytest.approx([0.85, 0.35])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("return_score", ["relevance", "all"])
def test_tables_without_columns(name, return_score):
    """A list may be a table of nothing, on either side and on both."""
    reranker, some = getattr(anyrank_lancedb, name)(return_score=return_score), result([1], distance=[0.5])
    nothing = pa.table({})
    assert ids(reranker.rerank_hybrid("", some, nothing)) == [1]
    assert ids(reranker.rerank_hybrid("", nothing, result([1], score=[0.5]))) == [1]
    assert reranker.rerank_hybrid("", nothing, nothing).column_names == ["_relevance_score"]


def test_all_has_both_scores_of_a_row_that_both_found():
    """A direct call too gives distance and score where there is one, and null where not."""
    table = RRFReranker(return_score="all").rerank_hybrid(
        "", result([1, 2], distance=[0.1, 0.2]), result([2, 3], score=[5.0, 4.0])
    )
    assert {row["id"]: (row["_distance"], row["_score"]) for row in table.to_pylist()} == {
        1: (pytest.approx(0.1), None),
        2: (pytest.approx(0.2), 5.0),
        3: (None, 4.0),
    }


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RRFReranker(K=0), "K must be greater than 0; got 0"),
        (lambda: RRFReranker(K=float("nan")), "K must be"),
        (lambda: RRFReranker(weights={"vector": 1}), "fts"),
        (lambda: RRFReranker(weights={"vector": 1, "fts": 1, "web": 1}), "web"),
        (lambda: RRFReranker(weights=[1, 2]), "by name"),
        (lambda: RRFReranker(weights={"vector": -1, "fts": 1}), "at least 0"),
        (lambda: MRRReranker(weight_vector=0.7), "must equal 1.0; got 0.7"),
        (lambda: MRRReranker(1.5, -0.5), "weight_vector must be between 0 and 1"),
        (lambda: LinearCombinationReranker(weight=2), "weight must be between 0 and 1"),
        (lambda: LinearCombinationReranker(fill=float("inf")), "fill must be"),
        (lambda: LinearCombinationReranker(normalize="min_max"), "normalize must be 'lancedb', 'corrected' or None"),
        (lambda: RRFReranker(return_score="both"), "return_score must be 'relevance' or 'all'; got 'both'"),
    ],
)
def test_settings_that_cannot_be_right(build, message):
    """They are refused at construction, by a message that names the setting."""
    with pytest.raises(ArgumentError, match=message):
        build()


def test_what_a_call_may_lack():
    """Row ids, distances and one weight a list are asked for by name."""
    some, other = result([1], distance=[0.5]), result([2], distance=[0.5])
    with pytest.raises(ArgumentError, match=r"list 1 has no column '_rowid'.*with_row_id\(True\)"):
        RRFReranker().rerank_hybrid("", some, other.drop_columns(["_rowid"]))
    with pytest.raises(TextError, match="no column '_distance'"):
        LinearCombinationReranker().rerank_hybrid("", some.drop_columns(["_distance"]), other)
    with pytest.raises(FusionError, match="each of the 2 result lists"):
        RRFReranker().rerank_multivector([some, other], weights=[1])
    with pytest.raises(ArgumentError, match="got a str"):
        RRFReranker().rerank_multivector("table")


def test_how_they_are_shown():
    """An explained plan names a reranker as LanceDB's own does."""
    for name in NAMES:
        assert str(getattr(anyrank_lancedb, name)()) == str(getattr(lancedb.rerankers, name)())
