"""LanceDB's known bugs, row by row: what its own class gets wrong, ours gets right.

Each check is made of both packages: on ``lancedb.rerankers`` it has to fail, in the way that is written above it, on
``anyrank_lancedb`` to pass. The numbers are those of our notes on LanceDB 0.40.
"""

import ast
import asyncio
import inspect
import json
import math
import re
import threading
from fractions import Fraction
from types import SimpleNamespace

import lancedb.rerankers
import numpy as np
import pyarrow as pa
import pytest
from fake_chat import MODEL, Chat, words
from fake_faults import refusal
from fake_service import KEY, running
from lance_results import QUERY, ids, result, scores, vectors
from lancedb.query import LanceHybridQueryBuilder, MatchQuery

import anyrank_lancedb
from anyrank.errors import ModelError, ProviderError, ReplyError
from anyrank_lancedb import AnyRankReranker, arerank, rerank

V = result([1, 2, 3], distance=[0.0, 0.5, 1.0])
F = result([3, 4], score=[1.0, 0.0])
"""A vector search's and a full-text search's list, normalised as LanceDB's hybrid query does."""

CHECKS = []


def check(number, error, match):
    """Take a function as the check of a row of the table of bugs; ``error`` and ``match`` are how LanceDB fails it."""

    def keep(function):
        CHECKS.append(pytest.param(function, error, match, id=f"{number}-{function.__name__}"))
        return function

    return keep


def jina_of(package):
    """Return a `JinaReranker` over the service on loopback."""
    return package.JinaReranker(api_key=KEY, top_n=3)


def corrected(package):
    """Return a linear combination, with the correction where there is one."""
    options = {"normalize": "corrected"} if package is anyrank_lancedb else {}
    return package.LinearCombinationReranker(**options)


def fused(reranker, vector, fts, norm="score"):
    """Rerank two lists as LanceDB's hybrid query does: normalised first, the originals put back after."""
    combine = LanceHybridQueryBuilder._combine_hybrid_results
    return combine(fts, vector, norm, QUERY, reranker, limit=10, with_row_ids=True)


@check("L2", AssertionError, r"\[1, 2, 3\] == \[2, 1, 3\]")
def a_sole_hit_counts(at):
    """The only keyword hit, nearly the best by vector, beats the best by vector that no keyword found."""
    found = fused(corrected(at.package), result([1, 2, 3], distance=[0.1, 0.1001, 0.9]), result([2], score=[12.3]))
    assert ids(found) == [2, 1, 3]


@check("L2", AssertionError, "0.0 > 0")
def a_miss_is_below_the_worst_hit(at):
    """Every hit of either list counts more than a row that no list holds would."""
    found = fused(corrected(at.package), result([1, 2], distance=[0.1, 0.9]), result([9], score=[12.3]))
    assert min(scores(found)) > 0


@check("L4", OverflowError, "too large")
def column_types_survive_all(at):
    """Merging with all scores keeps every column's type, the row ids beyond 2^63 and the schema's metadata."""
    kinds = {"small": pa.int8(), "day": pa.timestamp("ms"), "price": pa.decimal128(20, 4), "name": pa.large_string()}
    extra = {name: pa.array([None], kind) for name, kind in kinds.items()}
    extra["_rowid"] = pa.array([2**63 + 1], pa.uint64())
    vector = pa.table(extra | {"_distance": pa.array([0.5], pa.float32())}).replace_schema_metadata({"made": "here"})
    merged = at.package.RRFReranker()._merge_and_keep_scores(vector, pa.table({"_score": pa.array([], pa.float32())}))
    assert merged.schema.field("_rowid").type == pa.uint64()
    assert all(merged.schema.field(name).type == kind for name, kind in kinds.items())
    assert merged.schema.metadata == {b"made": b"here"}


@check("L5", AssertionError, r"\[12\] == \[4\]")
def rows_are_sent_once_and_cut_last(at):
    """Three lists of the same four rows are four documents to the service, and three rows come back of ``top_n=3``."""
    lists = [result([1, 2, 3, 4], distance=[0.1, 0.2, 0.3, 0.4])] * 3
    found = jina_of(at.package).rerank_multivector(lists, "text 1", deduplicate=True)
    assert [len(body["documents"]) for body in at.jina.bodies] == [4]
    assert found.num_rows == 3


@check("L6", TypeError, "query")
def the_query_is_taken_from_the_search(at):
    """Searches that were asked in words need no query beside them."""
    searches = [at.table.search(QUERY, query_type="fts").with_row_id(True).limit(3)]  # noqa: FBT003 - LanceDB's way to say it
    jina_of(at.package).rerank_multivector(searches, deduplicate=True)
    assert at.jina.bodies[0]["query"] == QUERY


