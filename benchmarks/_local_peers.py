"""What other packages have for reranking with a cross-encoder, each beside ours with the same host's documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from _local_bench import Bench, at_once, check
from _timing import Call, console, show, turns
from anyrank import Reranker

TOP_N: Final = 10

Build: TypeAlias = Callable[[str, Any], "Peer"]
"""Makes a peer for a model's folder and our scorer of it."""


@dataclass(frozen=True)
class Peer:
    """A framework's own reranker beside ours: from its documents to its documents, and how to make and read those."""

    name: str
    made: Callable[[list[str]], Any]
    theirs: Callable[[str, Any], Any]
    ours: Callable[[str, Any], Any]
    texts: Callable[[Any], list[str]]
    our_texts: Callable[[Any], list[str]] | None = None


def langchain(folder: str, scorer: Any) -> Peer:
    """`CrossEncoderReranker` with langchain-community's model."""
    from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
    from langchain_community.cross_encoders import HuggingFaceCrossEncoder
    from langchain_core.documents import Document

    from langchain_anyrank import AnyRankCompressor

    theirs = CrossEncoderReranker(model=HuggingFaceCrossEncoder(model_name=folder), top_n=TOP_N)
    mine = AnyRankCompressor(scorer=scorer, top_n=TOP_N)
    return Peer(
        "LangChain CrossEncoderReranker",
        lambda texts: [Document(text) for text in texts],
        lambda query, found: theirs.compress_documents(found, query),
        lambda query, found: mine.compress_documents(found, query),
        lambda documents: [document.page_content for document in documents],
    )


def llama_index(folder: str, scorer: Any) -> Peer:
    """`SentenceTransformerRerank` of llama-index-core."""
    from llama_index.core.postprocessor import SentenceTransformerRerank
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    from llama_index.postprocessor.anyrank import AnyRankPostprocessor

    theirs, mine = SentenceTransformerRerank(model=folder, top_n=TOP_N), AnyRankPostprocessor(scorer, top_n=TOP_N)
    return Peer(
        "LlamaIndex SentenceTransformerRerank",
        lambda texts: [NodeWithScore(node=TextNode(text=text), score=0.5) for text in texts],
        lambda query, found: theirs.postprocess_nodes(found, QueryBundle(query)),
        lambda query, found: mine.postprocess_nodes(found, QueryBundle(query)),
        lambda nodes: [node.text for node in nodes],
    )


def haystack(folder: str, scorer: Any) -> Peer:
    """`SentenceTransformersSimilarityRanker` of sentence-transformers-haystack."""
    from haystack import Document
    from haystack_integrations.components.rankers.sentence_transformers import SentenceTransformersSimilarityRanker

    from haystack_integrations.components.rankers.anyrank import AnyRankRanker

    theirs, mine = (
        SentenceTransformersSimilarityRanker(model=folder, top_k=TOP_N),
        AnyRankRanker(scorer=scorer, top_k=TOP_N),
    )
    theirs.warm_up()
    return Peer(
        "Haystack SentenceTransformersSimilarityRanker",
        lambda texts: [Document(content=text) for text in texts],
        lambda query, found: theirs.run(query=query, documents=found),
        mine.run,
        lambda result: [document.content for document in result["documents"]],
    )


def lancedb(folder: str, scorer: Any) -> Peer:
    """`CrossEncoderReranker` of lancedb, on a table, which cuts nothing; beside our `Reranker` on its texts."""
    import pyarrow as pa
    from lancedb.rerankers import CrossEncoderReranker

    theirs, mine = CrossEncoderReranker(folder), Reranker(scorer, top_n=TOP_N)
    return Peer(
        "LanceDB CrossEncoderReranker",
        lambda texts: pa.table({"text": texts, "_distance": [0.5] * len(texts)}),
        theirs.rerank_vector,
        lambda query, table: mine.rerank(query, table["text"].to_pylist()),
        lambda table: table["text"].to_pylist()[:TOP_N],
        _hits,
    )


def rerankers(folder: str, scorer: Any) -> Peer:
    """`Reranker` of rerankers, beside ours."""
    from rerankers import Reranker as Theirs

    theirs, mine = Theirs(folder, model_type="cross-encoder", verbose=0), Reranker(scorer, top_n=TOP_N)
    return Peer(
        "rerankers",
        list,
        lambda query, texts: theirs.rank(query, texts).top_k(TOP_N),
        mine.rerank,
        lambda hits: [hit.document.text for hit in hits],
        _hits,
    )


def _hits(ranking: Sequence[Any]) -> list[str]:
    return [hit.document for hit in ranking]


PEERS: Final[tuple[Build, ...]] = (langchain, llama_index, haystack, lancedb, rerankers)


def peers(bench: Bench) -> dict[str, tuple[float, float]]:
    """Time what other packages have, beside ours with the same host's documents; return their time over ours."""
    found: dict[str, tuple[float, ...]] = {}
    scorer = bench.ours()
    for build in PEERS:
        try:
            name, took = _beside(bench, build, scorer)
            found[name] = took
        except ImportError as error:
            console.print(f"{build.__name__} is skipped: {error}", markup=False)
    scorer.close()
    if found:
        rows = [(name, *_ratio(1e3, *took[:2]), *_ratio(1, *took[2:])) for name, took in found.items()]
        title = f"What other packages have, {bench.sizes.passages} passages, top {TOP_N}"
        note = f"at once: {bench.sizes.callers} threads of {bench.sizes.each} passages, one round"
        columns = ("", "ms", "anyrank ms", "ratio", "at once, s", "anyrank s", "ratio")
        show(title, columns, rows, note)
    return {name: (took[0] / took[1], took[2] / took[3]) for name, took in found.items()}


def _beside(bench: Bench, build: Build, scorer: Any) -> tuple[str, tuple[float, ...]]:
    """Return a peer's name, and the seconds of its call and ours, and of all callers with it and with ours."""
    peer = build(bench.folder, scorer)
    query, texts = bench.work.part(0, bench.sizes.passages)
    found = peer.made(texts)
    exact = dict(zip(texts, bench.predict(query, texts), strict=True))
    _descend(peer.name, [exact[text] for text in peer.texts(peer.theirs(query, found))], exact)
    read = peer.our_texts or peer.texts
    _descend(f"anyrank for {peer.name}", [exact[text] for text in read(peer.ours(query, found))], exact)
    ways: dict[str, Call] = {"theirs": partial(peer.theirs, query, found), "ours": partial(peer.ours, query, found)}
    took = turns(ways, bench.sizes.repeats)
    walls = [_wall(bench, peer.made, rerank) for rerank in (peer.theirs, peer.ours)]
    return peer.name, (took["theirs"], took["ours"], *walls)


def _descend(who: str, best: list[float], exact: dict[str, float]) -> None:
    """Raise RuntimeError unless these are the best scores in descending order, as near as bfloat16 comes."""
    check(who, best, sorted(exact.values(), reverse=True)[:TOP_N])


def _wall(bench: Bench, made: Callable[[list[str]], Any], rerank: Callable[[str, Any], Any]) -> float:
    """Return the seconds that all callers take from threads of their own."""
    return max(at_once([partial(rerank, query, made(texts)) for query, texts in bench.parts])[1])


def _ratio(unit: float, theirs: float, ours: float) -> Iterator[str]:
    digits = 0 if unit > 1 else 2
    yield from (f"{theirs * unit:,.{digits}f}", f"{ours * unit:,.{digits}f}", f"{theirs / ours:.1f}")
