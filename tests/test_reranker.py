"""`Reranker`: the one place that sorts, cuts and re-attaches."""

import asyncio
import contextvars
import math
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Candidates, Fallback, Hit, Image, Ranking, Reranker, Scores
from anyrank.errors import ArgumentError, AsyncOnlyError, ScoresError, TextError

finite = st.floats(allow_nan=False, allow_infinity=False)
cases = st.lists(st.tuples(st.text(max_size=5), finite), max_size=30)


def fixed(values, **known):
    """Return a scorer that gives these values."""
    return lambda _query, _texts: Scores(values, **known)


@given(cases, st.one_of(st.none(), st.integers(1, 40)))
def test_the_ranking_is_a_permutation_or_its_prefix(case, top_n):
    """No document lost, repeated or altered; each with its own score; best first; ties in input order."""
    documents = [object() for _ in case]
    values = [value for _, value in case]
    ranking = Reranker(fixed(values), top_n=top_n).rerank("q", documents, text=lambda _: "")
    expected = sorted(range(len(case)), key=lambda place: (-values[place], place))[:top_n]
    assert ranking.indices == expected
    assert all(hit.document is documents[hit.index] and hit.score == values[hit.index] for hit in ranking)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([18.0, 22.0, 30.0]))))
def test_order_decides_where_shown_scores_tie(pairs):
    """``Scores.order`` comes first, then the score, then the place."""
    scorer = fixed([shown for shown, _ in pairs], order=[logit for _, logit in pairs])
    ranking = Reranker(scorer).rerank("q", ["" for _ in pairs])
    assert ranking.indices == sorted(range(len(pairs)), key=lambda i: (-pairs[i][1], -pairs[i][0], i))


@given(cases, finite)
def test_min_score_is_inclusive_and_before_the_cut(case, floor):
    """Exactly the hits that score at least the threshold stay."""
    values = [value for _, value in case]
    ranking = Reranker(fixed(values), min_score=floor).rerank("q", [text for text, _ in case])
    assert sorted(ranking.scores) == sorted(value for value in values if value >= floor)


@given(cases)
def test_async_is_the_same(case):
    """`arerank` gives what `rerank` gives."""
    reranker = Reranker(fixed([value for _, value in case]))
    documents = [text for text, _ in case]
    assert asyncio.run(reranker.arerank("q", documents)) == reranker.rerank("q", documents)


def test_numbers_of_a_call_override_the_constructors():
    """``top_n`` and ``min_score`` can be given per call; None keeps the constructor's."""
    reranker = Reranker(fixed([1.0, 2.0, 3.0]), top_n=2, min_score=1.0)
    assert len(reranker.rerank("q", ["a", "b", "c"])) == 2
    assert len(reranker.rerank("q", ["a", "b", "c"], top_n=3)) == 3
    assert len(reranker.rerank("q", ["a", "b", "c"], top_n=None, min_score=2.5)) == 1


def test_further_steps_run_after_the_order_and_before_the_cut():
    """``then`` sees the whole ranking, and the cut applies to what it returns."""

    def drop_first(ranking):
        return ranking[1:]

    reranker = Reranker(fixed([1.0, 2.0, 3.0]), top_n=1, then=[drop_first])
    assert reranker.rerank("q", ["a", "b", "c"]).documents == ["b"]


@pytest.mark.parametrize(
    "step",
    [
        list,
        lambda _: Ranking.of(["new"] * 3),
        lambda r: Ranking((Hit("other", r[0].index, 1.0),)),
        lambda ranking: Ranking(ranking.hits * 2),
    ],
)
def test_a_step_may_only_select_and_reorder(step):
    """A step that returns no ranking, foreign hits or hits twice is an error that names it."""
    with pytest.raises(ArgumentError, match="then="):
        Reranker(fixed([1.0, 2.0]), then=[step]).rerank("q", ["a", "b"])


