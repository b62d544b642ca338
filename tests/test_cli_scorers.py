"""``anyrank scorers``: what is declared of each scorer, and whether what it needs is there."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from cli_data import CommandLine

from anyrank import names
from anyrank._registry import COMPOSITIONS
from anyrank.cli import _catalog, _installed
from anyrank.scorers.cohere import scorer as cohere
from anyrank.testing import installed_scorers

PLUGIN = '''
"""Counts capitals: https://example.org/shouting. More of it."""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Results

class Shouting:
    """Another thing."""
    score_kind = "capitals"
    def __init__(self, model="loud", *, api_key="sk-hush", volume=1.0, colours=("red",), **more: int):
        self.model = model
    def score(self, query, texts):
        return [float(sum(map(str.isupper, text))) for text in texts]

house = Endpoint(
    name="house",
    url="https://rerank.example.org/v1/rerank",
    auth=KeyAuth(env=("HOUSE_API_KEY",)),
    body={"model": MODEL, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT},
    results=Results("results", score="relevance_score"),
    model="house-large",
)

open_house = Endpoint(name="open_house", url="/rerank", body={"query": QUERY}, auth=KeyAuth(required=False))
number = 5
'''
POINTS = {
    "shouting": "Shouting",
    "house": "house",
    "open_house": "open_house",
    "number": "number",
    "missing": "not_there",
}


@pytest.fixture
def cli(capsys, monkeypatch):
    """Return the command line, in an environment without keys."""
    for name in list(os.environ):
        if name.endswith(("_KEY", "_APIKEY", "_TOKEN", "_BASE_URL", "_API_BASE", "_REGION", "_PROJECT", "_ENDPOINT")):
            monkeypatch.delenv(name)
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def plugin(tmp_path):
    """Install somebody else's scorers, two of them broken."""
    with installed_scorers(tmp_path, "listed_plugin", PLUGIN, POINTS):
        yield


def card(cli, name):
    """Return what ``--json`` says of a scorer."""
    [found] = cli.json("scorers", name)
    return found


def test_every_scorer_is_listed(cli):
    """One line each, in the registry's order, and each says what it is."""
    rows = cli.rows("scorers")
    assert [row[0] for row in rows] == names()
    assert all(len(row) == 7 and row[6] for row in rows)
    assert [found["name"] for found in cli.json("scorers")] == names()


def test_a_hosted_scorer_is_told_from_its_row(cli):
    """Models, limits, options and the day they were looked up are the endpoint's own."""
    found = card(cli, "cohere")
    assert found["what"] == "Cohere, version 2 of its API"
    assert found["url"] == "https://docs.cohere.com/reference/rerank"
    assert (found["model"], found["checked"]) == (cohere.model, cohere.checked)
    assert found["models"].keys() == cohere.models.keys()
    assert found["limits"]["max_documents"] == cohere.max_documents
    assert {option["name"] for option in found["options"]} == {"api_key", *cohere.options}
    options = {option["name"]: option for option in found["options"]}
    assert options["api_key"] == {
        "name": "api_key",
        "type": "secret",
        "default": None,
        "env": ["CO_API_KEY", "COHERE_API_KEY"],
        "required": False,
    }
    assert options["max_retries"]["default"] == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("jina", {"score_kind": "cosine", "scope": "list"}),  # its default model's, not its endpoint's
        ("nvidia", {"modalities": ["image", "text"]}),
        ("lexical", {"score_kind": "bm25", "scope": "list", "ready": True, "needs": []}),
        ("cross_encoder", {"score_kind": "logit", "scope": "text", "model": None}),
        ("listwise", {"score_kind": "reciprocal_rank", "scope": "order"}),
        ("pairwise", {"score_kind": "win_rate", "scope": "list"}),
        ("first_stage", {"score_kind": "reciprocal_rank", "scope": "order", "modalities": ["image", "text"]}),
        ("ensemble", {"score_kind": None, "scope": None, "ready": True}),  # its members' say
    ],
)
def test_what_a_scorer_declares_is_what_is_told(cli, name, said):
    """Also where a class says it by a property; nothing is loaded for it."""
    found = card(cli, name)
    assert {key: found[key] for key in said} == said


@pytest.mark.parametrize(
    ("name", "environment", "ready"),
    [
        ("cohere", {"COHERE_API_KEY": "k"}, True),
        ("cohere", {"COHERE_API_KEY": ""}, False),
        ("bedrock", {"AWS_ACCESS_KEY_ID": "k", "AWS_REGION": "r"}, False),  # half of the credentials
        ("bedrock", {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}, False),  # no region
        ("bedrock", {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "r"}, True),
        ("watsonx", {"WATSONX_TOKEN": "t", "WATSONX_SPACE_ID": "s"}, True),
        ("tei", {"TEI_API_KEY": "k"}, False),  # no URL
        ("tei", {"ANYRANK_TEI_BASE_URL": "http://localhost:1"}, True),
        ("azure_cohere", {"AZURE_AI_API_KEY": "k"}, False),
        ("listwise", {"OPENAI_API_KEY": "k"}, True),
        ("listwise", {"OPENAI_BASE_URL": "http://localhost:1"}, True),
        ("vertex", {}, False),
    ],
)
def test_ready_is_what_would_work_now(cli, monkeypatch, name, environment, ready):
    """By the variables that the client itself reads; ``--ready`` leaves out the others."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert card(cli, name)["ready"] is ready
    listed = [row[0] for row in cli.rows("scorers", "--ready")]
    assert (name in listed) is ready
    assert "lexical" in listed


def test_no_value_of_a_key_is_shown(cli, monkeypatch):
    """Only the variable that holds it."""
    monkeypatch.setenv("CO_API_KEY", "sk-hush")
    for arguments in (["scorers"], ["scorers", "cohere"], ["scorers", "--json"], ["doctor"]):
        shown = cli(*arguments)
        assert "CO_API_KEY" in shown
        assert "sk-hush" not in shown + cli.err


@pytest.mark.parametrize(("scorer", "extra"), [("embedding", "local"), ("offline", "offline")])
def test_packages_that_are_missing_come_with_their_line(cli, monkeypatch, scorer, extra):
    """From what the distribution itself says of its extras."""
    lacking = replace(_installed.extras()[extra][0], name="no-such-package")
    monkeypatch.setattr(_catalog, "extras", lambda: {extra: [lacking]})
    row = next(row for row in cli.rows("scorers") if row[0] == scorer)
    assert row[1] == "no"
    assert row[5] == f"pip install 'anyrank[{extra}]'"


@pytest.mark.usefixtures("plugin")
def test_installed_scorers_are_listed_and_broken_ones_too(cli):
    """A broken entry point says what is wrong with it, and the others are there."""
    found = {row["name"]: row for row in cli.json("scorers")}
    assert found.keys() == {*names()} > {*POINTS}
    shouting = found["shouting"]
    assert shouting["what"] == "Counts capitals"
    assert shouting["url"] == "https://example.org/shouting"
    assert (shouting["model"], shouting["score_kind"], shouting["scope"]) == ("loud", "capitals", "text")
    options = {option["name"]: option["default"] for option in shouting["options"]}
    assert options == {"model": "loud", "api_key": None, "volume": 1.0, "colours": ["red"], "**more": None}
    assert found["house"]["model"] == "house-large"
    assert found["house"]["needs"][0]["what"] == "HOUSE_API_KEY"
    assert [need["kind"] for need in found["open_house"]["needs"] if need["required"]] == ["URL"]
    assert "nothing that builds a scorer" in found["number"]["problem"]
    assert "not_there" in found["missing"]["problem"]
    assert not found["number"]["ready"]
    faults = [row for row in cli.rows("doctor", code=1) if row[0] == "fault"]
    assert [row[2].split(":")[0] for row in faults if row[1] == "scorer"] == ["missing", "number"]


def test_one_scorer_is_shown_with_all_of_it(cli):
    """A line a fact, with a tab, or in columns for a person."""
    rows = cli.rows("scorers", "cohere")
    assert ["checked", cohere.checked] in rows
    assert ["option", "max_retries: int, default 2"] in rows
    shown = cli.terminal("scorers", "cohere")
    assert f"checked     {cohere.checked}" in shown


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_gets_a_line_a_scorer(cli, width):
    """The names are whole, and there is what is missing."""
    header, *lines = cli.terminal("scorers", width=width).splitlines()
    assert header.split()[0] == "scorer"
    assert [line.split()[0] for line in lines] == names()
    assert "CO_API_KEY" in next(line for line in lines if line.split()[0] == "cohere")


def test_a_name_that_is_none_is_told(cli):
    """With the closest one."""
    cli("scorers", "cohre", code=2)
    assert "did you mean 'cohere'" in cli.err
    cli("scorers", "cohere", "--ready", code=2)
    assert "--ready goes with the list" in cli.err


def test_compositions_say_what_they_take(cli):
    """Their options are their constructor's."""
    for name in COMPOSITIONS:
        found = card(cli, name)
        assert found["what"]
        assert found["options"]
        assert found["problem"] is None


@pytest.mark.parametrize("arguments", [["--help"], ["rerank", "--help"], ["scorers", "--json"]], ids=" ".join)
def test_it_starts_without_anything_heavy(arguments):
    """No tensor, table or metric library is imported to show help, or to list what there is."""
    heavy = ["torch", "numpy", "pandas", "ir_measures", "scipy", "transformers", "openvino", "requests", "asyncio"]
    program = (
        "import sys\nfrom anyrank.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"sys.stderr.write(' '.join(sorted(set({heavy}) & set(sys.modules))))"
    )
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert json.dumps(result.stdout) != '""'


@pytest.mark.parametrize("package", ["typer", "rich", "packaging"])
def test_a_missing_package_is_named_with_its_line(package):
    """The core is installed without them."""
    program = f"import sys; sys.modules[{package!r}] = None; from anyrank.cli import main; main(['scorers'])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == (f"anyrank: the command line needs the package {package!r}: pip install 'anyrank[cli]'\n")
