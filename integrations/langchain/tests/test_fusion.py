"""`Fusion` and `FusionRetriever`: named lists to one."""

import asyncio
import copy
import itertools
import json
import threading
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnableParallel
from pydantic import ValidationError

from anyrank.testing import WAIT
from langchain_anyrank import Fusion, FusionRetriever

WEIGHTS = {"bm25": 0.7, "dense": 0.3}


def docs(letters: str, *, scores: Any = None) -> list[Document]:
    """Return a document a letter, its id and its text."""
    metadata = [{"relevance_score": score} for score in scores] if scores else [{} for _ in letters]
    return [Document(page_content=a, id=a, metadata=one) for a, one in zip(letters, metadata, strict=True)]


def letters(documents: list[Document]) -> str:
    """Return the texts, joined."""
    return "".join(document.page_content for document in documents)


def scores(documents: list[Document]) -> list[float]:
    """Return the scores."""
    return [document.metadata["relevance_score"] for document in documents]


class Shelf(BaseRetriever):
    """A retriever that always finds the same."""

    found: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:  # noqa: ARG002 - LangChain's
        return self.found


@pytest.fixture(params=["Fusion", "FusionRetriever sync", "FusionRetriever async"])
def fused(request):
    """Give a function that fuses named lists: the Runnable, and the retriever over retrievers of them."""

    def by_runnable(lists, **settings):
        return Fusion(**settings).invoke(lists)

    def by_retriever(lists, **settings):
        retriever = FusionRetriever(retrievers={name: Shelf(found=found) for name, found in lists.items()}, **settings)
        return retriever.invoke("q") if request.param.endswith(" sync") else asyncio.run(retriever.ainvoke("q"))

    return by_runnable if request.param == "Fusion" else by_retriever


def test_named_weights_and_the_fused_score(fused):
    """Weights go by name, whatever the order of the lists; the score is Σ w / (60 + rank) (L40)."""
    found = fused({"dense": docs("ba"), "bm25": docs("ab")}, weights=WEIGHTS)
    assert letters(found) == "ab"
    assert scores(found) == pytest.approx([0.7 / 61 + 0.3 / 62, 0.7 / 62 + 0.3 / 61])
    assert all(type(score) is float for score in scores(found))


def test_without_weights_all_count_the_same(fused):
    """No weights: 1 each."""
    assert scores(fused({"bm25": docs("a"), "dense": docs("a")})) == pytest.approx([2 / 61])


def test_a_repeated_document_counts_once_in_a_list(fused):
    """Duplicates inside a list are dropped, later ones move up (L41)."""
    found = fused({"bm25": docs("xyyyz"), "dense": docs("x")})
    assert letters(found) == "xyz"
    assert scores(found)[1:] == pytest.approx([1 / 62, 1 / 63])


def test_same_text_with_other_id_stays_two(fused):
    """The id says what a document is (L42)."""
    found = fused({"bm25": [Document(page_content="t", id="1")], "dense": [Document(page_content="t", id="2")]})
    assert [document.id for document in found] == ["1", "2"]


@pytest.mark.parametrize("blank", [None, ""])
def test_without_ids_the_text_tells(fused, blank):
    """Documents without an id are the same when their texts are (L43)."""
    found = fused({name: [Document(page_content="t", id=blank)] for name in ("bm25", "dense")})
    assert letters(found) == "t"
    assert scores(found) == pytest.approx([2 / 61])


def test_an_id_is_never_taken_for_a_text(fused):
    """A document whose text is another's id stays its own (L43)."""
    assert len(fused({"bm25": [Document(page_content="x", id="t")], "dense": [Document(page_content="t")]})) == 2


def test_empty_lists(fused):
    """Empty lists count as nothing; all empty give an empty list (L44)."""
    assert letters(fused({"bm25": [], "dense": docs("ab")}, weights=WEIGHTS)) == "ab"
    assert fused({"bm25": [], "dense": []}, weights=WEIGHTS) == []


def test_missing_lists():
    """A weight whose list does not come counts as an empty list; no lists at all give an empty one (L44)."""
    assert letters(Fusion(weights=WEIGHTS).invoke({"dense": docs("ab")})) == "ab"
    assert Fusion(weights=WEIGHTS).invoke({}) == []
    assert Fusion().invoke({}) == []


def test_an_unknown_source_is_refused():
    """A list without a weight is an error that suggests the known name (L45)."""
    with pytest.raises(ValueError, match=r"no weight for source 'densee'; did you mean 'dense'"):
        Fusion(weights=WEIGHTS).invoke({"densee": docs("a")})


