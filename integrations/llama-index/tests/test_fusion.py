"""What `FusionRetriever` promises."""

import asyncio
import threading

import pytest
from llama_index.core import MockEmbedding, Settings, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.schema import IndexNode, NodeWithScore, QueryBundle, TextNode

from anyrank.testing import WAIT
from llama_index.postprocessor.anyrank import FusionRetriever


def found(*ids, scores=None, **node):
    """Give a retriever's list: nodes with these ids, in this order."""
    values = scores or [None] * len(ids)
    return [
        NodeWithScore(node=TextNode(id_=id_, text=f"text {id_}", **node), score=score)
        for id_, score in zip(ids, values, strict=True)
    ]


def retrieve(fusion, colour):
    """Ask in either colour."""
    return fusion.retrieve("q") if colour == "sync" else asyncio.run(fusion.aretrieve("q"))


def ids(nodes):
    """Give the nodes' ids."""
    return [one.node_id for one in nodes]


both_colours = pytest.mark.parametrize("colour", ["sync", "async"])


@both_colours
def test_weights_go_by_name(retrieving, colour):
    """Each list counts with its own retriever's weight, whatever the order of the dicts (I40)."""
    fusion = FusionRetriever(
        {"dense": retrieving(found("b", "a")), "bm25": retrieving(found("a", "b"))}, weights={"bm25": 0.7, "dense": 0.3}
    )
    fused = retrieve(fusion, colour)
    assert ids(fused) == ["a", "b"]
    assert [one.score for one in fused] == pytest.approx([0.7 / 61 + 0.3 / 62, 0.7 / 62 + 0.3 / 61])


def test_no_llm_is_touched(retrieving, monkeypatch):
    """Fusion needs no language model, so it asks for none (I40)."""
    monkeypatch.setattr(type(Settings), "llm", property(lambda _: pytest.fail("an LLM was asked for")))
    assert ids(FusionRetriever({"one": retrieving(found("a"))}).retrieve("q")) == ["a"]


@both_colours
def test_lists_count_in_their_own_order(retrieving, colour):
    """Scores that rise, as distances do, do not turn a list round (I41)."""
    distances = retrieving(found("near", "far", scores=[0.1, 0.9]))
    assert ids(retrieve(FusionRetriever({"dense": distances}), colour)) == ["near", "far"]


@both_colours
def test_inputs_stay_as_they_were(retrieving, colour):
    """A retriever that gives the same objects again is none the wiser, and neither is the result (I42)."""
    cached = found("a", "b", scores=[0.9, 0.8])
    before = [one.to_dict() for one in cached]
    fusion = FusionRetriever({"one": retrieving(cached), "two": retrieving(cached)})
    first, second = retrieve(fusion, colour), retrieve(fusion, colour)
    assert first == second
    assert [one.to_dict() for one in cached] == before
    assert all(one is not other for one in first for other in cached)


def test_one_id_is_one_node(retrieving):
    """The copy from the first weighted retriever survives, whatever else its metadata says (I43)."""
    fusion = FusionRetriever(
        {"one": retrieving(found("a", metadata={"from": 1})), "two": retrieving(found("a", metadata={"from": 2}))},
        weights={"two": 1, "one": 1},
    )
    [survivor] = fusion.retrieve("q")
    assert survivor.metadata == {"from": 2}


def test_equal_texts_are_two_nodes(retrieving):
    """What differs in its id is not the same, even when text and metadata are (I43)."""
    one, two = (retrieving([NodeWithScore(node=TextNode(id_=id_, text="same"))]) for id_ in ("x", "y"))
    fusion = FusionRetriever({"one": one, "two": two})
    assert ids(fusion._retrieve(QueryBundle("q"))) == ["x", "y"]  # the host's 0.13 merges them afterwards


def test_a_double_in_one_list_counts_once(retrieving):
    """The second copy is dropped and what is below moves up (I43)."""
    fused = FusionRetriever({"one": retrieving(found("a", "a", "b"))}).retrieve("q")
    assert [one.score for one in fused] == pytest.approx([1 / 61, 1 / 62])


