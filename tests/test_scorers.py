"""Every scorer that needs no model meets the contract; BM25 is BM25; the contract catches what it should."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Cascade, Ensemble, Fallback, FirstStage, Reranker, Scores, load
from anyrank.errors import ArgumentError
from anyrank.scorers.lexical import Lexical, words
from anyrank.testing import ScorerContract, installed_scorers


class TestLexical(ScorerContract):
    """The contract, on BM25."""

    @pytest.fixture
    def scorer(self):
        return "lexical"


class TestSharesOfNgrams(TestLexical):
    """The contract, on four-grams and shares."""

    @pytest.fixture
    def scorer(self):
        return load("lexical", ngrams=4, activation="share")


class TestEnsemble(ScorerContract):
    """The contract, on a fusion of two settings of BM25."""

    @pytest.fixture
    def scorer(self):
        return Ensemble({"long": Lexical(b=0.9), "short": "lexical"}, "relative_score", {"long": 1, "short": 2})


class TestEnsembleWithTheFirstStage(ScorerContract):
    """The contract, with the retriever's order in the vote."""

    relevant = None

    @pytest.fixture
    def scorer(self):
        return Ensemble({"bm25": "lexical", "first": FirstStage()})


class TestFirstStage(ScorerContract):
    """The contract, on the order the list was given in."""

    relevant = None

    @pytest.fixture
    def scorer(self):
        return "first_stage"


class TestFallback(ScorerContract):
    """The contract, on a chain that answers at once."""

    @pytest.fixture
    def scorer(self):
        return {"fallback": {"scorers": ["lexical", "first_stage"]}}


class TestFunction(ScorerContract):
    """The contract, on a plain function."""

    @pytest.fixture
    def scorer(self):
        return lambda query, texts: [float(len(set(words(query)) & set(words(text)))) for text in texts]


