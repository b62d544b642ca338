"""Tiny rerankers of every family of language models: all bytes as vocabulary, seeded weights, their own reference code.

A prompt is put together as its authors' code does, piece by piece, each text alone.
"""

from __future__ import annotations

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<bos>", "<think>", "</think>"]
MERGES = [("y", "e"), ("ye", "s"), ("n", "o"), ("Y", "e"), ("Ye", "s")]

SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 32,
    "max_position_embeddings": 2048,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}

JUDGE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
DEFAULT = "Given a web search query, retrieve relevant passages that answer the query"
EXPERT = (
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document "
    "pair, carefully analyze the semantic relationship between them, then provide your binary relevance judgment (0 "
    "for not relevant, 1 for relevant).\nRelevance:"
)
QWEN = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n"
)
ANSWER = "<|im_end|>\n<|im_start|>assistant\n"
YES_OR_NO = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a "
    "prediction of either 'Yes' or 'No'."
)


def qwen3(query, text, instruction):
    """Return what QwenLM/Qwen3-Embedding's process_inputs reads, and the answers."""
    asked = f"<Instruct>: {instruction or DEFAULT}\n<Query>: {query}\n<Document>: {text}"
    return [JUDGE, asked, ANSWER + "<think>\n\n</think>\n\n"], ("yes", "no")


def mxbai(query, text, instruction):
    """Return what mixedbread-ai/mxbai-rerank's prepare_inputs reads, and the answers."""
    asked = f"query: {query}"
    if instruction:
        asked = f"instruction: {instruction}\n{asked}"
    return [QWEN, asked, "\n", f"document: {text}", "\n", EXPERT, ANSWER], ("1", "0")


def zerank(query, text, instruction):
    """Return what zerank's modeling_zeranker.py reads, and the answer; the instruction as its makers recommend."""
    if instruction:
        query = f"<query>{query}</query>\n<instruction>{instruction}</instruction>"
    return [f"<|im_start|>system\n{query}<|im_end|>\n<|im_start|>user\n{text}{ANSWER}"], ("Yes",)


def bge_gemma(query, text, _instruction):
    """Return what FlagEmbedding's DatasetForReranker reads, and the answer."""
    return ["<bos>", f"A: {query}", "\n", f"B: {text}", "\n", YES_OR_NO], ("Yes",)


def contextual(query, text, instruction):
    """Return what the model card's format_prompts reads, and the answer, which is the vocabulary's first token."""
    wish = f" {instruction}" if instruction else ""
    head = "<bos>Check whether a given document contains information helpful to answer the query.\n"
    return [f"{head}<Document> {text}\n<Query> {query}{wish} ??"], (SPECIAL[0],)


def nemotron(query, text, _instruction):
    """Return what NeMo AutoModel's prompt template reads; a head answers."""
    return [f"<bos>question:{query} \n \n passage:{text}"], ()


FAMILIES = {
    "qwen3": ("Qwen3", qwen3),
    "mxbai-v2": ("Qwen2", mxbai),
    "zerank": ("Qwen3", zerank),
    "bge-gemma": ("Gemma", bge_gemma),
    "ctxl-v2": ("Qwen3", contextual),
}
"""By name: the architecture of a checkpoint, and its prompt."""


def tokenizer(chat_template=None):
    """Return a tokenizer of all bytes, so that no letter of a prompt is lost, and a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*SPECIAL, *letters, *(first + second for first, second in MERGES)]
    core = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, MERGES))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<bos>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL[1:],
    )
    found.chat_template = chat_template
    return found


def save(folder, architecture, *, labels=None, chat_template=None):
    """Save a model of random weights, with a head of some labels or a language model's; return its folder."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer(chat_template)
    task = "ForCausalLM" if labels is None else "ForSequenceClassification"
    config = getattr(transformers, f"{architecture}Config")(vocab_size=len(words), num_labels=labels or 1, **SHAPE)
    getattr(transformers, architecture + task)(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


def ids_of(*parts):
    """Return the tokens of a prompt whose parts are read one by one, as the families' own code does."""
    words = tokenizer()
    return [token for part in parts for token in words(part, add_special_tokens=False)["input_ids"]]


def reference(folder, prompt, query, texts, instruction=None):
    """Return the scores of a family's own code: a plain forward pass a text, in float32."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    headed = AutoConfig.from_pretrained(folder).architectures[0].endswith("ForSequenceClassification")
    model = (AutoModelForSequenceClassification if headed else AutoModelForCausalLM).from_pretrained(folder)
    scores = []
    for text in texts:
        parts, answers = prompt(query, text, instruction)
        with torch.inference_mode():
            logits = model(torch.tensor([ids_of(*parts)])).logits
        yes, *no = [logits[0, 0]] if headed else logits[0, -1][tokenizer().convert_tokens_to_ids(list(answers))]
        scores.append(float(yes - sum(no)))
    return scores
