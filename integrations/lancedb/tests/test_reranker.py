"""`AnyRankReranker` in LanceDB: every kind of search, both APIs, and what a result keeps."""

import asyncio

import lancedb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lance_results import QUERY, TEXTS, ids, result, scores, vectors
from lancedb.query import BooleanQuery, BoostQuery, MatchQuery, MultiMatchQuery, Occur, PhraseQuery

from anyrank import Cascade, Fallback, FirstStage, Reranker
from anyrank.errors import ArgumentError, TextError
from anyrank_lancedb import AnyRankReranker
from anyrank_lancedb import Reranker as Base

VECTOR = vectors(1, seed=7)[0]
LENGTH = AnyRankReranker(lambda _query, texts: [float(len(text)) for text in texts])


def longest_first(rows):
    """Return the ids of a list of rows in the order that `LENGTH` gives them."""
    return sorted(rows, key=lambda row: -len(TEXTS[row]))


def constant(_query, texts):
    """Score every text the same."""
    return [0.5] * len(texts)


def broken(_query, _texts):
    """Fail."""
    msg = "out of order"
    raise OSError(msg)


def searches(table):
    """Return the three kinds of search."""
    return {
        "vector": lambda: table.search(VECTOR).limit(5),
        "fts": lambda: table.search("sorted list", query_type="fts").limit(5),
        "hybrid": lambda: table.search(query_type="hybrid").vector(VECTOR).text("sorted list").limit(5),
    }


def reranked(search, reranker):
    """Attach a reranker to a search and run it."""
    words = {"query_string": QUERY} if type(search).__name__ == "LanceVectorQueryBuilder" else {}
    return search.rerank(reranker=reranker, **words).to_arrow()


@pytest.mark.parametrize("kind", ["vector", "fts", "hybrid"])
@pytest.mark.parametrize("return_score", ["relevance", "all"])
def test_searches(table, kind, return_score):
    """Each kind is reranked; ``"all"`` keeps what the search left, ``"relevance"`` does not; nothing else changes."""
    search = searches(table)[kind]
    plain = search().to_arrow()
    found = reranked(search(), AnyRankReranker(lambda _q, texts: list(map(len, texts)), return_score=return_score))
    assert ids(found) == longest_first(ids(found))
    assert scores(found) == [len(TEXTS[row]) for row in ids(found)]
    left = {"vector": {"_distance"}, "fts": {"_score"}, "hybrid": {"_distance", "_score"}}[kind]
    extra = set(found.column_names) - set(table.schema.names)
    assert extra == {"_relevance_score"} | (left | ({"_rowid"} & extra) if return_score == "all" else set())
    assert all(found.schema.field(name) == plain.schema.field(name) for name in table.schema.names)


def test_hybrid_keeps_the_scores_of_both_searches(table):
    """A row that both searches found has its distance and its score, another null."""
    found = reranked(searches(table)["hybrid"](), AnyRankReranker("lexical", return_score="all"))
    near, worded = (
        {row["id"]: row[left] for row in searches(table)[kind]().to_list()}
        for kind, left in (("vector", "_distance"), ("fts", "_score"))
    )
    assert {row["id"]: (row["_distance"], row["_score"]) for row in found.to_pylist()} == {
        row: (near.get(row), worded.get(row)) for row in ids(found)
    }


def test_async_searches(database, table):
    """LanceDB's async queries take it too."""

    async def main():
        opened = await (await lancedb.connect_async(database.uri)).open_table(table.name)
        query = opened.query()
        found = [
            await query.nearest_to(VECTOR).limit(5).rerank(LENGTH, query_string=QUERY).to_arrow(),
            await query.nearest_to_text("sorted list").limit(5).rerank(LENGTH).to_arrow(),
            await query.nearest_to(VECTOR).nearest_to_text("sorted list").limit(5).rerank(LENGTH).to_arrow(),
        ]
        return [ids(table) for table in found]

    assert asyncio.run(main()) == [ids(reranked(search(), LENGTH)) for search in searches(table).values()]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (MatchQuery("sorted list", "text"), "sorted list"),
        (PhraseQuery("sorted inputs", "text"), "sorted inputs"),
        ('"sorted inputs"', "sorted inputs"),
        (BoostQuery(MatchQuery("list", "text"), MatchQuery("sorted", "text")), "list"),
        (MultiMatchQuery("sorted list", ["text"]), "sorted list"),
        (
            BooleanQuery(
                [
                    (Occur.SHOULD, MatchQuery("list", "text")),
                    (Occur.MUST, MatchQuery("sort", "text")),
                    (Occur.MUST_NOT, MatchQuery("heap", "text")),
                ]
            ),
            "list sort",
        ),
    ],
)
def test_query_objects(table, query, asked):
    """A reranker is asked for what a full-text query looks for, in a hybrid search too."""
    heard = []

    def listens(words, texts):
        heard.append(words)
        return [0.0] * len(texts)

    table.search(query, query_type="fts").rerank(AnyRankReranker(listens)).to_arrow()
    table.search(query_type="hybrid").vector(VECTOR).text(query).rerank(AnyRankReranker(listens)).to_arrow()
    assert heard == [asked, asked]


