"""Long texts are read to their end, and what was found where is told."""

import asyncio
import copy
import pickle
import threading
from itertools import pairwise

import pytest
from conftest import tokenizer
from hypothesis import given
from hypothesis import strategies as st
from overlap import Overlap, overlap_installed  # noqa: F401 - a fixture

from anyrank import Cached, Cascade, Chunked, Ensemble, Image, Ranking, Report, Reranker, Scores, load, spec_of
from anyrank._windows import Words, measure_of
from anyrank.errors import ArgumentError, SpecError
from anyrank.testing import ScorerContract

HAY = "the river lies on the heap first"
FACT = "potassium is rich in bananas"
NEEDLE = " ".join([*(HAY.split() * 500)[:3000], FACT, *(HAY.split() * 500)[:500]])


@pytest.mark.usefixtures("overlap_installed")
class TestChunked(ScorerContract):
    """The contract, with windows of three words and each way to make one score of them."""

    @pytest.fixture(params=["max", "mean", "first", "top_2_mean"])
    def scorer(self, request):
        return Chunked(Overlap(reads=3), 3, aggregate=request.param)


@pytest.mark.usefixtures("overlap_installed")
class TestChunkedOverCached(ScorerContract):
    """The contract, with the windows' scores kept."""

    @pytest.fixture
    def scorer(self):
        return Chunked(Cached(Overlap()), 4)


@pytest.mark.usefixtures("overlap_installed")
class TestCachedOverChunked(ScorerContract):
    """The contract, with the texts' scores kept."""

    @pytest.fixture
    def scorer(self):
        return Cached(Chunked(Overlap(), 4))


class TestChunkedByTokens(ScorerContract):
    """The contract, measured by a tokenizer."""

    @pytest.fixture
    def scorer(self):
        return Chunked(Overlap(), 12, length=tokenizer())

    @pytest.mark.xfail(raises=SpecError, reason="a tokenizer cannot be written down")
    def test_the_spec_builds_an_equal_scorer(self, reranker):
        """There is none."""
        super().test_the_spec_builds_an_equal_scorer(reranker)


def sync(scorer, query, texts):
    """Rerank from sync code."""
    return Reranker(scorer).rerank(query, texts)


def awaited(scorer, query, texts):
    """Rerank on an event loop of its own."""
    return asyncio.run(Reranker(scorer).arerank(query, texts))


BOTH = pytest.mark.parametrize("ask", [sync, awaited])


# The needle


@BOTH
@pytest.mark.parametrize(
    "options", [{}, {"size": 400}, {"max_length": 512}, {"length": tokenizer(), "size": 512}], ids=str
)
def test_a_fact_at_word_3000_wins_with_a_scorer_that_reads_512(ask, options):
    """And the best span is where it stands."""
    texts = [NEEDLE, HAY * 400, "potassium is nowhere"]
    query = "bananas potassium"
    assert ask(Overlap(reads=512), query, texts)[0].index == 2
    ranking = ask(Chunked(Overlap(reads=512), **options), query, texts)
    assert ranking[0].index == 0
    start, end = ranking.report.spans[0]
    assert FACT in NEEDLE[start:end]
    assert end - start < len(NEEDLE) / 4
    assert 2 not in ranking.report.spans


# Windows


def windows(text, size, overlap, length=None):
    """Return the windows of a text and where they begin and end."""
    spans = list(measure_of(length).pieces(text).windows(size, overlap))
    return [text[start:end] for start, end in spans], spans


ODD = st.text(st.sampled_from("ab \n巴黎กา한é\u0301\ud800\U0001f469\u200d."), min_size=1)


@given(ODD, st.integers(1, 12), st.integers(0, 11))
def test_windows_leave_nothing_out(text, size, overlap):
    """Every one has something in it and no more than it holds; each goes on where, or before, the last one ended."""
    if not text.strip():
        return
    found, spans = windows(text, size, min(overlap, size - 1))
    assert all(window.strip() for window in found)
    assert all(Words().pieces(window).weight <= size for window in found)
    assert not text[: spans[0][0]].strip()
    assert not text[spans[-1][1] :].strip()
    assert all(not text[end:start].strip() for (_, end), (start, _) in pairwise(spans))
    assert all(one < other for one, other in pairwise(spans))
    assert all(Words().pieces(window).weight == size for window in found[1:])


