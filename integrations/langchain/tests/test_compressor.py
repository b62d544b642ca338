"""`AnyRankCompressor`: the contract of every adapter, then what LangChain asks for besides."""

import asyncio
import json
from typing import Any

import pytest
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.load import dumps
from langchain_core.runnables import ConfigurableField, Runnable, RunnableLambda, RunnablePassthrough
from pydantic import SecretStr, ValidationError

from anyrank import Ensemble, FirstStage, Reranker
from anyrank.diversity import cap, dedupe
from anyrank.errors import TextError
from anyrank.testing import AdapterContract, installed_scorers
from langchain_anyrank import AnyRankCompressor

QUERY = "merge sorted"


class Passage(Document):
    """A document with a field of its own."""

    page: int = 1


def passages(*texts: str) -> list[Document]:
    """Return documents with ids, nested metadata and a first stage's scores."""
    return [
        Passage(
            page_content=text,
            id=f"id-{place}",
            metadata={"source": {"file": f"{place}.md"}, "relevance_score": 9.0 - place},
            page=place,
        )
        for place, text in enumerate(texts)
    ]


def by_length(_query: str, texts: Any) -> list[float]:
    """Score by length."""
    return [float(len(text)) for text in texts]


def texts(documents: list[Document]) -> list[str]:
    """Return the documents' texts."""
    return [document.page_content for document in documents]


class TestContract(AdapterContract):
    """What every adapter does."""

    @pytest.fixture(autouse=True)
    def _reader(self, revive):
        self.revive = revive

    def build(self, scorer, **settings):
        """Build the compressor."""
        return AnyRankCompressor(scorer=scorer, **settings)

    def documents(self, texts):
        """Build documents of a subclass, with a stale score."""
        return passages(*texts)

    def rerank(self, adapter, query, documents):
        """Call the compressor's own method."""
        return adapter.compress_documents(documents, query)

    async def arerank(self, adapter, query, documents):
        """Call its async twin."""
        return await adapter.acompress_documents(documents, query)

    def text(self, document):
        """Read the text."""
        return document.page_content

    def score(self, document):
        """Read the score."""
        return document.metadata["relevance_score"]

    def rest(self, document):
        """Take all but the score."""
        metadata = {name: value for name, value in document.metadata.items() if name != "relevance_score"}
        return type(document), document.id, document.page, document.page_content, metadata

    def save(self, adapter):
        """Write it with langchain-core."""
        return dumps(adapter)

    def restore(self, saved):
        """Read it back."""
        return self.revive(saved)

    def api_key(self, key):
        """Wrap the key as LangChain's users do."""
        return SecretStr(key)


def test_it_is_a_compressor_and_a_runnable():
    """LangChain's compressors and its expression language both take it (L01)."""
    compressor = AnyRankCompressor(scorer="lexical")
    assert isinstance(compressor, BaseDocumentCompressor)
    assert isinstance(compressor, Runnable)


def test_its_input_and_output_have_schemas():
    """Tools and servers can tell what goes in and what comes out."""
    compressor = AnyRankCompressor(scorer="lexical")
    assert compressor.get_input_jsonschema()["$defs"]["RerankInput"]["required"] == ["query", "documents"]
    assert compressor.OutputType == list[Document]


def test_duplicates_stay():
    """A document that is there twice comes back twice (L12)."""
    found = AnyRankCompressor(scorer=by_length).compress_documents(passages("a", "bb") + passages("a", "bb"), QUERY)
    assert texts(found) == ["bb", "bb", "a", "a"]


def test_steps_know_the_document():
    """Their fields are the metadata's, and the id; their text is the page content; functions get the document."""
    given = [
        Document(page_content=text, id=text, metadata={"file": file, "text": file})
        for text, file in (("a", "x"), ("bb", "x"), ("ccc", "y"), ("BB", "y"))
    ]

    def ranked(*then):
        return texts(AnyRankCompressor(scorer="first_stage", then=then).compress_documents(given, QUERY))

    for step in ({"cap": {"by": "file", "per_group": 1}}, cap("file", 1), cap(lambda d: d.metadata["file"], 1)):
        assert ranked(step) == ["a", "ccc"]
    assert ranked({"cap": {"by": "id", "per_group": 1}}) == texts(given)
    assert ranked({"dedupe": {"ignore_case": True}}) == ["a", "bb", "ccc"]
    assert ranked(dedupe(), {"dedupe": {"text": "file"}}) == ["a", "ccc"]
    with pytest.raises(TextError, match=r"no document has a field 'source' \(fields there are: id, file, text\)"):
        ranked({"cap": {"by": "source", "per_group": 1}})


