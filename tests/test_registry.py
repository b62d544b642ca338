"""Specs: read, checked, built, written back."""

import json
import sys

import pytest

from anyrank import Cascade, Ensemble, Fallback, FirstStage, Reranker, load, names, spec_of
from anyrank.errors import SpecError, UnknownScorerError
from anyrank.scorers.lexical import Lexical
from anyrank.testing import installed_scorers

PLUGIN = """
class Shouting:
    name = "shouting"
    def __init__(self, model="loud", *, api_key=None, volume=1.0):
        self.model, self.volume = model, volume
    def score(self, query, texts):
        return [self.volume * sum(map(str.isupper, text)) for text in texts]

def as_function(model="x"):
    return lambda query, texts: [float(len(text)) for text in texts]

number = 5

def free_form(**options):
    scorer = Shouting()
    scorer.options = options
    return scorer

"""


PLUGIN_MORE = {"as_function": "as_function", "number": "number", "not_there": "missing"}


@pytest.fixture
def plugin(tmp_path):
    """Install somebody else's scorers."""
    with installed_scorers(
        tmp_path,
        "shouting_plugin",
        PLUGIN,
        {"shouting": "Shouting", "free_form": "free_form", "lexical": "Shouting", **PLUGIN_MORE},
    ):
        yield


def test_the_built_in_names():
    """A scorer's name is its file's; the compositions have names too."""
    assert {"lexical", "embedding", "cross_encoder", "ensemble", "fallback", "cascade", "first_stage"} <= set(names())


def test_no_two_loads_share_an_instance():
    """Every load builds anew."""
    assert load("lexical") is not load("lexical")


def test_argument_and_options():
    """What is behind the first colon is the model; options come by name."""
    scorer = load("cross_encoder:BAAI/bge-reranker-v2-m3", device="cpu")
    assert (scorer.model, scorer.device) == ("BAAI/bge-reranker-v2-m3", "cpu")
    assert load("embedding:a:b").model == "a:b"
    assert load({"lexical": {"k1": 0.5}}) == Lexical(k1=0.5)


SPECS = [
    "lexical",
    {"lexical": {"k1": 0.5}},
    "first_stage",
    "first_stage:score",
    "embedding:some/model",
    {"cross_encoder": {"model": "some/model", "device": "cpu"}},
    {"ensemble": {"scorers": {"bm25": "lexical", "ce": "cross_encoder:some/model"}, "method": "rrf"}},
    {
        "ensemble": {
            "scorers": {"bm25": "lexical", "first": "first_stage"},
            "method": "rrf",
            "weights": {"bm25": 0.7, "first": 0.3},
            "k": 10,
        }
    },
    {"ensemble": {"scorers": {"a": "lexical"}, "method": "comb_sum", "normalize": "z_score"}},
    {"fallback": {"scorers": ["cross_encoder:some/model", {"lexical": {"b": 0.5}}, "first_stage"]}},
    {"cascade": {"stages": [["lexical", 50], ["cross_encoder:some/model", 10]]}},
    {"cascade": {"stages": [["lexical", 50], ["embedding:some/model", None]], "min_score": 0.2}},
]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_spec_survives_the_round_trip(spec):
    """`spec_of` writes what `load` reads, as plain JSON."""
    written = spec_of(load(spec))
    assert written == spec
    assert json.loads(json.dumps(written)) == spec
    assert spec_of(load(written)) == spec


def test_objects_that_were_made_by_hand_have_specs_too():
    """Scorers built in code are written down where all their parts can be."""
    assert spec_of(Ensemble({"bm25": Lexical(), "first": FirstStage()})) == {
        "ensemble": {"scorers": {"bm25": "lexical", "first": "first_stage"}, "method": "rrf"}
    }
    assert spec_of(Cascade(("lexical", 5), Fallback("lexical", "first_stage"))) == {
        "cascade": {"stages": [["lexical", 5], [{"fallback": {"scorers": ["lexical", "first_stage"]}}, None]]}
    }


@pytest.mark.parametrize(
    "scorer", [print, Ensemble({"a": len}), Fallback("lexical", len), Cascade("lexical", then=[list]), object()]
)
def test_what_cannot_be_built_again_has_no_spec(scorer):
    """Functions and foreign objects are refused by name, also inside a composition."""
    with pytest.raises(SpecError, match="has no spec"):
        spec_of(scorer)