@given(ODD, st.integers(1, 12), st.integers(0, 11))
def test_windows_of_characters(text, size, overlap):
    """With a function to measure, a window holds at most that much, unless one word is more than that."""
    if not text.strip():
        return
    found, _ = windows(text, size, min(overlap, size - 1), len)
    assert all(len(window) <= size or len(Words().pieces(window).starts) == 1 for window in found)
    assert found


@pytest.mark.parametrize(
    ("text", "size", "overlap", "expected"),
    [
        ("a b c d e", 2, 0, ["a b", "c d", "d e"]),
        ("a b c d e", 3, 1, ["a b c", "c d e"]),
        (" a  b\nc ", 2, 1, ["a  b", "b\nc"]),
        ("巴黎是法国的首都", 3, 1, ["巴黎是", "是法国", "国的首", "的首都"]),
        ("ปารีสคือ", 4, 0, ["ปารี", "สคือ"]),
        ("東京 Tokyo 大阪", 3, 0, ["東京 Tokyo", "Tokyo 大阪"]),
        ("한국어 문장 하나", 2, 0, ["한국어 문장", "문장 하나"]),
        ("x" * 40, 2, 0, ["x" * 32, "x" * 24]),
    ],
)
def test_windows_by_hand(text, size, overlap, expected):
    """Words where there are spaces, characters where a script has none; the last window is as full as the others."""
    assert windows(text, size, overlap)[0] == expected


def test_a_tokenizers_windows_are_cut_between_its_tokens():
    """Pieces of words count as the model counts them, and the text between stays as it is written."""
    found, _ = windows("Paris lies on  the Seine ? xyz", 4, 1, tokenizer())
    assert found == ["Paris lies on  the", "the Seine ?", "? xyz"]
    own = tokenizer()
    assert all(len(own(window, add_special_tokens=False).input_ids) <= 4 for window in found)


def test_a_tokenizer_that_is_lent_stays_as_it_is():
    """Its owner may have set a truncation, which would cut the very texts that are to be measured."""
    own = tokenizer()
    own.backend_tokenizer.enable_truncation(4)
    pieces = measure_of(own).pieces("a " * 30)
    assert pieces.weight == 30
    assert own.backend_tokenizer.truncation["max_length"] == 4
    assert measure_of(own.backend_tokenizer).pieces("a " * 30).weight == 30


@pytest.mark.parametrize("text", ["bananas are rich ? " * 3000, "a?" * 15_000], ids=["spaces", "none"])
def test_a_book_is_measured_as_its_parts(text):
    """A tokenizer gets it in blocks, and what it says of them is told of the whole."""
    pieces = measure_of(tokenizer()).pieces(text)
    found = [text[start:end] for start, end in zip(pieces.starts, pieces.ends, strict=True)]
    assert "".join(found) == text.replace(" ", "")
    assert pieces.weight == (12_000 if " " in text else 30_000)


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u3000"])
def test_a_blank_text_goes_as_it_is(text):
    """There is nothing to cut."""
    scorer = Overlap()
    Chunked(scorer, 1).score("q", [text])
    assert scorer.asked == [(text,)]


def test_texts_of_one_window_go_as_they_are_and_all_in_one_question():
    """The scorer inside batches: windows of all texts come together, in order, with each text's first-stage score."""
    scorer = Overlap()
    Reranker(Chunked(scorer, 2, overlap=0)).rerank("q", Ranking.of([" a  b ", "c d e", ""], [3.0, 2.0, 1.0]))
    [asked] = scorer.asked
    assert asked == (" a  b ", "c d", "d e", "")
    assert asked.first_stage == (3.0, 2.0, 2.0, 1.0)