def test_a_document_without_id_or_metadata_is_fine():
    """Neither is needed."""
    [found] = AnyRankCompressor(scorer=by_length).compress_documents([Document(page_content="abc")], QUERY)
    assert (found.id, found.metadata) == (None, {"relevance_score": 3.0})


def test_async_never_calls_the_sync_method():
    """Of a scorer with both, the async side takes the native one (L20)."""

    class Both:
        def score(self, _query, _texts):
            pytest.fail("the sync method was called")

        async def ascore(self, query, texts):
            return by_length(query, texts)

    found = asyncio.run(AnyRankCompressor(scorer=Both()).acompress_documents(passages("a", "bb"), QUERY))
    assert texts(found) == ["bb", "a"]


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("top_n", value) for value in (0, -1, True, "3", 1.5)), ("score_threshold", True), ("score_threshold", "3")],
)
def test_numbers_are_not_coerced(name, value):
    """What is no number of its kind is refused in anyrank's words, never turned into one (L10)."""
    with pytest.raises(ValidationError, match=f"{name} must be a"):
        AnyRankCompressor(scorer="lexical", **{name: value})


@pytest.mark.parametrize("k", [0, -1, True, "3"])
@pytest.mark.parametrize("documents", [[], ["a", "bb"]], ids=["empty", "two"])
def test_k_is_checked_in_every_call(k, documents):
    """A bad ``k`` is an error in both colours, with nothing to rank too."""
    compressor = AnyRankCompressor(scorer=by_length)
    given = {"query": QUERY, "documents": passages(*documents)}
    with pytest.raises(ValueError, match="must be a whole number above 0"):
        compressor.invoke(given, k=k)
    with pytest.raises(ValueError, match="must be a whole number above 0"):
        asyncio.run(compressor.ainvoke(given, k=k))


def test_k_overrides_top_n_for_one_call():
    """``invoke(…, k=…)`` holds once; the next call has ``top_n`` again."""
    compressor = AnyRankCompressor(scorer=by_length, top_n=1)
    given = {"query": QUERY, "documents": passages("a", "bb", "ccc")}
    assert texts(compressor.invoke(given, k=2)) == ["ccc", "bb"]
    assert texts(asyncio.run(compressor.ainvoke(given, k=3))) == ["ccc", "bb", "a"]
    assert texts(compressor.invoke(given)) == ["ccc"]


def test_an_unknown_argument_of_a_call_is_refused():
    """A misspelt keyword is an error, not ignored (L16)."""
    with pytest.raises(TypeError, match="topn"):
        AnyRankCompressor(scorer="lexical").invoke({"query": QUERY, "documents": []}, topn=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("merge", r"takes \{'query'.*got a str"),
        ({"question": "merge", "documents": []}, r"got the keys 'question', 'documents'"),
        ({"query": QUERY, "documents": "abc"}, r"list of LangChain Documents; got a str"),
        ({"query": QUERY, "documents": None}, r"got a NoneType"),
        ({"query": QUERY, "documents": Document(page_content="a")}, r"got a Document"),
        ({"query": QUERY, "documents": [Document(page_content="a"), "b"]}, r"got a str: 'b'"),
        ({"query": None, "documents": []}, r"the query must be a str; got NoneType"),
    ],
)
def test_wrong_input_is_named(given, says):
    """What is not a query and documents raises an error that says what came instead."""
    with pytest.raises(ValueError, match=says):
        AnyRankCompressor(scorer="lexical").invoke(given)


def test_other_keys_may_stand_beside_the_two():
    """A chain that assigns the documents to its input keeps the rest of it."""
    given = {"query": QUERY, "documents": passages("a"), "history": []}
    assert texts(AnyRankCompressor(scorer="lexical").invoke(given)) == ["a"]


