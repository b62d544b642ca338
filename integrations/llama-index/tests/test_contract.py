"""The postprocessor through the suite that every adapter passes."""

from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode

from anyrank.testing import AdapterContract
from llama_index.postprocessor.anyrank import AnyRankPostprocessor


class TestContract(AdapterContract):
    """What holds for every adapter holds for `AnyRankPostprocessor`."""

    def build(self, scorer, **settings):
        """Build one."""
        return AnyRankPostprocessor(scorer, **settings)

    def documents(self, texts):
        """Give scored nodes whose metadata is not part of the text that is embedded."""
        return [
            NodeWithScore(
                node=TextNode(
                    text=text,
                    id_=f"node-{place}",
                    metadata={"source": {"page": place, "tags": ["a", "b"]}},
                    excluded_embed_metadata_keys=["source"],
                ),
                score=1 / (place + 1),
            )
            for place, text in enumerate(texts)
        ]

    def rerank(self, adapter, query, documents):
        """Ask as a query engine does."""
        return adapter.postprocess_nodes(documents, query_str=query)

    async def arerank(self, adapter, query, documents):
        """Ask as an async query engine does."""
        return await adapter.apostprocess_nodes(documents, query_str=query)

    def text(self, document):
        """Read a node as it is scored."""
        return document.node.get_content(metadata_mode=MetadataMode.EMBED)

    def score(self, document):
        """Read the score."""
        return document.score

    def rest(self, document):
        """Give the node: it is the very same."""
        return type(document), document.node

    def save(self, adapter):
        """Write down as JSON."""
        return adapter.to_json()

    def restore(self, saved):
        """Read from JSON."""
        return AnyRankPostprocessor.from_json(saved)