BROKEN = {
    "sorts": lambda _q, texts: sorted((float(len(text)) for text in texts), reverse=True),
    "cuts": lambda _q, texts: [float(len(text)) for text in texts][:5],
    "looks at neighbours": lambda _q, texts: [len(text) / max(map(len, texts), default=1) for text in texts],
    "looks at the order": lambda _q, texts: [float(place) for place in range(len(texts))],
    "gives NaN for blanks": lambda _q, texts: [float(len(text)) if text.strip() else math.nan for text in texts],
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_contract_catches_the_usual_bugs(name):
    """A scorer with one of the field's usual bugs fails at least one test of its contract."""
    contract, failed = ScorerContract(), []
    for test in (
        contract.test_every_text_has_one_finite_score,
        contract.test_a_score_depends_on_what_the_scope_says,
        contract.test_equal_texts_score_equal,
        contract.test_odd_texts_and_a_blank_query_are_scored,
    ):
        try:
            test(Reranker(BROKEN[name]))
        except (AssertionError, ValueError) as error:
            failed.append(error)
    assert failed


def test_a_contract_cannot_be_hollowed_out():
    """Replacing a test of the contract fails, unless it is marked xfail with a reason."""

    class Hollow(TestLexical):
        def test_a_lone_text_is_scored(self):
            """Nothing."""

    class Excused(TestLexical):
        @pytest.mark.xfail(reason="knows no lone texts")
        def test_a_lone_text_is_scored(self):
            """Nothing."""

    with pytest.raises(AssertionError, match="Hollow replaces test_a_lone_text_is_scored"):
        Hollow().test_no_test_of_the_contract_is_replaced()
    Excused().test_no_test_of_the_contract_is_replaced()


def test_bm25_by_hand():
    """Lucene's BM25 with the candidates as the collection."""
    texts = ["cat cat dog", "dog", ""]
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 * 2.2 / (2 + 1.2 * (1 - 0.75 + 0.75 * 3 / (4 / 3)))
    assert Lexical().score("cat", texts) == pytest.approx([expected, 0.0, 0.0])
    assert Lexical().score("cat cat", texts)[0] == pytest.approx(2 * expected)
    assert Lexical(k1=0, b=0).score("cat", texts)[0] == pytest.approx(idf)


@given(st.text(), st.lists(st.text(), max_size=8))
def test_bm25_is_never_negative(query, texts):
    """Any text at all has a finite score of at least 0."""
    assert all(score >= 0 and math.isfinite(score) for score in Lexical().score(query, texts))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't STOP — Straße_9!", ["don", "t", "stop", "strasse", "9"]),
        ("巴黎是", ["巴", "黎", "是", "巴黎", "黎是"]),
        ("東京 Tokyo", ["東", "京", "東京", "tokyo"]),
        ("猫", ["猫"]),
        ("ปา", ["ป", "า", "ปา"]),
        ("हिन्दी की", ["हिन्दी", "की"]),
        ("caf\u00e9 cafe\u0301", ["caf\u00e9", "caf\u00e9"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("", []),
    ],
)
def test_words_of_many_scripts(text, expected):
    """Case folded, marks joined to their letters; scripts without spaces as characters and pairs of them."""
    assert words(text) == expected


@pytest.mark.parametrize("settings", [{"k1": -1}, {"b": 1.5}, {"k1": "x"}])
def test_bm25_parameters_are_checked(settings):
    """Impossible parameters are refused at construction."""
    with pytest.raises(ArgumentError, match="k1 >= 0 and b between 0 and 1"):
        load("lexical", **settings)


def test_ngrams_are_runs_of_letters_with_the_words_edges():
    """By hand: each gram of a text counts as a word would."""
    grams = {"ranks": "^ran rank anks nks$", "ranked": "^ran rank anke nked ked$", "is": "^is$", "a": "^a$"}
    spelt = {word: f"{runs}".replace("^", "1").replace("$", "2") for word, runs in grams.items()}  # as words
    texts = ["ranked a", "is", "ranked ranks is"]
    by_hand = [" ".join(spelt[word] for word in text.split()) for text in texts]
    assert load("lexical", ngrams=4).score("ranks is", texts) == load("lexical").score(
        " ".join(spelt[word] for word in ("ranks", "is")), by_hand
    )


@given(st.text(alphabet="ab c", max_size=8), st.lists(st.text(alphabet="ab cd", max_size=12), max_size=5))
def test_a_share_is_bm25_over_what_the_query_could_get(query, texts):
    """Between 0 and 1, in proportion; and 1 is what a text with endless copies of all its words comes near."""
    plain, shares = load("lexical").score(query, texts), load("lexical", activation="share").score(query, texts)
    assert all(0 <= share <= 1 for share in shares)
    assert [share * max(plain, default=0) for share in shares] == pytest.approx(
        [score * max(shares, default=0) for score in plain]
    )
    if texts and shares[0]:
        [_, much] = load("lexical", activation="share", b=0.0).score(texts[0], ["", f"{texts[0]} " * 10_000])
        assert much == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("settings", [{"ngrams": 0}, {"ngrams": 2.5}, {"activation": "sigmoid"}])
def test_lexical_options_are_checked(settings):
    """An n-gram has a letter, and there is one activation."""
    with pytest.raises(ArgumentError, match=r"ngrams must be|known: None, 'share'"):
        load("lexical", **settings)


def test_the_first_stages_own_scores():
    """They are the ranking's scores when asked for, and only then."""
    scores = [0.9, 0.5, 0.5]
    assert Reranker(FirstStage("score")).rerank("q", ["abc"] * 3, first_stage=scores).scores == scores
    assert Reranker(FirstStage()).rerank("q", list("abc"), first_stage=scores).scores == [1, 1 / 2, 1 / 3]


@pytest.mark.parametrize(
    ("scores", "says"),
    [(None, "3 of 3 have none"), ([0.9, None, 0.1], "1 of 3 have none"), ([0.1, 0.2, 0.0], "rise at document 1")],
)
def test_first_stage_scores_that_are_missing_or_rise(scores, says):
    """Asked-for scores that are not there, or that look like distances, are an error."""
    with pytest.raises(ArgumentError, match=says):
        Reranker("first_stage:score").rerank("q", ["a", "b", "c"], first_stage=scores)


def by(values, **known):
    """Return a scorer that gives each text the value it is mapped to."""
    return lambda _query, texts: Scores([values[text] for text in texts], **known)


def test_an_ensemble_fuses_its_members_rankings():
    """RRF over two members, by hand; the weights are used as given."""
    first, second = by({"a": 3, "b": 2, "c": 1}), by({"a": 1, "b": 9, "c": 5})
    ranking = Reranker(Ensemble({"x": first, "y": second}, weights={"x": 0.7, "y": 0.3})).rerank("q", ["a", "b", "c"])
    found = {hit.document: hit.score for hit in ranking}
    assert found == pytest.approx({"a": 0.7 / 61 + 0.3 / 63, "b": 0.7 / 62 + 0.3 / 61, "c": 0.7 / 63 + 0.3 / 62})
    assert ranking.report.score_kind == "reciprocal_rank"
    assert set(ranking.report.members) == {"x", "y"}


def test_an_ensemble_may_fuse_scores():
    """With a score method the members' own scores are normalised and summed."""
    ensemble = Ensemble({"x": by({"a": 10, "b": 0}), "y": by({"a": 1, "b": 2})}, "weighted_sum", {"x": 1, "y": 3})
    assert Reranker(ensemble).rerank("q", ["a", "b"]).documents == ["b", "a"]
    assert ensemble.score_kind == "fused"


def test_an_ensemble_that_reads_scores_refuses_rising_ones():
    """A member whose own order contradicts its scores is an error there, as it is in `fuse`."""
    contrary = by({"a": 1, "b": 2}, order=[2, 1])
    with pytest.raises(ValueError, match="source 'x' rise"):
        Reranker(Ensemble({"x": contrary}, "comb_sum")).rerank("q", ["a", "b"])
    assert Reranker(Ensemble({"x": contrary})).rerank("q", ["a", "b"]).documents == ["a", "b"]


def test_many_votes_are_counted_off_the_loop():
    """Counting the votes over many candidates happens on another thread than the event loop's."""
    import threading

    seen = []

    ensemble = Ensemble({"x": lambda _q, texts: [float(len(text)) for text in texts]}, "condorcet")
    totals = ensemble._fuser.totals
    object.__setattr__(ensemble._fuser, "totals", lambda *a: seen.append(threading.current_thread()) or totals(*a))
    asyncio.run(Reranker(ensemble).arerank("q", ["x"] * 150))
    assert seen != [threading.main_thread()]
    assert len(seen) == 1


def test_members_are_asked_at_once():
    """Both members of an async ensemble are under way together, and each in its thread in sync code."""
    import threading

    meeting = threading.Barrier(2, timeout=20)

    def member(_query, texts):
        meeting.wait()
        return [0.0 for _ in texts]

    ensemble = Reranker(Ensemble({"x": member, "y": member}))
    assert len(ensemble.rerank("q", ["a"])) == 1
    assert len(asyncio.run(ensemble.arerank("q", ["a"]))) == 1


def fails(message="down"):
    """Return a scorer that raises."""

    def scorer(_query, _texts):
        raise OSError(message)

    return scorer


def test_a_failing_member_raises():
    """An ensemble hides no failure; a `Fallback` around the member does, visibly."""
    with pytest.raises(OSError, match="down"):
        Reranker(Ensemble({"x": fails(), "y": "lexical"})).rerank("q", ["a"])
    report = Reranker(Ensemble({"x": Fallback(fails(), FirstStage()), "y": "lexical"})).rerank("q", ["a"]).report
    assert report.degraded
    assert str(report.errors[0]) == "down"


@pytest.mark.parametrize(
    ("scorers", "settings", "says"),
    [
        ({}, {}, "named scorers"),
        (["lexical"], {}, "named scorers"),
        ({"a": "lexical"}, {"weights": {"b": 1}}, "no weight for source 'a'"),
        ({"a": "lexical"}, {"weights": {"a": 1, "b": 1}}, "'b', which is no source"),
        ({"a": "lexical"}, {"method": "rff"}, "did you mean 'rrf'"),
        ({"a": "lexical"}, {"kk": 1}, "no parameter 'kk'"),
        ({"a": "lexicla"}, {}, "did you mean 'lexical'"),
        ({"a": Reranker("lexical")}, {}, "is a reranker"),
    ],
)
def test_an_ensemble_is_checked_at_construction(scorers, settings, says):
    """Unknown sources, methods, parameters and scorers are named before any call."""
    with pytest.raises(ValueError, match=says):
        Ensemble(scorers, **settings)


def test_a_composition_has_its_widest_members_scope():
    """``list`` for an ensemble of texts, ``order`` with the first stage; a fallback takes its widest member's."""
    one = by({})
    assert Ensemble({"x": one}).scope == "list"
    assert Ensemble({"x": one, "y": FirstStage()}).scope == "order"
    assert Fallback(one, one).scope == "text"
    assert Fallback(one, "lexical").scope == "list"


def test_a_fallback_asks_the_next_only_when_one_fails():
    """The first answer that is allowed counts; a bad answer is a failure too."""
    ranking = Reranker(Fallback("lexical", fails())).rerank("a", ["b", "a"])
    assert not ranking.report.degraded
    ranking = Reranker(Fallback(fails(), lambda _q, _t: [math.nan], "lexical")).rerank("a", ["b", "a"])
    assert ranking.documents == ["a", "b"]
    assert ranking.report.degraded
    assert ranking.report.scorer == "lexical"
    assert [type(error).__name__ for error in ranking.report.errors] == ["OSError", "ScoresError"]


def test_a_fallback_whose_scorers_all_fail_raises_the_last_error():
    """The same object, with the others as notes, in both colours."""
    reranker = Reranker(Fallback(fails("first"), fails("last")))
    for call in (reranker.rerank, lambda *a: asyncio.run(reranker.arerank(*a))):
        with pytest.raises(OSError, match="last") as caught:
            call("q", ["a"])
        assert any("first" in note for note in caught.value.__notes__)


def test_a_threshold_spares_a_stand_in():
    """A threshold meant for the preferred scorer's scores is not applied to another's."""
    fallback = Fallback(fails(), FirstStage())
    assert len(Reranker(fallback, min_score=5).rerank("q", ["a", "b"])) == 2


def test_a_cascades_threshold_is_for_its_last_stage():
    """An earlier stage's stand-in does not lift it."""
    narrow = Fallback(fails(), "lexical")
    cascade = Cascade((narrow, 3), (by({"a": 0.1, "b": 0.9, "c": 0.2}), None), min_score=0.5)
    ranking = cascade.rerank("q", ["a", "b", "c"])
    assert ranking.scores == [0.9]
    assert ranking.report.degraded


def test_a_fallback_needs_something_to_fall_back_on():
    """One scorer is no fallback."""
    with pytest.raises(ArgumentError, match="at least one to fall back on"):
        Fallback("lexical")


def test_a_cascade_narrows_from_stage_to_stage():
    """Each stage sees what the one before passed on, in its order; indices are those of the input."""
    seen = []

    def last(_query, texts):
        seen.append((texts, texts.first_stage))
        return [-float(len(text)) for text in texts]

    lengths = by({"a": 1, "bb": 2, "ccc": 3, "dddd": 4})
    ranking = Cascade((lengths, 3), (last, 2)).rerank("q", ["a", "bb", "ccc", "dddd"])
    assert seen == [(("dddd", "ccc", "bb"), (4, 3, 2))]
    assert [(hit.document, hit.index, hit.score) for hit in ranking] == [("bb", 1, -2.0), ("ccc", 2, -3.0)]
    assert ranking.report.scorer == "cascade"
    assert list(ranking.report.members) == ["<lambda>", "last"]


def test_a_cascades_last_number_is_its_top_n():
    """It may be left out, and overridden per call; ties keep the order of the stage before."""
    tie = by({"a": 0, "b": 0, "c": 0})
    cascade = Cascade((by({"a": 1, "b": 2, "c": 3}), 2), tie)
    assert cascade.top_n is None
    assert cascade.rerank("q", ["a", "b", "c"]).documents == ["c", "b"]
    assert cascade.rerank("q", ["a", "b", "c"], top_n=1).documents == ["c"]
    assert len(cascade.rerank("q", [])) == 0
    assert [r.documents for r in cascade.rerank_many([("q", ["a"]), ("q", ["b"])])] == [["a"], ["b"]]


def test_a_cascade_is_the_same_awaited():
    """One description, two colours."""
    cascade = Cascade(("lexical", 2), ("first_stage", 1))
    documents = ["a b", "b", "a a"]
    assert asyncio.run(cascade.arerank("a", documents)) == cascade.rerank("a", documents)


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ((), "at least one stage"),
        (("lexical", ("lexical", 3)), "every stage of a Cascade but the last"),
        ((("lexical", None), ("lexical", 3)), "every stage of a Cascade but the last"),
        ((("lexical", 0),), "above 0"),
        ((("lexical", 3, 4),), "a pair"),
    ],
)
def test_a_cascade_is_checked_at_construction(stages, says):
    """Every stage but the last says how many it passes on."""
    with pytest.raises(ArgumentError, match=says):
        Cascade(*stages)