def test_many_pairs_keep_their_order():
    """`rerank_many` gives the rankings in the order of the pairs, in both colours."""
    pairs = [(str(n), [f"{n}", f"x {n + 1}"]) for n in range(40)]
    reranker = Reranker("lexical", top_n=1)
    expected = [[pair[0]] for pair in pairs]
    assert [ranking.documents for ranking in reranker.rerank_many(pairs, max_concurrency=3)] == expected
    assert [ranking.documents for ranking in asyncio.run(reranker.arerank_many(pairs, max_concurrency=3))] == expected
    assert [ranking.documents for ranking in asyncio.run(reranker.arerank_many(pairs))] == expected
    assert reranker.rerank_many([]) == asyncio.run(reranker.arerank_many([])) == []


@pytest.mark.parametrize("limit", [1, 3])
def test_many_pairs_respect_the_bound(limit):
    """Never more than ``max_concurrency`` calls at once, in both colours."""
    lock, running, most = threading.Lock(), 0, 0

    def enter(step):
        nonlocal running, most
        with lock:
            running += step
            most = max(most, running)

    def scorer(_query, texts):
        enter(1)
        threading.Event().wait(0.002)
        enter(-1)
        return [0.0 for _ in texts]

    pairs = [("q", ["a"])] * 12
    Reranker(scorer).rerank_many(pairs, max_concurrency=limit)
    asyncio.run(Reranker(scorer).arerank_many(pairs, max_concurrency=limit))
    assert most <= limit


def test_the_first_error_cancels_the_rest():
    """One bad pair raises its own error; pairs not begun are never asked."""
    asked = []

    def scorer(query, texts):
        asked.append(query)
        if query == "bad":
            raise LookupError(query)
        return [0.0 for _ in texts]

    pairs = [("bad", ["a"])] + [(str(n), ["a"]) for n in range(200)]
    with pytest.raises(LookupError, match="bad"):
        Reranker(scorer).rerank_many(pairs, max_concurrency=1)
    assert len(asked) < 200
    asked.clear()
    with pytest.raises(LookupError, match="bad"):
        asyncio.run(Reranker(scorer).arerank_many(pairs, max_concurrency=1))
    assert len(asked) < 200


def test_cancelling_cancels_the_scorer():
    """A cancelled `arerank` cancels the await inside the scorer."""
    seen = []

    async def scorer(_query: str, texts: Sequence[str]):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return [0.0 for _ in texts]

    async def main():
        call = asyncio.create_task(Reranker(scorer).arerank("q", ["a"]))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())
    assert seen == ["cancelled"]


def test_context_variables_reach_the_scorer():
    """What the caller's context holds is visible in threads and tasks."""
    user = contextvars.ContextVar("user", default="nobody")

    def scorer(_query, texts):
        return [float(user.get() == "me") for _ in texts]

    user.set("me")
    reranker = Reranker(scorer)
    assert reranker.rerank_many([("q", ["a"])] * 3)[2].scores == [1.0]
    assert asyncio.run(reranker.arerank("q", ["a"])).scores == [1.0]


class Objects:
    """Things that stand for a scorer."""

    class WithScore:
        def score(self, _query, texts):
            return [float(len(text)) for text in texts]

    class Callable:
        def __call__(self, _query, texts):
            return [float(len(text)) for text in texts]

    class AsyncCallable:
        async def __call__(self, _query, texts):
            return [float(len(text)) for text in texts]

    class Both(WithScore):
        async def ascore(self, _query, texts):
            return [-float(len(text)) for text in texts]


@pytest.mark.parametrize("scorer", [Objects.WithScore(), Objects.Callable(), Objects.WithScore().score])
def test_objects_and_functions_are_scorers(scorer):
    """An object with ``score``, a callable object and a bound method all work."""
    assert Reranker(scorer).rerank("q", ["a", "bb"]).documents == ["bb", "a"]
    assert asyncio.run(Reranker(scorer).arerank("q", ["a", "bb"])).documents == ["bb", "a"]


