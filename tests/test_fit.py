"""What is cut from a query and a text that are too long together."""

import pytest
import tiny_families as tiny
from hypothesis import given
from hypothesis import strategies as st

from anyrank._fit import AT_ONCE, fitted_pairs

FRAME = 7
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def length():
    """Return what counts the tokens of a text."""
    pytest.importorskip("transformers")
    tokenizer = tiny.tokenizer()

    def count(text):
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    count.tokenizer = tokenizer
    return count


@given(query=TEXTS, texts=st.lists(TEXTS, max_size=4), room=st.integers(8, 90))
def test_pairs_fit_and_no_more_is_cut_than_must_be(length, query, texts, room):
    """Whatever the script: beginnings, within the room, as long as letters allow, the query not below its share."""

    def excess(pairs):
        over = {place: FRAME + sum(map(length, pair)) - (FRAME + room) for place, pair in enumerate(pairs)}
        return {place: tokens for place, tokens in over.items() if tokens > 0}

    pairs = [(query, text) for text in texts]
    fitted = fitted_pairs(pairs, length.tokenizer, excess)
    assert excess(fitted.pairs) == {}
    lost = [0]
    for place, ((asked, read), text) in enumerate(zip(fitted.pairs, texts, strict=True)):
        assert query.startswith(asked)
        assert text.startswith(read)
        assert fitted.cut.get(place, 0) == length(text) - length(read)
        lost.append(length(query) - length(asked))
        if place in excess(pairs):
            assert room - length(asked) - length(read) < 8  # one letter of each
            assert length(asked) >= min(length(query), room * 3 // 4) - 3
        else:
            assert (asked, read) == (query, text)
    assert fitted.query_cut == max(lost)


def test_a_tokenizer_that_tells_no_places_leaves_the_cut_to_the_library():
    """What is too long is still told."""
    canine = pytest.importorskip("transformers").CanineTokenizer()
    assert not canine.is_fast
    fitted = fitted_pairs([("a", "b"), ("a", "long")], canine, lambda _: {1: 3})
    assert (fitted.pairs, fitted.cut, fitted.query_cut) == ([("a", "b"), ("a", "long")], {1: 3}, 0)


def test_however_many_pairs_there_are_a_few_are_measured_at_a_time(length):
    """What is cut of the last one, and of its query, is told like that of the first."""
    asked = []

    def excess(pairs):
        asked.append(len(pairs))
        over = {place: sum(map(length, pair)) - 12 for place, pair in enumerate(pairs)}
        return {place: tokens for place, tokens in over.items() if tokens > 0}

    count = AT_ONCE * 2 + 3
    pairs = [("what", "a b c d e f g h i"), *[("a", "b")] * (count - 2), ("what is", "a b c d e f g h i")]
    fitted = fitted_pairs(pairs, length.tokenizer, excess)
    alone = [fitted_pairs([pair], length.tokenizer, excess) for pair in (pairs[0], pairs[-1])]
    assert max(asked) == AT_ONCE
    assert fitted.pairs[1:-1] == pairs[1:-1]
    assert [fitted.pairs[0], fitted.pairs[-1]] == [one.pairs[0] for one in alone]
    assert fitted.cut == {0: alone[0].cut[0], count - 1: alone[1].cut[0]}
    assert fitted.query_cut == max(one.query_cut for one in alone)
