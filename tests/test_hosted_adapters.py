"""Hosted scorers in the frameworks: specs as strings, keys the host's way, nothing secret written down."""

import asyncio
import json

import pytest
from fake_service import KEY, running

from anyrank.errors import AuthenticationError, SettingError

QUERY = "What is the capital of France?"
TEXTS = ["Berlin is in Germany.", "Paris is the capital of France.", "Bananas are rich in potassium."]


class LangChain:
    """The compressor."""

    def build(self, scorer, **settings):
        from langchain_anyrank import AnyRankCompressor

        return AnyRankCompressor(scorer=scorer, **settings)

    def documents(self):
        from langchain_core.documents import Document

        return [Document(text, metadata={"place": place}) for place, text in enumerate(TEXTS)]

    def rerank(self, adapter):
        return [document.page_content for document in adapter.compress_documents(self.documents(), QUERY)]

    async def arerank(self, adapter):
        return [document.page_content for document in await adapter.acompress_documents(self.documents(), QUERY)]

    def saved(self, adapter):
        from langchain_core.load import dumps

        return dumps(adapter)


class LlamaIndex:
    """The node postprocessor."""

    def build(self, scorer, **settings):
        from llama_index.postprocessor.anyrank import AnyRankPostprocessor

        return AnyRankPostprocessor(scorer=scorer, **settings)

    def nodes(self):
        from llama_index.core.schema import NodeWithScore, TextNode

        return [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]

    def rerank(self, adapter):
        return [node.text for node in adapter.postprocess_nodes(self.nodes(), query_str=QUERY)]

    async def arerank(self, adapter):
        return [node.text for node in await adapter.apostprocess_nodes(self.nodes(), query_str=QUERY)]

    def saved(self, adapter):
        return adapter.to_json()


class Haystack:
    """The ranker component."""

    def build(self, scorer, api_key=None, **settings):
        from haystack.utils import Secret

        from haystack_integrations.components.rankers.anyrank import AnyRankRanker

        secret = None if api_key is None else Secret.from_env_var("FAKE_KEY")
        return AnyRankRanker(scorer=scorer, api_key=secret, **settings)

    def documents(self):
        from haystack import Document

        return [Document(content=text) for text in TEXTS]

    def rerank(self, adapter):
        return [document.content for document in adapter.run(QUERY, self.documents())["documents"]]

    async def arerank(self, adapter):
        found = await adapter.run_async(QUERY, self.documents())
        return [document.content for document in found["documents"]]

    def saved(self, adapter):
        return json.dumps(adapter.to_dict())


@pytest.fixture(params=[LangChain, LlamaIndex, Haystack], ids=lambda kind: kind.__name__)
def host(request, monkeypatch):
    """Give each framework in turn."""
    for name in ("COHERE_API_KEY", "CO_API_KEY", "JINA_API_KEY", "JINAAI_API_KEY", "JINA_AI_API_KEY", "TEI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAKE_KEY", KEY)
    return request.param()


@pytest.mark.parametrize("spec", ["jina", "cohere:rerank-v4.0-fast", "tei"])
def test_a_spec_string_names_a_service(host, spec):
    """``"jina"``, ``"cohere:rerank-v4.0-fast"`` and ``"tei:http://…"`` work with a key given the host's way."""
    with running(spec.partition(":")[0]) as service:
        options = {"scorer_options": {"base_url": service.url}} if spec != "tei" else {}
        adapter = host.build(f"tei:{service.url}" if spec == "tei" else spec, api_key=KEY, **options)
        assert host.rerank(adapter)[0] == TEXTS[1]
        assert asyncio.run(host.arerank(adapter))[0] == TEXTS[1]
        assert KEY not in host.saved(adapter) + repr(adapter)
        adapter.close()


def test_the_environment_gives_key_and_url(host, monkeypatch):
    """A pipeline that holds only the spec runs where the variables are set."""
    with running("cohere") as service:
        monkeypatch.setenv("COHERE_API_KEY", KEY)
        monkeypatch.setenv("ANYRANK_COHERE_BASE_URL", service.url)
        adapter = host.build("cohere")
        assert host.rerank(adapter)[0] == TEXTS[1]
        adapter.close()


def test_a_missing_and_a_wrong_key_are_named_errors(host):
    """They reach the host's user as they are, and say which variable to set."""
    with running("cohere") as service:
        options = {"scorer_options": {"base_url": service.url}}
        with pytest.raises(SettingError, match="COHERE_API_KEY"):
            host.rerank(host.build("cohere", **options))
        adapter = host.build({"cohere": {"base_url": service.url, "headers": {"X-Team": "search"}}})
        with pytest.raises(SettingError, match="COHERE_API_KEY"):
            host.rerank(adapter)
        service.always = lambda handler, _payload: handler.send(401, {"message": "invalid api token"})
        wrong = host.build("cohere", api_key=KEY, **options)
        with pytest.raises(AuthenticationError, match="COHERE_API_KEY"):
            host.rerank(wrong)
        assert len(service.requests) == 1
        wrong.close()
