"""``anyrank doctor``: what it finds, and that it finds what is wrong."""

import os
import sys

import pytest
from cli_data import CommandLine

from anyrank import __version__
from anyrank.cli import _checkup, _installed
from anyrank.cli._installed import Requirement
from anyrank.cli._trial import trial
from anyrank.testing import installed_scorers

PLUGIN = """
def turned():
    def score(query, texts):
        return [0.0 - ("France" in text) for text in texts]
    return score

def lost():
    def score(query, texts):
        return [1.0]
    return score
"""


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Return the command line, in an environment that nothing is wrong with."""
    for name in list(os.environ):
        if name.upper().endswith(("_KEY", "_PROXY", "_CA_BUNDLE", "_CERT_FILE", "_CERT_DIR", "_OFFLINE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def plugin(tmp_path):
    """Install a scorer whose scores are turned round, and one that loses count."""
    with installed_scorers(tmp_path, "tried_plugin", PLUGIN, {"turned": "turned", "lost": "lost"}):
        yield


def distribution(folder, name, version, *needs):
    """Install a distribution that has nothing but what it says of itself."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")


def about(rows, topic):
    """Return the levels and texts of what is said about something."""
    return [(level, text) for level, found, text in rows if found == topic]


def test_a_machine_that_is_well(cli):
    """Versions, adapters, packages, devices and folders; no fault, and 0 as the exit code."""
    rows = cli.rows("doctor")
    assert {row[0] for row in rows} <= {"ok", "note"}
    assert about(rows, "python")[0][1].startswith(sys.version.split()[0])
    assert about(rows, "anyrank")[0][1].startswith(__version__)
    assert [text for _, text in about(rows, "device") if text.startswith("CPU")]
    assert {text.split()[0] for _, text in about(rows, "package")} >= {"typer", "rich", "scipy"}
    assert about(rows, "key") == [("note", about(rows, "key")[0][1])]
    assert [(row["level"], row["topic"], row["text"]) for row in cli.json("doctor")] == [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("version", "needs", "level", "says"),
    [
        (__version__, ["anyrank>=0.1,<0.2", "rich>=1"], "ok", "rich"),
        ("0.1.99", ["anyrank>=0.1,<0.2"], "note", "upgrade both together"),
        (__version__, ["anyrank>=7"], "fault", f"anyrank>=7, and there is {__version__}"),
        (__version__, ["anyrank", "rich<1"], "fault", "rich<1, and there is"),
        (__version__, ["anyrank", "no-such-host>=2"], "fault", "no-such-host>=2, and there is none"),
        (__version__, ["anyrank", 'no-such-host; extra == "more"', 'x; python_version < "3"'], "ok", "anyrank-house"),
    ],
)
def test_an_adapter_is_held_against_what_it_says_it_needs(cli, monkeypatch, tmp_path, version, needs, level, says):
    """Its version beside the core's, and its host's within the range."""
    distribution(tmp_path, "anyrank-house", version, *needs)
    monkeypatch.syspath_prepend(tmp_path)
    rows = cli.rows("doctor", code=int(level == "fault"))
    [(found, text)] = [(found, text) for found, text in about(rows, "adapter") if text.startswith("anyrank-house ")]
    assert found == level
    assert says in text


def test_an_optional_package_may_be_missing_and_not_too_old(cli, monkeypatch):
    """The one is a note with the line that installs it, the other a fault."""
    needs = [Requirement("no-such-package", "", "more"), Requirement("rich", ">=999", "more")]
    monkeypatch.setattr(_checkup, "extras", lambda: {"more": needs})
    found = dict(about(cli.rows("doctor", code=1), "package"))
    assert found["note"] == "no-such-package is not installed: pip install 'anyrank[more]'"
    assert "is not rich>=999: pip install -U 'anyrank[more]'" in found["fault"]


@pytest.mark.parametrize(("versions", "met"), [("", True), (">=2.10", True), (">=2.10.1", False), (">=2,<3", True)])
def test_a_requirement_is_met_by_numbers(monkeypatch, tmp_path, versions, met):
    """2.10 comes after 2.9, and a local part says nothing."""
    distribution(tmp_path, "numbered", "2.10+cpu")
    distribution(tmp_path, "asks", "1", f"numbered{versions}")
    monkeypatch.syspath_prepend(tmp_path)
    from importlib.metadata import distribution as installed

    [need] = _installed.requirements(installed("asks"))
    assert need.met is met