@check("L9", ValueError, "not enough values to unpack")
def a_reply_without_results_is_named(at):
    """A reply without scores is an error that says whose it is."""
    at.jina.replay = {"results": []}
    with pytest.raises(ReplyError, match="jina"):
        jina_of(at.package).rerank_vector(QUERY, V)


@check("L10", AssertionError, r"\[1, 2, 3\] == \[3, 2, 1\]")
def an_unsorted_reply_is_sorted(at):
    """Rows come best first, whatever the order of the reply."""
    at.jina.replay = {"results": [{"index": place, "relevance_score": place / 4} for place in range(3)]}
    assert ids(jina_of(at.package).rerank_vector(QUERY, V)) == [3, 2, 1]


@check("L10", pytest.fail.Exception, "DID NOT RAISE")
def an_index_twice_is_refused(at):
    """A reply that names a document twice is refused, instead of giving a row twice."""
    at.jina.replay = {"results": [{"index": 0, "relevance_score": 0.5}] * 3}
    with pytest.raises(ReplyError, match="index 0"):
        jina_of(at.package).rerank_vector(QUERY, V)


@check("L10", pa.ArrowIndexError, "out of bounds")
def an_index_out_of_range_is_named(at):
    """A reply that names a document nobody sent is an error that says which."""
    at.jina.replay = {"results": [{"index": place, "relevance_score": 0.5} for place in (0, 1, 7)]}
    with pytest.raises(ReplyError, match="index 7"):
        jina_of(at.package).rerank_vector(QUERY, V)


@check("L11", KeyError, "detail")
def a_busy_service_is_asked_again(at):
    """One 429 is no failure."""
    at.jina.faults = [refusal(429, retry_after="0")]
    assert jina_of(at.package).rerank_vector(QUERY, V).num_rows == 3


@check("L11", KeyError, "detail")
def a_refusal_of_any_form_is_named(at):
    """A refusal without the usual field is an error with its status."""
    at.jina.always = refusal(400, {"error": {"reason": "no"}})
    with pytest.raises(ProviderError, match="400"):
        jina_of(at.package).rerank_vector(QUERY, V)


@check("L12", KeyError, "_distance")
def no_distance_is_no_error(at):
    """A result without the column ``_distance``, as after a ``select``, is reranked."""
    assert jina_of(at.package).rerank_vector(QUERY, V.drop_columns(["_distance"])).num_rows == 3
    assert at.jina.requests


@check("L14", TypeError, "MatchQuery")
def query_objects_are_read(at):
    """A full-text query object is read as the text it looks for."""
    search = at.table.search(MatchQuery(QUERY, "text"), query_type="fts").limit(3)
    search.rerank(jina_of(at.package)).to_arrow()
    assert at.jina.bodies[0]["query"] == QUERY


@check("L15", RuntimeError, "None is not valid")
def null_texts_are_ranked(at):
    """A null text is an empty one to the service, and its row comes back."""
    found = jina_of(at.package).rerank_vector("a", result([1, 2, 3], texts=["a", None, "b"], distance=[0.1, 0.2, 0.3]))
    assert ids(found)[0] == 1
    assert found.num_rows == 3


@check("L17", AssertionError, "True is False")
def foreign_code_is_not_trusted(at):
    """A model's own code is not run by default."""
    assert inspect.signature(at.package.CrossEncoderReranker).parameters["trust_remote_code"].default is False


@check("L18", TypeError, "NoneType")
def a_null_distance_is_a_miss(at):
    """A null distance counts as if the vector search had not found the row."""
    found = at.package.LinearCombinationReranker().rerank_hybrid("", result([1, 2, 3], distance=[0.0, 1.0, None]), F)
    assert scores(found)[ids(found).index(3)] == pytest.approx(0.3)


@check("L18", AssertionError, "nan == 0.3")
def a_nan_distance_is_a_miss(at):
    """So does NaN."""
    found = at.package.LinearCombinationReranker().rerank_hybrid(
        "", result([1, 2, 3], distance=[0.0, 1.0, math.nan]), F
    )
    assert scores(found)[ids(found).index(3)] == pytest.approx(0.3)


@check("L18", AssertionError, r"\[1.0, 0.0\] == ")
def one_side_alone_is_weighted(at):
    """Without vector hits the full-text scores still count 1 - weight."""
    found = at.package.LinearCombinationReranker().rerank_hybrid("", V.slice(0, 0), F)
    assert scores(found) == pytest.approx([0.3, 0.0])


