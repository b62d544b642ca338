"""`anyrank.diversity`: steps that choose and order hits, and how an adapter takes them."""

import json
import math
from collections import Counter
from dataclasses import FrozenInstanceError
from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Cascade, Hit, Image, Ranking, Report, Reranker
from anyrank._similarity import dissimilar, jaccard
from anyrank.adapter import HostReranker
from anyrank.diversity import Cap, Dedupe, Diversify, cap, dedupe, diversify, load_step
from anyrank.errors import ArgumentError, SpecError, TextError

texts = st.one_of(
    st.none(), st.text(max_size=6), st.lists(st.sampled_from(["ab", "cd", "ef", "gh"]), max_size=6).map(" ".join)
)
scores = st.one_of(st.none(), st.floats(allow_nan=False), st.sampled_from([0.0, -0.0, 1.0]))


@st.composite
def rankings(draw, *, scored=scores):
    """Give a ranking of texts, some of them None, with scores in any order and places of a longer input."""
    documents = draw(st.lists(texts, max_size=12))
    places = draw(st.permutations(range(len(documents) + 3)))
    values = draw(st.lists(scored, min_size=len(documents), max_size=len(documents)))
    return Ranking(tuple(map(Hit, documents, places, values)), Report(scorer="some"))


def by_first_letter(document):
    """Group by the first letter; a blank text is in no group."""
    return document[0] if document else None