def test_an_image_is_not_cut():
    """A URL is no text, however long."""

    class Pictures(Overlap):
        modalities = frozenset({"text", "image"})

    scorer = Pictures()
    url = Image("data:image/png;base64," + "A" * 1000)
    Chunked(scorer, 2).score("cat", [url])
    assert scorer.asked[0][0] is url


# What the query takes


@pytest.mark.parametrize(
    ("options", "query", "longest"),
    [
        ({"max_length": 20}, "two words", 18),
        ({"max_length": 20, "size": 7}, "two words", 7),
        ({"max_length": 20, "size": 19}, "two words", 18),
        ({"max_length": 20}, "many words " * 50, 5),
        ({"max_length": 1}, "two words", 1),
        ({"max_length": 40, "length": tokenizer()}, "what is", 40 - 2 - 3),
        ({"length": tokenizer()}, "what is", 64 - 2 - 3),
        ({"max_length": 40, "length": len}, "what is", 33),
        ({}, "two words", 256),
        ({"size": 9}, "two words", 9),
    ],
    ids=str,
)
def test_what_the_query_takes_is_taken_off(options, query, longest):
    """Down to a quarter of what the scorer reads; a tokenizer's own tokens around a pair count too."""
    scorer = Overlap()
    Chunked(scorer, **options).score(query, ["a " * 1000])
    measure = measure_of(options.get("length"))
    assert max(measure.pieces(window).weight for window in scorer.asked[0]) == longest


def test_a_scorers_own_tokenizer_measures():
    """Where the scorer has one, with what the scorer says it reads, else with what the tokenizer says."""

    class Model(Overlap):
        def __init__(self, max_length=None):
            super().__init__()
            self.max_length = max_length
            self.tokenizer = tokenizer()

    for scorer, room in ((Model(), 64 - 2 - 3), (Model(30), 30 - 2 - 3)):
        Chunked(scorer).score("what is", ["a " * 100])
        assert measure_of(tokenizer()).pieces(scorer.asked[0][0]).weight == room
    scorer = Model()
    scorer.tokenizer = object()
    Chunked(scorer).score("what is", ["a " * 300])
    assert len(scorer.asked[0][0].split()) == 256


def test_a_tokenizer_is_read_off_the_event_loop():
    """To ask for it may load the model; warming up brings it early."""
    seen = []

    class Model(Overlap):
        @property
        def tokenizer(self):
            """Remember who asked."""
            seen.append(threading.current_thread())
            return tokenizer()

    awaited(Chunked(Model()), "q", ["a"])
    asyncio.run(Chunked(Model()).awarm_up())
    assert len(seen) >= 2
    assert threading.main_thread() not in seen
    Chunked(Model()).warm_up()
    assert threading.main_thread() in seen


def test_many_texts_are_cut_off_the_event_loop():
    """A long book takes long enough to hold one."""
    seen = []

    def length(text):
        seen.append(threading.current_thread())
        return len(text)

    awaited(Chunked(Overlap(), 2000, length=length), "q", ["a b"])
    assert threading.main_thread() not in seen
    assert awaited(Chunked(Overlap()), "b", ["a " * 50_000 + "b", "a"])[0].index == 0


# One score of several


def by_length(_query, texts):
    """Return the number in each text, with a finer order."""
    values = [float(text.split()[-1]) for text in texts]
    return Scores([min(value, 5.0) for value in values], order=values)


@pytest.mark.parametrize(
    ("aggregate", "expected", "span"),
    [
        ("max", 5.0, (8, 9)),
        ("first", 1.0, (0, 1)),
        ("mean", (1 + 5 + 2 + 5 + 5) / 5, (8, 9)),
        ("top_2_mean", 5.0, (8, 9)),
        ("top_4_mean", (5 + 5 + 5 + 2) / 4, (8, 9)),
        ("top_9_mean", (1 + 5 + 2 + 5 + 5) / 5, (8, 9)),
    ],
)
def test_a_texts_score_by_hand(aggregate, expected, span):
    """The best window is that of the finest order, the first of equals."""
    scores = Chunked(by_length, 1, overlap=0, aggregate=aggregate).score("q", ["1 6 2 7 9"[:8] + "9", "3"])
    assert tuple(scores) == (pytest.approx(expected), 3.0)
    assert scores.report.spans == {0: span}


