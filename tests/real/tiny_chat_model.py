"""Make a chat model of 400,000 random parameters that vLLM loads: python tiny_chat_model.py FOLDER.

Its tokens are bytes, "Yes" and "No". Whatever it reads, it would begin its answer with one of these two: the first
number of every hidden state is kept constant, and speaks for them. Heads have 64 dimensions, since vLLM has no CPU
kernel for smaller ones.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END = "<|end|>"
MERGES = [("Y", "e"), ("Ye", "s"), ("N", "o")]
TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
LENGTH = 2048


def tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer, with its chat template."""
    tokens = [END, *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(merge) for merge in MERGES)]
    inner = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, MERGES))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=END, pad_token=END, model_max_length=LENGTH, chat_template=TEMPLATE
    )


def save(folder: Path) -> None:
    """Write model and tokenizer into a folder."""
    words = tokenizer()
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(words),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=128,
        max_position_embeddings=LENGTH,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        initializer_range=0.2,
    )
    model = LlamaForCausalLM(shape).eval()
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 1.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = layer.mlp.down_proj.weight[0] = 0.0
        for token, weight in {"Yes": 200.0, "No": 200.0, "]": 5.0}.items():
            model.lm_head.weight[words.convert_tokens_to_ids(token), 0] += weight
    model.save_pretrained(folder)
    words.save_pretrained(folder)


if __name__ == "__main__":
    save(Path(sys.argv[1]))