def test_a_native_async_method_is_preferred_when_awaiting():
    """``ascore`` answers `arerank`, ``score`` answers `rerank`."""
    reranker = Reranker(Objects.Both())
    assert reranker.rerank("q", ["a", "bb"]).documents == ["bb", "a"]
    assert asyncio.run(reranker.arerank("q", ["a", "bb"])).documents == ["a", "bb"]


def test_what_can_only_be_awaited_is_refused_by_name():
    """A coroutine function, an object with only ``ascore`` and a function that returns an awaitable."""

    async def slow(_query, texts):
        return [0.0 for _ in texts]

    class OnlyAsync:
        ascore = staticmethod(slow)

    def returns_an_awaitable(query, texts):
        return slow(query, texts)

    for scorer, name in ((slow, "slow"), (OnlyAsync(), "OnlyAsync"), (returns_an_awaitable, "returns_an_awaitable")):
        with pytest.raises(AsyncOnlyError, match=name):
            Reranker(scorer).rerank("q", ["a"])
        assert asyncio.run(Reranker(scorer).arerank("q", ["a"])).documents == ["a"]
    assert asyncio.run(Reranker(Objects.AsyncCallable()).arerank("q", ["a", "bb"])).documents == ["bb", "a"]


def test_numpy_and_torch_answers_become_floats():
    """Arrays and tensors of one dimension are read; the hits hold plain floats."""
    numpy, torch = pytest.importorskip("numpy"), pytest.importorskip("torch")
    for answer in (numpy.array([1, 2], dtype="float32"), torch.tensor([1.0, 2.0]), (1, 2), iter([1.0, 2.0])):
        ranking = Reranker(lambda _q, _t, answer=answer: answer).rerank("q", ["a", "b"])
        assert [type(score) for score in ranking.scores] == [float, float]
        assert ranking.scores == [2.0, 1.0]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([1.0], "1 scores for 2 texts"),
        ([1.0, 2.0, 3.0], "3 scores for 2 texts"),
        ([1.0, math.nan], r"nan among its scores, for text 1: 'b'"),
        ([1.0, -math.inf], r"-inf among its scores, for text 1"),
        (None, "NoneType instead of one float a text"),
        ({1.0, 2.0}, "set instead of one float a text"),
        ([10**400, 1.0], "for text 0 int, not a float"),
        (0.5, "float instead"),
        ("ab", "str instead"),
        ({"a": 1.0, "b": 2.0}, "dict instead"),
        (["1", "2"], "for text 0 str, not a float"),
        ([True, False], "for text 0 bool, not a float"),
        ([None, 1.0], "for text 0 NoneType"),
        ([[1.0], [2.0]], "for text 0 list"),
        (Scores([1.0, 2.0], order=[1.0]), "1 order values for 2 texts"),
        (Scores([1.0, 2.0], order=[1.0, math.nan]), "nan among its order values"),
    ],
)
def test_a_wrong_answer_is_never_an_order(answer, says):
    """Whatever is not one finite float a text is an error that names the scorer, in both colours."""

    def mine(_query, _texts):
        return answer

    for call in (Reranker(mine).rerank, lambda *a: asyncio.run(Reranker(mine).arerank(*a))):
        with pytest.raises(ScoresError, match=f"scorer 'mine' returned {says}"):
            call("q", ["a", "b"])


def test_a_squeezed_array_is_refused():
    """An array without any dimension is not a list of one float."""
    numpy = pytest.importorskip("numpy")
    with pytest.raises(ScoresError, match="instead of one float a text"):
        Reranker(lambda _q, _t: numpy.array([0.5]).squeeze()).rerank("q", ["a"])


def test_a_bare_next_in_a_scorer_is_an_error():
    """StopIteration ends no generator and hangs no future: it is the scorer's error, in both colours."""

    def scorer(_query, _texts):
        return next(iter([]))

    for call in (Reranker(scorer).rerank, lambda *a: asyncio.run(asyncio.wait_for(Reranker(scorer).arerank(*a), 20))):
        with pytest.raises(ScoresError, match="StopIteration"):
            call("q", ["a"])