def test_truncation_is_reported_by_the_place_in_the_input():
    """A later stage's report speaks of the documents as they were given."""
    from anyrank import Report

    def cutting(_query, texts):
        return Scores([0.0 for _ in texts], report=Report(truncated={0: 7}))

    ranking = Cascade((by({"a": 1, "b": 2}), 2), Ensemble({"x": cutting})).rerank("q", ["a", "b"])
    assert ranking.report.truncated == {1: 7}
    assert ranking.report.members["ensemble"].members["x"].truncated == {1: 7}


def test_one_that_does_not_close_keeps_no_other_open(tmp_path):
    """Every scorer built here is closed, and the first failure is raised."""
    source = """
class Stuck:
    closed = []
    def score(self, query, texts):
        return [0.0 for _ in texts]
    def close(self):
        self.closed.append(self)
        raise OSError("stuck")
"""
    with installed_scorers(tmp_path, "stuck_plugin", source, {"stuck": "Stuck"}):
        ensemble = Ensemble({"a": "stuck", "b": "stuck"})
        with pytest.raises(OSError, match="stuck"):
            ensemble.close()
        assert len(ensemble.scorers["a"].closed) == 2


def test_compositions_warm_up_and_close_what_they_built():
    """Members built from specs are closed with the whole; members that were given are not."""
    calls = []

    class Mine:
        def score(self, _query, texts):
            return [0.0 for _ in texts]

        def warm_up(self):
            calls.append("warm_up")

        async def aclose(self):
            calls.append("aclose")

    ensemble = Ensemble({"mine": Mine(), "bm25": "lexical"})
    ensemble.warm_up()
    asyncio.run(ensemble.awarm_up())
    ensemble.close()
    asyncio.run(ensemble.aclose())
    assert calls == ["warm_up", "warm_up"]