@pytest.mark.parametrize("weights", [{"bm25": 1}, {"bm25": 1, "dense": 1, "extra": 1}])
def test_weights_must_be_for_exactly_the_retrievers(weights):
    """A retriever without a weight, or a weight without a retriever, is an error at construction (L45)."""
    with pytest.raises(ValidationError, match="weight for"):
        FusionRetriever(retrievers={"bm25": Shelf(found=[]), "dense": Shelf(found=[])}, weights=weights)


def test_inputs_stay_as_they_were(fused):
    """New documents come out; those that went in are not touched, stale scores included (L46)."""
    lists = {"bm25": docs("ab", scores=[9, 8]), "dense": docs("ba")}
    before = copy.deepcopy(lists)
    found = fused(lists)
    assert lists == before
    assert all(new is not old for new in found for old in itertools.chain(*lists.values()))
    assert fused(lists) == found


@pytest.mark.parametrize("kind", [Fusion, lambda **s: FusionRetriever(retrievers={"a": Shelf(found=[])}, **s)])
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"weights": {}}, "weights are empty"),
        ({"weights": {"a": -1}}, "finite number of at least 0"),
        ({"weights": {"a": float("nan")}}, "finite number of at least 0"),
        ({"weights": {"a": float("inf")}}, "finite number of at least 0"),
        ({"weights": {"a": "1"}}, "finite number of at least 0"),
        ({"weights": {"a": True}}, "finite number of at least 0"),
        ({"weights": {"a": 0}}, "all weights are zero"),
        ({"weights": [1]}, "weights"),
        ({"method": "rff"}, "did you mean 'rrf'"),
        ({"parameters": {"kk": 1}}, "no parameter 'kk'"),
        ({"top_n": 0}, "whole number above 0"),
        ({"top_n": True}, "whole number above 0"),
        ({"topn": 1}, "topn"),
    ],
)
def test_bad_settings(kind, settings, says):
    """Settings that cannot be are refused at construction, in anyrank's words (L47)."""
    with pytest.raises(ValidationError, match=says):
        kind(**settings)


def test_the_surviving_copy_follows_the_weights(fused):
    """Of equal documents the copy of the first-weighted source survives, however the lists come (L48)."""
    one = [Document(page_content="t", id="1", metadata={"from": "bm25"})]
    other = [Document(page_content="t", id="1", metadata={"from": "dense"})]
    for lists in ({"bm25": one, "dense": other}, {"dense": other, "bm25": one}):
        [found] = fused(lists, weights=WEIGHTS)
        assert found.metadata["from"] == "bm25"


def test_parameters_and_other_methods(fused):
    """The method's own parameters are passed; a method that reads scores finds them in the metadata."""
    assert scores(fused({"bm25": docs("a")}, parameters={"k": 1})) == [0.5]
    lists = {"bm25": docs("ab", scores=[9.0, 1.0]), "dense": docs("bc", scores=[0.9, 0.1])}
    assert scores(fused(lists, method="comb_sum", parameters={"normalize": "min_max"})) == [1.0, 1.0, 0.0]


def test_scores_that_a_method_needs_must_be_there(fused):
    """A score-based method over a retriever's bare list is an error that says what to do."""
    with pytest.raises(ValueError, match=r"source 'bm25' has a number in .*rank method"):
        fused({"bm25": docs("ab")}, method="weighted_sum")


def test_top_n_and_k(fused):
    """``top_n`` cuts the fused list."""
    assert letters(fused({"bm25": docs("abc")}, top_n=2)) == "ab"


@pytest.mark.parametrize("k", [1, 3])
def test_k_overrides_top_n_for_one_call(k):
    """``invoke(…, k=…)`` holds for one call, in both colours."""
    fusion = Fusion(top_n=2)
    retriever = FusionRetriever(retrievers={"bm25": Shelf(found=docs("abc"))}, top_n=2)
    for runnable, given in ((fusion, {"bm25": docs("abc")}), (retriever, "q")):
        assert letters(runnable.invoke(given, k=k)) == "abc"[:k]
        assert letters(asyncio.run(runnable.ainvoke(given, k=k))) == "abc"[:k]
        assert letters(runnable.invoke(given)) == "ab"


@pytest.mark.parametrize("k", [0, -1, True, "2"])
def test_a_bad_k_is_refused(k):
    """A per-call ``k`` is checked as ``top_n`` is, with nothing found too."""
    retriever = FusionRetriever(retrievers={"bm25": Shelf(found=[])})
    for runnable, given in ((Fusion(), {}), (retriever, "q")):
        with pytest.raises(ValueError, match="whole number above 0"):
            runnable.invoke(given, k=k)
        with pytest.raises(ValueError, match="whole number above 0"):
            asyncio.run(runnable.ainvoke(given, k=k))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (docs("ab"), r"named lists.*got a list"),
        ({"bm25": "abc"}, r"source 'bm25' must be a list of LangChain Documents; got a str"),
        ({"bm25": docs("a")[0]}, r"source 'bm25'.*got a Document"),
        ({"bm25": ["a"]}, r"source 'bm25'.*got a str"),
        ({"bm25": None}, r"source 'bm25'.*got a NoneType"),
    ],
)
def test_wrong_input_is_named(given, says):
    """What is no dict of document lists raises an error that says which source holds what."""
    with pytest.raises(ValueError, match=says):
        Fusion().invoke(given)


