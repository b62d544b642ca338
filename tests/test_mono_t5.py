"""monoT5 scores as a plain forward pass of transformers does, keeps the end of its prompt, and refuses to guess."""

import json

import pytest
from conftest import WORDS

from anyrank import Reranker, load
from anyrank.errors import ArgumentError, ModelError
from anyrank.testing import ScorerContract

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

QUERY = "what is the capital of france ?"
TEXTS = ["paris is the capital of france .", "bananas", "paris lies on the river seine . " * 3, "", "a heap of items"]
LONG = "paris lies on the river seine . " * 20
PAIRS = {"t5": ("▁false", "▁true"), "mt5": ("▁no", "▁yes"), "ptt5": ("▁não", "▁sim"), "large": ("▁no", "▁yes")}


def tokenizer(*answers):
    """Return a T5 tokenizer of the words of the tests, all letters and these answers."""
    from transformers import T5Tokenizer

    letters = [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz.?:," for mark in ("", "▁")]
    words = [f"▁{word}" for word in WORDS if word[0] != "[" and word not in ("yes", "no", ".", "?")]
    pieces = dict.fromkeys(["▁", "▁Query", "▁Document", "▁Relevant", *answers, *words, *letters], -1.0)
    special = dict.fromkeys(["<pad>", "</s>", "<unk>"], 0.0)
    return T5Tokenizer(vocab=list((special | pieces).items()), extra_ids=0)


def build(folder, kind="T5", answers=("▁false", "▁true"), size=None, **settings):
    """Save a tiny model with random weights and return its folder."""
    import transformers

    words = tokenizer(*answers)
    shape = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "initializer_factor": 1.0}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=size or len(words), decoder_start_token_id=0, **shape, **settings
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForConditionalGeneration")(config).eval()
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def t5s(tmp_path_factory):
    """Give the folders of tiny models: t5, mt5, ptt5, and large, which calls itself T5 and has mT5's vocabulary."""
    base = tmp_path_factory.mktemp("t5")
    return {
        "t5": build(base / "t5", "T5", ("▁false", "▁true", "▁no", "▁yes")),
        "mt5": build(base / "mt5", "MT5", ("▁false", "▁true", "▁no", "▁yes"), tie_word_embeddings=False),
        "ptt5": build(base / "ptt5", "T5", ("▁não", "▁sim", "▁no", "▁yes")),
        "large": build(base / "large", "T5", ("▁no", "▁yes"), size=250_112),
    }


def log_odds(folder, prompt, pair):
    """Return logit(yes) - logit(no), by a plain forward pass over a prompt: a text, or token ids."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    ids = words(prompt)["input_ids"] if isinstance(prompt, str) else prompt
    no, yes = words.convert_tokens_to_ids(list(pair))
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([[0]])).logits[0, 0]
    return float(logits[yes] - logits[no])


class TestMonoT5(ScorerContract):
    """The contract, on a model of random weights."""

    relevant = None

    @pytest.fixture
    def scorer(self, t5s):
        return load(f"mono_t5:{t5s['t5']}", dtype="float32")


class TestWordsOfItsOwn(TestMonoT5):
    """The contract, on a model whose words are said."""

    @pytest.fixture
    def scorer(self, t5s):
        return load(f"mono_t5:{t5s['ptt5']}", tokens=["▁não", "▁sim"])


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("family", PAIRS)
def test_scores_are_those_of_a_plain_forward_pass(t5s, family, batch_size):
    """The softmax of the family's two words is shown, their log-odds decide, whatever else is in the batch."""
    tokens = PAIRS[family] if family == "ptt5" else None
    scores = load(f"mono_t5:{t5s[family]}", tokens=tokens, batch_size=batch_size).score(QUERY, TEXTS)
    expected = [log_odds(t5s[family], f"Query: {QUERY} Document: {text} Relevant:", PAIRS[family]) for text in TEXTS]
    assert len({round(each, 3) for each in expected}) == len(TEXTS)
    assert scores.order == pytest.approx(expected, abs=1e-5)
    assert list(scores) == pytest.approx(torch.tensor(expected).sigmoid().tolist(), abs=1e-5)
    assert dict(scores.report.truncated) == {}


