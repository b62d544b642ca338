"""What the tests share: a cross-encoder of two tiny layers, services on loopback, nobody's keys."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import string

import pytest
from fake_service import KEY, running

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the capital of united states city washington is".split()  # noqa: SIM905


@pytest.fixture(scope="session")
def save_cross_encoder():
    """Give what saves a BERT of two layers of 32, its weights random but the same each time, and returns its folder."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    letters = [prefix + letter for letter in string.ascii_lowercase for prefix in ("", "##")]
    vocabulary = {word: place for place, word in enumerate([*WORDS, *letters])}

    def save(folder, **settings):
        torch.manual_seed(2)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        width = {"vocab_size": len(vocabulary), "max_position_embeddings": 128, "initializer_range": 0.5}
        shape = BertConfig(**sizes, **width, **{"num_labels": 1, **settings})
        BertForSequenceClassification(shape).eval().save_pretrained(folder)
        BertTokenizer(vocab=vocabulary, model_max_length=128).save_pretrained(folder)
        return str(folder)

    return save


@pytest.fixture(scope="session")
def cross_encoder(save_cross_encoder, tmp_path_factory):
    """Give the folder of a cross-encoder with one label."""
    return save_cross_encoder(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _keyless(monkeypatch):
    """Take away the keys and addresses of whoever runs the tests."""
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL", "_API_URL"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def cohere(monkeypatch):
    """Run Cohere's fake where the drop-in looks for it, with a key for it in the environment."""
    with running("cohere_v1") as service:
        monkeypatch.setenv("ANYRANK_COHERE_V1_BASE_URL", service.url)
        monkeypatch.setenv("COHERE_API_KEY", KEY)
        yield service


@pytest.fixture
def voyage(monkeypatch):
    """Run Voyage's fake, as `cohere`."""
    with running("voyage") as service:
        monkeypatch.setenv("ANYRANK_VOYAGE_BASE_URL", service.url)
        monkeypatch.setenv("VOYAGE_API_KEY", KEY)
        yield service