@check("L18", AssertionError, r"\[3, 1, 2\] == \[1, 2, 3\]")
def one_side_alone_is_sorted(at):
    """Rows come best first when only one search found any."""
    shuffled = V.take([2, 0, 1])
    assert ids(at.package.LinearCombinationReranker().rerank_hybrid("", shuffled, F.slice(0, 0))) == [1, 2, 3]


@check("L18", AssertionError, "False")
def raw_distances_are_normalised(at):
    """Distances that no query normalised give scores between 0 and 1."""
    found = at.package.LinearCombinationReranker().rerank_hybrid("", result([1, 2], distance=[20.0, 140.0]), F)
    assert all(0 <= score <= 1 for score in scores(found))


@check("L18", TypeError, "fill")
def merging_needs_no_fill(at):
    """``merge_results`` takes two tables, as the base class says."""
    assert at.package.LinearCombinationReranker().merge_results(V, F).num_rows == 4


@check("L19", AssertionError, "0.0325")
def rrf_counts_a_row_once_in_a_list(at):
    """A row twice in a list has one vote there, and what comes after moves up."""
    twice = result([1, 1, 2], distance=[0.1, 0.1, 0.2])
    assert scores(at.package.RRFReranker().rerank_hybrid("", twice, V.slice(0, 0))) == pytest.approx([1 / 61, 1 / 62])


@check("L19", AssertionError, r"\[0.25, 0.166")
def mrr_counts_a_row_where_it_is_best(at):
    """Of two places in a list the better one counts."""
    twice = result([1, 2, 1], distance=[0.1, 0.2, 0.1])
    assert scores(at.package.MRRReranker().rerank_hybrid("", twice, V.slice(0, 0))) == pytest.approx([0.5, 0.25])


@check("L19", AssertionError, "0.0 == 0.7")
def lc_counts_a_row_where_it_is_best(at):
    """Of two distances in a list the first, which is the better one, counts."""
    twice = result([1, 2, 1], distance=[0.0, 0.5, 1.0])
    found = at.package.LinearCombinationReranker().rerank_hybrid("", twice, F)
    assert scores(found)[ids(found).index(1)] == pytest.approx(0.7)


@check("L19", TypeError, "weights")
def several_lists_are_weighted(at):
    """The lists of several searches have weights."""
    found = at.package.MRRReranker().rerank_multivector([V, V.take([2, 1, 0])], weights=[3, 1])
    assert scores(found) == pytest.approx([(3 + 1 / 3) / 4, 0.5, (3 / 3 + 1) / 4])


@check("L22", NotImplementedError, "rerank_vector")
def rrf_takes_one_list(at):
    """A vector search, or a full-text search, alone is scored too."""
    assert scores(at.package.RRFReranker().rerank_vector("", V)) == pytest.approx([1 / 61, 1 / 62, 1 / 63])
    assert scores(at.package.RRFReranker().rerank_fts("", F)) == pytest.approx([1 / 61, 1 / 62])


@check("L22", NotImplementedError, "rerank_fts")
def mrr_takes_one_list(at):
    """With the weight of its list."""
    assert scores(at.package.MRRReranker(0.7, 0.3).rerank_fts("", F)) == pytest.approx([0.3, 0.15])


@check("L22", NotImplementedError, "rerank_vector")
def lc_takes_one_list(at):
    """By the same formula as a hybrid search."""
    assert scores(at.package.LinearCombinationReranker().rerank_vector("", V)) == pytest.approx([0.7, 0.35, 0.0])


@check("L24", AssertionError, "At index")
def rounding_does_not_reorder(at):
    """Scores that only float64 tells apart are in their exact order."""
    draw = np.random.default_rng(3)
    one, other = (draw.permutation(4000)[:3000].tolist() for _ in range(2))
    exact = {}
    for rows in (one, other):
        for rank, row in enumerate(rows, start=1):
            exact[row] = exact.get(row, 0) + Fraction(1, 60 + rank)
    lists = result(one, distance=[0.0] * len(one)), result(other, score=[0.0] * len(other))
    assert ids(at.package.RRFReranker().rerank_hybrid("", *lists)) == sorted(exact, key=exact.__getitem__, reverse=True)


@check("L25", IndexError, "out of range")
def no_list_is_named(at):
    """An empty list of results is an error that says so."""
    with pytest.raises(ValueError, match="must not be empty"):
        at.package.JinaReranker().rerank_multivector([], QUERY)


