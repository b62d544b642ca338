"""The windows of each schedule: every candidate is seen, none is lost, and what is promised of the order holds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyrank.llm import _schedules
from anyrank.llm._schedules import driven, rounds_of
from anyrank.llm.setwise import picks

COUNTS = range(1, 121)


def ranked(schedule, relevance):
    """Drive a schedule with a model that is never wrong; return the order and the windows by round."""
    rounds = []

    def rank(windows):
        rounds.append(windows)
        return [tuple(sorted(window, key=lambda place: -relevance[place])) for window in windows]

    return driven(schedule, rank), rounds


def relevances(count):
    """Return distinct relevances in an order of their own for each count."""
    return random.Random(count).sample(range(count), count)


def schedules(count, size, keep):
    """Return one of each schedule."""
    return {
        "blocks": _schedules.blocks(count, size, keep),
        "sliding": _schedules.sliding(count, size, max(size // 2, 1)),
        "tournament": _schedules.tournament(count, size, keep),
        "single": _schedules.single(count),
    }


@settings(max_examples=300)
@given(count=st.integers(1, 120), size=st.integers(2, 25), keep=st.integers(1, 130), seed=st.integers(0, 99))
def test_windows_are_exact_and_nothing_is_lost(count, size, keep, seed):
    """Windows hold two to ``size`` different candidates, all are seen, the order is a permutation."""
    relevance = random.Random(seed).sample(range(count), count)
    for name, schedule in schedules(count, size, keep).items():
        order, rounds = ranked(schedule, relevance)
        assert sorted(order) == list(range(count)), name
        windows = [window for windows in rounds for window in windows]
        assert all(windows for windows in rounds), name
        assert all(len(set(window)) == len(window) >= 2 for window in windows), name
        assert name == "single" or all(len(window) <= size for window in windows), name
        seen = {place for window in windows for place in window}
        alone = {0} if name == "sliding" else set()  # the first, where the last window would hold it alone
        assert seen | alone == set(range(count)) or count == 1, name


@settings(max_examples=100)
@given(count=st.integers(1, 120), size=st.integers(2, 25), keep=st.integers(1, 130))
def test_rounds_are_known_beforehand(count, size, keep):
    """How many windows a round has does not depend on the answers."""
    for name, schedule in schedules(count, size, keep).items():
        _, rounds = ranked(schedule, relevances(count))
        assert rounds_of(schedules(count, size, keep)[name]) == list(map(len, rounds))


@pytest.mark.parametrize("name", _schedules.SCHEDULES)
def test_the_first_places_are_exact_without_noise(name):
    """A model that is never wrong puts the best first: ten places, or the one that blocks are sure of."""
    sure = 1 if name == "blocks" else 10
    for count in COUNTS:
        relevance = relevances(count)
        order, rounds = ranked(schedules(count, 20, 10)[name], relevance)
        assert [relevance[place] for place in order[:sure]] == list(range(count))[::-1][:sure]
        assert len(rounds) == (count > 1) or count > 20


def test_a_window_of_candidates_is_one_question():
    """Ten candidates make exactly one call on every schedule, one makes none."""
    for name in _schedules.SCHEDULES:
        assert rounds_of(schedules(10, 20, 10)[name]) == [1]
        assert rounds_of(schedules(1, 20, 10)[name]) == []


@pytest.mark.parametrize(
    ("count", "starts"),
    [(5, [0]), (9, [0]), (10, [0]), (20, [0]), (21, [1, 0]), (30, [10, 0]), (35, [15, 5, 0]), (50, [30, 20, 10, 0])],
)
def test_sliding_windows_are_contiguous_from_the_back(count, starts):
    """They are RankLLM's spans: the last 20, then 10 further to the front each time, the first cut short."""
    spans = []

    def kept(windows):
        spans.extend(windows)
        return windows

    driven(_schedules.sliding(count, 20, 10), kept)
    ends = range(count, 0, -10)
    assert spans == [tuple(range(start, end)) for start, end in zip(starts, ends, strict=False)]


@pytest.mark.parametrize(("count", "rounds"), [(21, [4, 1]), (100, [10, 1]), (160, [16, 1]), (400, [40, 8, 1])])
def test_blocks_take_two_rounds_and_three_for_long_lists(count, rounds):
    """All of a round can be asked at once."""
    assert rounds_of(_schedules.blocks(count, 20, 20)) == rounds


@pytest.mark.parametrize(("count", "size"), [(400, 20), (1000, 20), (100, 5)])
def test_the_best_of_a_long_list_comes_first(count, size):
    """Where blocks take three rounds, and a tournament many."""
    relevance = relevances(count)
    for name in ("blocks", "tournament"):
        order, _ = ranked(schedules(count, size, size // 2)[name], relevance)
        assert sorted(order) == list(range(count))
        assert relevance[order[0]] == count - 1


@given(count=st.integers(1, 300), size=st.integers(2, 25), keep=st.integers(1, 40))
def test_who_agrees_with_the_first_stage_changes_nothing(count, size, keep):
    """So a model that fails throughout leaves the order as it was."""
    for name, schedule in schedules(count, size, keep).items():
        assert driven(schedule, list) == list(range(count)), name


def test_blocks_of_one_candidate_differ_between_the_covers():
    """No two blocks have more candidates in common than even ones must."""
    covers = []
    driven(_schedules.blocks(100, 20, 20), lambda windows: covers.append(windows) or windows)
    first, second = covers[0][:5], covers[0][5:]
    assert {len({*one} & {*other}) for one in first for other in second} == {4}


@settings(max_examples=200)
@given(count=st.integers(1, 60), size=st.integers(2, 12), keep=st.integers(1, 70), seed=st.integers(0, 99))
def test_picks_are_a_partial_sort(count, size, keep, seed):
    """The first ``keep`` are the best in order, the rest follow as they stood, and no group is asked about twice."""
    relevance = random.Random(seed).sample(range(count), count)
    groups = []

    def best(wanted):
        groups.extend(wanted)
        return {group: max(group, key=relevance.__getitem__) for group in wanted}

    order = driven(picks(count, size, keep), best)
    first = sorted(range(count), key=lambda place: -relevance[place])[:keep]
    assert order == first + [place for place in range(count) if place not in first]
    assert len(set(groups)) == len(groups)
    assert all(2 <= len(group) <= size for group in groups)
    levels = next(level for level in range(1, 9) if size**level >= count)
    assert len(groups) <= -(-(count - 1) // (size - 1)) + levels * min(keep, count) + levels
