"""anyrank in LlamaIndex: `AnyRankPostprocessor` reranks nodes, `FusionRetriever` fuses retrievers.

`chat_model` lets anyrank's LLM rerankers ask a LlamaIndex LLM.
"""

from .chat import chat_model
from .fusion import FusionRetriever
from .postprocessor import AnyRankPostprocessor

__all__ = ["AnyRankPostprocessor", "FusionRetriever", "chat_model"]
