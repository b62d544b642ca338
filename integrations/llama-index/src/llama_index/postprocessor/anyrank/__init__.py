"""anyrank in LlamaIndex: `AnyRankPostprocessor` reranks nodes, `FusionRetriever` fuses retrievers."""

from .fusion import FusionRetriever
from .postprocessor import AnyRankPostprocessor

__all__ = ["AnyRankPostprocessor", "FusionRetriever"]
