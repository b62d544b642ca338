"""`AnyRankPostprocessor` and `FusionRetriever` inside LlamaIndex's own parts, offline."""

import asyncio

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.llms import ChatMessage, MockLLM, mock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.tools import RetrieverTool
from llama_index.core.workflow import Event, StartEvent, StopEvent, Workflow, step

from llama_index.postprocessor.anyrank import AnyRankPostprocessor, FusionRetriever

QUERY = "merge sorted"


@pytest.fixture
def reranker():
    """Rerank by BM25 and keep two."""
    return AnyRankPostprocessor("lexical", top_n=2)


def best(found):
    """Give the id of the first node."""
    return found[0].node_id


def answer(engine, colour):
    """Ask an engine in either colour."""
    if colour == "sync":
        return engine.query(QUERY)
    return asyncio.run(engine.aquery(QUERY))


both_colours = pytest.mark.parametrize("colour", ["sync", "async"])


@both_colours
def test_query_engine(retriever, reranker, colour):
    """A query engine answers from the reranked nodes, best first (I30)."""
    synthesizer = get_response_synthesizer(llm=MockLLM())
    engine = RetrieverQueryEngine(retriever, synthesizer, node_postprocessors=[reranker])
    response = answer(engine, colour)
    assert [node.node_id for node in response.source_nodes] == ["n1", "n0"]
    assert response.response.index("merge sorted inputs") < response.response.index("count the items")


@both_colours
def test_query_engine_of_an_index(nodes, reranker, colour):
    """``as_query_engine`` takes it as one of its postprocessors (I30)."""
    index = VectorStoreIndex([one.node for one in nodes], embed_model=MockEmbedding(embed_dim=8))
    engine = index.as_query_engine(llm=MockLLM(), similarity_top_k=3, node_postprocessors=[reranker])
    assert best(answer(engine, colour).source_nodes) == "n1"


@both_colours
def test_the_span_stands_inside_the_query_engines(trace, retriever, reranker, colour):
    """Reranking has a span of its own below the query engine's, where its events are (I16)."""
    engine = RetrieverQueryEngine(retriever, get_response_synthesizer(llm=MockLLM()), node_postprocessors=[reranker])
    answer(engine, colour)
    start, end = trace.reranks()
    span = trace.span(start.span_id)
    assert end.span_id == span.id_
    assert span.id_.startswith("AnyRankPostprocessor._")
    assert span.parent_id.startswith("RetrieverQueryEngine._")


def test_the_query_engines_callbacks_are_used(retriever, reranker):
    """The engine hands its callback manager to the postprocessor, late (I17)."""
    debug = LlamaDebugHandler(print_trace_on_end=False)
    synthesizer = get_response_synthesizer(llm=MockLLM(), callback_manager=CallbackManager([debug]))
    RetrieverQueryEngine(retriever, synthesizer, node_postprocessors=[reranker]).query(QUERY)
    assert len(debug.get_event_pairs(CBEventType.RERANKING)) == 1


def test_postprocessors_follow_each_other(retriever, reranker):
    """A second postprocessor sees the first one's order and scores (I30)."""
    cut = SimilarityPostprocessor(similarity_cutoff=0.1)
    synthesizer = get_response_synthesizer(llm=MockLLM())
    engine = RetrieverQueryEngine(retriever, synthesizer, node_postprocessors=[reranker, cut])
    assert [node.node_id for node in engine.query(QUERY).source_nodes] == ["n1"]


@both_colours
@pytest.mark.parametrize("engine_class", [ContextChatEngine, CondensePlusContextChatEngine])
def test_chat_engines(retriever, reranker, engine_class, colour):
    """Chat engines rerank what they put into the context (I30)."""
    engine = engine_class.from_defaults(
        retriever=retriever,
        llm=MockLLM(),
        node_postprocessors=[reranker],
        memory=ChatMemoryBuffer.from_defaults(llm=MockLLM()),  # the default one leaves a database connection open
    )
    response = engine.chat(QUERY) if colour == "sync" else asyncio.run(engine.achat(QUERY))
    assert [node.node_id for node in response.source_nodes] == ["n1", "n0"]


@both_colours
def test_retriever_tool(retriever, reranker, colour):
    """The tool that agents call gives its text in the reranked order (I30)."""
    tool = RetrieverTool.from_defaults(retriever, node_postprocessors=[reranker], name="docs", description="docs")
    output = tool.call(QUERY) if colour == "sync" else asyncio.run(tool.acall(QUERY))
    assert best(output.raw_output) == "n1"
    assert str(output).index("merge sorted inputs") < str(output).index("count the items")


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # of the host's agents
@pytest.mark.skipif(not hasattr(mock, "MockFunctionCallingLLM"), reason="LlamaIndex 0.13 has no such stand-in")
def test_function_agent(retriever, reranker):
    """An agent that calls the tool reads the reranked nodes (I30)."""

    def think(messages, **_):
        if messages[-1].role == "tool":
            return ChatMessage(messages[-1].content, role="assistant")
        call = mock.ToolCallBlock(tool_call_id="1", tool_name="docs", tool_kwargs={"input": QUERY})
        return ChatMessage(role="assistant", blocks=[call])

    async def run():
        tool = RetrieverTool.from_defaults(retriever, node_postprocessors=[reranker], name="docs", description="docs")
        agent = FunctionAgent(tools=[tool], llm=mock.MockFunctionCallingLLM(response_generator=think))
        return str(await agent.run(user_msg=QUERY, memory=ChatMemoryBuffer.from_defaults(llm=MockLLM())))

    seen = asyncio.run(run())
    assert seen.index("merge sorted inputs") < seen.index("count the items")


class Retrieved(Event):
    """Nodes under way to the reranker."""

    nodes: list
    query: str


class Rag(Workflow):
    """Retrieve, then rerank."""

    def __init__(self, retriever, reranker):
        super().__init__(timeout=20)
        self.retriever, self.reranker = retriever, reranker

    @step
    async def retrieve(self, ev: StartEvent) -> Retrieved:
        """Ask the retriever."""
        return Retrieved(nodes=await self.retriever.aretrieve(ev.query), query=ev.query)

    @step
    async def rerank(self, ev: Retrieved) -> StopEvent:
        """Ask the reranker."""
        return StopEvent(result=await self.reranker.apostprocess_nodes(ev.nodes, query_str=ev.query))


@pytest.mark.filterwarnings("ignore:ServiceManager is deprecated:DeprecationWarning")  # the host's, in 0.13
def test_workflow(retriever, reranker):
    """It is a step of a workflow (I30)."""

    async def run():
        return await Rag(retriever, reranker).run(query=QUERY)

    assert best(asyncio.run(run())) == "n1"


def test_retriever_evaluator(retriever, reranker):
    """An evaluation sees the reranked order (I30)."""
    evaluator = RetrieverEvaluator.from_metric_names(["mrr"], retriever=retriever, node_postprocessors=[reranker])
    assert evaluator.evaluate(QUERY, expected_ids=["n1"]).metric_vals_dict == {"mrr": 1.0}


@both_colours
def test_fusion_feeds_a_query_engine(retrieving, nodes, reranker, colour):
    """Fused retrievers, a reranker and a synthesizer make one engine (I30)."""
    fusion = FusionRetriever({"bm25": retrieving(nodes[:2]), "dense": retrieving(nodes[1:])})
    engine = RetrieverQueryEngine(fusion, get_response_synthesizer(llm=MockLLM()), node_postprocessors=[reranker])
    assert best(answer(engine, colour).source_nodes) == "n1"