def test_fusion_behind_a_parallel():
    """The idiom of the expression language: named branches, then the fusion."""
    chain = RunnableParallel(bm25=RunnableLambda(lambda _q: docs("ab")), dense=Shelf(found=docs("b"))) | Fusion()
    assert letters(chain.invoke("q")) == "ba"


def test_a_fusion_is_written_and_read_back(revive):
    """All settings of a fusion survive ``dumps`` and ``loads`` (L25)."""
    fusion = Fusion(weights=WEIGHTS, method="mrr", top_n=2)
    again = revive(dumps(fusion))
    assert again == fusion
    assert again.invoke({"dense": docs("ab")}) == fusion.invoke({"dense": docs("ab")})
    assert json.loads(dumps(fusion))["kwargs"] == {"weights": WEIGHTS, "method": "mrr", "top_n": 2}


def test_sync_retrievers_run_at_the_same_time():
    """All retrievers are under way together in sync code; each waits for the others here."""
    together = threading.Barrier(3)

    def meets(_query):
        together.wait(WAIT)
        return docs("a")

    retriever = FusionRetriever(retrievers={name: RunnableLambda(meets) for name in "xyz"})
    assert letters(retriever.invoke("q")) == "a"


def test_async_retrievers_run_at_the_same_time():
    """All retrievers are under way together in async code, without threads."""

    async def search() -> list[Document]:
        together = asyncio.Barrier(64)

        async def meets(_query):
            await together.wait()
            return docs("a")

        retriever = FusionRetriever(retrievers={str(n): RunnableLambda(meets) for n in range(64)})
        return await asyncio.wait_for(retriever.ainvoke("q"), WAIT)

    assert letters(asyncio.run(search())) == "a"


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_max_concurrency_is_kept(colour):
    """A config's limit holds for the retrievers."""
    busy, most = [], []

    def counts(_query):
        busy.append(1)
        most.append(len(busy))
        busy.pop()
        return docs("a")

    retriever = FusionRetriever(retrievers={name: RunnableLambda(counts) for name in "xyz"})
    config = {"max_concurrency": 1}
    retriever.invoke("q", config) if colour == "sync" else asyncio.run(retriever.ainvoke("q", config))
    assert max(most) == 1


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_whole_config_reaches_every_retriever(colour):
    """Tags, metadata and configurable of a direct call arrive at each source."""
    seen: list[RunnableConfig] = []

    def looks(_query: str, config: RunnableConfig) -> list[Document]:
        seen.append(config)
        return []

    retriever = FusionRetriever(retrievers={name: RunnableLambda(looks) for name in "xy"})
    config: RunnableConfig = {"configurable": {"user": "u"}, "tags": ["t"], "metadata": {"m": 1}}
    retriever.invoke("q", config) if colour == "sync" else asyncio.run(retriever.ainvoke("q", config))
    assert [(one["configurable"]["user"], one["tags"], one["metadata"]["m"]) for one in seen] == [("u", ["t"], 1)] * 2


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_an_error_of_a_retriever_is_raised(colour):
    """A failing source never looks like an empty one."""

    def fails(_query):
        msg = "out of order"
        raise OSError(msg)

    retriever = FusionRetriever(retrievers={"bm25": Shelf(found=docs("a")), "dense": RunnableLambda(fails)})
    with pytest.raises(OSError, match="out of order"):
        retriever.invoke("q") if colour == "sync" else asyncio.run(retriever.ainvoke("q"))


def test_an_error_cancels_the_other_retrievers():
    """Nobody is left at work for nothing."""
    seen = []

    async def main():
        begun = asyncio.Event()

        async def waits(_query):
            begun.set()
            try:
                await asyncio.sleep(WAIT)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        async def fails(_query):
            await begun.wait()
            raise OSError

        slow, broken = RunnableLambda(waits), RunnableLambda(fails)
        with pytest.raises(OSError):  # noqa: PT011 - no message
            await FusionRetriever(retrievers={"slow": slow, "broken": broken}).ainvoke("q")

    asyncio.run(main())
    assert seen == ["cancelled"]


def test_no_retrievers_are_refused():
    """There must be something to fuse."""
    with pytest.raises(ValidationError, match="at least 1"):
        FusionRetriever(retrievers={})
