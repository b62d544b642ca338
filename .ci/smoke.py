"""Imports every installed wheel and reranks once in each framework: run where only the wheels are installed."""

import sys
from importlib.metadata import distribution
from importlib.resources import files

TEXTS = ["bananas", "the capital of France is Paris"]
QUERY = "capital of France"
PACKAGES = {
    "anyrank": "anyrank",
    "langchain-anyrank": "langchain_anyrank",
    "llama-index-postprocessor-anyrank": "llama_index.postprocessor.anyrank",
    "anyrank-haystack": "haystack_integrations.components.rankers.anyrank",
    "anyrank-lancedb": "anyrank_lancedb",
    "anyrank-redisvl": "anyrank_redisvl",
}


def core() -> str:
    from anyrank import Reranker

    return Reranker("lexical", top_n=1).rerank(QUERY, TEXTS)[0].document


def langchain() -> str:
    from langchain_core.documents import Document

    from langchain_anyrank import AnyRankCompressor

    documents = [Document(text) for text in TEXTS]
    return AnyRankCompressor(scorer="lexical", top_n=1).invoke({"query": QUERY, "documents": documents})[0].page_content


def llama_index() -> str:
    from llama_index.core.schema import NodeWithScore, TextNode

    from llama_index.postprocessor.anyrank import AnyRankPostprocessor

    nodes = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]
    return AnyRankPostprocessor(scorer="lexical", top_n=1).postprocess_nodes(nodes, query_str=QUERY)[0].text


def haystack() -> str | None:
    from haystack import Document

    from haystack_integrations.components.joiners.anyrank import FusionJoiner
    from haystack_integrations.components.rankers.anyrank import AnyRankRanker

    documents = [Document(content=text) for text in TEXTS]
    joined = FusionJoiner(weights={"bm25": 1.0}).run(bm25=documents)["documents"]
    return AnyRankRanker(scorer="lexical", top_k=1).run(QUERY, joined)["documents"][0].content


def lancedb() -> str:
    import pyarrow as pa

    from anyrank_lancedb import AnyRankReranker

    found = AnyRankReranker("lexical", top_n=1).rerank_vector(QUERY, pa.table({"text": TEXTS, "_distance": [0.1, 0.2]}))
    return str(found["text"][0])


def redisvl() -> str:
    from anyrank_redisvl import AnyRankReranker

    found, _ = AnyRankReranker("lexical", limit=1).rank(QUERY, TEXTS)
    return str(found[0])


for use in (core, langchain, llama_index, haystack, lancedb, redisvl):
    found = use()
    if found != TEXTS[1]:
        sys.exit(f"{use.__name__} ranked {found!r} first")
for name, module in PACKAGES.items():
    if not files(module).joinpath("py.typed").is_file():
        sys.exit(f"{name} ships no py.typed")
    print(name, distribution(name).version)
