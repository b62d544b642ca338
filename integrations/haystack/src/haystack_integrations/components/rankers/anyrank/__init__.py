"""A Haystack ranker over any anyrank scorer; `chat_model` lets its LLM rerankers ask a Haystack chat generator."""

from .chat import chat_model
from .ranker import AnyRankRanker

__all__ = ["AnyRankRanker", "chat_model"]
