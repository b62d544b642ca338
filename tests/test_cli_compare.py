"""``anyrank compare``: the grid, its verdicts, and what they are written as."""

import csv
import io
import json

import pytest
from cli_data import command_line, fruit  # noqa: F401 - fixtures: cli and folder

MRR = ("-m", "MRR")


def means(rows):
    """Return the first metric of each row by first stage and reranker, from lines under their columns' names."""
    return {(row[0], row[1]): round(float(row[2]), 3) for row in rows[1:]}


def test_every_cell_of_the_grid(cli, folder, tmp_path):
    """Runs and fusions as they are, and under every reranker from options and a file."""
    (tmp_path / "more.json").write_text('{"as it is": "first_stage"}')
    fusions = ("--fusion", "both=rrf", "--fusion", 'late again={"method": "weighted_sum", "weights": {"late": 1}}')
    rows = cli.rows("compare", folder, "-s", "lexical", "--rerankers", tmp_path / "more.json", *fusions, *MRR)
    assert rows[0][:6] == ["first stage", "reranker", "MRR", "gain", "p", "verdict"]
    stages = {"early": 0.5, "late": 0.333, "both": 0.5, "late again": 0.333}
    assert means(rows) == {
        (stage, reranker): 1.0 if reranker == "lexical" else mean
        for stage, mean in stages.items()
        for reranker in ("", "lexical", "as it is")
    }
    assert {row[5] for row in rows if row[1] == "lexical"} == {"helps"}


def test_depth_holds_for_fusions_too(cli, folder):
    """So that every row is of as many candidates, unless a fusion says otherwise."""
    rows = cli.rows("compare", folder, "--fusion", "rrf", "--fusion", 'wide={"top_n": 4}', "--depth", "2", "-m", "P@4")
    assert means(rows) == {("early", ""): 0.25, ("late", ""): 0.0, ("rrf", ""): 0.0, ("wide", ""): 0.25}


def test_verdicts_by_slice_and_against_a_row(cli, folder):
    """Below the table, after an empty line."""
    given = ("compare", folder, "-s", "lexical", *MRR)
    assert [""] not in cli.rows(*given)
    rows = cli.rows(*given, "--slices", "length,overlap")
    below = rows[rows.index([""]) + 1 :]
    assert below[0][:4] == ["row", "against", "slice", "queries"]
    assert [row[:4] for row in below[1:]] == [
        ["early > lexical", "early", "", "12"],
        ["late > lexical", "late", "", "12"],
        ["early > lexical", "early", "length: at most 4 words", "12"],
        ["early > lexical", "early", "overlap: some overlap", "12"],
        ["late > lexical", "late", "length: at most 4 words", "12"],
        ["late > lexical", "late", "overlap: some overlap", "12"],
    ]
    rows = cli.rows(*given, "--against", "late > lexical")
    assert [(row[0], row[-1]) for row in rows[rows.index([""]) + 2 :]] == [
        ("early", "hurts"),
        ("early > lexical", "no clear difference"),
        ("late", "hurts"),
    ]


def test_the_same_as_json(cli, folder):
    """One object with everything, strict, with the verdicts that were asked for."""
    found = json.loads(cli("compare", folder, "-s", "lexical", "--slices", "length", "--json", *MRR))
    assert [row["reranker"] for row in found["rows"]] == [None, "lexical", None, "lexical"]
    assert found["queries"]["q0"] == "a apple"
    assert [(one["row"], one["slice"], one["verdict"]) for one in found["differences"]][1:3] == [
        ("late > lexical", None, "helps"),
        ("early > lexical", "length: at most 4 words", "helps"),
    ]


def test_markdown_to_paste(cli, folder):
    """The table, and a list of verdicts."""
    table, verdicts = cli("compare", folder, "-s", "lexical", "--markdown", *MRR).split("\n\n")
    assert table.startswith("| first stage | reranker | MRR |")
    assert "| late | lexical | **1.0000** | +0.6667 |" in table
    assert verdicts.startswith("* early > lexical against early: helps (MRR 0.5000 to 1.0000")
    assert "\n* " not in cli("compare", folder, "--markdown", *MRR)


