"""LLM rerankers on chat models by hand: what is asked, what comes of the answers, and what ends a call."""

import asyncio
import json
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_chat import Asked, best, best_first, better, documents, grade, passages, ranking, worth

from anyrank import Cached, Reranker, load, spec_of
from anyrank.errors import ArgumentError, AsyncOnlyError, DeadlineError, ReplyError, ScoresError, SpecError
from anyrank.llm import ChatReply, Listwise, Pairwise, Pointwise, Prompt, Setwise
from anyrank.testing import ScorerContract

SCHEDULES = ("blocks", "sliding", "tournament", "single")
ANSWERS = {Listwise: ranking, Pairwise: better, Setwise: best, Pointwise: grade}
EACH = pytest.mark.parametrize("scorer", ANSWERS)


def known(answer):
    """Return a question's answer that finds the capital: for texts of the contract, which are worth nothing."""

    def answered(messages):
        shown = passages(messages)
        order = sorted(range(len(shown)), key=lambda place: ("Paris" not in shown[place], shown[place]))
        return json.dumps({answer: [place + 1 for place in order] if answer == "ranking" else order[0] + 1})

    return answered


def capital(messages):
    """Answer a pointwise question about the capital with the probabilities of its first token."""
    sure = "Passage: The capital" in messages[-1]["content"]
    return ChatReply("Yes", alternatives={"Yes": math.log(0.9 if sure else 0.2), "No": math.log(0.1 if sure else 0.8)})


class TestListwise(ScorerContract):
    """The contract."""

    @pytest.fixture
    def scorer(self):
        return Listwise(known("ranking"))

    @pytest.mark.xfail(raises=SpecError, reason="a function cannot be written down")
    def test_the_spec_builds_an_equal_scorer(self, reranker):
        """There is none."""
        super().test_the_spec_builds_an_equal_scorer(reranker)


class TestPointwise(TestListwise):
    """The contract."""

    @pytest.fixture
    def scorer(self):
        return Pointwise(capital)


class TestPairwise(TestListwise):
    """The contract."""

    @pytest.fixture
    def scorer(self):
        return Pairwise(known("better"))


class TestSetwise(TestListwise):
    """The contract."""

    @pytest.fixture
    def scorer(self):
        return Setwise(known("best"), choices=3)


# schedules and what they are asked for


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("count", [1, 2, 10, 20, 21, 45, 120])
def test_every_document_is_shown_and_the_best_come_first(schedule, count):
    """What is asked is the plan, in both colours, and ranks the same."""
    texts = documents(count)
    scorer = Listwise(chat := Asked(), schedule=schedule)
    ranked = Reranker(scorer).rerank("q", texts)
    asked = [len(window) for window in chat.windows]
    awaited = asyncio.run(Reranker(scorer).arerank("q", texts))
    assert sorted(ranked.indices) == list(range(count))
    assert ranked.indices == awaited.indices
    assert [worth(text) for text in ranked.documents[:1]] == [count - 1]
    assert {text for window in chat.windows for text in window} == (set(texts) if count > 1 else set())
    assert schedule == "single" or max(asked, default=0) <= 20
    assert len(asked) == ranked.report.requests == sum(scorer.plan(count))
    assert ranked.report.rounds == len(scorer.plan(count))
    assert list(ranked.scores) == [1 / rank for rank in range(1, count + 1)]
    assert (ranked.report.answers, ranked.report.degraded) == ({"ok": len(asked)} if asked else {}, False)


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(2, 40),
    schedule=st.sampled_from(SCHEDULES),
    window=st.integers(2, 12),
    keep=st.sampled_from([None, 1, 3, 50]),
    shuffles=st.integers(1, 3),
)
def test_options_leave_a_permutation_of_what_was_planned(count, schedule, window, keep, shuffles):
    """Whatever the options, nothing is lost, and the plan says how many questions there are."""
    chat = Asked()
    scorer = Listwise(chat, schedule=schedule, window=window, keep=keep, shuffles=shuffles)
    ranked = Reranker(scorer).rerank("q", documents(count))
    assert sorted(ranked.indices) == list(range(count))
    assert len(chat.windows) == sum(scorer.plan(count)) == ranked.report.requests


