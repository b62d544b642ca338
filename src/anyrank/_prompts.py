"""How language models are asked about a query and a text: one `Template` a family, and those of a user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from . import _checks
from .errors import ArgumentError

QUERY: Final = "{query}"
DOCUMENT: Final = "{document}"
INSTRUCTION: Final = "{instruction}"
BOS: Final = "{bos}"

PAIR: Final = "pair"
"""As ``template=``: the tokenizer joins query and text as it was made to, and nothing is put around them."""

_SLOTS: Final = re.compile(r"(\{query\}|\{document\}|\{instruction\}|\{bos\})")

_SAID: Final = {
    QUERY: "{{ (messages | selectattr('role', 'eq', 'query') | first).content }}",
    DOCUMENT: "{{ (messages | selectattr('role', 'eq', 'document') | first).content }}",
    BOS: "{{ bos_token }}",
}


@dataclass(frozen=True, slots=True)
class Template:
    """What a model is asked about one query and one text, and where its answer is read.

    ``prompt`` holds ``{query}`` and ``{document}``, and ``{bos}`` where the tokenizer's first token, if it has one,
    stands. A model that takes an instruction has an ``{instruction}`` in it, whose default ``instruction`` is, or a
    prompt of its own for that case, ``instructed``. The score, a ``logit``, is read after the prompt's last token:
    logit(``yes``) - logit(``no``), or logit(``yes``) where there is no ``no``; both are tokens of the vocabulary, or
    their ids. A model that ends in a head for one label is read by that, and has neither. ``temperature`` divides the
    logit before a sigmoid. ``max_length`` is how many tokens are read unless ``max_length=`` says otherwise: what the
    reference code reads.
    """

    prompt: str
    yes: str | int | None = None
    no: str | int | None = None
    instructed: str | None = None
    instruction: str = ""
    temperature: float = 1.0
    max_length: int | None = None

    @property
    def takes_instruction(self) -> bool:
        """Whether an instruction has a place in it."""
        return INSTRUCTION in (self.instructed or self.prompt)

    def chat_template(self, instruction: str | None) -> str:
        """Return it as a chat template (Jinja) of one message with the role "query" and one with "document"."""
        layout = self.instructed if instruction and self.instructed else self.prompt
        said = _SAID | {INSTRUCTION: _literal(instruction or self.instruction)}
        return "".join(said.get(part) or _literal(part) for part in _SLOTS.split(layout) if part)


def _literal(text: str) -> str:
    """Return an expression of Jinja for a text, which as bare text would lose its last newline."""
    return f"{{{{ {text!a} }}}}"


def _chat(*turns: tuple[str, str]) -> str:
    """Return a conversation in ChatML, up to the assistant's answer."""
    said = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)
    return f"{said}<|im_start|>assistant\n"


_JUDGE: Final = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the "
    'answer can only be "yes" or "no".'
)
_MXBAI: Final = (
    "query: {query}\ndocument: {document}\nYou are a search relevance expert who evaluates how well documents match "
    "search queries. For each query-document pair, carefully analyze the semantic relationship between them, then "
    "provide your binary relevance judgment (0 for not relevant, 1 for relevant).\nRelevance:"
)
_QWEN: Final = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."

FAMILIES: Final[Mapping[str, Template]] = {
    # the model card of Qwen/Qwen3-Reranker-0.6B, and vllm, examples/…/qwen3_reranker.jinja
    "qwen3": Template(
        _chat(("system", _JUDGE), ("user", "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}"))
        + "<think>\n\n</think>\n\n",
        yes="yes",
        no="no",
        instruction="Given a web search query, retrieve relevant passages that answer the query",
        max_length=8192,
    ),
    # mixedbread-ai/mxbai-rerank, mxbai_rerank/mxbai_rerank_v2.py
    "mxbai-v2": Template(
        _chat(("system", _QWEN), ("user", _MXBAI)),
        instructed=_chat(("system", _QWEN), ("user", "instruction: {instruction}\n" + _MXBAI)),
        yes="1",
        no="0",
        max_length=8192,
    ),
    # modeling_zeranker.py of zeroentropy/zerank-1-small; the instruction as in vllm, examples/…/zerank2.jinja
    "zerank": Template(
        _chat(("system", "{query}"), ("user", "{document}")),
        instructed=_chat(
            ("system", "<query>{query}</query>\n<instruction>{instruction}</instruction>"), ("user", "{document}")
        ),
        yes="Yes",
        temperature=5.0,
    ),
    # FlagOpen/FlagEmbedding, inference/reranker/decoder_only/base.py; its longest by the model card
    "bge-gemma": Template(
        "{bos}A: {query}\nB: {document}\nGiven a query A and a passage B, determine whether the passage contains an "
        "answer to the query by providing a prediction of either 'Yes' or 'No'.",
        yes="Yes",
        max_length=1024,
    ),
    # the model cards of ContextualAI/ctxl-rerank-v2-instruct-multilingual-{1b,2b,6b}: the score is the logit of id 0
    "ctxl-v2": Template(
        "{bos}Check whether a given document contains information helpful to answer the query.\n"
        "<Document> {document}\n<Query> {query} ??",
        instructed="{bos}Check whether a given document contains information helpful to answer the query.\n"
        "<Document> {document}\n<Query> {query} {instruction} ??",
        yes=0,
        max_length=8192,
    ),
    # NVIDIA-NeMo/Automodel, examples/retrieval/cross_encoder/*.yaml, and vllm, examples/…/nemotron-rerank.jinja
    "nemotron": Template("{bos}question:{query} \n \n passage:{document}", max_length=8192),
}

KNOWN: Final = ", ".join(map(repr, FAMILIES))


def template_of(given: object) -> Template | str | None:
    """Read what ``template=`` says: the name of a family, `PAIR`, or a mapping of the fields of `Template`.

    Raises `ArgumentError`.
    """
    if given is None or given == PAIR:
        return given
    if isinstance(given, str) and given in FAMILIES:
        return FAMILIES[given]
    if isinstance(given, Mapping):
        return _described(given)
    msg = f"there is no template {given!r:.80}; known: {KNOWN}, {PAIR!r}, or a mapping with a 'prompt' of your own"
    raise ArgumentError(msg)


def _described(given: Mapping[str, Any]) -> Template:
    known = [field.name for field in fields(Template)]
    strange = sorted(set(given) - set(known))
    if strange:
        msg = f"template= has no {', '.join(map(repr, strange))}; known: {', '.join(known)}"
        raise ArgumentError(msg)
    wrong = next((name for name, value in given.items() if not _possible(name, value)), None)
    if wrong is not None:
        msg = f"template= with {wrong}={given[wrong]!r:.80} cannot be right"
        raise ArgumentError(msg)
    for layout in (given.get("prompt", ""), given.get("instructed") or QUERY + DOCUMENT + INSTRUCTION):
        if not (QUERY in layout and DOCUMENT in layout):
            msg = f"a prompt holds both {QUERY} and {DOCUMENT}, where query and text stand; got {layout!r:.80}"
            raise ArgumentError(msg)
    return Template(**given)


def _possible(name: str, value: object) -> bool:
    """Return whether a field may have a value."""
    if name in {"yes", "no", "instructed", "max_length"} and value is None:
        return True
    if name in {"yes", "no", "max_length"} and isinstance(value, int):
        return not isinstance(value, bool) and value >= (name == "max_length")
    if name == "temperature":
        number = _checks.finite(value)
        return number is not None and number > 0
    return name != "max_length" and isinstance(value, str)
