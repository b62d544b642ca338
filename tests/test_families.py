"""Language models as rerankers: each family's prompt, read-out and cuts, as in its own reference code."""

import json
import shutil

import pytest
import tiny_families as tiny

from anyrank import Chunked, Reranker, load
from anyrank._prompts import FAMILIES
from anyrank.errors import ArgumentError, ModelError
from anyrank.testing import ScorerContract

QUERY = "what is the capital of France?"
TEXTS = [
    "Paris is the capital of France.",
    "bananas",
    "",
    "Die Hauptstadt heißt Paris, 首都は巴黎。" * 3,
    "no yes 1 0",
    "two\nlines",
    'braces {query} {{ and }} "quotes" \\n',
    "Lyon " * 20,
]


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """Give the folders of a language model of each architecture, and of a Qwen3 with a head of one label."""
    pytest.importorskip("sentence_transformers")
    base = tmp_path_factory.mktemp("families")
    found = {name: tiny.save(base / name, name) for name in ("Qwen3", "Qwen2", "Gemma")}
    return found | {"headed": tiny.save(base / "headed", "Qwen3", labels=1)}


def asked(folder, **options):
    """Return the scorer of a folder, exact."""
    return load(f"cross_encoder:{folder}", backend="torch", dtype="float32", **options)


class TestFamily(ScorerContract):
    """The contract, on a language model with a short prompt."""

    relevant = None

    @pytest.fixture
    def scorer(self, families):
        return asked(families["Qwen2"], template={"prompt": "{query}|{document}?", "yes": "yes", "no": "no"})


INSTRUCTED = [name for name in tiny.FAMILIES if FAMILIES[name].takes_instruction]


@pytest.mark.parametrize(
    ("name", "instruction"),
    [*((name, None) for name in tiny.FAMILIES), *((name, "Only capitals' {query} count.") for name in INSTRUCTED)],
)
def test_scores_are_the_reference_codes(families, name, instruction):
    """To 1e-5, alone and in batches of texts of other lengths, with the family's own instruction and another one."""
    architecture, prompt = tiny.FAMILIES[name]
    folder = families[architecture]
    expected = tiny.reference(folder, prompt, QUERY, TEXTS, instruction)
    assert max(expected) - min(expected) > 0.1
    for batch_size in (1, 2, 8):
        scorer = asked(folder, template=name, instruction=instruction, batch_size=batch_size)
        assert scorer.score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("name", "prompt"), [("qwen3", tiny.qwen3), ("nemotron", tiny.nemotron)])
def test_a_head_of_one_label_is_asked_with_the_same_prompt(families, name, prompt):
    """As in the conversions of Qwen3-Reranker, and in Nemotron, whose head reads the last token here."""
    expected = tiny.reference(families["headed"], prompt, QUERY, TEXTS)
    assert asked(families["headed"], template=name).score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)


def test_a_template_of_ones_own(families):
    """The prompt, the answers and the instruction as given; a mapping, so that it fits a spec."""
    template = {"prompt": "{instruction}|{document}|{query}?", "yes": "Yes", "no": "no", "instruction": "Say."}

    def prompt(query, text, instruction):
        return [f"{instruction or 'Say.'}|{text}|{query}?"], ("Yes", "no")

    for instruction in (None, "Judge!"):
        scorer = asked(families["Qwen2"], template=template, instruction=instruction)
        expected = tiny.reference(families["Qwen2"], prompt, QUERY, TEXTS, instruction)
        assert scorer.score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)
        again = load(json.loads(json.dumps(scorer.spec)))
        assert (again.template, again.instruction) == (template, instruction)


def test_the_authors_probability(families):
    """The code of zerank shows sigmoid(logit / 5); the logit decides the order."""
    import torch

    raw = tiny.reference(families["Qwen3"], tiny.zerank, QUERY, TEXTS)
    shown = asked(families["Qwen3"], template="zerank", activation="sigmoid").score(QUERY, TEXTS)
    assert list(shown) == pytest.approx(torch.sigmoid(torch.tensor(raw) / 5).tolist(), abs=1e-5)
    assert list(shown.order) == pytest.approx(raw, abs=1e-5)


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_a_long_text_is_cut_and_nothing_else(families, name):
    """The score is that of the text's beginning under the whole prompt; the report counts the tokens that are gone."""
    architecture, prompt = tiny.FAMILIES[name]
    long = "Paris is the capital. " * 30
    parts, _ = prompt(QUERY, long, None)
    limit = len(tiny.ids_of(*parts)) - 500
    ranking = Reranker(asked(families[architecture], template=name, max_length=limit)).rerank(QUERY, [long, "Lyon"])
    expected = tiny.reference(families[architecture], prompt, QUERY, [long[:-500], "Lyon"])
    found = {hit.index: hit.score for hit in ranking}
    assert [found[0], found[1]] == pytest.approx(expected, abs=1e-5)
    assert ranking.report.truncated == {0: 500}
    assert ranking.report.query_truncated == 0


