"""``anyrank tune``: the fusion that suits runs, as figures, settings and a spec."""

import json

import pytest
from cli_data import command_line, fruit  # noqa: F401 - fixtures: cli and folder

from anyrank import fuse, load
from anyrank.evaluation import tune

GIVEN = ("--method", "rrf", "--method", "borda", "-m", "MRR@10")


@pytest.fixture(scope="module")
def tuned(folder):
    """Return what the library finds."""
    runs = {name: folder / f"runs/{name}.trec" for name in ("early", "late")}
    return tune(runs, folder / "qrels/test.tsv", metric="MRR@10", methods=["rrf", "borda"])


def test_a_pipe_gets_figures_verdict_and_settings(cli, folder, tuned):
    """Each first stage alone, all untuned and tuned on held-out queries, and what to call `fuse` with."""
    assert cli.rows("tune", folder, *GIVEN) == [
        ["early", "MRR@10", "0.5000"],
        ["late", "MRR@10", "0.3333"],
        ["untuned", "MRR@10", f"{tuned.untuned:.4f}"],
        ["tuned", "MRR@10", f"{tuned.held_out:.4f}"],
        ["verdict", tuned.gain.verdict, f"{tuned.gain.p_corrected:.4g}"],
        ["settings", json.dumps(tuned.settings)],
    ]
    assert cli.err == ""


def test_everything_as_json(cli, folder, tuned):
    """One strict object."""
    [found] = cli.json("tune", folder, *GIVEN)
    assert (found["settings"], found["held_out"], found["tried"]) == (tuned.settings, tuned.held_out, tuned.tried)
    assert (found["alone"], found["gain"]["verdict"], found["spec"]) == (tuned.alone, tuned.gain.verdict, None)


def test_saved_settings_are_keywords_of_fuse(cli, folder, tuned, tmp_path):
    """And what `anyrank fuse` takes."""
    saved = tmp_path / "settings.json"
    cli("tune", folder, *GIVEN, "--save", saved)
    settings = json.loads(saved.read_text())
    assert settings == tuned.settings
    assert fuse({"early": ["a"], "late": ["b"]}, **settings)
    fused = cli("fuse", folder / "runs/early.trec", folder / "runs/late.trec", "--settings", saved)
    assert cli.rows("eval", "--qrels", folder / "qrels/test.tsv", "-m", "MRR@10", stdin=fused) == [
        ["stdin", "MRR@10", f"{tuned.fitted:.4f}"]
    ]


def test_the_spec_of_the_ensemble(cli, folder, tuned):
    """Every adapter, and `load`, takes it."""
    members = ("--spec", "early=first_stage", "--spec", "late=lexical")
    *_, [name, spec] = cli.rows("tune", folder, *GIVEN, *members)
    assert name == "spec"
    assert json.loads(spec) == tuned.spec({"early": "first_stage", "late": "lexical"})
    assert load(json.loads(spec)).name == "ensemble"
    assert cli.json("tune", folder, *GIVEN, *members)[0]["spec"] == json.loads(spec)


def test_a_terminal_is_told_what_flatters(cli, folder, tuned):
    """The figure on the queries that the settings were chosen on is named for what it is."""
    said = " ".join(cli.terminal("tune", folder, *GIVEN, width=60).split())
    assert f"all, tuned, held out │ {tuned.held_out:.4f}" in said
    assert f"tuned against rrf: {tuned.gain.verdict}" in said
    assert (
        f"{tuned.tried} settings were tried; the best have {tuned.fitted:.4f} on the queries they were chosen on"
        in said
    )
    assert f"settings: {json.dumps(tuned.settings)}" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "rff"], "did you mean 'rrf'"),
        (["--metric", "NDGC@10"], "did you mean 'NDCG@10'"),
        (["--only", "late"], "tuning needs two runs or more"),
        (["--limit-queries", "4"], "5 judged queries or more"),
        (["--spec", "late=lexicla"], "did you mean 'lexical'"),
        (["--spec", "late=lexical", "--method", "rrf"], "the tuned fusion is one of early, late"),
        (["--save", "nowhere/settings.json"], "there is no folder nowhere"),
        (["--corpus", "x"], "No such option: --corpus"),
    ],
)
def test_what_cannot_be_right_is_said(cli, folder, arguments, said):
    """With exit code 2 and nothing on standard output."""
    assert cli("tune", folder, *arguments, code=2) == ""
    assert said in " ".join(cli.err.split())