def test_nothing_changes_after_construction():
    """A setting cannot be assigned, so it can never disagree with the scorer that was built from it."""
    compressor = AnyRankCompressor(scorer="lexical", top_n=1)
    with pytest.raises(ValidationError, match="frozen"):
        compressor.top_n = 2


def test_a_changed_copy_is_built_anew():
    """What ``model_copy`` changes holds, and is checked as at construction."""
    compressor = AnyRankCompressor(scorer=by_length, top_n=1)
    given = {"query": QUERY, "documents": passages("a", "bb")}
    assert len(compressor.model_copy(update={"top_n": 2}).invoke(given)) == 2
    assert len(compressor.model_copy().invoke(given)) == 1
    with pytest.raises(ValidationError, match="top_n must be"):
        compressor.model_copy(update={"top_n": 0})


def test_the_first_stage_has_a_vote():
    """The scores of an earlier step, where all documents have one, reach a scorer that asks for them."""
    compressor = AnyRankCompressor(scorer=FirstStage("score"))
    found = compressor.compress_documents(passages("a", "bb"), QUERY)
    assert [document.metadata["relevance_score"] for document in found] == [9.0, 8.0]


@pytest.mark.parametrize("stale", [None, "0.9", True])
def test_scores_that_are_no_numbers_are_no_first_stage(stale):
    """One document without a number, and there are no first-stage scores: asking for them is an error."""
    documents = passages("a", "bb")
    documents[1].metadata["relevance_score"] = stale
    with pytest.raises(ValueError, match="needs the retriever's score"):
        AnyRankCompressor(scorer=FirstStage("score")).compress_documents(documents, QUERY)


def test_the_order_can_be_fused_with_a_model():
    """A compressor sees one list only; an ensemble with the first stage still fuses."""
    scorer = Ensemble({"first": FirstStage(), "length": by_length}, weights={"first": 2, "length": 1})
    assert texts(AnyRankCompressor(scorer=scorer).compress_documents(passages("a", "bb", "c"), QUERY)) == [
        "a",
        "bb",
        "c",
    ]


def test_lcel():
    """It stands behind a retriever in the expression language (L23)."""
    retriever = RunnableLambda(lambda _query: passages("count items", "merge sorted inputs"))
    chain = {"documents": retriever, "query": RunnablePassthrough()} | AnyRankCompressor(scorer="lexical", top_n=1)
    assert texts(chain.invoke(QUERY)) == ["merge sorted inputs"]
    assert texts(asyncio.run(chain.ainvoke(QUERY))) == ["merge sorted inputs"]


def test_batch():
    """Several questions at a time, answers in their order (L23)."""
    inputs = [{"query": QUERY, "documents": passages(*"ab"[: n % 3])} for n in range(6)]
    compressor = AnyRankCompressor(scorer=by_length)
    assert list(map(len, compressor.batch(inputs))) == [0, 1, 2, 0, 1, 2]
    assert list(map(len, asyncio.run(compressor.abatch(inputs)))) == [0, 1, 2, 0, 1, 2]


def test_retry_and_fallbacks():
    """A failing scorer is tried again, or another compressor stands in (L23)."""
    calls = []

    def flaky(query, texts):
        calls.append(query)
        if len(calls) % 2:
            msg = "out of order"
            raise OSError(msg)
        return by_length(query, texts)

    given = {"query": QUERY, "documents": passages("a", "bb")}
    compressor = AnyRankCompressor(scorer=flaky)
    again = compressor.with_retry(wait_exponential_jitter=False, stop_after_attempt=2)
    assert texts(again.invoke(given)) == ["bb", "a"]
    assert texts(compressor.with_fallbacks([AnyRankCompressor(scorer="lexical")]).invoke(given)) == ["a", "bb"]


def test_configurable_fields():
    """A setting can be left to the caller's config."""
    compressor = AnyRankCompressor(scorer=by_length).configurable_fields(top_n=ConfigurableField(id="how_many"))
    given = {"query": QUERY, "documents": passages("a", "bb", "ccc")}
    assert len(compressor.invoke(given)) == 3
    assert len(compressor.invoke(given, {"configurable": {"how_many": 1}})) == 1