@both_colours
def test_methods_by_rank_need_no_scores(retrieving, colour):
    """Nodes without scores are fused by their places (I44)."""
    fusion = FusionRetriever({"one": retrieving(found("a", "b")), "two": retrieving(found("b"))})
    assert ids(retrieve(fusion, colour)) == ["b", "a"]


@pytest.mark.parametrize("scores", [[None, None], [0.1, 0.9]], ids=["missing", "rising"])
def test_methods_by_score_refuse_bad_ones(retrieving, scores):
    """A method that reads scores names the retriever whose scores are missing or rise (I44)."""
    fusion = FusionRetriever({"dense": retrieving(found("a", "b", scores=scores))}, method="comb_sum")
    with pytest.raises(ValueError, match="source 'dense'"):
        fusion.retrieve("q")


def test_scores_count_where_the_method_reads_them(retrieving):
    """``comb_sum`` adds up the scores as the retrievers gave them."""
    one, two = retrieving(found("a", "b", scores=[0.5, 0.4])), retrieving(found("b", scores=[0.3]))
    fused = FusionRetriever({"one": one, "two": two}, method="comb_sum").retrieve("q")
    assert [(node.node_id, node.score) for node in fused] == [("b", 0.7), ("a", 0.5)]


class Meeting(BaseRetriever):
    """Gives its nodes only when another retriever is being asked at the same time."""

    def __init__(self, barrier, nodes):
        self.barrier, self.nodes = barrier, nodes
        super().__init__()

    def _retrieve(self, _query_bundle):
        self.barrier.wait(WAIT)
        return self.nodes


class AsyncMeeting(Meeting):
    """Does so on the event loop."""

    async def _aretrieve(self, query_bundle):
        assert query_bundle.query_str == "q"
        await asyncio.wait_for(self.barrier.wait(), WAIT)
        return self.nodes


@both_colours
def test_retrievers_are_asked_at_the_same_time(colour):
    """Sync retrievers run in threads, in both colours (I45)."""
    barrier = threading.Barrier(2)
    fusion = FusionRetriever({"one": Meeting(barrier, found("a")), "two": Meeting(barrier, found("b"))})
    assert ids(retrieve(fusion, colour)) == ["a", "b"]


def test_async_retrievers_are_awaited():
    """Retrievers with an ``_aretrieve`` of their own meet on the event loop, which nothing blocks (I45)."""

    async def run():
        barrier, release = asyncio.Barrier(3), threading.Barrier(2)
        fusion = FusionRetriever(
            {
                "one": AsyncMeeting(barrier, found("a")),
                "two": AsyncMeeting(barrier, found("b")),
                "sync": Meeting(release, found("c")),
            }
        )
        asked = asyncio.ensure_future(fusion.aretrieve("q"))
        await asyncio.wait_for(barrier.wait(), WAIT)
        await asyncio.to_thread(release.wait, WAIT)
        return await asked

    assert ids(asyncio.run(run())) == ["a", "b", "c"]


class Broken(BaseRetriever):
    """Fails."""

    def _retrieve(self, _query_bundle):
        msg = "index is gone"
        raise OSError(msg)


class Endless(BaseRetriever):
    """Never comes back, unless it is cancelled."""

    def __init__(self):
        self.cancelled = False
        super().__init__()

    def _retrieve(self, _query_bundle):
        return []

    async def _aretrieve(self, _query_bundle=None, **_):
        try:
            await asyncio.sleep(WAIT)
        except asyncio.CancelledError:
            self.cancelled = True
            raise


@both_colours
def test_what_a_retriever_raises_is_raised(retrieving, colour):
    """A failing retriever is not an empty list."""
    fusion = FusionRetriever({"good": retrieving(found("a")), "broken": Broken()})
    with pytest.raises(OSError, match="index is gone"):
        retrieve(fusion, colour)


