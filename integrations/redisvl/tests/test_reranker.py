"""`AnyRankReranker`: what RedisVL's users pass and get, beyond the contract of every adapter."""

import asyncio
import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redisvl.utils.rerank.base import BaseReranker

from anyrank import Reranker
from anyrank.errors import TextError
from anyrank_redisvl import AnyRankReranker

QUERY = "merge sorted"
ROWS = [{"id": 1, "title": "count items"}, {"id": 2, "title": "merge", "body": "sorted inputs"}, {"id": 3}]


def by_length(_query, texts):
    """Score by length."""
    return [float(len(text)) for text in texts]


def seen_by(docs, **settings):
    """Return the texts that reach the scorer."""
    seen = []
    AnyRankReranker(lambda query, texts: seen.extend(texts) or by_length(query, texts), **settings).rank(QUERY, docs)
    return seen


def test_it_is_one_of_redisvls():
    """Its fields are RedisVL's, its arguments may be given by place, and what comes back are two lists."""
    reranker = AnyRankReranker("lexical", ["title"], 1, True)  # noqa: FBT003 - RedisVL's order
    assert isinstance(reranker, BaseReranker)
    assert (reranker.model, reranker.rank_by, reranker.limit, reranker.return_score) == ("lexical", ["title"], 1, True)
    documents, scores = reranker.rank(query=QUERY, docs=ROWS)
    assert documents == [ROWS[1]]
    assert documents[0] is ROWS[1]
    assert [type(score) for score in scores] == [float]
    assert asyncio.run(reranker.arank(query=QUERY, docs=ROWS)) == (documents, scores)


@pytest.mark.parametrize(
    ("docs", "settings", "texts"),
    [
        (["a", "b"], {}, ["a", "b"]),
        ([{"content": "a"}, {"content": None}, {}], {}, ["a", "", ""]),
        (["a", {"content": "b"}, None], {}, ["a", "b", ""]),
        (ROWS, {"rank_by": "title"}, ["count items", "merge", ""]),
        (ROWS, {"rank_by": ["title", "body"]}, ["count items", "merge\nsorted inputs", ""]),
        (["a", {"title": "b"}], {"rank_by": ["title", "body"]}, ["a", "b"]),
        (ROWS, {"rank_by": ("body",)}, ["", "sorted inputs", ""]),
    ],
)
def test_what_is_scored(docs, settings, texts):
    """The fields of ``rank_by``, else ``content``; a string as it is; what is missing is empty text, never dropped."""
    if "body" in settings.get("rank_by", ""):
        docs = [{"body": None, **doc} if isinstance(doc, dict) else doc for doc in docs]
    assert seen_by(docs, **settings) == texts