def test_a_query_must_be_text():
    """A search by vector that was told nothing is an error that says where to say it."""
    with pytest.raises(TextError, match="query_string="):
        LENGTH.rerank_vector(None, result([1], distance=[0.1]))


@settings(max_examples=60, deadline=None)
@given(
    vector=st.lists(st.integers(0, 20), unique=True, max_size=12),
    fts=st.lists(st.integers(0, 20), unique=True, max_size=12),
    return_score=st.sampled_from(["relevance", "all"]),
)
def test_hybrid_lists_of_any_length(vector, fts, return_score):
    """Empty, one-sided or overlapping: each row once, ties in the order vector search first, one schema."""
    lists = (
        result(vector, distance=[0.1] * len(vector)),
        result(fts, score=[1.0] * len(fts)),
    )
    found = AnyRankReranker(constant, return_score=return_score).rerank_hybrid(QUERY, *lists)
    assert ids(found) == list(dict.fromkeys([*vector, *fts]))
    kept = {"_distance", "_score"} if return_score == "all" else set()
    assert set(found.column_names) == {"id", "text", "_rowid", "_relevance_score"} | kept
    assert found.schema.field("_relevance_score").type == pa.float32()


def test_nothing_found_asks_nobody():
    """Tables without rows, and tables of nothing, come back without rows; no scorer, model or key is needed."""
    hosted = AnyRankReranker("cohere")
    empty = result([], distance=[])
    for found in (
        hosted.rerank_vector(QUERY, empty),
        hosted.rerank_fts(QUERY, pa.table({})),
        hosted.rerank_hybrid(QUERY, pa.table({}), pa.table({})),
        hosted.rerank_multivector([empty, empty], QUERY),
    ):
        assert found.num_rows == 0
        assert found.column_names[-1] == "_relevance_score"


def test_types_and_metadata_survive():
    """Every column's type, the row ids and the schema's metadata are as they were."""
    columns = {
        "_rowid": pa.array([2**64 - 1, 5], pa.uint64()),
        "text": pa.array(["a", None], pa.large_string()),
        "kind": pa.array(["x", "y"]).dictionary_encode(),
        "small": pa.array([1, None], pa.int8()),
        "price": pa.array([None, None], pa.decimal128(20, 4)),
        "vector": pa.array([[1, 2], [3, 4]], pa.list_(pa.float16(), 2)),
        "none": pa.array([None, None], pa.null()),
        "_distance": pa.array([0.1, 0.2], pa.float32()),
    }
    given = pa.table(columns).replace_schema_metadata({"made": "here"})
    for found in (
        LENGTH.rerank_vector(QUERY, given),
        LENGTH.rerank_hybrid(QUERY, given, given.slice(0, 0).drop_columns(["_distance"])),
    ):
        assert found.drop_columns(["_relevance_score"]) == given.drop_columns(["_distance"])
        assert found.schema.metadata == {b"made": b"here"}


def test_columns():
    """Another column's text is scored, or several columns' together, whichever of Arrow's types of text they have."""
    table = pa.table(
        {
            "title": pa.array(["aa", "a", None], pa.large_string()),
            "body": pa.array(["b", "bbbb", ""]).dictionary_encode(),
            "none": pa.array([None, None, None]),
        }
    )
    assert scores(AnyRankReranker(lambda _q, t: list(map(len, t)), column="body").rerank_vector("", table)) == [4, 1, 0]
    both = AnyRankReranker(lambda _q, texts: [float(text == "aa\nb") for text in texts], column=["title", "body"])
    assert both.rerank_vector("", table).column("title").to_pylist()[0] == "aa"
    assert scores(AnyRankReranker("lexical", column="none").rerank_vector("a", table)) == [0, 0, 0]
    with pytest.raises(TextError, match=r"no column 'text' \(columns there are: title, body, none\)"):
        LENGTH.rerank_vector("", table)


