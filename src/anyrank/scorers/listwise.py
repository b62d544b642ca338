"""An LLM reranker behind a spec: `anyrank.llm.Listwise`."""

from anyrank.llm.listwise import scorer

__all__ = ["scorer"]
