"""What a trace shows of a call: one nested run, the model, the report, and errors."""

import asyncio
import json
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tracers import LangChainTracer
from langsmith import Client

from anyrank import Fallback, FirstStage
from langchain_anyrank import AnyRankCompressor, Fusion, FusionRetriever, RerankRetriever

DOCUMENTS = [Document(page_content="count items"), Document(page_content="merge sorted inputs")]
GIVEN = {"query": "merge", "documents": DOCUMENTS}


def fails(_query: str, _texts: Any) -> list[float]:
    """Never score."""
    msg = "out of order"
    raise OSError(msg)


@pytest.fixture(params=["sync", "async"])
def invoke(request):
    """Give a caller of a Runnable, in each colour."""
    if request.param == "sync":
        return lambda runnable, *arguments: runnable.invoke(*arguments)
    return lambda runnable, *arguments: asyncio.run(runnable.ainvoke(*arguments))


def shape(run: Any) -> Any:
    """Return a run's name and type, and the same of those in it."""
    return (run.name, run.run_type, [shape(child) for child in run.child_runs])


def test_one_nested_run_a_call(invoke, recorder):
    """Reranking is one run of type retriever inside its chain's (L17)."""
    chain = {"documents": lambda _query: DOCUMENTS, "query": RunnablePassthrough()} | AnyRankCompressor(
        scorer="lexical"
    )
    invoke(chain, "merge", {"callbacks": [recorder]})
    *_, last = recorder.trace.child_runs
    assert shape(last) == ("AnyRankCompressor", "retriever", [])
    assert [document.page_content for document in last.outputs["output"]] == ["merge sorted inputs", "count items"]


@pytest.mark.parametrize("method", ["compress_documents", "acompress_documents"])
def test_the_compressor_method_is_traced_too(method, recorder):
    """Callbacks given to a compressor's own method see the run; so does a call with nothing to rank (L08, L17)."""
    called = getattr(AnyRankCompressor(scorer="lexical"), method)([], "merge", callbacks=[recorder])
    if asyncio.iscoroutine(called):
        asyncio.run(called)
    assert shape(recorder.trace) == ("AnyRankCompressor", "retriever", [])


def test_the_run_tells_model_and_report(invoke, recorder):
    """A run's metadata name the provider and the model, and hold the call's report as plain JSON."""
    invoke(AnyRankCompressor(scorer="lexical"), GIVEN, {"callbacks": [recorder], "metadata": {"mine": 1}})
    metadata = recorder.trace.extra["metadata"]
    assert (metadata["ls_provider"], metadata["ls_model_name"], metadata["mine"]) == ("anyrank", "lexical", 1)
    assert metadata["anyrank"]["scorer"] == "lexical"
    assert metadata["anyrank"]["score_kind"] == "bm25"
    assert metadata["anyrank"]["seconds"] > 0
    assert json.loads(json.dumps(metadata["anyrank"])) == metadata["anyrank"]


def test_a_degraded_result_shows_why(invoke, recorder):
    """A stand-in's answer says so in the trace, with the kind of error behind it."""
    compressor = AnyRankCompressor(scorer=Fallback(fails, FirstStage()))
    invoke(compressor, GIVEN, {"callbacks": [recorder]})
    report = recorder.trace.extra["metadata"]["anyrank"]
    assert report["degraded"] is True
    assert report["errors"] == ["OSError"]
    json.dumps(report)


def test_the_callers_config_is_not_written_into(recorder):
    """The metadata that a caller passes stay as they were."""
    config = {"callbacks": [recorder], "metadata": {"mine": 1}}
    AnyRankCompressor(scorer="lexical").invoke(GIVEN, config)
    assert config["metadata"] == {"mine": 1}


def test_an_error_is_reported_and_raised(invoke, recorder):
    """The very error reaches the caller, and its run is closed with it (L18)."""
    with pytest.raises(OSError, match="out of order"):
        invoke(AnyRankCompressor(scorer=fails), GIVEN, {"callbacks": [recorder]})
    assert "OSError('out of order')" in recorder.trace.error


def test_the_retrievers_nest(invoke, recorder):
    """Fusing and reranking retrievers show every part, each source tagged with its name."""
    sources = {name: RunnableLambda(lambda _query: DOCUMENTS, name=name.upper()) for name in ("bm25", "dense")}
    retriever = RerankRetriever(retriever=FusionRetriever(retrievers=sources), reranker="lexical")
    invoke(retriever, "merge", {"callbacks": [recorder]})
    fusing, reranking = recorder.trace.child_runs
    assert shape(reranking) == ("AnyRankCompressor", "retriever", [])
    assert sorted(child.name for child in fusing.child_runs) == ["BM25", "DENSE", "Fusion"]
    assert {child.name: child.tags for child in fusing.child_runs} == {
        "BM25": ["bm25"],
        "DENSE": ["dense"],
        "Fusion": [],
    }
    assert fusing.child_runs[-1].extra["metadata"]["anyrank"]["scorer"] == "rrf"


def test_events_carry_the_report():
    """``astream_events`` shows start and end of the run, the end with the report (L17)."""

    async def events() -> list[Any]:
        return [event async for event in AnyRankCompressor(scorer="lexical").astream_events(GIVEN, version="v2")]

    start, *_, end = [event for event in asyncio.run(events()) if event["name"] == "AnyRankCompressor"]
    assert (start["event"], end["event"]) == ("on_retriever_start", "on_retriever_end")
    assert end["metadata"]["anyrank"]["scorer"] == "lexical"


class Mailbox(Client):
    """LangSmith's client without the network: keeps what it would send."""

    def __init__(self) -> None:
        super().__init__(api_url="https://langsmith.invalid", api_key="none", auto_batch_tracing=False)
        self.ended: dict[str, Any] = {}
        self.names: dict[Any, str] = {}

    def create_run(self, name: str, *_: Any, **run: Any) -> None:
        self.names[run["id"]] = name

    def update_run(self, run_id: Any, **run: Any) -> None:
        self.ended[self.names[run_id]] = run["extra"]["metadata"]


@pytest.mark.filterwarnings("ignore:The `(dict|construct)` method is deprecated")  # langchain-core 1.0 itself
@pytest.mark.parametrize("configurable", [{}, {"thread_id": "7"}], ids=["plain", "thread"])
def test_langsmith_gets_the_report(invoke, configurable):
    """LangSmith's own tracer sends the report with the run's end, also where it adds metadata of its own."""
    mailbox = Mailbox()
    tracer = LangChainTracer(client=mailbox, project_name="tests")
    invoke(AnyRankCompressor(scorer="lexical"), GIVEN, {"callbacks": [tracer], "configurable": configurable})
    invoke(Fusion(), {"bm25": DOCUMENTS}, {"callbacks": [tracer], "configurable": configurable})
    assert mailbox.ended["AnyRankCompressor"]["anyrank"]["scorer"] == "lexical"
    assert mailbox.ended["Fusion"]["anyrank"]["scorer"] == "rrf"
    assert mailbox.ended["Fusion"].items() >= configurable.items()