def test_the_environment_is_told_without_what_is_secret(cli, monkeypatch, tmp_path):
    """Proxies without their user, keys by their variable alone; certificates that are not there are a fault."""
    monkeypatch.setenv("CO_API_KEY", "sk-hush")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hush@proxy.example.org:3128")
    monkeypatch.setenv("http_proxy", "me:p@hush@proxy.example.org:3128")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    rows = cli.rows("doctor", code=1)
    assert "hush" not in cli.out + cli.err
    assert [text for _, text in about(rows, "proxy")] == [
        "HTTPS_PROXY=http://proxy.example.org:3128",
        "http_proxy=proxy.example.org:3128",
    ]
    assert ("ok", "cohere: CO_API_KEY is set") in about(rows, "key")
    assert about(rows, "certificates") == [("fault", f"SSL_CERT_FILE={tmp_path / 'none.pem'} is not there")]
    assert about(rows, "hub")[0] == ("note", "HF_HUB_OFFLINE=1: only models that are here already can be loaded")


def test_a_folder_that_cannot_be_written_is_a_fault(cli, monkeypatch, tmp_path):
    """Where models would be kept, a file stands here."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    rows = cli.rows("doctor", code=1)
    assert about(rows, "hub") == [("fault", f"{tmp_path / 'file' / 'hub'} cannot be written")]


def test_a_check_that_fails_is_a_finding(cli, monkeypatch):
    """A package that is broken raises what it likes; the other checks are made."""

    def broken():
        msg = "libcuda is from another age"
        raise OSError(msg)

    monkeypatch.setattr(_checkup, "extras", broken)
    rows = cli.rows("doctor", code=1)
    assert ("fault", "OSError: libcuda is from another age") in about(rows, "packages")
    assert about(rows, "device")


def test_a_scorer_is_tried_out(cli):
    """It says what that took, and that the answer came first."""
    *_, took, order = about(cli.rows("doctor", "lexical"), "trial")
    assert took[1].startswith("lexical: loaded in ")
    assert order[0] == "ok"
    assert "came first" in order[1]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("lexicla", "did you mean 'lexical'"),
        ("cross_encoder", "needs model="),
        ('{"cohere": {"api_key": "sk-hush"}}', "names a secret"),
        ("cohere", "needs an API key: set CO_API_KEY"),
        ("tei", "needs the server's URL"),
        ("turned", "came as number 3 (0, 0, -1): are its scores turned round"),
        ("lost", "scorer"),
        ('{"fallback": {"scorers": ["lost", "lexical"]}}', "degraded, lexical stood in"),
        ('{"cascade": {"stages": [["lexical", 3]], "min_score": 99}}', "was left out"),
        ("tei:http://127.0.0.1:9", "127.0.0.1"),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_what_is_wrong_with_a_scorer_is_a_fault(cli, spec, says):
    """In the library's own words, with 1 as the exit code; the rest of the checks are there too."""
    rows = cli.rows("doctor", spec, code=1)
    faults = [text for level, text in about(rows, "trial") if level == "fault"]
    assert says in faults[0]
    assert "sk-hush" not in cli.out + cli.err
    assert about(rows, "python")


def test_what_the_parts_of_a_composition_need_is_told(cli, monkeypatch):
    """Each by its name, whether it is there or not."""
    monkeypatch.setenv("JINA_API_KEY", "k")
    spec = '{"cascade": {"stages": [["lexical", 2], [{"fallback": {"scorers": ["cohere", "jina", "lexical"]}}, 1]]}}'
    needs = about(cli.rows("doctor", spec, "--json", code=1) and cli.rows("doctor", spec, code=1), "needs")
    assert [level for level, _ in needs] == ["note", "ok"]
    assert needs[0][1].startswith("cohere: no CO_API_KEY here")
    assert needs[1][1] == "jina: JINA_API_KEY"


def test_the_retrievers_own_order_is_not_judged(cli):
    """A scorer that reads no text cannot find the answer."""
    rows = cli.rows("doctor", "first_stage:score")
    assert about(rows, "trial")[-1][0] == "note"


def test_a_terminal_gets_columns(cli):
    """One line a finding."""
    shown = cli.terminal("doctor", "lexical", width=200)
    assert shown.splitlines()[0].split()[:2] == ["ok", "python"]


def test_a_real_model_is_tried_out(models):
    """It is loaded and asked; with random weights any order may come of it."""
    needs, took, order = trial({"embedding": {"model": models["bi_encoder"], "backend": "torch"}})
    assert (needs.level, needs.text) == ("ok", "embedding: anyrank[local]")
    assert took.text.startswith(f"{models['bi_encoder']}: loaded in ")
    assert "the document that answers the query came" in order.text