@pytest.mark.parametrize(
    ("docs", "settings", "message"),
    [
        (ROWS, {}, "no document has a field 'content' (fields there are: id, title): say with rank_by="),
        ([{}], {}, "no document has a field 'content' (fields there are: none)"),
        (ROWS, {"rank_by": "titel"}, "no document has a field 'titel'"),
        (ROWS, {"rank_by": "id"}, "field 'id' of document 0 is of type int"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(docs, settings, message):
    """The error says which fields there are, or whose value is no text."""
    with pytest.raises(TextError) as caught:
        AnyRankReranker("lexical", **settings).rank(QUERY, docs)
    assert message in str(caught.value)


@given(st.lists(st.text(max_size=5), max_size=8), st.integers(1, 9))
def test_documents_and_scores_stay_together(texts, limit):
    """What comes back is the best of what went in, each once, beside the score of its own text."""
    docs = [{"id": place, "content": text} for place, text in enumerate(texts)]
    documents, scores = AnyRankReranker(by_length, limit=limit).rank(QUERY, docs)
    assert scores == [float(len(document["content"])) for document in documents]
    order = sorted(range(len(docs)), key=lambda place: -len(texts[place]))[:limit]
    assert [document["id"] for document in documents] == order


@pytest.mark.parametrize("return_score", [True, False])
def test_no_documents_are_no_error(return_score):
    """Empty lists come back, in the form of a full answer."""
    empty = ([], []) if return_score else []
    reranker = AnyRankReranker("cohere", return_score=return_score)
    assert reranker.rank(QUERY, []) == empty
    assert asyncio.run(reranker.arank(QUERY, [])) == empty


def test_a_call_has_the_last_word():
    """``limit`` (None for all), ``return_score`` and ``rank_by`` go before the reranker's own, for one call."""
    reranker = AnyRankReranker(by_length, rank_by="title", limit=1)
    assert reranker.rank(QUERY, ROWS, rank_by=["title"], limit=None, return_score=False) == ROWS
    documents, scores = reranker.rank(QUERY, ROWS)
    assert (documents, scores) == ([ROWS[0]], [11.0])


def test_a_wrapped_reranker_keeps_its_number_where_there_is_no_limit():
    """``limit`` goes before it."""
    wrapped = Reranker(by_length, top_n=2)
    assert len(AnyRankReranker(wrapped, limit=None).rank(QUERY, ["a", "b", "c"], return_score=False)) == 2
    assert len(AnyRankReranker(wrapped).rank(QUERY, ["a", "b", "c"], return_score=False)) == 3


@pytest.mark.parametrize(
    ("query", "docs", "error", "message"),
    [
        ("", [], ValueError, "query is empty"),
        (None, ["a"], ValueError, "query must be a str"),
        (123, ["a"], TypeError, "query must be a str"),
        (QUERY, "a", TypeError, "list of dicts or of strings; got a str"),
        (QUERY, {"content": "a"}, ValueError, "got a dict"),
        (QUERY, None, TypeError, "got a NoneType"),
        (QUERY, ["a", 1], TypeError, "got a int: 1"),
    ],
)
def test_bad_input_is_what_redisvl_raises(query, docs, error, message):
    """Its rerankers raise ``TypeError`` here and ``ValueError`` there: a wrong type is both."""
    with pytest.raises(error, match=message):
        AnyRankReranker("lexical").rank(query, docs)


@pytest.mark.parametrize(
    "options", [{"rank_by": 3}, {"rank_by": [""]}, {"rank_by": [1]}, {"return_score": 1}, {"return_score": None}]
)
def test_bad_options_of_a_call_are_named(options):
    """So are those that the constructor would refuse."""
    [name] = options
    with pytest.raises(TypeError, match=name):
        AnyRankReranker("lexical").rank(QUERY, [], **options)
    with pytest.raises(ValueError, match=name):
        AnyRankReranker("lexical", **options)


def test_settings_may_be_assigned_and_are_checked():
    """As in RedisVL ``limit``, ``rank_by`` and ``return_score`` may change; what the scorer is made of may not."""
    reranker = AnyRankReranker(by_length)
    reranker.limit, reranker.rank_by, reranker.return_score = 1, "title", False
    assert reranker.rank(QUERY, ROWS) == [ROWS[0]]
    for name, value in {"rank_by": 3, "return_score": "no", "scorer": "lexical", "model": "m", "limt": 3}.items():
        with pytest.raises(ValueError, match=name):
            setattr(reranker, name, value)


def test_a_copy_shares_the_scorer():
    """With an update it is checked like an assignment; the original stays as it was."""
    reranker = AnyRankReranker(by_length, limit=1)
    assert reranker.model_copy(update={"limit": 2}).rank(QUERY, ["a", "b"], return_score=False) == ["a", "b"]
    assert reranker.limit == 1
    for update in ({"limit": 0}, {"scorer": "lexical"}, {"limt": 2}):
        with pytest.raises(ValueError, match=next(iter(update))):
            reranker.model_copy(update=update)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_and_pickles_rank_alike(copied):
    """Settings and steps go along."""
    reranker = AnyRankReranker("lexical", "title", then=["dedupe"], scorer_options={"k1": 1.0})
    assert copied(reranker).rank(QUERY, ROWS) == reranker.rank(QUERY, ROWS)


def test_nothing_secret_is_written_down():
    """The key is in no dump, copy of settings, repr or pickle."""
    reranker = AnyRankReranker("cohere", api_key="s3cr3t", on_report=print)
    shown = [repr(reranker), str(reranker.model_dump()), reranker.model_dump_json(), str(vars(reranker))]
    assert "s3cr3t" not in "".join(shown)
    assert b"s3cr3t" not in pickle.dumps(reranker)


def test_a_dump_may_be_partial():
    """Pydantic's own arguments go on working, and a live scorer is left out with them."""
    reranker = AnyRankReranker(by_length, rank_by="title")
    assert reranker.model_dump(exclude={"scorer", "scorer_options", "then", "score_threshold"}) == {
        "rank_by": ["title"],
        "limit": 3,
        "return_score": True,
    }
    with pytest.raises(ValueError, match=r"by_length .* is a live object"):
        reranker.model_dump()


def test_steps_see_dicts():
    """A string is a dict to them, and their text is what was scored; what was given comes back."""
    seen = []
    docs = ["merge sorted", {"content": "merge"}, "merge sorted"]
    reranker = AnyRankReranker("lexical", then=[lambda ranking: seen.extend(ranking.documents) or ranking, "dedupe"])
    assert reranker.rank(QUERY, docs, return_score=False) == docs[:2]
    assert seen == [{"content": "merge sorted"}, {"content": "merge sorted"}, {"content": "merge"}]
    rows = [{"title": "merge", "text": "a"}, {"title": "merge", "text": "b"}]
    assert reranker.rank(QUERY, rows, rank_by="title", return_score=False) == rows[:1]