@pytest.mark.parametrize(
    ("spec", "options", "error", "says"),
    [
        ("jna", {}, UnknownScorerError, r"no scorer named 'jna'; did you mean 'jina'.*known: .*cross_encoder"),
        ("lexicla", {}, UnknownScorerError, "did you mean 'lexical'"),
        ("", {}, SpecError, "not a scorer spec"),
        (7, {}, SpecError, "not a scorer spec: 7"),
        ({}, {}, SpecError, "not a scorer spec"),
        ({"a": {}, "b": {}}, {}, SpecError, "not a scorer spec"),
        ({"type": {}}, {}, SpecError, "not a scorer spec"),
        ({"lexical": 3}, {}, SpecError, "not a scorer spec"),
        ("lexical:arg", {}, SpecError, "takes no argument"),
        ("lexical", {"k": 1}, SpecError, "no option 'k'; did you mean 'k1'"),
        ("cross_encoder", {}, SpecError, "needs model="),
        ("cross_encoder:", {}, SpecError, "not a scorer spec"),
        ({"fallback": {"scorers": "lexical"}}, {}, SpecError, "scorers is a list"),
        ({"cascade": {"stages": 5}}, {}, SpecError, "stages is a list"),
        ("cross_encoder:m", {"model": "n"}, SpecError, "given twice"),
        ({"lexical": {"k1": 1}}, {"k1": 2}, SpecError, "given twice"),
        ("first_stage:place", {}, ValueError, "'rank' or the 'score'"),
        ({"ensemble": {"scorers": {"a": "nope"}}}, {}, UnknownScorerError, "nope"),
        ({"fallback": {"scorer": []}}, {}, SpecError, "no option 'scorer'; did you mean 'scorers'"),
        ("cascade", {"stages": ["lexical"]}, SpecError, "written with its stages"),
        ({"cascade": {}}, {}, SpecError, "needs stages="),
    ],
)
def test_bad_specs_are_named(spec, options, error, says):
    """What is wrong, what is known, and what to write."""
    with pytest.raises(error, match=says):
        load(spec, **options)


@pytest.mark.usefixtures("plugin")
def test_a_plugin_may_build_a_function():
    """What its factory returns is taken like any scorer."""
    assert Reranker("as_function").rerank("q", ["a", "bb"]).documents == ["bb", "a"]


@pytest.mark.usefixtures("plugin")
def test_a_broken_plugin_is_named():
    """An entry point that leads nowhere says whose it is."""
    with pytest.raises(AttributeError) as caught:
        load("not_there")
    assert "entry point 'shouting_plugin:missing'" in caught.value.__notes__[0]
    with pytest.raises(SpecError, match="is a int, nothing that builds a scorer"):
        load("number")


def test_a_spec_with_a_key_is_not_repeated():
    """An unreadable mapping is shown by its keys only."""
    with pytest.raises(SpecError, match="a mapping with 'jina', 'b'") as caught:
        load({"jina": {"api_key": "s3cr3t"}, "b": 1})
    assert "s3cr3t" not in str(caught.value)


def test_a_key_is_in_no_spec():
    """A scorer that is a dataclass leaves fields out that name a secret."""
    from dataclasses import dataclass

    from anyrank.scorer import SpecFromFields

    @dataclass
    class Hosted(SpecFromFields):
        name = "hosted"
        model: str = "m"
        api_key: str | None = None

    assert spec_of(Hosted("n", api_key="s3cr3t")) == "hosted:n"


def test_a_spec_is_its_own_spec():
    """`spec_of` of a spec is the spec, once it could be read."""
    assert spec_of("lexical") == "lexical"
    assert spec_of({"lexical": {}}) == {"lexical": {}}
    with pytest.raises(SpecError, match="not a scorer spec"):
        spec_of("")


@pytest.mark.usefixtures("plugin")
def test_other_peoples_scorers_are_found_by_entry_point():
    """An installed package's scorer is loaded by name, with model and options; built-in names stay ours."""
    assert Reranker("shouting").rerank("q", ["a", "A"]).documents == ["A", "a"]
    scorer = load("shouting:louder", volume=2.0)
    assert (scorer.model, scorer.volume) == ("louder", 2.0)
    assert load("free_form", anything=1).options == {"anything": 1}
    assert isinstance(load("lexical"), Lexical)
    assert "shouting" in names()
    with pytest.raises(SpecError, match="no option 'vol'; did you mean 'volume'"):
        load("shouting", vol=1)


@pytest.mark.usefixtures("plugin")
def test_nothing_is_imported_before_it_is_asked_for():
    """Listing the names loads no plugin."""
    names()
    assert "shouting_plugin" not in sys.modules
