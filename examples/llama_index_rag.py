"""RAG in LlamaIndex: the context reaches the LLM best first, and the prompt says so.

Embedder and LLM are LlamaIndex's own stand-ins; the LLM answers with its prompt, so that is what is printed.
"""

from llama_index.core import PromptTemplate, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.schema import TextNode
from rich.console import Console

from llama_index.postprocessor.anyrank import AnyRankPostprocessor

COOKBOOKS = [
    "An Invitation to Indian Cooking, Madhur Jaffrey: lamb with spinach, chickpeas in tamarind, potatoes with cumin.",
    "Mastering the Art of French Cooking, Julia Child: salmon in wine, asparagus with hollandaise, potatoes in cream.",
    "Sushi: estetica e tecnica, Jiro Ono: rice, vinegar and fish, such as salmon in nigiri, or salmon roe in gunkan.",
]

QUERY = "Create a recipe using the ingredients below.\n- salmon\n- asparagus\n- potatoes"

PROMPT = PromptTemplate(
    """Context information is below.
Note that the context is ranked from most to least relevant to the query.
---------------------
{context_str}
---------------------
Given the context information and no prior knowledge, answer the query.
Query: {query_str}"""
)


def main() -> None:
    """Retrieve, rerank, prompt."""
    nodes = [TextNode(id_=str(place), text=text) for place, text in enumerate(COOKBOOKS)]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))
    engine = index.as_query_engine(
        llm=MockLLM(),
        similarity_top_k=3,
        node_postprocessors=[AnyRankPostprocessor(scorer="lexical", top_n=3)],
        text_qa_template=PROMPT,
    )

    console = Console(highlight=False)
    console.print("As retrieved", style="bold")
    for found in index.as_retriever(similarity_top_k=3).retrieve(QUERY):
        console.print(found.text, style="dim")
    console.print("\nWhat the LLM reads", style="bold")
    console.print(str(engine.query(QUERY)))


if __name__ == "__main__":
    main()