def test_a_long_query_keeps_three_quarters_of_the_room(families):
    """Beside a text that fills the rest; beside a short one it keeps all that is left, and both are scored so."""
    folder, (query, texts) = families["Qwen2"], ("q" * 300, ["t" * 300, "t" * 10])
    frame = len(tiny.ids_of(*tiny.mxbai("", "", None)[0]))
    scores = asked(folder, template="mxbai-v2", max_length=frame + 200).score(query, texts)
    expected = [
        tiny.reference(folder, tiny.mxbai, query[:asked_], [text[:read]])[0]
        for text, asked_, read in zip(texts, (150, 190), (50, 10), strict=True)
    ]
    assert scores == pytest.approx(expected, abs=1e-5)
    assert (scores.report.truncated, scores.report.query_truncated) == ({0: 250}, 150)


def test_a_long_query_of_a_bare_pair(models):
    """The same without a prompt: the library's scores of what is left of each pair."""
    from sentence_transformers import CrossEncoder
    from torch import nn

    texts = ["paris " * 30, "seine", "paris " * 12]
    left = [("paris " * 45, "paris " * 16), ("paris " * 50, "seine"), ("paris " * 49, "paris " * 12)]
    library = CrossEncoder(models["one_label"], device="cpu")
    expected = library.predict(left, activation_fn=nn.Identity()).tolist()
    scores = asked(models["one_label"]).score("paris " * 50, texts)
    assert scores == pytest.approx(expected, abs=1e-5)
    assert (scores.report.truncated, scores.report.query_truncated) == ({0: 14}, 5)


def test_a_prompt_that_leaves_no_room_says_so(families):
    """Every text would score the same."""
    with pytest.raises(ModelError, match="max_length leaves no room"):
        asked(families["Qwen2"], template="mxbai-v2", max_length=50).score(QUERY, TEXTS)


def test_a_cut_never_splits_a_letter(families):
    """A letter of several tokens goes as a whole, and what is left is measured again."""
    folder, text = families["Qwen2"], "巴黎" * 50
    frame = len(tiny.ids_of(*tiny.mxbai("", "", None)[0]))
    scores = asked(folder, template="mxbai-v2", max_length=frame + 20).score("q", [text])
    [expected] = tiny.reference(folder, tiny.mxbai, "q", [text[:6]])
    assert scores[0] == pytest.approx(expected, abs=1e-5)
    assert scores.report.truncated == {0: 282}


def test_windows_leave_room_for_the_prompt(families):
    """`Chunked` measures with a tokenizer that knows how much the prompt takes: nothing of a window is cut."""
    scorer = asked(families["Qwen3"], template="qwen3")
    report = Reranker(Chunked(scorer)).rerank(QUERY, ["Paris lies on the river. " * 200, "Lyon"]).report
    assert report.truncated == {}
    assert set(report.spans) >= {0}


def test_half_precision_reads_its_answer_in_full(families):
    """In bfloat16 the difference of two logits would be one of a few values, and texts would tie."""
    texts = [f"city {number}" for number in range(40)]
    scores = load(f"cross_encoder:{families['Qwen2']}", template="mxbai-v2", dtype="bfloat16").score(QUERY, texts)
    assert len(set(scores)) == len(texts)


def test_a_family_that_its_files_show_needs_no_template(families, tmp_path):
    """The repositories of zerank hold its code, which is not run; their name shows nothing."""
    folder = shutil.copytree(families["Qwen3"], tmp_path / "qwen3-reranker")
    (folder / "modeling_zeranker.py").write_text("raise SystemExit", encoding="utf-8")
    expected = tiny.reference(folder, tiny.zerank, QUERY, TEXTS)
    assert asked(folder).score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)


def test_an_architecture_that_only_one_family_has_needs_no_template(families, tmp_path):
    """Nemotron's bidirectional Llama; its own code is run only where that is asked for."""
    folder = shutil.copytree(families["headed"], tmp_path / "reranker")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = ["LlamaBidirectionalForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    expected = tiny.reference(folder, tiny.nemotron, QUERY, TEXTS)
    assert asked(folder).score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)


CHAT = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"


@pytest.mark.parametrize(("architecture", "labels"), [("Qwen3", None), ("Qwen2", 1)])
def test_an_unknown_language_model_is_refused_with_the_fix(tmp_path, architecture, labels):
    """Whatever its folder is called; with a head too, if a chat template comes along that nobody says to use."""
    folder = tiny.save(tmp_path / "Qwen3-Reranker", architecture, labels=labels, chat_template=CHAT)
    with pytest.raises(ModelError, match=r"without a modules\.json") as caught:
        asked(folder).warm_up()
    assert all(repr(name) in str(caught.value) for name in FAMILIES)