def test_shuffles_undo_a_bias_of_position():
    """A model that puts what stands first too high is outvoted by other orders; the orders are always the same."""

    def biased(messages):
        order = best_first(passages(messages))
        return json.dumps({"ranking": [1, *(place + 1 for place in order if place)]})

    texts = [f"A text that is worth {points} points." for points in (0, 5, 4, 3, 2, 1)]
    assert Reranker(Listwise(biased)).rerank("q", texts).documents[0] == texts[0]
    chats = [Asked(biased), Asked(biased)]
    for chat in chats:
        ranked = Reranker(Listwise(chat, shuffles=7)).rerank("q", texts)
        assert ranked.documents[0] == texts[1]
    assert set(chats[0].windows) == set(chats[1].windows)
    assert len(set(chats[0].windows)) == 7


def test_stride_and_keep_reach_the_schedule():
    """A stride of a whole window makes fewer questions; more places kept make more last windows."""
    assert Listwise(ranking, schedule="sliding", stride=20).plan(100) == [1] * 5
    assert Listwise(ranking, schedule="sliding").plan(100) == [1] * 9
    assert Listwise(ranking, keep=40).plan(100) == [10, 2]
    assert Listwise(ranking, schedule="tournament", keep=5).plan(100) == [5, 2, 1]
    assert Listwise(ranking, shuffles=3).plan(100) == [30, 3]


def test_too_many_rounds_are_refused_before_any_question():
    """``max_rounds`` bounds how long a call takes."""
    chat = Asked()
    with pytest.raises(ArgumentError, match="'sliding' needs 9 rounds for 100 passages"):
        Reranker(Listwise(chat, schedule="sliding", max_rounds=8)).rerank("q", documents(100))
    assert not chat.windows


def test_single_refuses_what_does_not_fit():
    """It says how many would, and what else to use."""
    with pytest.raises(ArgumentError, match=r"30 passages do not fit .* \d+ would: use schedule='blocks'"):
        Reranker(Listwise(ranking, schedule="single", context_tokens=2000)).rerank("q", ["word " * 500] * 30)


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "block"},
        {"window": 1},
        {"window": None},
        {"window": 5, "stride": 6},
        {"stride": 0},
        {"keep": 0},
        {"shuffles": 0},
        {"shuffles": None},
        {"min_coverage": 1.1},
        {"min_coverage": "half"},
        {"max_rounds": 0},
        {"context_tokens": 0},
        {"context_tokens": None},
        {"answer_tokens": 0},
        {"passage_tokens": -1},
        {"max_concurrency": 0},
        {"deadline": 0},
        {"deadline": math.nan},
        {"prices": {"prompt_tokens": "much"}},
        {"prices": 0.4},
        {"prices": {"prompt": 0.4}},
        {"prices": {"prompt_tokens": -0.4}},
        {"count_tokens": 7},
        {"prompt": "Rank {query} {passages}"},
        {"prompt": {"user": "no passages"}},
        {"prompt": {"users": "{query} {passages}"}},
        {"prompt": {"user": 7}},
        {"prompt": {"system": None}},
        {"prompt": {"passage": "{text}"}},
        {"prompt": Prompt("{query} {passages}", passage="- {text}")},
    ],
    ids=str,
)
def test_wrong_options_are_refused_at_construction(options):
    """By the option's name."""
    with pytest.raises(ArgumentError, match=next(iter(options))):
        Listwise(ranking, **options)


# answers that cannot be used


