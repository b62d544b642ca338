"""What adapters share: reading ``scorer=``, keys, secrets, reports, closing, writing down."""

import pytest

from anyrank import Cascade, Reranker
from anyrank.adapter import HostReranker, refuse_secrets
from anyrank.errors import ArgumentError, SpecError
from anyrank.testing import installed_scorers

KEYED = """
class Keyed:
    closed = []
    def __init__(self, model=None, *, api_key=None, limits=None):
        self.api_key = api_key
    def score(self, query, texts):
        return [0.0 for _ in texts]
    def close(self):
        self.closed.append(self)
"""


@pytest.fixture
def keyed(tmp_path):
    """Install a scorer that takes a key."""
    with installed_scorers(tmp_path, "keyed_plugin", KEYED, {"keyed": "Keyed"}):
        yield


@pytest.mark.parametrize(
    "value",
    [
        {"api_key": "x"},
        {"API-Key": "x"},
        {"token": "x"},
        {"accessToken": "x"},
        {"secret_key": "x"},
        {"auth": "x"},
        {"u": "https://host/?access_token=x"},
        {"hf_token": "x"},
        {"password": "x"},
        {"headers": {"Authorization": "x"}},
        {"headers": [{"X-Api-Key": "x"}]},
        {"aws_secret_access_key": "x"},
        {"base_url": "https://user:pass@host/"},
        {"urls": ["https://host/?api_key=x"]},
        "tei:http://user@host:80",
        {"ensemble": {"scorers": {"a": {"keyed": {"api_key": "x"}}}}},
    ],
)
def test_secrets_are_refused_wherever_they_hide(value):
    """By an option's name at any depth, or inside a URL."""
    with pytest.raises(SpecError, match="written down"):
        refuse_secrets(value)


@pytest.mark.parametrize(
    "value",
    [
        {"pad_token": "<pad>", "max_tokens": 5, "tokenizer": "x", "token_budget": 3, "key": "id", "keyboard": "x"},
        "cross_encoder:BAAI/bge-reranker-v2-m3",
        "tei:http://127.0.0.1:8080/path@v1",
        {"instruction": "mail me@example.org"},
    ],
)
def test_innocent_options_are_not(value):
    """Names and texts that only look alike pass."""
    refuse_secrets(value)


@pytest.mark.usefixtures("keyed")
def test_a_key_goes_to_the_scorer_that_takes_one():
    """As it is, or as a function that gives it when needed."""
    for key in ("s3cr3t", lambda: "s3cr3t"):
        assert HostReranker("keyed", api_key=key).reranker.scorer.api_key is key


@pytest.mark.usefixtures("keyed")
def test_only_what_was_built_from_a_spec_is_closed():
    """A reranker or scorer that was given stays open."""
    import keyed_plugin

    host = HostReranker("keyed")
    host.rerank("q", ["a"])
    host.close()
    assert keyed_plugin.Keyed.closed == [host.reranker.scorer]
    for given in (Reranker("keyed"), keyed_plugin.Keyed(), Cascade("keyed")):
        HostReranker(given).close()
    assert len(keyed_plugin.Keyed.closed) == 1
    keyed_plugin.Keyed.closed.clear()


@pytest.mark.parametrize("settings", [{"scorer_options": {"k1": 1}}, {"api_key": "x"}])
@pytest.mark.parametrize("scorer", [len, Reranker("lexical")])
def test_options_and_keys_go_with_specs(scorer, settings):
    """An object is configured by who made it."""
    with pytest.raises(ArgumentError, match="goes with a spec"):
        HostReranker(scorer, **settings)


async def later(_report):
    """Report some time."""


@pytest.mark.parametrize("on_report", ["x", later])
def test_reports_go_to_plain_functions(on_report):
    """A coroutine function would never run, and anything else fails too late."""
    with pytest.raises(ArgumentError, match="on_report must be a plain function"):
        HostReranker("lexical", on_report=on_report)


def test_options_are_a_dict():
    """Anything else is refused without repeating it."""
    with pytest.raises(ArgumentError, match="scorer_options must be a dict of the scorer's options; got a list"):
        HostReranker("lexical", scorer_options=["s3cr3t"])


def test_numbers_of_a_wrapped_reranker_can_be_overridden():
    """``top_n`` and ``score_threshold`` None keep its own."""
    inner = Reranker(lambda _q, texts: [float(len(text)) for text in texts], top_n=2, min_score=2)
    texts = ["a", "bb", "ccc", "dddd"]
    assert HostReranker(inner).rerank("q", texts).documents == ["dddd", "ccc"]
    assert HostReranker(inner).top_n == 2
    assert HostReranker(inner, top_n=1).rerank("q", texts).documents == ["dddd"]
    assert HostReranker(inner, score_threshold=4).rerank("q", texts).documents == ["dddd"]
    assert HostReranker(inner, top_n=1).rerank("q", texts, top_n=3).documents == ["dddd", "ccc", "bb"]


def test_a_threshold_on_places_is_refused_for_wrapped_rerankers_too():
    """At construction."""
    for scorer in ("first_stage", Reranker("first_stage"), Cascade("first_stage")):
        with pytest.raises(ArgumentError, match="only say a place"):
            HostReranker(scorer, score_threshold=0.5)


def test_what_is_written_down():
    """The spec and its options; a live object is refused by name, an option that is no JSON too."""
    assert HostReranker("lexical", scorer_options={"k1": 1}).written() == {
        "scorer": "lexical",
        "scorer_options": {"k1": 1},
    }
    with pytest.raises(SpecError, match="live object"):
        HostReranker(len).written()
    with pytest.raises(SpecError, match="cannot be written down as JSON"):
        HostReranker("embedding:m", scorer_options={"device": object()}).written()


def test_traces_show_the_model_or_the_scorer():
    """The model's name where there is one."""
    assert HostReranker("lexical").model_name == "lexical"
    assert HostReranker("embedding:some/model").model_name == "some/model"
    assert HostReranker(Cascade(("lexical", 5), "embedding:some/model")).model_name == "some/model"