def test_columns_that_cannot_be(table):
    """A column that the search left out, one of numbers, and a name that is none are named."""
    with pytest.raises(TextError, match=r"no column 'text'.*select it too"):
        table.search("sorted", query_type="fts").select(["id", "_score"]).rerank(LENGTH).to_arrow()
    with pytest.raises(TextError, match=r"column 'id' holds int64, not text.*\(here: text\)"):
        AnyRankReranker("lexical", column="id").rerank_vector("", result([1], distance=[0.1]))
    for column in ("", [], None, ["text", 3]):
        with pytest.raises(ArgumentError, match="column"):
            AnyRankReranker("lexical", column=column)


def test_settings_read_at_each_call():
    """``top_n``, ``column`` and ``score`` may be changed on a reranker, as on LanceDB's own."""
    reranker = AnyRankReranker("lexical")
    reranker.top_n, reranker.score = 1, "all"
    found = reranker.rerank_vector("text 2", result([1, 2], distance=[0.2, 0.1]))
    assert (ids(found), "_distance" in found.column_names) == ([2], True)


def test_dedupe_by():
    """Of rows with one value the best one stays, before ``top_n`` cuts; rows without a value all stay."""
    given = result([1, 2, 3, 4, 5], texts=["a", "aa", "a", "aaa", "b"], distance=[0.1] * 5)
    given = given.append_column("page", pa.array([7, 7, 7, None, None]))
    length = LENGTH._host.scorer
    assert ids(AnyRankReranker(length, dedupe_by="text").rerank_vector(QUERY, given)) == [4, 2, 1, 5]
    assert ids(AnyRankReranker(length, dedupe_by="page", top_n=3).rerank_vector(QUERY, given)) == [4, 2, 5]
    assert ids(AnyRankReranker(length, dedupe_by="page", then=["dedupe"]).rerank_vector(QUERY, given)) == [4, 2, 5]
    with pytest.raises(TextError, match="no column 'source'"):
        AnyRankReranker(length, dedupe_by="source").rerank_vector(QUERY, given)
    with pytest.raises(ArgumentError, match="dedupe_by must be a column's name"):
        AnyRankReranker(length, dedupe_by=3)


def test_steps_see_columns(table):
    """Steps look their fields up in the row's columns; ``"text"`` is what was scored."""
    diverse = AnyRankReranker(
        "lexical", then=[{"diversify": {"vectors": "vector", "weight": 0}}, lambda found: found[:3]]
    )
    assert reranked(searches(table)["vector"](), diverse).num_rows == 3
    seen = []

    def look(ranking):
        seen.extend(dict(row) for row in ranking.documents)
        return ranking

    given = pa.table({"body": ["scored", None], "text": ["not scored"] * 2})
    AnyRankReranker("lexical", column="body", then=[look]).rerank_vector("", given)
    assert seen == [{"body": "scored", "text": "scored"}, {"body": None, "text": ""}]


def test_a_stand_in_keeps_the_fused_order(table):
    """When a hybrid search's model fails, the rows come in the order of their reciprocal rank fusion, LanceDB's own."""
    careful = AnyRankReranker(Fallback(broken, FirstStage()))
    search = searches(table)["hybrid"]
    assert ids(reranked(search(), careful)) == ids(search().to_arrow())
    first = AnyRankReranker(Cascade(("first_stage", 3), (constant, 3)))
    assert ids(reranked(search(), first)) == ids(search().to_arrow())[:3]


@pytest.mark.parametrize("kind", ["vector", "fts", "hybrid"])
def test_the_first_stages_scores(table, kind):
    """``FirstStage("score")`` reads them, distances turned round, those of a hybrid search fused."""
    search = searches(table)[kind]
    plain = search().to_arrow()
    found = reranked(search(), AnyRankReranker(FirstStage("score")))
    left = {"vector": "_distance", "fts": "_score", "hybrid": "_relevance_score"}[kind]
    sign = -1 if kind == "vector" else 1
    assert ids(found) == ids(plain)
    assert scores(found) == pytest.approx([sign * value for value in plain.column(left).to_pylist()])


def test_wrapped_rerankers(table):
    """A `Reranker`'s own number counts where the adapter has none, and the adapter's where it has one."""
    search = searches(table)["vector"]
    assert reranked(search(), AnyRankReranker(Reranker("lexical", top_n=3))).num_rows == 3
    assert reranked(search(), AnyRankReranker(Reranker("lexical", top_n=3), top_n=2)).num_rows == 2


