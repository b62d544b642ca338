"""An LLM reranker behind a spec: `anyrank.llm.Pointwise`."""

from anyrank.llm.pointwise import scorer

__all__ = ["scorer"]
