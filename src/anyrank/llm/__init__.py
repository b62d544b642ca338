"""LLM rerankers: a chat model that orders, judges, compares or picks passages.

``load("listwise:openai:gpt-4.1-mini")`` for an OpenAI-compatible endpoint, ``Listwise(chat_model)`` for any other
`ChatModel`; each adapter's ``chat_model(llm)`` makes one of its host's own LLM object.
"""

from ._scorer import LLMScorer
from .chat import ChatModel, ChatReply, ChatRequest, Message
from .listwise import Listwise
from .openai import OpenAIChat
from .pairwise import Pairwise
from .pointwise import Pointwise
from .prompts import Prompt
from .setwise import Setwise

__all__ = [
    "ChatModel",
    "ChatReply",
    "ChatRequest",
    "LLMScorer",
    "Listwise",
    "Message",
    "OpenAIChat",
    "Pairwise",
    "Pointwise",
    "Prompt",
    "Setwise",
]