def test_a_head_that_was_trained_on_bare_pairs(tmp_path):
    """``template="pair"`` says so, where a chat template comes along."""
    import torch
    from transformers import AutoModelForSequenceClassification

    folder = tiny.save(tmp_path / "bare", "Qwen2", labels=1, chat_template=CHAT)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        expected = [model(torch.tensor([tiny.ids_of(QUERY, text)])).logits.item() for text in TEXTS]
    assert asked(folder, template="pair").score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)


@pytest.fixture(scope="module")
def own_words(families, tmp_path_factory):
    """Give the folder of a repository with modules.json, whose chat template takes an instruction, in its own way."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.modules import LogitScore, Transformer

    template = (
        "{% for message in messages %}{{ message.role[0] }}={{ message.content }};{% endfor %}"
        "{% if add_generation_prompt %}!{% endif %}"
    )
    settings = {"chat_template": {"add_generation_prompt": True}}
    transformer = Transformer(
        families["Qwen2"],
        transformer_task="text-generation",
        processor_kwargs={"chat_template": template},
        processing_kwargs=settings,
    )
    [yes], [no] = tiny.ids_of("Yes"), tiny.ids_of("no")
    folder = str(tmp_path_factory.mktemp("own") / "words")
    CrossEncoder(modules=[transformer, LogitScore(yes, no)]).save_pretrained(folder)
    return folder


def own_prompt(query, text, instruction):
    """Return what that repository reads."""
    return [f"s={instruction};" * bool(instruction) + f"q={query};d={text};!"], ("Yes", "no")


@pytest.mark.parametrize("instruction", [None, "Only capitals count."])
def test_a_repository_that_says_how_it_is_asked_is_asked_so(own_words, instruction):
    """The instruction is the library's prompt; what is long is cut and counted, the end of the prompt is not."""
    scorer = asked(own_words, instruction=instruction)
    expected = tiny.reference(own_words, own_prompt, QUERY, TEXTS, instruction)
    assert scorer.score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)
    frame = len(tiny.ids_of(*own_prompt(QUERY, "", instruction)[0]))
    cut = asked(own_words, instruction=instruction, max_length=frame + 20).score(QUERY, ["Paris" * 10])
    [expected] = tiny.reference(own_words, own_prompt, QUERY, ["Paris" * 4], instruction)
    assert cut[0] == pytest.approx(expected, abs=1e-5)
    assert cut.report.truncated == {0: 30}


def test_a_template_given_wins_over_the_repositorys(own_words):
    """Whoever says how it is asked is believed."""
    expected = tiny.reference(own_words, tiny.mxbai, QUERY, TEXTS)
    assert asked(own_words, template="mxbai-v2").score(QUERY, TEXTS) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("one_label", {"instruction": "Be strict."}, "takes no instruction"),
        ("yes_no", {"instruction": "Be strict."}, "takes no instruction"),
        ("Gemma", {"template": "bge-gemma", "instruction": "Be strict."}, "takes no instruction"),
        ("Qwen2", {"template": {"prompt": "{query}{document}", "yes": "certainly"}}, "no single token for .*certainly"),
        ("Qwen2", {"template": {"prompt": "{query}{document}", "yes": 100_000}}, "no single token for .*100000"),
        ("Qwen2", {"template": {"prompt": "{query}{document}"}}, "does not say which token means yes"),
        ("Qwen2", {"template": "pair"}, "answers nothing to a bare pair"),
        ("one_label", {"modalities": ["text", "image"]}, "cannot read images"),
    ],
)
def test_what_a_model_cannot_do_is_refused_at_the_first_call(models, families, model, options, says):
    """An instruction that nothing changes with, answers it cannot give, images it cannot read: never ignored."""
    with pytest.raises(ModelError, match=says):
        asked((models | families)[model], **options).score(QUERY, TEXTS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"template": "qwen"}, "no template 'qwen'; known: 'qwen3', .*'pair'"),
        ({"template": {"prompt": "{query}"}}, r"holds both \{query\} and \{document\}"),
        ({"template": {}}, "holds both"),
        ({"template": {"prompt": "{query}{document}", "instructed": "{query}"}}, "holds both"),
        ({"template": {"prompt": "{query}{document}", "no": True}}, "no=True cannot be right"),
        ({"template": {"prompt": "{query}{document}", "temperature": 0}}, "temperature=0 cannot be right"),
        ({"template": {"prompt": "{query}{document}", "max_length": "all"}}, "max_length='all' cannot be right"),
        ({"template": {"prompt": "{query}{document}", "maybe": "2"}}, "no 'maybe'; known: prompt, yes, no"),
        ({"instruction": " "}, "instruction= is a sentence"),
        ({"modalities": ("text", "smell")}, "modalities= is"),
    ],
)
def test_options_are_checked_at_construction(options, says):
    """Before anything is loaded."""
    with pytest.raises(ArgumentError, match=says):
        load("cross_encoder:some/model", **options)
