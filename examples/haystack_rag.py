"""RAG in Haystack: the context reaches the LLM best first, and the prompt says so.

Embedder and LLM are Haystack's own stand-ins; the LLM answers with its prompt, so that is what is printed.
"""

import os

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

from haystack import Document, Pipeline
from haystack.components.builders import ChatPromptBuilder
from haystack.components.embedders import MockDocumentEmbedder, MockTextEmbedder
from haystack.components.generators.chat import MockChatGenerator
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from rich.console import Console

from haystack_integrations.components.rankers.anyrank import AnyRankRanker

COOKBOOKS = [
    "An Invitation to Indian Cooking, Madhur Jaffrey: lamb with spinach, chickpeas in tamarind, potatoes with cumin.",
    "Mastering the Art of French Cooking, Julia Child: salmon in wine, asparagus with hollandaise, potatoes in cream.",
    "Sushi: estetica e tecnica, Jiro Ono: rice, vinegar and fish, such as salmon in nigiri, or salmon roe in gunkan.",
]

QUERY = "Create a recipe using the ingredients below.\n- salmon\n- asparagus\n- potatoes"

PROMPT = """Context information is below.
Note that the context is ranked from most to least relevant to the query.
---------------------
{% for document in documents %}{{ document.content }}
{% endfor %}---------------------
Given the context information and no prior knowledge, answer the query.
Query: {{ query }}"""


def main() -> None:
    """Retrieve, rerank, prompt."""
    store = InMemoryDocumentStore()
    store.write_documents(MockDocumentEmbedder().run([Document(content=text) for text in COOKBOOKS])["documents"])

    pipeline = Pipeline()
    pipeline.add_component("embedder", MockTextEmbedder(prefix="Question: "))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=3))
    pipeline.add_component("ranker", AnyRankRanker(scorer="lexical", top_k=3))
    pipeline.add_component("prompt", ChatPromptBuilder([ChatMessage.from_user(PROMPT)], required_variables="*"))
    pipeline.add_component("llm", MockChatGenerator())
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    pipeline.connect("retriever.documents", "ranker.documents")
    pipeline.connect("ranker.documents", "prompt.documents")
    pipeline.connect("prompt.prompt", "llm.messages")

    question = {"query": QUERY}
    asked = {"embedder": {"text": QUERY}, "ranker": question, "prompt": question}
    outputs = pipeline.run(asked, include_outputs_from={"retriever"})

    console = Console(highlight=False)
    console.print("As retrieved", style="bold")
    for document in outputs["retriever"]["documents"]:
        console.print(document.content, style="dim")
    console.print("\nWhat the LLM reads", style="bold")
    console.print(outputs["llm"]["replies"][0].text)


if __name__ == "__main__":
    main()