def test_first_stages_by_rerankers(cli, folder):
    """Hit rate and MRR, unless metrics are named: lines of one metric, or the table of the field."""
    given = ("compare", folder, "-s", "[b]=lexical", "--crosstab")
    assert cli.rows(*given) == [
        ["first stage", "metric", "as it is", "[b]"],
        ["early", "Hit@10", "1.0", "1.0"],
        ["early", "MRR@10", "0.5", "1.0"],
        ["late", "Hit@10", "1.0", "1.0"],
        ["late", "MRR@10", str(1 / 3), "1.0"],
    ]
    assert "| early | 0.5000 | **1.0000** |\n" in cli(*given, "--markdown", *MRR)
    shown = cli.terminal(*given, width=60)
    assert ("[b]" in shown, "average" in shown, "…" in shown) == (True, True, False)
    assert max(map(len, shown.splitlines())) <= 60


def test_files_beside_the_table(cli, folder, tmp_path):
    """A page with the slices and the collection's name, CSV at full precision; the table comes as without them."""
    page, sheet = tmp_path / "report.html", tmp_path / "rows.csv"
    given = ("compare", folder, "--slices", "overlap", "-s", "lexical", *MRR)
    assert len(cli.rows(*given, "--html", page, "--csv", sheet)) == len(cli.rows(*given)) == 11
    assert "Which reranker for fruit?" in page.read_text()
    assert "overlap: some overlap" in page.read_text()
    assert [row["MRR"] for row in csv.DictReader(io.StringIO(sheet.read_text()))][2] == str(1 / 3)


def test_a_file_may_be_standard_output(cli, folder):
    """Then it is all that comes."""
    found = list(csv.DictReader(io.StringIO(cli("compare", folder, "--csv", "-", *MRR))))
    assert [row["first stage"] for row in found] == ["early", "late"]
    assert cli("compare", folder, "--html", "-", *MRR).startswith("<!doctype html>")


def test_a_terminal_gets_verdicts_below_the_table(cli, folder):
    """In words for all queries, as a table for parts of them."""
    narrow = cli.terminal("compare", folder, "-s", "[b]=lexical", "--slices", "length", *MRR, width=50)
    assert "│ +0.5000 │" in narrow[narrow.index("row ") :]
    shown = cli.terminal("compare", folder, "-s", "[b]=lexical", "--slices", "length", *MRR, width=120)
    said = " ".join(shown.split())
    assert "late > [b] against late: helps (MRR 0.3333 to 1.0000" in said
    assert said.index("Means over 12 queries") < said.index("late > [b] against late") < said.index("length: at most")


def test_settings_that_were_tuned_are_a_fusion(cli, folder, tmp_path):
    """As `anyrank tune --save` writes them."""
    saved = tmp_path / "settings.json"
    cli("tune", folder, "--method", "weighted_sum", "--save", saved, *MRR)
    rows = cli.rows("compare", folder, "--fusion", f"tuned=@{saved}", *MRR)
    assert means(rows)["tuned", ""] >= 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fusion", "rff"], "did you mean 'rrf'"),
        (["--fusion", 'a={"methd": "rrf"}'], "no parameter 'methd'"),
        (
            ["--fusion", 'a={"weights": {"lat": 1}}'],
            "did you mean 'late'",
        ),
        (["--fusion", "late=rrf"], "a run and a fusion are both named 'late'"),
        (["--fusion", "rrf", "--fusion", "rrf"], "two fusions are named 'rrf'"),
        (["--slices", "lenght"], "did you mean 'length'"),
        (["--against", "late > lexicla", "-s", "lexical"], "did you mean 'late > lexical'"),
        (["-s", "lexical", "-s", "lexical"], "two rerankers are named 'lexical'"),
        (["--html", "nowhere/report.html"], "there is no folder nowhere"),
        (["--html", "-", "--json"], "--html and --json both go to standard output"),
        (["--markdown", "--json"], "--markdown and --json both go to standard output"),
        (["--rerankers", "nowhere.json"], "nowhere.json: no such file"),
        (["--rerankers", "plain.txt"], "not JSON"),
        (["--rerankers", "list.json"], "list.json: a JSON object is needed, not a list"),
        (["--fusion", "a=@list.json"], "list.json: a JSON object is needed, not a list"),
        (["--slices", "overlap", "--corpus", "nowhere"], "nowhere: no such file"),
    ],
)
def test_what_cannot_be_right_is_said(cli, folder, tmp_path, monkeypatch, arguments, said):
    """Before anything is measured, with exit code 2 and nothing on standard output."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"list.json": '["lexical"]', "plain.txt": "lexical"}.items():
        (tmp_path / name).write_text(text)
    assert cli("compare", folder, *arguments, code=2) == ""
    assert said in " ".join(cli.err.split())