def test_order_values_are_kept_where_one_window_decides():
    """A mean is compared as it is shown."""
    texts = ["7 1", "9 1", "8"]
    assert Chunked(by_length, 1, overlap=0).score("q", texts).order == (7.0, 9.0, 8.0)
    assert Chunked(by_length, 1, overlap=0, aggregate="first").score("q", texts).order == (7.0, 9.0, 8.0)
    assert Chunked(by_length, 1, overlap=0, aggregate="mean").score("q", texts).order is None


def test_with_first_the_other_windows_are_not_asked_about():
    """Their scores would not count."""
    scorer = Overlap()
    Chunked(scorer, 2, aggregate="first").score("q", ["a b c d e", "f"])
    assert scorer.asked == [("a b", "f")]


@BOTH
def test_the_report_is_that_of_the_scorer_in_terms_of_texts(ask):
    """Name, kind and usage are its own; what it cut of a text's windows is added up."""

    class Cutting:
        name, model, score_kind = "cutting", "m-1", "cosine"

        def score(self, _query, texts):
            cut = {index: 2 for index, text in enumerate(texts) if text != "c"}
            return Scores([0.0 for _ in texts], report=Report(truncated=cut, usage={"tokens": len(texts)}, requests=1))

    chunked = Chunked(Cutting(), 1, overlap=0)
    report = ask(chunked, "q", ["c", "a b c", "d"]).report
    assert (report.scorer, report.model, report.score_kind) == ("cutting", "m-1", "cosine")
    assert (report.truncated, report.usage, report.requests) == ({1: 4, 2: 2}, {"tokens": 5}, 1)
    assert report.to_dict()["spans"] == {"1": [0, 1]}
    assert (chunked.model, chunked.score_kind, chunked.scope) == ("m-1", "cosine", "text")


def test_a_best_span_comes_back_from_a_cache():
    """`Cached` around `Chunked` keeps it; `Chunked` around `Cached` keeps each window's score."""
    text = "a b c needle d e"
    for scorer in (Cached(Chunked(Overlap(), 2)), Chunked(Cached(Overlap()), 2)):
        first, again = (Reranker(scorer).rerank("needle", [text]) for _ in range(2))
        assert first.report.spans == again.report.spans == {0: (4, 12)}
        assert (first.report.cached, again.report.cached > 0) == (0, True)


def test_members_of_an_ensemble_tell_their_own_spans():
    """The whole says the first member's, and what others found where it cut nothing."""
    ensemble = Ensemble({"a": Chunked(Overlap(), 2), "b": Chunked(Overlap(), 3)})
    report = Reranker(ensemble).rerank("needle", ["a b c needle", "x y z"]).report
    assert report.spans == {0: (4, 12), 1: (0, 3)}
    assert report.members["b"].spans == {0: (2, 12)}


# What is refused


@pytest.mark.parametrize("scorer", ["lexical", "first_stage", "jina:jina-reranker-v3"])
def test_a_score_that_depends_on_the_other_texts_cannot_be_chunked(scorer):
    """Windows would change the list; refused by name at construction."""
    with pytest.raises(ArgumentError, match="Chunked needs a scorer whose scores depend on each text alone"):
        Chunked(scorer)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": 0}, "size must be a whole number above 0"),
        ({"size": 2.5}, "size must be a whole number above 0"),
        ({"overlap": -1}, "overlap must be a whole number"),
        ({"overlap": False}, "overlap must be a whole number"),
        ({"size": 5, "overlap": 5}, "overlap=5 must be less than a window, which holds 5"),
        ({"overlap": 300}, "overlap=300 must be less than a window, which holds 256"),
        ({"max_length": 0}, "max_length must be a whole number above 0"),
        ({"aggregate": "best"}, "aggregate must be 'max', 'mean', 'first' or the mean of the best"),
        ({"aggregate": "top_0_mean"}, "aggregate must be"),
        ({"aggregate": None}, "aggregate must be"),
        ({"length": 5}, "length= takes a fast tokenizer"),
        (
            {"length": type("Slow", (), {"tokenize": 1, "__call__": 1, "__repr__": lambda _: "slow"})()},
            "length= takes a fast tokenizer",
        ),
    ],
    ids=str,
)
def test_options_are_checked_at_construction(options, says):
    """What cannot be right is said before any call."""
    with pytest.raises(ArgumentError, match=says):
        Chunked(Overlap(), **options)