STEPS = {
    "dedupe": dedupe(),
    "dedupe by words": dedupe(0.5, words=2),
    "dedupe by characters": dedupe(0.7, characters=2, ignore_case=True),
    "cap": cap(by_first_letter, 1),
    "cap to the end": cap(by_first_letter, 2, overflow="end"),
    "diversify": diversify(),
    "diversify only": diversify(weight=0, top_n=4),
    "diversify by a function": diversify(lambda one, other: float(one == other), weight=0.3),
    "diversify by vectors": diversify(vectors=lambda document: [len(document or ""), 1], weight=0.3),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@given(ranking=rankings())
def test_hits_are_chosen_and_ordered_and_nothing_else(step, ranking):
    """The very hits, none twice, the best one first, the report as it was; the same again each time."""
    found = step(ranking)
    assert len(set(map(id, found))) == len(found)
    assert {id(hit) for hit in found} <= {id(hit) for hit in ranking}
    assert [*found[:1]] == [*ranking[:1]]
    assert found.report is ranking.report
    assert step(ranking) == found


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_reranker_takes_them(step):
    """Before the cut; no documents stay none."""
    documents = ["ab cd", "ab  cd", None, "ef gh", "ab cd ef", "x"]
    whole = Reranker("lexical", then=[step]).rerank("ab", documents)
    assert Reranker("lexical", then=[step], top_n=2).rerank("ab", documents) == whole[:2]
    assert Reranker("lexical", then=[step]).rerank("ab", []) == Ranking()


class TestDedupe:
    """Exact copies and near ones."""

    @pytest.mark.parametrize("name", [name for name in STEPS if name.startswith("dedupe")])
    @given(ranking=rankings())
    def test_again_changes_nothing(self, name, ranking):
        """What stays has no copies, and stays in its order."""
        once = STEPS[name](ranking)
        assert STEPS[name](once) == once
        places = [ranking.hits.index(hit) for hit in once]
        assert places == sorted(places)

    @pytest.mark.parametrize(
        ("settings", "kept"),
        [({}, ["é  a", "É a", "e a"]), ({"ignore_case": True}, ["é  a", "e a"])],
        ids=["exact", "without case"],
    )
    def test_equal_texts(self, settings, kept):
        """White space and the way an accent is written do not count; case does unless told."""
        given = Ranking.of(["é  a", "e\u0301 a\n", "\tÉ a", "e a"])
        assert [text.strip() for text in dedupe(**settings)(given).documents] == kept

    def test_blank_texts_are_no_copies(self):
        """Nothing is known of them: images without text are not all the same."""
        given = Ranking.of(["", None, "  ", "a", "", "a"])
        for step in (dedupe(), dedupe(0.5)):
            assert step(given).indices == [0, 1, 2, 3, 4]

    def test_pictures_are_compared_whole(self):
        """Addresses that look alike are not pictures that do; base64 has case."""
        given = Ranking.of([Image("https://a/b/c/1.png"), Image("https://a/b/c/2.png"), Image("https://a/b/c/1.png")])
        assert dedupe(0.1, characters=2, ignore_case=True, text=lambda image: image)(given).indices == [0, 1]

    @given(
        st.lists(st.frozensets(st.integers(0, 9), max_size=8), max_size=10),
        st.one_of(st.floats(0.001, 1), st.sampled_from([1 / 3, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.07])),
    )
    def test_no_pair_is_missed(self, bags, threshold):
        """What is left out of the comparisons could not have reached the threshold."""
        kept = []
        for place, bag in enumerate(bags):
            if all(jaccard(bag, bags[other]) < threshold for other in kept):
                kept.append(place)
        assert dissimilar(bags, threshold) == kept

    def test_the_threshold_is_inclusive_for_every_fraction(self):
        """7 of 100 shared elements reach 0.07, though 0.07 * 100 is more than 7 in floating point."""
        for size in range(1, 120):
            for shared in range(1, size + 1, 3):
                assert dissimilar([set(range(shared)), set(range(size))], shared / size) == [0]

    @pytest.mark.parametrize(
        ("settings", "other", "similarity"),
        [
            ({"words": 1}, "One two, three four SIX", 4 / 6),
            ({"words": 2}, "One two, three four SIX", 3 / 5),
            ({}, "One two, three four SIX", 2 / 4),
            ({"characters": 3}, "one two three four six", 17 / 24),
            ({"characters": 3}, "one two three four fivefive", 21 / 23),
        ],
    )
    def test_shingles(self, settings, other, similarity):
        """Distinct runs of words, without case and punctuation, or of characters: Jaccard, by hand."""
        given = Ranking.of(["one two three four five", other])
        assert len(dedupe(similarity, **settings)(given)) == 1
        assert len(dedupe(similarity + 0.01, **settings)(given)) == 2

    def test_short_and_wordless_texts_are_one_shingle(self):
        """Equal ones are still copies."""
        given = Ranking.of(["Two words", "two words!", "two", "🙂", "🙃", "🙂"])
        assert dedupe(1.0, words=5)(given).indices == [0, 2, 3, 4]

    def test_texts_of_unspaced_scripts(self):
        """Chinese is read by characters and pairs of them."""
        given = Ranking.of(["合并多个有序列表的函数", "合并多个有序列表的函数。", "打开一个文件"])
        assert dedupe(0.9)(given).indices == [0, 2]

    def test_the_text_is_said_as_in_rerank(self):
        """A field, several, a function."""
        given = Ranking.of([{"title": "a", "body": "b"}, {"title": "a", "body": "c"}, {"title": "a"}])
        assert dedupe(text="title")(given).indices == [0]
        assert dedupe(text=["title", "body"])(given).indices == [0, 1, 2]
        assert dedupe(text=lambda row: row.get("body"))(given).indices == [0, 1, 2]
        with pytest.raises(TextError, match="no document has a field 'name'"):
            dedupe(text="name")(given)


class TestCap:
    """At most so many of a group."""

    @given(rankings(), st.integers(1, 3))
    def test_no_group_is_larger(self, ranking, per_group):
        """The best of each group stay, ungrouped ones too; to the end goes exactly what else is dropped."""
        kept = cap(by_first_letter, per_group)(ranking)
        sizes = Counter(map(by_first_letter, ranking.documents))
        expected = {group: min(size, per_group) if group else size for group, size in sizes.items()}
        assert Counter(map(by_first_letter, kept.documents)) == expected
        moved = cap(by_first_letter, per_group, overflow="end")(ranking)
        assert moved[: len(kept)] == kept
        assert [*moved[len(kept) :]] == [hit for hit in ranking if all(hit is not other for other in kept)]

    def test_fields(self):
        """Keys or attributes; a document that lacks one is in no group, one that nobody has is an error."""
        rows = [{"source": "a"}, {"source": "a"}, {}, {"source": None}, {"source": ("b", 1)}, {}]
        assert cap("source", 1)(Ranking.of(rows)).indices == [0, 2, 3, 4, 5]
        assert cap("source", 1)(Ranking.of([SimpleNamespace(**row) for row in rows])).indices == [0, 2, 3, 4, 5]
        with pytest.raises(TextError, match=r"no document has a field 'sauce' \(fields there are: source\)"):
            cap("sauce", 1)(Ranking.of(rows))

    def test_a_group_is_hashable(self):
        """The error names the document by its place in the input."""
        with pytest.raises(ArgumentError, match=r"by= gives document 1 a list, which cannot name a group: \['b'\]"):
            cap("tags", 1)(Ranking.of([{"tags": "a"}, {"tags": ["b"]}]))


def naive_mmr(relevance, similarity, weight, count):
    """Carbonell & Goldstein's formula as it stands in the paper."""
    chosen, rest = [], list(range(len(relevance)))
    while rest and len(chosen) < count:
        gain = {
            place: weight * relevance[place]
            - (1 - weight) * max((similarity[place][other] for other in chosen), default=0.0)
            for place in rest
        }
        chosen.append(max(rest, key=gain.__getitem__))
        rest.remove(chosen[-1])
    return chosen


class TestDiversify:
    """Maximal marginal relevance."""

    @given(rankings(), st.one_of(st.none(), st.integers(1, 5)))
    def test_weight_one_is_the_order(self, ranking, top_n):
        """Whatever the scores are, and without a single comparison."""
        assert diversify(math.dist, weight=1, top_n=top_n)(ranking) == ranking[:top_n]

    @given(st.data())
    def test_it_is_the_papers_formula(self, data):
        """On scores from 1 down to 0, where normalising changes nothing."""
        size = data.draw(st.integers(2, 8))
        middle = data.draw(st.lists(st.floats(0, 1), min_size=size - 2, max_size=size - 2))
        relevance = [1.0, *sorted(middle, reverse=True), 0.0]
        pairs = {pair: data.draw(st.floats(-1, 1)) for pair in combinations(range(size), 2)}
        similarity = [[pairs.get((min(i, j), max(i, j)), 1.0) for j in range(size)] for i in range(size)]
        weight, count = data.draw(st.floats(0, 0.99)), data.draw(st.integers(1, size))
        step = diversify(lambda one, other: similarity[one][other], weight=weight, top_n=count)
        assert step(Ranking.of(range(size), relevance)).indices == naive_mmr(relevance, similarity, weight, count)

    @given(rankings(scored=st.floats(-1e6, 1e6)), st.sampled_from([0.25, 4.0, 1024.0]))
    def test_the_scale_of_scores_does_not_matter(self, ranking, factor):
        """Logits and probabilities are brought to the same span."""
        ordered = sorted(ranking, key=lambda hit: -hit.score)
        other = [Hit(hit.document, hit.index, hit.score * factor) for hit in ordered]
        assert diversify()(Ranking(tuple(ordered))).indices == diversify()(Ranking(tuple(other))).indices

    @pytest.mark.parametrize(
        "values",
        [None, [1.0, 2.0, 3.0], [math.inf, 1.0, 0.0], [1e308, 0.0, -1e308]],
        ids=["no", "rising", "inf", "far"],
    )
    def test_without_usable_scores_places_count(self, values):
        """As if the scores were 1, 2/3, 1/3."""
        documents = ["a b", "a b c", "d"]
        found = [diversify(weight=weight)(Ranking.of(documents, values)).indices for weight in (0.5, 0.7)]
        assert found == [[0, 2, 1], [0, 1, 2]]

    def test_equal_scores_leave_it_to_the_similarity(self):
        """And equals of that keep their order."""
        documents = ["a b", "a b", "c d", "a c", "e f"]
        assert diversify()(Ranking.of(documents, [2.0] * 5)).indices == [0, 2, 4, 3, 1]

    def test_it_asks_for_n_times_top_n_similarities(self):
        """At most, with a function of documents; the newer choice comes second."""
        asked = []
        found = Ranking.of(range(20), [float(-place) for place in range(20)])
        diversify(lambda *pair: asked.append(pair) or 0.0, top_n=4)(found)
        assert len(asked) == 19 + 18 + 17
        assert len(set(asked)) == len(asked)

    def test_vectors(self):
        """By function or field; the cosine counts, not the length; zeros are like nothing."""
        rows = [{"v": [1, 0]}, {"v": [0.1, 0]}, {"v": [9.0, 9.0]}, {"v": (0.0, 0.0)}]
        for vectors in ("v", lambda row: row["v"]):
            assert diversify(vectors=vectors, weight=0)(Ranking.of(rows)).indices == [0, 3, 2, 1]

    @pytest.mark.parametrize("vector", [None, [], [1.0], [1.0, math.nan], [1.0, math.inf], ["a", "b"], "12", 3])
    def test_a_vector_that_is_none_is_an_error(self, vector):
        """It names the document by its place in the input."""
        with pytest.raises(ArgumentError, match="document 1 has no vector like the others"):
            diversify(vectors="v")(Ranking.of([{"v": [1.0, 0.0]}, {"v": vector}]))

    @pytest.mark.parametrize("answer", [None, math.nan, math.inf, "0.5", True])
    def test_a_similarity_is_a_finite_number(self, answer):
        """Anything else could only give a wrong order."""
        with pytest.raises(ArgumentError, match="similarity= must give a finite number"):
            diversify(lambda _one, _other: answer)(Ranking.of(["a", "b"]))

    def test_pictures_and_wordless_texts_are_like_no_other(self):
        """Unless they are the same picture."""
        pictures = [Image("https://a/1.png"), Image("https://a/1.png"), Image("https://a/2.png"), "!", "!", ""]
        found = diversify(weight=0, text=lambda picture: picture)(Ranking.of(pictures))
        assert found.indices == [0, 2, 3, 4, 5, 1]


@pytest.mark.parametrize(
    ("step", "options", "said"),
    [
        (dedupe, {"threshold": 1.5}, "threshold must be a number between 0 and 1; got 1.5"),
        (dedupe, {"threshold": 0}, "threshold must be above 0"),
        (dedupe, {"threshold": True}, "threshold must be a number between 0 and 1; got True"),
        (dedupe, {"words": 3}, "words= is the size of shingles, and goes with threshold="),
        (dedupe, {"threshold": 0.9, "words": 3, "characters": 5}, "give one of them"),
        (dedupe, {"threshold": 0.9, "words": 0}, "words must be a whole number above 0"),
        (dedupe, {"text": 3}, "text= takes a function"),
        (cap, {"by": 3, "per_group": 1}, "by must be a field's name or a function of a document; got 3"),
        (cap, {"by": "", "per_group": 1}, "by must be a field's name"),
        (cap, {"by": "a", "per_group": None}, "per_group must be a whole number above 0; got None"),
        (cap, {"by": "a", "per_group": 1.5}, "per_group must be a whole number above 0"),
        (cap, {"by": "a", "per_group": 1, "overflow": "back"}, "overflow must be 'drop' or 'end'; got 'back'"),
        (diversify, {"weight": -0.1}, "weight must be a number between 0 and 1; got -0.1"),
        (diversify, {"top_n": 0}, "top_n must be a whole number above 0"),
        (diversify, {"similarity": "cosine"}, r"similarity must be 'words' or a function .* vectors= says where"),
        (diversify, {"vectors": [[1.0]]}, "vectors must be a field's name or a function"),
        (diversify, {"similarity": len, "vectors": "v"}, "similarity= and vectors= are different ways"),
        (diversify, {"vectors": "v", "text": "title"}, "vectors= and text= are different ways"),
    ],
)
def test_settings_that_cannot_be(step, options, said):
    """Are refused when the step is made, with what would be right."""
    with pytest.raises(ArgumentError, match=said):
        step(**options)


def test_steps_are_fixed_and_say_what_they_are():
    """An error about a step quotes it."""
    step = cap("source", 2)
    assert repr(step) == "Cap(by='source', per_group=2, overflow='drop')"
    assert step == cap("source", 2)
    with pytest.raises(FrozenInstanceError):
        step.per_group = 3
    with pytest.raises(ArgumentError, match="cap takes a Ranking; got a list"):
        step(["a"])


class TestSpecs:
    """Steps as JSON."""

    @pytest.mark.parametrize(
        ("spec", "step"),
        [
            ("dedupe", Dedupe()),
            ({"dedupe": {}}, Dedupe()),
            ({"dedupe": {"threshold": 0.9, "characters": 5}}, Dedupe(0.9, characters=5)),
            ({"cap": {"by": "source", "per_group": 2}}, Cap("source", 2)),
            ({"diversify": {"weight": 0.5, "vectors": "embedding"}}, Diversify(weight=0.5, vectors="embedding")),
            (len, len),
        ],
    )
    def test_what_a_spec_names(self, spec, step):
        """A name, or one name with its options; a function is a step already."""
        assert load_step(spec) == step

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            ("dedup", "no step named 'dedup'; did you mean 'dedupe'"),
            ({"mmr": {}}, "no step named 'mmr'; known: cap, dedupe, diversify"),
            ("cap", "step 'cap': missing a required argument: 'by'; its options: by, per_group, overflow"),
            ({"dedupe": {"treshold": 1}}, "step 'dedupe': got an unexpected keyword argument 'treshold'; its options:"),
            ({"dedupe": {}, "cap": {}}, "not a step"),
            ({"dedupe": None}, "not a step"),
            (["dedupe"], "not a step"),
            (dedupe, "not a step"),
            (None, "not a step"),
        ],
    )
    def test_what_is_no_step(self, spec, said):
        """The error says what is known."""
        with pytest.raises(SpecError, match=said):
            load_step(spec)


