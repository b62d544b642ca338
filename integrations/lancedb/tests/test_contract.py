"""`AnyRankReranker` through the suite that every adapter passes."""

import json

import pyarrow as pa

from anyrank.testing import AdapterContract
from anyrank_lancedb import AnyRankReranker

SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "text": pa.string(),
        "source": pa.struct({"page": pa.int32(), "tags": pa.list_(pa.string())}),
        "_distance": pa.float32(),
    }
)


class TestContract(AdapterContract):
    """What holds for every adapter holds for `AnyRankReranker`; a document is a row."""

    def build(self, scorer, **settings):
        """Build one, and keep what it was built from: LanceDB writes no reranker down."""
        reranker = AnyRankReranker(scorer, **settings)
        reranker.settings = {name: value for name, value in settings.items() if name in ("top_n", "score_threshold")}
        return reranker

    def documents(self, texts):
        """Give rows as a vector search returns them."""
        return [
            {"id": place, "text": text, "source": {"page": place, "tags": ["a", "b"]}, "_distance": place / 8}
            for place, text in enumerate(texts)
        ]

    def rerank(self, adapter, query, documents):
        """Ask as LanceDB's query does."""
        return adapter.rerank_vector(query, pa.Table.from_pylist(list(documents), SCHEMA)).to_pylist()

    async def arerank(self, adapter, query, documents):
        """Ask as `anyrank_lancedb.arerank` does."""
        return (await adapter.arerank_vector(query, pa.Table.from_pylist(list(documents), SCHEMA))).to_pylist()

    def text(self, document):
        """Read a row's text."""
        return document["text"]

    def score(self, document):
        """Read the score."""
        return document["_relevance_score"]

    def rest(self, document):
        """Give the row without scores: LanceDB's rerankers drop the distance."""
        return {name: value for name, value in document.items() if not name.startswith("_")}

    def save(self, adapter):
        """Write down what a configuration file of one's own would hold."""
        return json.dumps(adapter._host.written() | adapter.settings)

    def restore(self, saved):
        """Build it from that."""
        return AnyRankReranker(**json.loads(saved))
