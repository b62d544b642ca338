"""Make a cross-encoder of 277,000 random parameters that every server loads: python tiny_cross_encoder.py FOLDER.

Its heads have 64 dimensions, since vLLM has no CPU kernel for smaller ones. The vocabulary is written as a file, since
transformers 5 quietly ignores one given to the tokenizer's class: every word would be [UNK] and all scores equal.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
WORDS = ["the", "a", "of", "to", "is", "what", "capital", "city", "paris", "france", "berlin", "germany", "dog", "cat"]
VOCABULARY = list(dict.fromkeys([*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS, "panda"]))
LENGTH = 512


def save(folder: Path) -> None:
    """Write model and tokenizer into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    special = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL}
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": LENGTH, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=LENGTH,
        num_labels=1,
        pad_token_id=0,
        initializer_range=0.2,
    )
    BertForSequenceClassification(shape).eval().save_pretrained(folder)
    ids = AutoTokenizer.from_pretrained(folder)("paris", "x")["input_ids"]
    if SPECIAL.index("[UNK]") in ids:
        msg = f"the tokenizer does not know its own words: {ids}"
        raise RuntimeError(msg)


if __name__ == "__main__":
    save(Path(sys.argv[1]))
