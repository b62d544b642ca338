"""An LLM reranker behind a spec: `anyrank.llm.Pairwise`."""

from anyrank.llm.pairwise import scorer

__all__ = ["scorer"]