def test_a_scorer_may_keep_its_model_object_in_model():
    """Only text counts as a declaration; a lazily loaded model is not touched to read it."""
    from functools import cached_property

    loads = []

    class Keeps(Objects.WithScore):
        def __init__(self):
            self.model = object()

    class Lazy(Objects.WithScore):
        @cached_property
        def model(self):
            loads.append(1)

    for scorer in (Keeps(), Lazy()):
        report = Reranker(scorer).rerank("q", ["a"]).report
        assert report.model is None
        assert report.to_dict()["scorer"] == type(scorer).__name__
    assert loads == []


def test_a_callable_object_keeps_its_declarations():
    """What it says beside ``__call__`` counts."""

    class Declares(Objects.Callable):
        score_kind, scope, modalities = "reciprocal_rank", "order", "image"

    with pytest.raises(ArgumentError, match="only say a place"):
        Reranker(Declares(), min_score=1)
    assert Reranker(Declares()).rerank("q", [Image("https://example.org/x.png")]).report.score_kind == "reciprocal_rank"


def test_a_reranker_cannot_be_changed():
    """Not even by a slip of the pen."""
    with pytest.raises(AttributeError, match="build another one"):
        Reranker("lexical").topn = 5


def test_a_step_cannot_lose_the_report():
    """A step that builds its ranking from hits alone keeps what happened."""

    def broken(_query, _texts):
        raise OSError

    reranker = Reranker(Fallback(broken, "lexical"), then=[lambda ranking: Ranking(tuple(ranking))])
    assert reranker.rerank("q", ["a"]).report.degraded


def test_two_dimensional_arrays_are_refused():
    """An array of rows is not one float a text, even where each row holds one."""
    numpy = pytest.importorskip("numpy")
    with pytest.raises(ScoresError, match="for text 0 ndarray"):
        Reranker(lambda _q, _t: numpy.ones((2, 1))).rerank("q", ["a", "b"])


def test_what_a_scorer_raises_is_raised():
    """The same exception object reaches the caller, in both colours."""
    error = KeyError("mine")

    def scorer(_query, _texts):
        raise error

    for call in (Reranker(scorer).rerank, lambda *a: asyncio.run(Reranker(scorer).arerank(*a))):
        with pytest.raises(KeyError) as caught:
            call("q", ["a"])
        assert caught.value is error


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"top_n": 0}, "top_n must be a whole number above 0"),
        ({"top_n": -1}, "top_n"),
        ({"top_n": 1.5}, "top_n"),
        ({"top_n": "3"}, "top_n"),
        ({"top_n": True}, "top_n"),
        ({"min_score": math.nan}, "min_score must be a finite number"),
        ({"min_score": "0.5"}, "min_score"),
        ({"min_score": 10**400}, "min_score"),
        ({"top_n": [1, 2]}, "top_n"),
    ],
)
def test_numbers_are_checked_at_construction_and_per_call(settings, says):
    """The same rule in both places, also for an empty list."""
    with pytest.raises(ArgumentError, match=says):
        Reranker("lexical", **settings)
    with pytest.raises(ArgumentError, match=says):
        Reranker("lexical").rerank("q", [], **settings)


@pytest.mark.parametrize("documents", ["text", b"bytes", {"text": "a"}, 7, None])
def test_documents_must_be_a_list_of_them(documents):
    """A lone string or mapping is not taken apart into documents."""
    with pytest.raises(ArgumentError, match="documents must be a list"):
        Reranker("lexical").rerank("q", documents)


