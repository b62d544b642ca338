"""What the tests share: real tables, a hub of tiny models, services on loopback."""

import os
import sys
from pathlib import Path

import lancedb
import pytest
from fake_service import KEY, running
from lancedb.index import FTS

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves it out

from lance_results import TEXTS, vectors


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """Give a LanceDB database on disk."""
    return lancedb.connect(tmp_path_factory.mktemp("lance"))


@pytest.fixture(scope="session")
def table(database):
    """Give a table of eight texts with vectors and a full-text index."""
    rows = [
        {"id": number, "text": text, "group": number % 3, "vector": vector}
        for number, (text, vector) in enumerate(zip(TEXTS, vectors(len(TEXTS)), strict=True))
    ]
    made = database.create_table("texts", rows)
    made.create_index("text", config=FTS(with_position=True))
    return made


@pytest.fixture(scope="session", autouse=True)
def _converted(tmp_path_factory):
    """Keep converted models in a folder of the run's own."""
    os.environ.setdefault("ANYRANK_CACHE", str(tmp_path_factory.mktemp("converted")))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Give the folders of tiny models with random weights: a cross-encoder, one with three labels, an encoder."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizer

    words = "[PAD] [UNK] [CLS] [SEP] [MASK] hello goodbye world merge sorted inputs list".split()  # noqa: SIM905
    letters = [part for letter in "abcdefghijklmnopqrstuvwxyz" for part in (letter, f"##{letter}")]
    tokenizer = BertTokenizer(vocab={word: n for n, word in enumerate(words + letters)}, model_max_length=32)
    torch.manual_seed(0)
    kinds = {"one_label": (BertForSequenceClassification, 1), "three_labels": (BertForSequenceClassification, 3)}
    folders = {}
    for name, (kind, labels) in {**kinds, "encoder": (BertModel, 1)}.items():
        shape = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=32,
            initializer_range=0.5,
            num_labels=labels,
        )
        folders[name] = tmp_path_factory.mktemp(name)
        kind(shape).eval().save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


@pytest.fixture(scope="session")
def hub(models, tmp_path_factory):
    """Write a cache of the Hugging Face hub that holds tiny models under the names that the guides use."""
    from huggingface_hub import constants

    home = tmp_path_factory.mktemp("hf_home")
    named = {
        "cross-encoder/ms-marco-TinyBERT-L-6": "one_label",
        "colbert-ir/colbertv2.0": "encoder",
        "answerdotai/answerai-colbert-small-v1": "encoder",
        "sentence-transformers/all-MiniLM-L6-v2": "encoder",
    }
    for name, model in named.items():
        folder = home / "hub" / f"models--{name.replace('/', '--')}"
        commit = "0123456789abcdef" * 2 + "01234567"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text(commit)
        (folder / "snapshots").mkdir()
        (folder / "snapshots" / commit).symlink_to(models[model], target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(home))
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))  # what HF_HOME was read into, at import
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        yield home


@pytest.fixture
def jina(monkeypatch):
    """Give a Jina on loopback, for LanceDB's class and for ours."""
    from lancedb.rerankers import jinaai

    with running("jina") as service:
        monkeypatch.setenv("ANYRANK_JINA_BASE_URL", service.url)
        monkeypatch.setenv("JINA_API_KEY", KEY)
        monkeypatch.setattr(jinaai, "API_URL", f"{service.url}/v1/rerank")
        yield service
