"""An LLM reranker behind a spec: `anyrank.llm.Setwise`."""

from anyrank.llm.setwise import scorer

__all__ = ["scorer"]
