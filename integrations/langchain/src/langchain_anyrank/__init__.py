"""Reranking and rank fusion for LangChain.

`AnyRankCompressor` is any anyrank scorer as a document compressor and as a Runnable, `RerankRetriever` puts it behind
a retriever. `Fusion` makes one list of several named ones, `FusionRetriever` asks the retrievers for them.
`chat_model` lets anyrank's LLM rerankers ask a LangChain model.
"""

from langchain_anyrank.chat import chat_model
from langchain_anyrank.compressor import AnyRankCompressor
from langchain_anyrank.fusion import Fusion
from langchain_anyrank.retrievers import FusionRetriever, RerankRetriever

__all__ = ["AnyRankCompressor", "Fusion", "FusionRetriever", "RerankRetriever", "chat_model"]