@check("L25", ValueError, "should be a list")
def any_search_is_taken(at):
    """A full-text search is a search too."""
    search = at.table.search(QUERY, query_type="fts").with_row_id(True)  # noqa: FBT003 - LanceDB's way to say it
    assert at.package.RRFReranker().rerank_multivector([search, search]).num_rows > 2


@check("L25", pa.ArrowTypeError, "incompatible types")
def text_types_may_differ(at):
    """One list's text may be large_string, another's string."""
    schema = V.schema.set(V.schema.get_field_index("text"), pa.field("text", pa.large_string()))
    assert at.package.RRFReranker().rerank_multivector([V, V.cast(schema)]).num_rows == 3


@check("L26", AssertionError, "re.Match")
def messages_are_one_sentence(at):
    """An error about ``_rowid`` holds no runs of spaces."""
    with pytest.raises(ValueError, match="_rowid") as error:
        at.package.RRFReranker().rerank_multivector([V.drop_columns(["_rowid"])])
    assert not re.search(r"\s\s", str(error.value))


@check("L1", AssertionError, "merge so")
def texts_stay_with_their_rows(at):
    """A chat model's answer orders the rows, and none of its words becomes part of one."""
    pytest.importorskip("openai", reason="LanceDB's class needs the package openai")
    given = result([1, 2, 3], texts=["count items", "merge sorted", "sorted items"], distance=[0.1, 0.2, 0.3])
    found = at.package.OpenaiReranker(model_name=MODEL, api_key=KEY).rerank_vector("merge sorted", given)
    assert dict(zip(ids(found), found.column("text").to_pylist(), strict=True)) == {
        1: "count items",
        2: "merge sorted",
        3: "sorted items",
    }
    assert ids(found)[0] == 2


class Model(Chat):
    """A chat model that also answers LanceDB's prompt, with all texts, the most relevant first."""

    def reply(self, payload):
        """Answer in the form that the prompt asks for."""
        query, _, texts = payload["messages"][-1]["content"].partition(" Docs: ")
        if not texts:
            return super().reply(payload)
        asked = words(query)
        ranked = sorted(ast.literal_eval(texts), key=lambda text: -len(asked & words(text)))
        rows = [{"content": text, "relevance_score": 1 / rank} for rank, text in enumerate(ranked, start=1)]
        message = {"role": "assistant", "content": json.dumps({"documents": rows})}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": choices}


@pytest.fixture
def at(jina, table, monkeypatch):
    """Give a table to search, and the services to ask."""
    with running(Model()) as chat:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{chat.url}/v1")
        yield SimpleNamespace(package=anyrank_lancedb, jina=jina, chat=chat, table=table)


@pytest.mark.parametrize(("holds", "error", "match"), CHECKS)
def test_lancedb_gets_it_wrong(holds, error, match, at):
    """The check fails on LanceDB's own class: the bug is still there, and the check finds it."""
    at.package = lancedb.rerankers
    with pytest.raises(error, match=match):
        holds(at)


@pytest.mark.parametrize("holds", [pytest.param(case.values[0], id=case.id) for case in CHECKS])
def test_ours_gets_it_right(holds, at):
    """The check passes on ours."""
    holds(at)


def test_l3_and_l20_are_the_querys_own():
    """With ``normalize="rank"`` the query shows ranks as distances; two empty lists never reach a reranker."""
    for package in (lancedb.rerankers, anyrank_lancedb):
        reranker = package.RRFReranker(return_score="all")
        raw = result([1, 2], distance=[0.4, 0.9]), result([2], score=[3.0])
        assert fused(reranker, *raw, norm="rank").column("_distance").to_pylist() == [2.0, 1.0]
        empty = fused(package.RRFReranker(), raw[0].slice(0, 0), raw[1].slice(0, 0))
        assert {"_distance", "_score", "_relevance_score"} <= set(empty.column_names)


def test_l7_ranks_count_in_their_own_list():
    """The best of the second list has rank 1 (LanceDB counted on from the first list until 0.38)."""
    lists = [result([1, 2, 3], distance=[0.1, 0.2, 0.3]), result([4, 5], distance=[0.1, 0.2])]
    found = anyrank_lancedb.RRFReranker().rerank_multivector(lists)
    assert scores(found)[:2] == pytest.approx([1 / 61, 1 / 61])
    assert ids(found) == [1, 4, 2, 5, 3]


