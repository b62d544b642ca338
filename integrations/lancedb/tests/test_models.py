"""LanceDB's rerankers with a model: its arguments and defaults, over anyrank's scorers."""

import inspect

import lancedb.rerankers
import pytest
from fake_chat import MODEL, Chat
from fake_service import KEY, running
from lance_results import QUERY, as_of_0_40, ids, result, scores

import anyrank_lancedb
from anyrank.errors import ArgumentError, SettingError, SpecError
from anyrank_lancedb import (
    AnswerdotaiRerankers,
    CohereReranker,
    ColbertReranker,
    CrossEncoderReranker,
    JinaReranker,
    OpenaiReranker,
    VoyageAIReranker,
)

NAMES = [name for name in lancedb.rerankers.__all__ if hasattr(anyrank_lancedb, name)]
DIFFERENT = {("CrossEncoderReranker", "trust_remote_code")}
"""Arguments whose default is another one."""

FOUND = result([1, 2, 3], texts=["count items", "merge sorted inputs", "merge files"], distance=[0.1, 0.2, 0.3])
SERVICES = {"CohereReranker": "cohere_v1", "JinaReranker": "jina", "VoyageAIReranker": "voyage"}


def test_the_guides_names_are_here():
    """The ten rerankers of LanceDB's overview and its base class."""
    assert len(NAMES) == 11


@as_of_0_40
@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_lancedbs(name):
    """Its arguments stand first, in its order, with its defaults; ours can only be named, and none is swallowed."""
    theirs, ours = (
        inspect.signature(getattr(package, name)).parameters for package in (lancedb.rerankers, anyrank_lancedb)
    )
    known = [parameter for parameter in theirs.values() if parameter.kind is not parameter.VAR_KEYWORD]
    assert [parameter.name for parameter in known] == list(ours)[: len(known)]
    for parameter in known:
        assert ours[parameter.name].kind is parameter.POSITIONAL_OR_KEYWORD
        if (name, parameter.name) not in DIFFERENT:
            assert ours[parameter.name].default == parameter.default
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in list(ours.values())[len(known) :])


@pytest.mark.parametrize("name", SERVICES)
def test_hosted(name, monkeypatch):
    """The service is asked once for the texts of the rows, whose number, scores and order are its own."""
    with running(SERVICES[name]) as service:
        monkeypatch.setenv(f"ANYRANK_{SERVICES[name].upper()}_BASE_URL", service.url)
        reports = []
        model = {"VoyageAIReranker": ("rerank-2.5",)}.get(name, ())
        reranker = getattr(anyrank_lancedb, name)(*model, top_n=2, api_key=KEY, on_report=reports.append)
        found = reranker.rerank_vector(QUERY, FOUND)
    assert ids(found) == [2, 3]
    assert [body["documents"] for body in service.bodies] == [FOUND.column("text").to_pylist()]
    assert service.bodies[0]["model"] == reranker.model_name
    assert [report.requests for report in reports] == [1]


def test_hosted_options(monkeypatch):
    """A gateway's URL and the scorer's other options are given by name; Voyage's ``truncation`` is an argument."""
    with running("voyage") as service:
        options = {"base_url": service.url, "timeout": 5, "max_retries": 0}
        VoyageAIReranker("rerank-2.5", api_key=KEY, truncation=False, scorer_options=options).rerank_fts(QUERY, FOUND)
    assert service.bodies[0]["truncation"] is False
    with pytest.raises(SpecError, match="has no option 'tries'"):
        CohereReranker(scorer_options={"tries": 1})
    for variable in ("JINA_API_KEY", "JINAAI_API_KEY", "JINA_AI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingError, match="JINA_API_KEY"):
        JinaReranker().rerank_vector(QUERY, FOUND)


def test_lancedbs_variable_goes_first(monkeypatch):
    """Cohere's own client reads another one, which counts where LanceDB's is not set."""
    with running("cohere_v1") as service:
        monkeypatch.setenv("ANYRANK_COHERE_V1_BASE_URL", service.url)
        monkeypatch.setenv("COHERE_API_KEY", KEY)
        monkeypatch.setenv("CO_API_KEY", "another")
        assert CohereReranker().rerank_vector(QUERY, FOUND).num_rows == 3
        monkeypatch.delenv("COHERE_API_KEY")
        monkeypatch.setenv("CO_API_KEY", KEY)
        assert CohereReranker().rerank_vector(QUERY, FOUND).num_rows == 3
    assert len(service.requests) == 2


def test_keys_are_not_kept_in_sight():
    """A key is in no attribute and in no text of a reranker."""
    reranker = CohereReranker(api_key="s3cr3t")
    assert "s3cr3t" not in f"{reranker} {reranker!r} {vars(reranker)}"


def test_a_chat_model(monkeypatch):
    """It is asked for an order by numbers; scores fall with the places."""
    with running(Chat()) as service:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{service.url}/v1")
        found = OpenaiReranker(MODEL, api_key=KEY).rerank_vector(QUERY, FOUND)
    assert ids(found) == [2, 3, 1]
    assert scores(found) == sorted(scores(found), reverse=True)
    assert found.column("text").to_pylist() == ["merge sorted inputs", "merge files", "count items"]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "build",
    [
        lambda: CrossEncoderReranker(device="cpu", batch_size=2),
        lambda: ColbertReranker(device="cpu"),
        lambda: AnswerdotaiRerankers(device="cpu"),
        lambda: AnswerdotaiRerankers("cross-encoder", "cross-encoder/ms-marco-TinyBERT-L-6"),
    ],
    ids=["cross_encoder", "colbert", "answerdotai", "answerdotai, cross-encoder"],
)
def test_models_in_this_process(build):
    """They load the model of the guides' name, score every row, and let go of it."""
    reranker = build()
    found = reranker.rerank_vector("hello merge", FOUND)
    assert sorted(ids(found)) == [1, 2, 3]
    assert scores(found) == sorted(scores(found), reverse=True)
    reranker.close()


def test_models_are_loaded_late(tmp_path):
    """Building a reranker reads nothing; a folder that is none is an error at the first rows."""
    pytest.importorskip("sentence_transformers")
    reranker = CrossEncoderReranker(str(tmp_path / "none"))
    assert reranker.rerank_vector("hello", FOUND.slice(0, 0)).num_rows == 0
    with pytest.raises((OSError, ValueError), match="none"):
        reranker.rerank_vector("hello", FOUND)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CrossEncoderReranker(trust_remote_code=True), "pin it with revision="),
        (lambda: CrossEncoderReranker(batch_size=0), "batch_size must be"),
        (lambda: AnswerdotaiRerankers("flashrank"), "model_type='flashrank'; known: colbert"),
        (lambda: JinaReranker(top_n=0), "top_n must be"),
        (lambda: JinaReranker(scorer_options="timeout"), "scorer_options must be a dict .*; got a str"),
        (lambda: ColbertReranker(return_score="none"), "return_score must be"),
    ],
)
def test_settings_that_cannot_be_right(build, message):
    """They are refused at construction, by a message that names the setting."""
    with pytest.raises(ArgumentError, match=message):
        build()


@pytest.mark.parametrize("name", ["CohereReranker", "CrossEncoderReranker", "JinaReranker"])
def test_how_they_are_shown(name):
    """An explained plan names a reranker as LanceDB's own does."""
    pytest.importorskip("torch", reason="LanceDB's cross-encoder imports it when it is built")
    assert str(getattr(anyrank_lancedb, name)()) == str(getattr(lancedb.rerankers, name)())
