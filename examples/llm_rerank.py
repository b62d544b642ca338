"""The LLM that a chain already has as its reranker, in LangChain, LlamaIndex and Haystack.

The LLMs are stand-ins whose answers are written down below: one as it was asked for, one as models also answer, and one
that is none. Whatever an LLM says, every document comes back once, and the report says how that came about.
"""

import logging
import os
from typing import Any

os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")

from haystack import Document as HaystackDocument
from haystack.components.generators.chat import MockChatGenerator
from langchain_core.documents import Document as LangChainDocument
from langchain_core.language_models import FakeListChatModel
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.schema import NodeWithScore, TextNode
from rich.console import Console
from rich.table import Table

from anyrank.llm import Listwise
from anyrank.ranking import Report

QUERY = "Which trains can I take my bike on before nine in the morning?"
TEXTS = [
    "Rental bikes stand in front of the station, next to the taxi rank.",
    "The morning express leaves at nine and calls at every second station.",
    "On weekdays no bike may board an express before 9 a.m.; local trains carry them at any hour.",
    "Bicycles need a ticket of their own, which is valid for a whole day.",
]
ANSWERS = {
    "an answer as it was asked for": '{"ranking": [3, 4, 2, 1]}',
    "one that repeats, invents and forgets": "Sure! Passage [3] answers it.\n\n[3] > [4] > [3] > [9]",
    "none": "I am sorry, but I cannot help with trains.",
}


def in_langchain(answer: str) -> tuple[list[str], Report]:
    """Rerank with a LangChain chat model."""
    from langchain_anyrank import AnyRankCompressor, chat_model

    reports: list[Report] = []
    llm = FakeListChatModel(responses=[answer])  # yours: ChatOpenAI(…), ChatAnthropic(…), init_chat_model(…)
    reranker = AnyRankCompressor(scorer=Listwise(chat_model(llm)), on_report=reports.append)
    found = reranker.compress_documents([LangChainDocument(text) for text in TEXTS], QUERY)
    return [document.page_content for document in found], reports[0]


class Scripted(CustomLLM):
    """A LlamaIndex LLM that always says the same; its own `MockLLM` only repeats the prompt."""

    says: str

    @property
    def metadata(self) -> LLMMetadata:
        """Return what there is to know of it: nothing."""
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:  # noqa: ARG002, FBT001, FBT002
        """Say it."""
        return CompletionResponse(text=self.says)

    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponseGen:  # noqa: ARG002, FBT001, FBT002
        """Say it, in one piece."""
        yield CompletionResponse(text=self.says, delta=self.says)


def in_llama_index(answer: str) -> tuple[list[str], Report]:
    """Rerank with a LlamaIndex LLM."""
    from llama_index.postprocessor.anyrank import AnyRankPostprocessor, chat_model

    reports: list[Report] = []
    llm = Scripted(says=answer)  # yours: Settings.llm
    reranker = AnyRankPostprocessor(Listwise(chat_model(llm)), on_report=reports.append)
    found = reranker.postprocess_nodes([NodeWithScore(node=TextNode(text=text)) for text in TEXTS], query_str=QUERY)
    return [node.text for node in found], reports[0]


def in_haystack(answer: str) -> tuple[list[str], Report]:
    """Rerank with a Haystack chat generator."""
    from haystack_integrations.components.rankers.anyrank import AnyRankRanker, chat_model

    reports: list[Report] = []
    generator = MockChatGenerator(answer)  # yours: OpenAIChatGenerator(…)
    reranker = AnyRankRanker(scorer=Listwise(chat_model(generator)), on_report=reports.append)
    found = reranker.run(query=QUERY, documents=[HaystackDocument(content=text) for text in TEXTS])["documents"]
    return [document.content or "" for document in found], reports[0]


def main() -> None:
    """Give each answer to all three frameworks; they agree."""
    logging.getLogger("anyrank").setLevel(logging.ERROR)  # a degraded result also logs a warning; it is shown here
    console = Console(highlight=False)
    for kind, answer in ANSWERS.items():
        results = [in_host(answer) for in_host in (in_langchain, in_llama_index, in_haystack)]
        (texts, report), *others = results
        agree = all(found == texts and other.answers == report.answers for found, other in others)
        table = Table("", "as retrieved", "reranked", title=f"The LLM gives {kind}:\n{answer}", title_justify="left")
        for rank, (before, after) in enumerate(zip(TEXTS, texts, strict=True), start=1):
            table.add_row(str(rank), before, after)
        console.print(table)
        console.print(f"answers {report.answers}, questions {report.requests}, degraded {report.degraded}")
        console.print(f"LangChain, LlamaIndex and Haystack agree: {agree}\n")


if __name__ == "__main__":
    main()