@pytest.mark.parametrize(
    ("name", "service", "variable"),
    [("CohereReranker", "cohere_v1", "COHERE_API_KEY"), ("VoyageAIReranker", "voyage", "VOYAGE_API_KEY")],
)
def test_l8_the_given_key_goes_first(name, service, variable, monkeypatch):
    """A key that is passed is the one that is sent, whatever the environment holds."""
    monkeypatch.setenv(variable, "of-the-environment")
    with running(service) as hosted:
        monkeypatch.setenv(f"ANYRANK_{service.upper()}_BASE_URL", hosted.url)
        reranker = getattr(anyrank_lancedb, name)("rerank-2.5" if service == "voyage" else "rerank-v3.5", api_key=KEY)
        reranker.rerank_vector(QUERY, V)
    assert hosted.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"


def test_l8_lancedb_sends_the_other_key(monkeypatch):
    """LanceDB's classes take the environment's key instead, here seen on the one whose package is installed."""
    pytest.importorskip("openai", reason="cohere and voyageai are not installed either")
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
    assert lancedb.rerankers.OpenaiReranker(api_key="given")._client.api_key == "of-the-environment"


class Waits(lancedb.rerankers.Reranker):
    """A reranker that waits for what only a free event loop gives, and says whether it came."""

    def __init__(self):
        """Start unreleased."""
        super().__init__()
        self.release = threading.Event()

    def rerank_hybrid(self, query, vector_results, fts_results):
        """Never asked."""
        raise NotImplementedError

    def rerank_vector(self, query, vector_results):  # noqa: ARG002 - LanceDB's signature
        """Wait."""
        came = float(self.release.wait(self.patience))
        return vector_results.append_column("_relevance_score", pa.array([came] * len(vector_results), pa.float32()))


@pytest.mark.parametrize(("way", "patience", "came"), [("theirs", 0.2, 0.0), ("ours", 20.0, 1.0)])
def test_l13_the_loop_is_free_meanwhile(way, patience, came, database, table):
    """LanceDB's async query holds the event loop while a reranker works; `arerank` does not, whatever the reranker."""
    reranker = Waits()
    reranker.patience = patience

    async def search():
        opened = await (await lancedb.connect_async(database.uri)).open_table(table.name)
        found = opened.query().nearest_to(vectors(1)[0]).limit(3)
        if way == "ours":
            work = arerank(found, reranker, QUERY)
        else:
            work = found.rerank(reranker, query_string=QUERY).to_arrow()
        task = asyncio.ensure_future(work)
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_soon(reranker.release.set)
        return await task

    assert set(scores(asyncio.run(search()))) == {came}


@pytest.mark.usefixtures("hub")
def test_l16_a_ranker_of_places_keeps_its_order():
    """A listwise ranker's order is the result's; a model that ranks by numbers needs no package ``rerankers``."""
    places = AnyRankReranker(lambda _query, texts: [1 / rank for rank in range(len(texts), 0, -1)])
    assert ids(places.rerank_vector(QUERY, V)) == [3, 2, 1]
    found = anyrank_lancedb.AnswerdotaiRerankers(device="cpu").rerank_vector("hello world", V)
    assert scores(found) == sorted(scores(found), reverse=True)


def test_l17_a_head_of_many_labels_is_named(models):
    """A classifier is refused as one, and not for the shape of its scores."""
    reranker = anyrank_lancedb.CrossEncoderReranker(str(models["three_labels"]))
    with pytest.raises(ModelError, match="3 labels"):
        reranker.rerank_vector("hello", V)
    with pytest.raises(pa.ArrowInvalid, match="1-dimensional"):
        lancedb.rerankers.CrossEncoderReranker(str(models["three_labels"])).rerank_vector("hello", V)


def test_l21_candidates_are_more_than_come_back(table):
    """A reranker sees the ``limit`` of a search, whatever its ``refine_factor``; `rerank` shows it more."""
    seen = []

    def counting(_query, texts):
        seen.append(len(texts))
        return [float(len(text)) for text in texts]

    reranker = AnyRankReranker(counting)
    table.search(vectors(1)[0]).limit(2).refine_factor(3).rerank(reranker, query_string=QUERY).to_arrow()
    found = rerank(table.search(vectors(1)[0]), reranker, QUERY, candidates=7, limit=2)
    assert seen == [2, 7]
    assert found.num_rows == 2


def test_l23_ranks_count_from_one():
    """As in the paper and in LanceDB's Python; its Rust and Node count from 0."""
    assert scores(anyrank_lancedb.RRFReranker(K=60).rerank_vector("", V))[0] == pytest.approx(1 / 61)