def test_streaming_gives_the_list_once():
    """``stream`` yields the whole answer."""
    assert [texts(part) for part in AnyRankCompressor(scorer="lexical").stream({"query": QUERY, "documents": []})] == [
        []
    ]


def test_the_key_is_written_as_a_reference(tmp_path, revive):
    """Written down, the key is the secret ANYRANK_API_KEY; read back, it is that secret's value (L24, L25)."""
    source = "def keyed(*, api_key=None):\n    return lambda query, texts: [float(len(api_key()))] * len(texts)\n"
    with installed_scorers(tmp_path, "keyed_lc", source, {"keyed": "keyed"}):
        compressor = AnyRankCompressor(scorer="keyed", api_key="s3cr3t")
        assert revive(dumps(compressor), secrets_map={"ANYRANK_API_KEY": "s3cr3t"}) == compressor
        saved = dumps(compressor)
        assert json.loads(saved)["kwargs"]["api_key"] == {"lc": 1, "type": "secret", "id": ["ANYRANK_API_KEY"]}
        again = revive(saved, secrets_map={"ANYRANK_API_KEY": "another"})
        [found] = again.compress_documents(passages("a"), QUERY)
    assert found.metadata["relevance_score"] == len("another")
    assert (
        "s3cr3t"
        not in saved + repr(compressor) + str(compressor) + str(vars(compressor)) + compressor.model_dump_json()
    )


def test_an_error_never_repeats_the_key():
    """A refused construction shows the reason, not the input (L24)."""
    with pytest.raises(ValidationError) as refusal:
        AnyRankCompressor(scorer="lexical", api_key="s3cr3t", scorer_options={"token": "t0k3n"})
    assert "s3cr3t" not in str(refusal.value)
    assert "t0k3n" not in str(refusal.value)


def test_what_is_written_holds_settings_only():
    """Spec, options and numbers are written; ``on_report`` and defaults are not (L25)."""
    compressor = AnyRankCompressor(scorer="lexical", scorer_options={"k1": 0.5}, top_n=3, on_report=print)
    assert json.loads(dumps(compressor))["kwargs"] == {"scorer": "lexical", "scorer_options": {"k1": 0.5}, "top_n": 3}


@pytest.mark.parametrize(
    "scorer", [by_length, Reranker("lexical"), FirstStage()], ids=["function", "reranker", "object"]
)
def test_a_live_object_is_marked_as_such(scorer):
    """LangChain's own mark for what cannot come back stands where a live scorer was (L25)."""
    assert json.loads(dumps(AnyRankCompressor(scorer=scorer)))["type"] == "not_implemented"


def test_warming_up_and_closing_reach_the_scorer():
    """The lifecycle is the scorer's; an object that was given is warmed up, but not closed."""

    class Model:
        def __init__(self):
            self.heard = []

        def score(self, query, texts):
            return by_length(query, texts)

        def warm_up(self):
            self.heard.append("warm_up")

        def close(self):
            self.heard.append("close")

    model = Model()
    compressor = AnyRankCompressor(scorer=model)
    compressor.warm_up()
    asyncio.run(compressor.awarm_up())
    compressor.close()
    asyncio.run(compressor.aclose())
    assert model.heard == ["warm_up", "warm_up"]


def test_what_was_built_is_closed(tmp_path):
    """A scorer that came from a spec is closed with the compressor."""
    source = "closed = []\nclass Model:\n    score = print\n    def close(self):\n        closed.append(self)\n"
    with installed_scorers(tmp_path, "closing_lc", source, {"closing": "Model"}):
        compressor = AnyRankCompressor(scorer="closing")
        compressor.close()
        asyncio.run(compressor.aclose())
        import closing_lc

        assert len(closing_lc.closed) == 2


def test_k_is_named_as_it_was_given():
    """An error about ``k`` says ``k``."""
    with pytest.raises(ValueError, match=r"^k must be a whole number above 0"):
        AnyRankCompressor(scorer="lexical").invoke({"query": "q", "documents": []}, k=0)