def test_the_first_error_cancels_the_rest():
    """Nobody is left at work for an answer that will not come."""
    endless = Endless()

    async def run():
        with pytest.raises(OSError, match="index is gone"):
            await FusionRetriever({"endless": endless, "broken": Broken()}).aretrieve("q")

    asyncio.run(run())
    assert endless.cancelled


@pytest.mark.parametrize(
    "weights",
    [{}, {"one": -1, "two": 1}, {"one": float("nan"), "two": 1}, {"one": 0, "two": 0}, {"one": 1}, [0.5, 0.5]],
    ids=["empty", "negative", "nan", "zero", "missing", "unnamed"],
)
def test_bad_weights_are_refused(retrieving, weights):
    """At construction, not at the first query (I46)."""
    with pytest.raises(ValueError, match="weight"):
        FusionRetriever({"one": retrieving([]), "two": retrieving([])}, weights=weights)


def test_an_unknown_name_is_refused(retrieving):
    """A weight for a retriever that does not exist names the ones that do (I46)."""
    with pytest.raises(ValueError, match="did you mean 'bm25'"):
        FusionRetriever({"bm25": retrieving([])}, weights={"bm25": 1, "bm52": 1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "rff"}, "did you mean 'rrf'"),
        ({"parameters": {"c": 60}}, "no parameter 'c'"),
        ({"top_n": 0}, "top_n must be a whole number above 0"),
        ({"top_n": True}, "top_n must be a whole number above 0"),
    ],
)
def test_other_settings_are_checked_too(retrieving, settings, message):
    """Method, parameters and ``top_n`` are refused at construction."""
    with pytest.raises(ValueError, match=message):
        FusionRetriever({"one": retrieving([])}, **settings)


@pytest.mark.parametrize("retrievers", [{}, [], None], ids=["empty", "list", "none"])
def test_retrievers_need_names(retrievers):
    """Weights can only go by name if retrievers have one."""
    with pytest.raises(ValueError, match="a name for each"):
        FusionRetriever(retrievers)


def test_an_index_is_no_retriever():
    """What cannot retrieve is refused at construction, with a hint."""
    index = VectorStoreIndex([], embed_model=MockEmbedding(embed_dim=2))
    with pytest.raises(ValueError, match=r"'dense' is a VectorStoreIndex, no retriever; an index has as_retriever"):
        FusionRetriever({"dense": index})


def test_parameters_and_top_n_are_used(retrieving):
    """``k`` is the method's, ``top_n`` cuts."""
    [best] = FusionRetriever({"one": retrieving(found("a", "b"))}, parameters={"k": 0}, top_n=1).retrieve("q")
    assert (best.node_id, best.score) == ("a", 1.0)


def test_the_hosts_own_arguments_are_passed_on(retrieving):
    """``callback_manager`` and ``objects`` work as in every retriever; an unknown one is a TypeError."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    inner = NodeWithScore(node=TextNode(id_="inner"), score=1.0)
    pointer = IndexNode(id_="outer", text="see inner", index_id="i", obj=retrieving([inner]))
    fusion = FusionRetriever(
        {"one": retrieving([NodeWithScore(node=IndexNode(id_="outer", text="see inner", index_id="i"))])},
        callback_manager=CallbackManager([debug]),
        objects=[pointer],
    )
    assert ids(fusion.retrieve("q")) == ["inner"]
    assert len(debug.get_event_pairs(CBEventType.RETRIEVE)) == 1
    with pytest.raises(TypeError, match="weigths"):
        FusionRetriever({"one": retrieving([])}, weigths={"one": 1})


@both_colours
def test_spans_of_the_retrievers_stand_below(trace, retrieving, colour):
    """In a trace the fused retrievers are children of the fusion, in threads too."""
    retrieve(FusionRetriever({"one": retrieving([]), "two": retrieving([])}), colour)
    parents = [span.parent_id for span in trace.spans.completed_spans if span.id_.startswith("ListRetriever.retrieve-")]
    method = "_retrieve" if colour == "sync" else "_aretrieve"
    assert len(parents) == 2
    assert all(parent.startswith(f"FusionRetriever.{method}-") for parent in parents)