@pytest.mark.parametrize("answer", [-1, float("nan"), "long", None])
def test_a_function_that_measures_nothing_is_named(answer):
    """With what it returned, and for what."""
    with pytest.raises(ArgumentError, match="length= must return a number of at least 0; it returned"):
        Chunked(Overlap(), length=lambda _text: answer).score("q", ["a b"])


@pytest.mark.parametrize(
    "spec",
    [
        {"chunked": {"scorer": "cross_encoder:some/model"}},
        {"chunked": {"scorer": "embedding:m", "size": 100, "overlap": 0, "aggregate": "top_3_mean", "max_length": 512}},
        {"chunked": {"scorer": {"cached": {"scorer": "cohere"}}, "aggregate": "first"}},
    ],
    ids=str,
)
def test_a_spec_survives_the_round_trip(spec):
    """`spec_of` writes what `load` reads."""
    assert spec_of(load(spec)) == spec


def test_a_measure_of_ones_own_has_no_spec():
    """A function or a tokenizer cannot be written down."""
    with pytest.raises(SpecError, match="length="):
        spec_of(Chunked("embedding:m", length=len))


def test_copies_and_pickles_work():
    """The measure goes along; a tokenizer that is the scorer's does not."""
    for scorer in (Chunked(Overlap(), 2), Chunked(Overlap(), 2, length=len), Chunked(Overlap(), 9, length=tokenizer())):
        before = scorer.score("needle", ["a b c needle"])
        for twin in (copy.deepcopy(scorer), pickle.loads(pickle.dumps(scorer))):
            assert twin.score("needle", ["a b c needle"]) == before


def test_a_model_of_64_tokens_reads_a_text_of_600(models):
    """Windows of a real tokenizer's tokens fit a real model, so that nothing is cut from them."""
    from transformers import AutoTokenizer

    folder = models["one_label"]
    lent = AutoTokenizer.from_pretrained(folder)
    scorer = load(f"cross_encoder:{folder}", backend="torch")
    text = " ".join(["paris lies on the river seine ."] * 80)
    chunked = Chunked(scorer, length=lent)
    scores = chunked.score("what is the capital", [text, "bananas"])
    start, end = scores.report.spans[0]
    assert scores[0] == pytest.approx(scorer.score("what is the capital", [text[start:end]])[0], abs=1e-4)
    assert len(lent("what is the capital", text[start:end]).input_ids) == 64
    scorer.close()


def test_a_cascade_tells_spans_by_the_place_in_the_input():
    """A later stage's spans are those of the documents as they were given."""
    cascade = Cascade((Overlap(), 1), Chunked(Overlap(), 2))
    assert cascade.rerank("needle", ["hay hay", "hay hay needle"]).report.spans == {1: (4, 14)}


@pytest.mark.parametrize("kind", ["cross_encoder:{one_label}", "embedding:{bi_encoder}"])
def test_a_local_model_reads_its_windows_whole(models, kind):
    """Measured by the model's own tokenizer, so that nothing is cut from any of them."""
    chunked = Chunked(load(kind.format(**models), dtype="float32"))
    report = Reranker(chunked).rerank("what is", ["paris lies on the river seine . " * 60, "\u5df4\u9ece" * 200]).report
    assert report.spans.keys() == {0, 1}
    assert not report.truncated