class Kept:
    """A host's document, which keeps its fields inside."""

    def __init__(self, content, **metadata):
        """Take the content and the metadata."""
        self.content, self.metadata = content, metadata


def fields_of(document):
    """Read a host's document."""
    return {**document.metadata, "text": document.content}


class TestInAnAdapter:
    """``then=`` of `HostReranker`."""

    documents = (Kept("a", source="x"), Kept("a a", source="x"), Kept("a", source="y"), Kept("b", source="x"))

    def ranked(self, *then, scorer=lambda _query, texts: list(range(len(texts), 0, -1)), **settings):
        """Rerank the documents, which are in their order already."""
        host = HostReranker(scorer, then=then, fields_of=fields_of, **settings)
        ranking = host.rerank("q", self.documents, text=lambda document: document.content)
        assert all(hit.document is self.documents[hit.index] for hit in ranking)
        return ranking.indices

    def test_fields_are_the_hosts(self):
        """Of specs and of live steps alike; functions get the document itself."""
        for step in (
            {"cap": {"by": "source", "per_group": 1}},
            cap("source", 1),
            cap(lambda d: d.metadata["source"], 1),
        ):
            assert self.ranked(step) == [0, 2]
        for step in ("dedupe", dedupe(), dedupe(text=lambda document: document.content)):
            assert self.ranked(step) == [0, 1, 3]
        assert self.ranked({"dedupe": {"text": "source"}}) == [0, 2]
        assert self.ranked({"diversify": {"weight": 0.5}}, top_n=2) == [0, 3]

    def test_any_function_is_a_step(self):
        """It gets the ranking of the host's documents."""
        assert self.ranked("dedupe", lambda ranking: ranking[1:], top_n=1) == [1]

    def test_behind_the_steps_of_a_wrapped_reranker(self):
        """And before its cut; the reranker that was given stays as it is."""
        wrapped = [
            Reranker(lambda _query, texts: list(range(len(texts), 0, -1)), top_n=2, then=[lambda ranking: ranking[1:]]),
            Cascade((lambda _query, texts: list(range(len(texts), 0, -1)), 2), then=[lambda ranking: ranking[1:]]),
        ]
        for reranker in wrapped:
            alone = reranker.rerank("q", ["a", "b", "c"])
            assert self.ranked({"cap": {"by": "source", "per_group": 9}}, scorer=reranker)[0] == 1
            assert self.ranked(lambda ranking: ranking[:1], scorer=reranker) == [1]
            assert reranker.rerank("q", ["a", "b", "c"]) == alone
            assert HostReranker(reranker).reranker is reranker
        assert self.ranked("dedupe", scorer={"cascade": {"stages": [["lexical", 3], "first_stage"]}}) == [0, 1]

    def test_what_is_written_down(self):
        """Specs; a live step is refused by name, even one that a spec could say."""
        then = ["dedupe", {"diversify": {"weight": 0.7}}]
        written = HostReranker("lexical", then=tuple(then)).written()
        assert json.loads(json.dumps(written)) == {"scorer": "lexical", "scorer_options": None, "then": then}
        with pytest.raises(SpecError, match=r"then=Dedupe\(.* is a live object and cannot be written down"):
            HostReranker("lexical", then=[dedupe()]).written()
        with pytest.raises(SpecError, match="then of 'lexical' cannot be written down as JSON"):
            HostReranker("lexical", then=[{"cap": {"by": len, "per_group": 1}}]).written()

    @pytest.mark.parametrize("then", ["dedupe", {"dedupe": {}}, dedupe(), 3])
    def test_it_is_a_list(self, then):
        """A lone step is an error that shows the list."""
        with pytest.raises(ArgumentError, match="then must be a list of steps"):
            HostReranker("lexical", then=then)

    def test_secrets_are_refused(self):
        """What is written down may hold none."""
        with pytest.raises(SpecError, match="names a secret"):
            HostReranker("lexical", then=[{"dedupe": {"api_key": "s3cr3t"}}])