class TestMultivector:
    """`rerank_multivector` of a reranker with a scorer."""

    lists = (result([1, 2, 3], distance=[0.1, 0.2, 0.3]), result([3, 4], distance=[0.1, 0.2]))

    def test_copies_come_back_unless_deduplicated(self):
        """Each row is scored once; its copies come back with its score, next to each other."""
        sent = []

        def spy(_query, texts):
            sent.append(list(texts))
            return [float(text[-1]) for text in texts]

        reranker = AnyRankReranker(spy)
        assert ids(reranker.rerank_multivector(self.lists, QUERY)) == [4, 3, 3, 2, 1]
        assert ids(reranker.rerank_multivector(self.lists, QUERY, True)) == [4, 3, 2, 1]  # noqa: FBT003 - as LanceDB's users do
        assert sent == [[f"text {number}" for number in (1, 2, 3, 4)]] * 2

    def test_the_cut_comes_last(self):
        """``top_n`` counts the rows that come back."""
        reranker = AnyRankReranker(lambda _query, texts: [float(text[-1]) for text in texts], top_n=3)
        assert ids(reranker.rerank_multivector(self.lists, QUERY)) == [4, 3, 3]
        assert ids(reranker.rerank_multivector(self.lists, QUERY, deduplicate=True)) == [4, 3, 2]

    def test_lists_without_row_ids(self):
        """Without row ids all rows are scored; to deduplicate them is an error before anything is scored."""
        bare = [table.drop_columns(["_rowid"]) for table in self.lists]
        assert ids(AnyRankReranker(constant).rerank_multivector(bare, QUERY)) == [1, 2, 3, 3, 4]
        with pytest.raises(ArgumentError, match="list 0 has no column '_rowid'"):
            AnyRankReranker(broken).rerank_multivector(bare, QUERY, deduplicate=True)

    def test_a_table_alone(self):
        """One table is a list of one; a row twice in it is scored once."""
        twice = pa.concat_tables([self.lists[0], self.lists[0]])
        assert ids(AnyRankReranker(constant).rerank_multivector(twice, QUERY)) == [1, 1, 2, 2, 3, 3]
        assert ids(AnyRankReranker(constant).rerank_multivector(twice, QUERY, deduplicate=True)) == [1, 2, 3]

    def test_awaitable_searches_are_named(self, database, table):
        """A search of the async API is to be awaited first, and the error says so."""

        async def main():
            opened = await (await lancedb.connect_async(database.uri)).open_table(table.name)
            LENGTH.rerank_multivector([opened.query().nearest_to(VECTOR)], QUERY)

        with pytest.raises(ArgumentError, match=r"await search\.to_arrow"):
            asyncio.run(main())

    def test_an_order_of_several_lists_is_their_fusion(self):
        """A scorer that keeps the order keeps that of the lists' reciprocal rank fusion."""
        assert ids(AnyRankReranker("first_stage").rerank_multivector(self.lists, QUERY, deduplicate=True)) == [
            3,
            1,
            2,
            4,
        ]


class OwnReranker(Base):
    """A reranker as LanceDB's guide to custom ones has it."""

    def rerank_hybrid(self, query, vector_results, fts_results):  # noqa: ARG002 - LanceDB's signature
        """Merge, and score by length."""
        return self._scored(self.merge_results(vector_results, fts_results))

    def rerank_vector(self, query, vector_results):  # noqa: ARG002 - LanceDB's signature
        """Score by length."""
        return self._scored(self._handle_empty_results(vector_results))

    def _scored(self, table):
        found = pa.array([float(len(text)) for text in table.column("text").to_pylist()], pa.float32())
        scored = self._keep_relevance_score(table.append_column("_relevance_score", found))
        return scored.sort_by([("_relevance_score", "descending")])


def test_rerankers_of_ones_own(table):
    """The base class has LanceDB's helpers, and what is built on them runs in LanceDB."""
    found = reranked(searches(table)["hybrid"](), OwnReranker())
    assert ids(found) == longest_first(ids(found))
    lists = [result([1, 2], distance=[0.1, 0.2]), result([2, 3], distance=[0.1, 0.2])]
    assert OwnReranker().rerank_multivector(lists).num_rows == 4
    assert OwnReranker(return_score="all").rerank_multivector(lists, deduplicate=True).num_rows == 3
    assert asyncio.run(OwnReranker().arerank_vector(QUERY, lists[0])).num_rows == 2
    merged = OwnReranker()._merge_and_keep_scores(lists[0], result([2], score=[5.0]))
    assert merged.column("_score").to_pylist() == [None, 5.0]
    assert OwnReranker()._handle_empty_results(lists[0].slice(0, 0)).column_names[-1] == "_relevance_score"