class Scripted:
    """A chat model that gives its answers in turn, then right ones, and keeps the requests."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def chat(self, request):
        self.requests.append(request)
        if self.answers:
            answer = self.answers.pop(0)
            return answer if isinstance(answer, ChatReply) else ChatReply(answer)
        return ChatReply(ranking([message.to_dict() for message in request.messages]))


def test_a_faulty_answer_is_mended():
    """Repeated and unknown numbers go, missing ones follow in the order they had; the report counts it."""
    ranked = Reranker(Listwise(Scripted("[3] > [3] > [9] > [2]"))).rerank("q", ["a", "b", "c", "d"])
    assert ranked.indices == [2, 1, 0, 3]
    assert (ranked.report.answers, ranked.report.repaired) == ({"repaired": 1}, 1)
    assert not ranked.report.degraded


def test_an_answer_that_names_too_few_is_asked_for_again():
    """The second question says what was wrong with the first answer."""
    chat = Scripted("[3]")
    texts = documents(6)
    ranked = Reranker(Listwise(chat)).rerank("q", texts)
    assert ranked.indices == best_first(texts)
    first, second = (request.messages[-1].content for request in chat.requests)
    assert second.startswith(first)
    assert "it names only 1 of the 6 passages" in second
    assert ranked.report.answers == {"unparsable": 1, "ok": 1}
    assert not ranked.report.degraded


@pytest.mark.parametrize(("share", "asked"), [(0.0, 1), (0.5, 1), (0.6, 2)])
def test_min_coverage_is_a_share_of_the_window(share, asked):
    """Half of the passages is enough for 0.5."""
    chat = Scripted("[4] > [3]")
    Reranker(Listwise(chat, min_coverage=share)).rerank("q", documents(4))
    assert len(chat.requests) == asked


def test_an_answer_that_was_cut_off_gets_more_room():
    """The same question, with four times the tokens."""
    chat = Scripted(ChatReply("[1] > [2] > [3]", cut=True))
    Reranker(Listwise(chat)).rerank("q", documents(6))
    first, second = chat.requests
    assert first.messages == second.messages
    assert second.max_tokens == 4 * first.max_tokens


def test_then_the_window_is_halved():
    """Two useless answers about eight passages: the next questions are about four, and find the best."""
    chat = Scripted("no", "no")
    texts = documents(8)
    ranked = Reranker(Listwise(chat)).rerank("q", texts)
    sizes = [len(passages([one.to_dict() for one in request.messages])) for request in chat.requests]
    assert sizes == [8, 8, 4, 4, 4]
    assert ranked.documents[0] == texts[best_first(texts)[0]]
    assert not ranked.report.degraded


@pytest.mark.parametrize("refusal", [ChatReply("", refused=True), "I cannot.", "Error 400 4096 7 3", "<think>[1]>[2]"])
def test_without_any_usable_answer_the_order_stays(refusal):
    """It is degraded, says why, and is told apart from a model that liked the order."""
    report = (ranked := Reranker(Listwise(lambda _: refusal)).rerank("q", documents(30))).report
    assert ranked.indices == list(range(30))
    assert report.degraded
    assert isinstance(report.errors[0], ReplyError)
    assert "no usable answer" in str(report.errors[0])
    assert "ok" not in report.answers


# what ends a call


@EACH
@pytest.mark.parametrize("awaited", [False, True])
def test_a_failing_question_ends_the_call(scorer, awaited):
    """What the model raised reaches the caller as the same object, and nothing more is asked."""
    broken, asked = OSError("no route"), []

    def fail(messages):
        asked.append(messages)
        raise broken

    reranker = Reranker(scorer(fail, max_concurrency=1))
    with pytest.raises(OSError, match="no route") as raised:
        asyncio.run(reranker.arerank("q", documents(24))) if awaited else reranker.rerank("q", documents(24))
    assert raised.value is broken
    assert len(asked) == 1
    with pytest.raises(OSError, match="no route"):  # and the next call is one of its own
        reranker.rerank("q", documents(24))
    assert len(asked) == 2


@EACH
def test_never_more_questions_at_once_than_allowed(scorer):
    """Of several calls together, in threads and on an event loop."""
    chat = Asked(ANSWERS[scorer], pause=0.002)
    options = {"logprobs": False} if scorer is Pointwise else {}
    reranker = Reranker(scorer(chat, max_concurrency=3, **options))
    calls = [("q", documents(25 if scorer is Listwise else 8, seed)) for seed in range(4)]
    expected = [ranking.indices for ranking in reranker.rerank_many(calls)]
    assert 1 < chat.most <= 3
    assert [ranking.indices for ranking in asyncio.run(reranker.arerank_many(calls))] == expected
    assert chat.most <= 3


def test_the_deadline_ends_a_model_that_sleeps():
    """On an event loop in the middle of its answer, which is cancelled."""
    cancelled = []

    async def sleeping(_messages):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(DeadlineError, match=r"sleeping did not answer within deadline=0\.05 seconds"):
        asyncio.run(Reranker(Listwise(sleeping, deadline=0.05)).arerank("q", documents(30)))
    assert len(cancelled) == 4


def test_the_deadline_is_looked_at_between_questions():
    """A sync model that ignores it is asked no more once it is over."""
    chat = Asked(pause=0.1)
    with pytest.raises(DeadlineError, match="deadline"):
        Reranker(Listwise(chat, schedule="sliding", deadline=0.05)).rerank("q", documents(100))
    assert len(chat.windows) == 1


def test_the_model_is_told_until_when():
    """A client with time-outs of its own can keep to the deadline."""
    chat = Scripted()
    Reranker(Listwise(chat, deadline=None)).rerank("q", documents(4))
    Reranker(Listwise(chat)).rerank("q", documents(4))
    assert chat.requests[0].until == math.inf
    assert math.isfinite(chat.requests[1].until)


def test_cancelling_cancels_the_questions_under_way():
    """And no other is begun."""
    begun, ended, both = [], [], asyncio.Event()

    async def slow(messages):
        begun.append(messages)
        if len(begun) == 2:
            both.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(messages)

    async def cancelled():
        call = asyncio.ensure_future(Reranker(Pairwise(slow, max_concurrency=2)).arerank("q", documents(6)))
        await both.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancelled())
    assert len(begun) == len(ended) == 2


def test_a_model_that_can_only_be_awaited_is_refused_from_sync_code():
    """By name, with what to call instead."""

    async def awaited(messages):
        return ranking(messages)

    with pytest.raises(AsyncOnlyError, match="arerank"):
        Reranker(Listwise(awaited)).rerank("q", documents(3))
    assert asyncio.run(Reranker(Listwise(awaited)).arerank("q", documents(3))).indices == best_first(documents(3))


def test_a_function_may_return_what_must_be_awaited():
    """As a lambda around a coroutine function does; sync code cannot await it."""

    async def answered(messages):
        return ranking(messages)

    def chat(messages):
        return answered(messages)

    reranker = Reranker(Listwise(chat))
    assert asyncio.run(reranker.arerank("q", documents(30))).report.answers == {"ok": 5}
    with pytest.raises(AsyncOnlyError, match="arerank"):
        reranker.rerank("q", documents(30))


@pytest.mark.parametrize("count", [3, 30])
def test_a_next_too_many_is_an_error(count):
    """It neither ends what asks without a word nor leaves an event loop waiting for the deadline."""
    answers = iter(())
    reranker = Reranker(Listwise(lambda _: next(answers)))
    with pytest.raises(ScoresError, match="StopIteration"):
        reranker.rerank("q", documents(count))
    with pytest.raises(ScoresError, match="StopIteration"):
        asyncio.run(reranker.arerank("q", documents(count)))


def test_the_event_loop_is_not_held_by_a_model_that_blocks():
    """A sync function is asked in a thread."""
    threads = set()

    def noted(messages):
        threads.add(threading.current_thread())
        return ranking(messages)

    asyncio.run(Reranker(Listwise(noted)).arerank("q", documents(30)))
    assert threading.main_thread() not in threads


# pointwise


@pytest.mark.parametrize(
    ("alternatives", "score"),
    [
        ({"Yes": math.log(0.6), "No": math.log(0.2)}, 0.75),
        ({" Yes": math.log(0.3), "YES": math.log(0.3), "yes.": math.log(0.1), '"no': math.log(0.3)}, 0.7),
        ({"yes": -0.1, "maybe": -0.2}, 1.0),
        ({"No": 0.0, "Yes": -9999.0}, 0.0),
        ({"Yes": 1000.0, "No": -9999.0}, 1.0),
    ],
)
def test_the_probability_of_yes(alternatives, score):
    """Its share of yes and no among the likely first tokens, however they are written."""
    ranked = Reranker(Pointwise(lambda _: ChatReply("", cut=True, alternatives=alternatives))).rerank("q", ["a"])
    assert ranked.scores[0] == pytest.approx(score)
    assert (ranked.report.score_kind, ranked.report.degraded) == ("probability", False)


@pytest.mark.parametrize("alternatives", [{}, {"The": -0.1}, {"Yes": -9999.0, "No": -9999.0}, {"Yes": math.nan}])
def test_no_probability_is_made_up(alternatives):
    """Where neither yes nor no is likely, the passage gets 0, and the report is degraded."""
    report = (
        ranked := Reranker(Pointwise(lambda _: ChatReply("", alternatives=alternatives))).rerank("q", ["a"])
    ).report
    assert list(ranked.scores) == [0.0]
    assert report.degraded
    assert report.answers == {"unparsable": 2}


def test_a_model_without_log_probabilities_is_an_error_or_a_choice():
    """The error names the switch."""
    with pytest.raises(ReplyError, match="logprobs=False"):
        Reranker(Pointwise(grade)).rerank("q", documents(3))
    ranked = Reranker(Pointwise(grade, logprobs=False)).rerank("q", documents(3))
    assert sorted(ranked.scores) == [0.0, 1.0, 1.0]


def test_what_is_asked_pointwise():
    """One token with its likeliest alternatives; without them a whole answer."""
    for logprobs, expected in ((True, (1, 20)), (False, (80, 0))):
        chat = Scripted(ChatReply("No", alternatives={"No": -0.1}))
        Reranker(Pointwise(chat, logprobs=logprobs)).rerank("q", ["a"])
        assert (chat.requests[0].max_tokens, chat.requests[0].alternatives) == expected


def test_grades_are_expected_values():
    """From 0 to 3."""
    alternatives = {"3": math.log(0.5), "1": math.log(0.25), "0": math.log(0.25)}
    ranked = Reranker(Pointwise(lambda _: ChatReply("3", alternatives=alternatives), scale="graded")).rerank("q", ["a"])
    assert ranked.scores[0] == pytest.approx(1.75)
    assert ranked.report.score_kind == "grade"
    bare = Pointwise(lambda _: "Grade: 2", scale="graded", logprobs=False)
    assert Reranker(bare).rerank("q", ["a"]).scores[0] == 2.0
    with pytest.raises(ArgumentError, match="did you mean 'graded'"):
        Pointwise(grade, scale="grade")


def test_degraded_probabilities_are_not_kept():
    """A cache around pointwise asks again about what had no usable answer, and not about what had one."""
    answers = {"a": ChatReply("Yes", alternatives={"Yes": -0.1}), "b": ChatReply("", refused=True)}
    asked = []

    def chat(messages):
        text = messages[-1]["content"].split("Passage: ")[1][0]
        asked.append(text)
        return answers[text]

    reranker = Reranker(Cached(Pointwise(chat), key="by hand"))
    assert reranker.rerank("q", ["a", "b"]).report.degraded
    answers["b"] = ChatReply("No", alternatives={"No": -0.1})
    assert not reranker.rerank("q", ["a", "b"]).report.degraded
    asked.clear()
    assert reranker.rerank("q", ["a", "b"]).report.cached == 2
    assert asked == []


@pytest.mark.parametrize("scorer", [Listwise, Pairwise, Setwise])
def test_what_depends_on_the_list_is_not_cached(scorer):
    """Only pointwise scores depend on their own text alone."""
    with pytest.raises(ArgumentError, match="scope"):
        Cached(scorer(ranking), key="by hand")


# pairwise and setwise


def test_pairs_are_asked_in_both_orders():
    """All of them, in one round; the scores are win rates."""
    chat = Asked(better)
    texts = documents(5)
    ranked = Reranker(Pairwise(chat)).rerank("q", texts)
    assert ranked.indices == best_first(texts)
    assert list(ranked.scores) == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert len(set(chat.windows)) == len(chat.windows) == 20
    assert (ranked.report.score_kind, ranked.report.rounds) == ("win_rate", 1)


def test_a_bias_of_position_cancels_out():
    """A model that always prefers what stands first gives everything half a win."""
    ranked = Reranker(Pairwise(lambda _: "1")).rerank("q", documents(4))
    assert list(ranked.scores) == [0.5] * 4
    assert ranked.indices == [0, 1, 2, 3]


def test_a_comparison_without_an_answer_is_half_a_win():
    """And the report is degraded."""
    texts = ["worth 1", "worth 2"]
    ranked = Reranker(Pairwise(lambda messages: "1" if passages(messages) == texts else "both")).rerank("q", texts)
    assert list(ranked.scores) == [0.75, 0.25]
    assert ranked.report.degraded
    assert "half a win" in str(ranked.report.errors[0])
    assert list(Reranker(Pairwise(lambda _: "both")).rerank("q", documents(3)).scores) == [0.5] * 3


def test_too_many_pairs_are_refused_before_any_question():
    """The message says how many there are, and what else to use."""
    chat = Asked(better)
    with pytest.raises(ArgumentError, match="40 passages make 1560 pairwise questions"):
        Reranker(Pairwise(chat)).rerank("q", documents(40))
    assert not chat.windows


@pytest.mark.parametrize(("count", "choices", "keep"), [(1, 5, 10), (2, 2, 1), (7, 3, 3), (23, 5, 10), (40, 20, 5)])
def test_setwise_is_a_partial_sort(count, choices, keep):
    """The first places are exact, the others keep their order, and no question is asked twice."""
    chat = Asked(best)
    texts = documents(count)
    ranked = Reranker(Setwise(chat, choices=choices, keep=keep)).rerank("q", texts)
    first = best_first(texts)[:keep]
    assert ranked.indices == first + [place for place in range(count) if place not in first]
    assert len(set(chat.windows)) == len(chat.windows) == ranked.report.requests
    assert max(map(len, chat.windows), default=2) <= choices


def test_a_pick_without_an_answer_goes_to_the_first():
    """So the order stays, and the report is degraded."""
    ranked = Reranker(Setwise(lambda _: "none")).rerank("q", documents(12))
    assert ranked.indices == list(range(12))
    assert ranked.report.degraded


# specs, fingerprints, reports


@EACH
def test_specs_build_equal_scorers(scorer):
    """With the chat model's options, the words and the reranker's own options beside each other."""
    words = {"user": "{query}: {passages}", "name": "mine", "version": 3}
    options = {"context_tokens": 9000, "prices": {"prompt_tokens": 0.4}, "deadline": None, "max_concurrency": 2}
    one = load(f"{scorer.name}:openai:some-model", base_url="http://localhost:1/v1", seed=7, prompt=words, **options)
    other = load(spec_of(one))
    assert json.loads(json.dumps(spec_of(one))) == spec_of(one) == spec_of(other)
    assert one.fingerprint == other.fingerprint
    assert (other.model, other.deadline, other.prices) == ("some-model", None, {"prompt_tokens": 0.4})
    assert spec_of(load(f"{scorer.name}:openai:some-model")) == f"{scorer.name}:openai:some-model"
    one.close()


@EACH
def test_fingerprints_change_with_what_scores_depend_on(scorer):
    """Model, words and options; not with what only bounds time and money, nor with a prompt's name."""
    spec = f"{scorer.name}:openai:a"
    prompt = {"user": "{query}: {passages}"}
    carriage = ({}, {"max_concurrency": 1, "deadline": 5}, {"prices": {"prompt_tokens": 1}})
    same = [load(spec, **more).fingerprint for more in carriage]
    other = [
        load(f"{scorer.name}:openai:b").fingerprint,
        *(load(spec, **more).fingerprint for more in ({"seed": 1}, {"context_tokens": 999}, {"prompt": prompt})),
        load(spec, prompt={**prompt, "system": "Be brief."}).fingerprint,
    ]
    assert len(set(same)) == 1
    assert len({*same, *other}) == 1 + len(other)
    assert load(spec, prompt={**prompt, "name": "n", "version": 2}).fingerprint == load(spec, prompt=prompt).fingerprint
    assert scorer(ranking).fingerprint is None