def test_a_long_document_loses_its_end_and_the_prompt_keeps_its_own(t5s):
    """Only the document is cut, to the token; the report says how much of which."""
    words = tokenizer("▁false", "▁true", "▁no", "▁yes")
    ids = words(f"Query: {QUERY} Document: {LONG} Relevant:")["input_ids"]
    texts = ["bananas", LONG]
    scores = load(f"mono_t5:{t5s['t5']}", max_length=64).score(QUERY, texts)
    kept = [*ids[:61], *ids[-3:]]
    assert words.convert_ids_to_tokens(kept[-3:]) == ["▁Relevant", ":", "</s>"]
    assert scores.order[1] == pytest.approx(log_odds(t5s["t5"], kept, PAIRS["t5"]), abs=1e-5)
    assert dict(scores.report.truncated) == {1: len(ids) - 64}
    assert len(ids) < 512
    assert not load(f"mono_t5:{t5s['t5']}").score(QUERY, texts).report.truncated
    assert dict(load(f"mono_t5:{t5s['t5']}").score(QUERY, [LONG * 4]).report.truncated)


def test_a_long_query_leaves_room_for_the_documents(t5s):
    """However long the query, documents differ."""
    scores = load(f"mono_t5:{t5s['t5']}").score(LONG * 9, TEXTS)
    assert len({round(raw, 4) for raw in scores.order}) == len(TEXTS)
    assert not scores.report.truncated


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_keeps_the_order(t5s, dtype):
    """The read-out is float32, so that texts do not tie; scores stay close."""
    texts = [" ".join(WORDS[first : first + 6]) for first in range(5, 40)]
    exact, reduced = (
        load(f"mono_t5:{t5s['mt5']}", dtype=name).score(QUERY, texts).order for name in ("float32", dtype)
    )
    assert len(set(reduced)) == len(set(exact))
    assert torch.corrcoef(torch.tensor([exact, reduced]))[0, 1] > 0.99


@pytest.mark.parametrize(
    ("kind", "answers", "options", "says"),
    [
        ("T5", ("▁yes", "▁no"), {}, "does not hold both ▁false and ▁true"),
        ("MT5", ("▁false", "▁true"), {}, "does not hold both ▁no and ▁yes"),
        ("T5", ("▁false", "▁true"), {"tokens": ("▁ne", "▁ja")}, "does not hold both ▁ne and ▁ja"),
    ],
)
def test_a_vocabulary_without_the_words_is_refused(tmp_path, kind, answers, options, says):
    """Nobody can tell how such a model says yes: the error names the option that does."""
    reranker = Reranker(load(f"mono_t5:{build(tmp_path, kind, answers)}", **options))
    with pytest.raises(ModelError, match=rf"{says}.*tokens="):
        reranker.rerank(QUERY, TEXTS)


def test_half_a_model_is_refused(tmp_path):
    """An encoder without its decoder would score at random."""
    from transformers import T5Config, T5EncoderModel

    words = tokenizer("▁false", "▁true")
    words.save_pretrained(tmp_path)
    T5EncoderModel(
        T5Config(vocab_size=len(words), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2)
    ).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"no whole encoder-decoder: the checkpoint lacks decoder\."):
        Reranker(f"mono_t5:{tmp_path}").rerank(QUERY, TEXTS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tokens": "▁yes"}, "two different words"),
        ({"tokens": ("▁yes", "▁yes")}, "two different words"),
        ({"tokens": ("▁no", 1)}, "two different words"),
        ({"tokens": ("▁no", "▁yes", "▁maybe")}, "two different words"),
        ({"max_length": 8}, "max_length=32 or more"),
        ({"backend": "openvino"}, "no backend 'openvino'"),
    ],
)
def test_options_are_checked_at_construction(options, says):
    """Before anything is loaded."""
    with pytest.raises(ArgumentError, match=says):
        load("mono_t5:some/model", **options)


def test_the_spec_is_json(t5s):
    """Tokens travel as a list, and load reads them back."""
    scorer = load(f"mono_t5:{t5s['ptt5']}", tokens=("▁não", "▁sim"))
    assert load(json.loads(json.dumps(scorer.spec))).tokens == scorer.tokens
