"""RAG in LangChain: the context reaches the LLM best first, and the prompt says so.

Embedder and LLM are LangChain's own stand-ins; the LLM answers with its prompt, so that is what is printed.
"""

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.language_models import ParrotFakeChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from rich.console import Console

from langchain_anyrank import AnyRankCompressor

COOKBOOKS = [
    "An Invitation to Indian Cooking, Madhur Jaffrey: lamb with spinach, chickpeas in tamarind, potatoes with cumin.",
    "Mastering the Art of French Cooking, Julia Child: salmon in wine, asparagus with hollandaise, potatoes in cream.",
    "Sushi: estetica e tecnica, Jiro Ono: rice, vinegar and fish, such as salmon in nigiri, or salmon roe in gunkan.",
]

QUERY = "Create a recipe using the ingredients below.\n- salmon\n- asparagus\n- potatoes"

PROMPT = ChatPromptTemplate.from_template(
    """Context information is below.
Note that the context is ranked from most to least relevant to the query.
---------------------
{context}
---------------------
Given the context information and no prior knowledge, answer the query.
Query: {query}"""
)


def as_text(documents: list[Document]) -> str:
    """Write the documents one below the other."""
    return "\n".join(document.page_content for document in documents)


def main() -> None:
    """Retrieve, rerank, prompt."""
    store = InMemoryVectorStore.from_texts(COOKBOOKS, DeterministicFakeEmbedding(size=16))
    retriever = store.as_retriever(search_kwargs={"k": 3})

    question = RunnablePassthrough[str]()
    ranked = {"documents": retriever, "query": question} | AnyRankCompressor(scorer="lexical", top_n=3)
    chain = {"context": ranked | as_text, "query": question} | PROMPT | ParrotFakeChatModel() | StrOutputParser()

    console = Console(highlight=False)
    console.print("As retrieved", style="bold")
    console.print(as_text(retriever.invoke(QUERY)), style="dim")
    console.print("\nWhat the LLM reads", style="bold")
    console.print(chain.invoke(QUERY))


if __name__ == "__main__":
    main()