@pytest.mark.parametrize("query", [None, b"q", 7, ["q"], Image("data:image/png;base64,AA==")])
def test_the_query_must_be_a_string(query):
    """Also when there is nothing to rank; and no picture, of which a scorer would read the address."""
    with pytest.raises(TextError, match=r"the query (must be a str|is an image)"):
        Reranker("lexical").rerank(query, [])


@pytest.mark.parametrize(
    ("scorer", "says"),
    [
        (Objects.WithScore, "WithScore is a class"),
        (7, "7 is no scorer"),
        (Reranker("lexical"), "is a reranker, not a scorer"),
        ({"cascade": {"stages": ["lexical"]}}, "is a reranker, not a scorer"),
        ("", "not a scorer spec"),
    ],
)
def test_what_cannot_score_is_refused(scorer, says):
    """A class, a number, a reranker: an error that says what to pass instead."""
    with pytest.raises(ValueError, match=says):
        Reranker(scorer)


def test_a_threshold_needs_scores_that_mean_something():
    """Refused for rank kinds, at construction and per call; allowed where the kind is unknown."""
    with pytest.raises(ArgumentError, match="only say a place"):
        Reranker("first_stage", min_score=0.5)
    with pytest.raises(ArgumentError, match="only say a place"):
        Reranker("first_stage").rerank("q", [], min_score=0.5)
    assert len(Reranker(fixed([1.0]), min_score=0.5).rerank("q", ["a"])) == 1


def test_an_unknown_scope_is_an_error():
    """A scorer that declares a scope there is not is told so."""

    class Odd(Objects.WithScore):
        scope = "document"

    with pytest.raises(ArgumentError, match="scope='document'"):
        Reranker(Odd())


def test_images_only_for_scorers_that_read_them():
    """An image reaches a scorer whose modalities include it, and is an error for any other."""
    seen = []

    class Sees(Objects.WithScore):
        modalities = frozenset({"text", "image"})

        def score(self, query, texts):
            seen.extend(map(type, texts))
            return super().score(query, texts)

    picture = Image("data:image/png;base64,AA==")
    assert Reranker(Sees()).rerank("q", ["a", picture])[0].document is picture
    assert seen == [str, Image]
    with pytest.raises(TextError, match="reads text only"):
        Reranker("lexical").rerank("q", ["a", picture])


def test_candidates_are_a_tuple_of_text():
    """Scorers get a real tuple; selecting keeps the first stage's scores beside their texts."""
    texts = Candidates(["a", "b", "c"], [0.3, 0.2, None])
    assert isinstance(texts, tuple)
    assert texts == ("a", "b", "c")
    assert texts.select([2, 0]) == ("c", "a")
    assert texts.select([2, 0]).first_stage == (None, 0.3)
    assert Candidates(["a"]).select([0]).first_stage is None
    with pytest.raises(ArgumentError, match="2 first-stage scores for 1 texts"):
        Candidates(["a"], [1.0, 2.0])


def test_the_report_is_filled_in():
    """Name, model and kind come from the scorer where its answer says nothing."""

    class Known(Objects.WithScore):
        name, model, score_kind = "known", "m-1", "probability"

    report = Reranker(Known()).rerank("q", ["a"]).report
    assert (report.scorer, report.model, report.score_kind) == ("known", "m-1", "probability")
    assert report.seconds > 0
    assert Reranker(Known()).rerank("q", []).report.scorer == "known"


def test_only_what_was_built_here_is_closed():
    """A reranker closes the scorer it built from a spec, never an object it was given."""
    closed = []

    class Mine(Objects.WithScore):
        def close(self):
            closed.append(self)

    with Reranker(Mine()) as reranker:
        reranker.rerank("q", ["a"])

    async def main():
        async with Reranker(Mine()):
            pass

    asyncio.run(main())
    assert closed == []


def test_repr_shows_the_settings():
    """Enough to see what one holds."""
    assert repr(Reranker("lexical", top_n=3)) == (
        "Reranker(Lexical(k1=1.2, b=0.75, ngrams=None, activation=None), top_n=3, min_score=None)"
    )
