"""The reranker through the suite that every adapter passes."""

import pytest

from anyrank.testing import AdapterContract
from anyrank_redisvl import AnyRankReranker


class TestContract(AdapterContract):
    """What holds for every adapter holds for `AnyRankReranker`; a document here is a pair of a dict and its score."""

    def build(self, scorer, top_n=None, **settings):
        """Build one; the host's word for ``top_n`` is ``limit``, and its default is not all."""
        return AnyRankReranker(scorer, limit=top_n, **settings)

    def documents(self, texts):
        """Give what a query returns: dicts with ids and the first stage's distance."""
        return [
            {"id": f"doc:{place}", "vector_distance": str(place / 10), "content": text, "tags": ["a", "b"]}
            for place, text in enumerate(texts)
        ]

    def rerank(self, adapter, query, documents):
        """Ask from sync code."""
        return list(zip(*adapter.rank(query, documents), strict=True))

    async def arerank(self, adapter, query, documents):
        """Ask from async code."""
        return list(zip(*await adapter.arank(query, documents), strict=True))

    def text(self, document):
        """Read a dict, given or returned."""
        return self.rest(document)["content"]

    def score(self, document):
        """Read the score beside it."""
        return document[1]

    def rest(self, document):
        """Give the dict."""
        return document[0] if isinstance(document, tuple) else document

    def save(self, adapter):
        """Write it down as pydantic does."""
        return adapter.model_dump_json()

    def restore(self, saved):
        """Read it as pydantic does."""
        return AnyRankReranker.model_validate_json(saved)


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "3"])
def test_limit_must_be_above_zero(limit):
    """What is no positive whole number is refused, in RedisVL's word, at construction, by assignment and by call."""
    match = "limit must be a whole number above 0"
    with pytest.raises(ValueError, match=match):
        AnyRankReranker("lexical", limit=limit)
    reranker = AnyRankReranker("lexical")
    with pytest.raises(ValueError, match=match):
        reranker.limit = limit
    with pytest.raises(ValueError, match=match):
        reranker.rank("q", [], limit=limit)
