"""Tiny models with random weights, saved once a run: everything about them is real but their size."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pathlib import Path

import pytest

# Whoever runs the tests may have accounts in clouds, or sit in one: neither is asked who we are.
for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
    del os.environ[name]
os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "CLOUDSDK_CONFIG": os.devnull, "NO_GCE_CHECK": "true"}

WORDS = (  # noqa: SIM905 - a list of fifty quoted words reads worse
    "[PAD] [UNK] [CLS] [SEP] [MASK] what is the capital of france paris bananas are rich in potassium . ? lies on "
    "river seine a heap keeps its smallest item first word yes no"
).split()


def tokenizer():
    """Return a word-piece tokenizer of two dozen words and all single letters."""
    from transformers import BertTokenizer

    letters = [letter for small in "abcdefghijklmnopqrstuvwxyz" for letter in (small, f"##{small}")]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*WORDS, *letters]))}
    return BertTokenizer(vocab=vocabulary, model_max_length=64)


def config(**settings):
    """Return the shape of a BERT with two layers of 32."""
    from transformers import BertConfig

    return BertConfig(
        vocab_size=len(tokenizer()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,
        **settings,
    )


def save(folder: Path, model) -> str:
    """Save a model with its tokenizer and return the folder."""
    model.eval().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory):
    """Keep converted models in a folder of the run's own."""
    os.environ["ANYRANK_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Give the folders of tiny models: one_label, two_labels, three_labels, headless, causal, yes_no, bi_encoder."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from sentence_transformers.cross_encoder.modules import LogitScore
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertForSequenceClassification, BertModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    base = tmp_path_factory.mktemp("models")
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    shape = LlamaConfig(vocab_size=len(tokenizer()), max_position_embeddings=64, pad_token_id=0, **small)
    found = {
        "one_label": save(base / "one_label", BertForSequenceClassification(config(num_labels=1))),
        "two_labels": save(base / "two_labels", BertForSequenceClassification(config(num_labels=2))),
        "three_labels": save(base / "three_labels", BertForSequenceClassification(config(num_labels=3))),
        "headless": save(base / "headless", BertModel(config())),
        "causal": save(base / "causal", LlamaForCausalLM(shape)),
    }
    transformer = Transformer(found["headless"])
    SentenceTransformer(modules=[transformer, Pooling(32)]).save(str(base / "bi_encoder"))
    ids = tokenizer().convert_tokens_to_ids(["yes", "no"])
    reads = LogitScore(true_token_id=ids[0], false_token_id=ids[1])
    CrossEncoder(modules=[Transformer(found["causal"], transformer_task="text-generation"), reads]).save_pretrained(
        str(base / "yes_no")
    )
    return found | {"bi_encoder": str(base / "bi_encoder"), "yes_no": str(base / "yes_no")}