def test_what_cannot_be_written_down_is_refused_by_name():
    """A function as chat model, a function that counts tokens."""
    with pytest.raises(SpecError, match="FunctionChat"):
        spec_of(Listwise(ranking))
    with pytest.raises(SpecError, match="count_tokens"):
        spec_of(load("listwise:openai:m", count_tokens=len))


def test_unknown_options_are_refused_by_name():
    """Those of the reranker and those of its chat model are both known."""
    with pytest.raises(SpecError, match="did you mean 'schedule'"):
        load("listwise:openai:m", shedule="sliding")
    with pytest.raises(SpecError, match="did you mean 'temperature'"):
        load("listwise:openai:m", temprature=1)


def test_a_report_adds_up_tokens_and_money():
    """Usage by kind, the cost from the user's own prices, the model that answered."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 50}

    def chat(messages):
        return ChatReply(ranking(messages), usage=usage, model="m-2026", request_ids=("r",), retries=1, requests=2)

    prices = {"prompt_tokens": 0.4, "completion_tokens": 1.6}
    report = Reranker(Listwise(chat, prices=prices)).rerank("q", documents(30)).report
    assert report.usage == pytest.approx({"prompt_tokens": 5000, "completion_tokens": 250, "cost": 0.0024})
    assert (report.model, report.requests, report.retries, len(report.request_ids)) == ("m-2026", 10, 5, 5)
    assert Reranker(Listwise(ranking, prices=prices)).rerank("q", documents(3)).report.usage == {}  # not free: unknown


def test_blank_texts_are_not_asked_about():
    """They come last, with no place among the others, and so does what nobody sees; a blank query asks nothing."""
    chat = Asked()
    ranked = Reranker(Listwise(chat)).rerank("q", ["", *documents(3), "  ", "\u200b \ufeff"])
    assert ranked.indices[3:] == [0, 4, 5]
    assert (ranked.report.blank, len(chat.windows[0])) == (3, 3)
    assert Reranker(Listwise(chat)).rerank(" ", documents(3)).report.requests == 0


def test_a_prompt_of_ones_own():
    """Its words are what is sent; without a system turn there is none."""
    chat = Scripted()
    prompt = Prompt(user="Rank {count} for {query}:\n{passages}\nGo.")
    Reranker(Listwise(chat, prompt=prompt)).rerank("my query", ["worth 1", "worth 2"])
    [message] = chat.requests[0].messages
    assert message.content == "Rank 2 for my query:\n[1] worth 1\n[2] worth 2\nGo."


def test_pointwise_needs_no_numbers():
    """One passage is shown at a time."""
    prompt = {"user": "{query}? {passages}", "passage": "{text}"}
    ranked = Reranker(Pointwise(lambda _: "yes", logprobs=False, prompt=prompt)).rerank("q", ["a"])
    assert list(ranked.scores) == [1.0]


@pytest.mark.parametrize("answer", [None, 7, ["[1]"], {"ranking": [1]}])
def test_a_function_that_returns_something_else_is_refused(answer):
    """By what it must return."""
    with pytest.raises(ScoresError, match="ChatReply"):
        Reranker(Listwise(lambda _: answer)).rerank("q", documents(3))


@pytest.mark.parametrize("more", [{"text": None}, {"usage": None}, {"usage": {"prompt_tokens": None}}], ids=str)
def test_a_reply_is_checked_where_it_is_made(more):
    """In the chat model's own lines, by the field's name."""
    with pytest.raises(ArgumentError, match=next(iter(more))):
        ChatReply(**{"text": "[1]", **more})


class TakesMessages:
    """Another library's idea of a chat model: LlamaIndex's LLMs and Ollama's client are such."""

    def chat(self, messages):
        return messages


@pytest.mark.parametrize("chat", [7, str, object(), TakesMessages(), "claude", "openai:", "openai"])
def test_what_cannot_chat_is_refused(chat):
    """With what can."""
    with pytest.raises(ArgumentError, match="chat model"):
        Listwise(chat)
