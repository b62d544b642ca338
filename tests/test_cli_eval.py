"""``anyrank eval``: what is measured, from where it comes, and what is said beside it."""

import gzip
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import ir_measures
import pytest
from cli_data import command_line, fruit, run_lines  # noqa: F401 - fixtures: cli and folder
from fake_service import KEY, running

from anyrank.evaluation import read_run

MRR = ("-m", "MRR")

FILES = ("--qrels", "{folder}/qrels/test.tsv", "{folder}/runs/late.trec")

INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # who started the tests may ignore it
from anyrank.cli import main
main()
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    """Set the key of the server of these tests."""
    monkeypatch.setenv("TEI_API_KEY", KEY)


def test_a_pipe_gets_run_metric_and_mean(cli, folder):
    """Four places, as trec_eval writes them, over every run of the folder and no model."""
    assert cli.rows("eval", folder, "-m", "MRR@10", "-m", "Hit@1") == [
        ["early", "MRR@10", "0.5000"],
        ["early", "Hit@1", "0.0000"],
        ["late", "MRR@10", "0.3333"],
        ["late", "Hit@1", "0.0000"],
    ]
    assert cli.err == ""


def test_figures_are_those_of_trec_eval(cli, folder):
    """ir-measures over the same files says the same."""
    qrels, run = folder / "qrels/test.tsv", folder / "runs/late.trec"
    [found] = cli.json("eval", "--qrels", qrels, run, "-m", "nDCG@3", "-m", "AP")
    judged = list(ir_measures.read_trec_qrels("".join(f"q{n} 0 d{n} 1\n" for n in range(12))))
    known = ir_measures.calc_aggregate(
        [ir_measures.nDCG @ 3, ir_measures.AP], judged, ir_measures.read_trec_run(str(run))
    )
    assert {name: found[name] for name in ("nDCG@3", "AP")} == pytest.approx({str(one): known[one] for one in known})


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["{folder}", "--only", "late"], {"late": "0.3333"}),
        (["{folder}", "first={best}"], {"early": "0.5000", "late": "0.3333", "first": "1.0000"}),
        (["{folder}", "late={best}"], {"early": "0.5000", "late": "1.0000"}),
        (["--qrels", "{qrels}", "{best}", "x={late}"], {"a=b": "1.0000", "x": "0.3333"}),
        (["--qrels", "{qrels}", "{best}.gz"], {"a=b": "1.0000"}),
        (["--qrels", "{qrels}", "-", "{late}"], {"stdin": "1.0000", "late": "0.3333"}),
        (["--qrels", "{qrels}"], {"stdin": "1.0000"}),
    ],
)
def test_where_runs_come_from(cli, folder, tmp_path, arguments, runs):
    """The folder, what is named beside it, and standard input where there is nothing else or it is named."""
    best = tmp_path / "a=b.trec"
    best.write_text("".join(run_lines(0)))
    best.with_name("a=b.trec.gz").write_bytes(gzip.compress(best.read_bytes()))
    files = {"folder": folder, "qrels": folder / "qrels/test.tsv", "late": folder / "runs/late.trec", "best": best}
    rows = cli.rows("eval", *(one.format(**files) for one in arguments), *MRR, stdin=best.read_text())
    assert {row[0]: row[2] for row in rows} == runs


def test_standard_input_may_be_json_lines(cli, folder):
    """And an error in it names the line of it, not of a copy."""
    row = {"query_id": "q0", "doc_id": "d0", "score": 1.5}
    found = cli.rows("eval", "--qrels", folder / "qrels/test.tsv", "-", *MRR, stdin=json.dumps(row) + "\n")
    assert found == [["stdin", "MRR", f"{1 / 12:.4f}"]]
    cli("eval", "--qrels", folder / "qrels/test.tsv", stdin="q0 Q0 d0 1\n", code=2)
    assert "standard input, line 1: 4 columns" in cli.err


def test_a_reranker_beside_its_first_stage(cli, folder, tmp_path):
    """Its row follows; its run is written in the order that trec_eval reads."""
    reranked = tmp_path / "out.trec"
    rows = cli.rows("eval", folder, "--only", "late", "-s", "lexical", "--write-run", reranked, *MRR)
    assert rows == [["late", "MRR", "0.3333"], ["late > lexical", "MRR", "1.0000"]]
    assert cli.rows("eval", "--qrels", folder / "qrels/test.tsv", reranked, *MRR, "--ties", "trec_eval") == [
        ["out", "MRR", "1.0000"]
    ]
    assert [ranking.documents[0] for ranking in read_run(reranked).values()] == [f"d{n}" for n in range(12)]


def test_the_json_of_a_row(cli, folder):
    """Exact numbers, the verdict, and every query's figure if asked for."""
    first, second = cli.json("eval", folder, "--only", "late", "-s", "words=lexical", "--per-query", *MRR)
    assert (first["run"], first["reranker"], first["MRR"], first["verdict"]) == ("late", None, 1 / 3, None)
    assert (second["run"], second["MRR"], second["verdict"], second["failures"]) == ("late > words", 1.0, "helps", {})
    assert second["values"] == {"MRR": {f"q{n}": 1.0 for n in range(12)}}
    assert "values" not in cli.json("eval", folder, *MRR)[0]


def test_figures_by_query(cli, folder):
    """As trec_eval -q writes them, "all" last."""
    rows = cli.rows("eval", folder, "--only", "early", "--per-query", *MRR)
    assert rows == [*(["early", "MRR", f"q{n}", "0.5000"] for n in range(12)), ["early", "MRR", "all", "0.5000"]]


def test_a_sample_is_spread_evenly_and_said(cli, folder):
    """Exactly so many queries, over all of them."""
    [found] = cli.json("eval", folder, "--only", "late", "--limit-queries", "5", "--per-query", *MRR)
    assert list(found["values"]["MRR"]) == ["q0", "q2", "q4", "q7", "q9"]
    assert "only 5 of 12 queries with a relevant document" in cli.err
    cli("eval", folder, "--limit-queries", "12", *MRR)
    assert cli.err == ""


def test_depth_cuts_the_candidates(cli, folder):
    """What stands third is out of reach of two, and of a reranker."""
    rows = cli.rows("eval", folder, "-s", "lexical", "--depth", "2", *MRR)
    assert [row[2] for row in rows] == ["0.5000", "1.0000", "0.0000", "0.0000"]


def test_ties_as_trec_eval_breaks_them(cli, tmp_path):
    """Equal scores go by id there, from the last to the first."""
    (tmp_path / "tied.trec").write_text("q1 Q0 d1 1 1.0 t\nq1 Q0 d2 2 1.0 t\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d1 1\n")
    given = ("eval", "--qrels", tmp_path / "qrels.txt", tmp_path / "tied.trec", *MRR)
    assert cli.rows(*given) == [["tied", "MRR", "1.0000"]]
    assert cli.rows(*given, "--ties", "trec_eval") == [["tied", "MRR", "0.5000"]]


def test_which_field_is_scored(cli, folder):
    """Title and text as in BEIR, unless fields are named."""
    given = ("eval", folder, "--only", "early", "-s", "lexical", *MRR)
    means = [
        cli.rows(*given, *fields)[1][2] for fields in ([], ["--text", "kind"], ["--text", "kind", "--text", "title"])
    ]
    assert means == ["1.0000", "0.3333", "1.0000"]


def test_texts_from_files_of_their_own(cli, folder):
    """Documents may be known by id instead of _id."""
    corpus = folder.parent / "by-id.jsonl"
    corpus.write_text((folder / "corpus.jsonl").read_text().replace('"_id"', '"id"'))
    files = {"--qrels": "qrels/test.tsv", "--queries": "queries.jsonl"}
    given = [part for name, file in files.items() for part in (name, folder / file)]
    rows = cli.rows("eval", *given, "--corpus", corpus, folder / "runs/late.trec", "-s", "lexical", *MRR)
    assert rows[1] == ["late > lexical", "MRR", "1.0000"]


def test_answers_from_the_store_are_said(cli, folder, tmp_path):
    """A second run asks nothing, and says so; without a store nothing is said."""
    given = ("eval", folder, "--only", "late", "-s", "lexical", *MRR)
    first = cli(*given, "--store", tmp_path)
    assert cli.err == ""
    assert cli(*given, "--store", tmp_path) == first
    assert f"late > lexical: 12 of 12 answers are an earlier run's, kept in {tmp_path}" in " ".join(cli.err.split())


@contextmanager
def tei(**settings):
    """Run a text-embeddings-inference server for the block's time."""
    with running("tei") as service:
        vars(service).update(settings)
        yield service


def refused(handler, _payload):
    """Answer as for a broken request."""
    handler.send(413, {"error": "too much", "error_type": "Validation"})


def test_queries_that_fail_are_counted(cli, folder):
    """They count 0 and are named with what was raised; the exit code says so."""
    with tei(faults=[refused]) as service:
        rows = cli.rows("eval", folder, "--only", "late", "-s", f"served=tei:{service.url}", *MRR, code=1)
    assert rows[1] == ["late > served", "MRR", f"{11 / 12:.4f}"]
    assert "1 of 12 queries failed, and count 0; query 'q0': " in " ".join(cli.err.split())
    assert "413" in cli.err


def test_a_stand_in_is_said_and_no_failure(cli, folder):
    """What it answered is what a user gets."""
    with tei(always=refused) as service:
        spec = json.dumps({"fallback": {"scorers": [f"tei:{service.url}", "first_stage"]}})
        rows = cli.rows("eval", folder, "--only", "late", "-s", spec, *MRR)
    assert rows[1] == ["late > fallback", "MRR", "0.3333"]
    assert "a stand-in answered 12 of 12 queries" in " ".join(cli.err.split())


@pytest.mark.parametrize(
    ("prices", "cost", "said"),
    [
        (["search_units=0.5"], 6.0, ""),
        (["served:search_units=2", "search_units=1"], 24.0, ""),
        (["tokens=1"], None, "no cost, since it uses 'search_units', and --price is of tokens"),
    ],
)
def test_what_it_costs(cli, folder, monkeypatch, prices, cost, said):
    """By unit, and by name if one is given; a unit that is not used gives no cost, and that is said."""
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    with running("cohere") as service:
        spec = f'served={{"cohere": {{"model": "rerank-v3.5", "base_url": "{service.url}"}}}}'
        given = [part for price in prices for part in ("--price", price)]
        rows = cli.json("eval", folder, "--only", "late", "-s", spec, *given, *MRR)
    assert rows[1]["cost"] == cost
    assert said in " ".join(cli.err.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no judgments, nor a folder"),
        (["{folder}/nothing"], "no such file or folder"),
        (["{folder}", "{folder}"], "one collection at a time"),
        (["{folder}", "a.b"], "a.b: no such file or folder"),
        (["{folder}", "--only", "lat"], "did you mean 'late'"),
        (["{folder}", "--split", "tset"], "did you mean 'test'"),
        (["{folder}", "--qrels", "{folder}"], "a folder, where a file is expected"),
        (["{folder}", "{folder}/runs/late.trec", "late={folder}/runs/early.trec"], "two runs are named 'late'"),
        (["{folder}", "-m", "NDGC@10"], "did you mean 'NDCG@10'"),
        (["{folder}", "-s", "lexicla"], "did you mean 'lexical'"),
        (["{folder}", "-s", "{{"], "the spec: not JSON"),
        (
            ["{folder}", "-s", '{{"cohere": {{"api_key": "sk"}}}}'],
            "reranker 'cohere': its spec['cohere']: 'api_key' names a",
        ),
        (["{folder}", "-s", "lexical", "--write-run", "{folder}"], "a folder, where a file is to be written"),
        (["{folder}", "-s", "lexical", "--store", "/dev/null/store"], "/dev/null/store: not a directory"),
        (["{folder}", "--tis", "given"], "--ties"),
        (["{folder}", "--relevant", "2"], "none of the 12 judged queries has a document of grade 2"),
        (["{folder}", "--write-run", "x"], "writes what was reranked: say by what, with --scorer"),
        (["{folder}", "-s", "lexical", "--write-run", "x"], "writes one run: choose with --only, from early, late"),
        (["{folder}", "-s", "lexical", "--write-run", "{folder}/no/x"], "there is no folder"),
        (["{folder}", "-s", "lexical", "--write-run", "-"], "--write-run writes a file, and not to standard output"),
        (["{folder}", "-s", "lexical", "--price", "2"], "--price 2: a unit and a number are needed"),
        (["{folder}", "-s", "lexical", "--price", "unit=nan"], "a unit and a number are needed"),
        (["{folder}", "-s", "lexical", "--price", "lexica:unit=2"], "did you mean 'lexical'"),
        (["--qrels", "{folder}/qrels/test.tsv"], "standard input: a run is expected, and nothing came"),
        (["--qrels", "{folder}/qrels/test.tsv", "{folder}/queries.jsonl"], "queries.jsonl, line 1: no"),
        (
            [*FILES, "-s", "lexical"],
            "reranker 'lexical' needs the texts of queries: name a file of JSON lines with --queries",
        ),
        ([*FILES, "-s", "lexical", "--queries", "{folder}/queries.jsonl"], "name a file of JSON lines with --corpus"),
        (["{folder}", "-s", "lexical", "--corpus", "{folder}/queries.jsonl"], "documents that the corpus lacks"),
        (["{folder}", "-s", "lexical", "--corpus", "{folder}/runs/late.trec"], "late.trec, line 1: not JSON"),
    ],
)
def test_what_cannot_be_right_is_said(cli, folder, arguments, said):
    """In one line on standard error, with exit code 2 and nothing on standard output."""
    assert cli("eval", *(one.format(folder=folder) for one in arguments), code=2) == ""
    assert said in " ".join(cli.err.replace("│", " ").split())


def test_a_terminal_without_runs_is_told_and_not_waited_for(cli, folder):
    """Nobody types a run."""
    cli("eval", "--qrels", folder / "qrels/test.tsv", code=2, stdin=None)
    assert "name the files of runs, or pipe one into standard input" in " ".join(cli.err.split())


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_fits_its_terminal(cli, folder, width):
    """Columns are left out and named rather than cut; names are no markup."""
    shown = cli.terminal("eval", folder, "--only", "late", "-s", "[red]=lexical", width=width)
    table = [line for line in shown.splitlines() if "│" in line or "┃" in line]
    assert all(len(line) <= width for line in shown.splitlines())
    assert [any(name in line for line in table) for name in ("late", "[red]", "helps", "1.0000")] == [True] * 4
    assert ("For want of room without" in " ".join(shown.split())) == (width < 200)
    assert "…" not in shown


def test_what_a_terminal_might_obey_is_not_shown(cli, tmp_path):
    """Neither in the name of a file of somebody else's, nor in the id of a query."""
    run = tmp_path / "a\x1b]0;b.trec"
    run.write_text("q\x1b]0;1 Q0 d1 1 1.0 t\n")
    (tmp_path / "qrels.txt").write_text("q\x1b]0;1 0 d1 1\n")
    shown = cli.terminal("eval", "--qrels", tmp_path / "qrels.txt", run, "--per-query", *MRR)
    assert "a\ufffd]0;b" in shown
    assert "q\ufffd]0;1" in shown
    assert "\x1b" not in shown


def test_every_query_in_a_terminal(cli, folder):
    """A table of its own stands before the means."""
    shown = cli.terminal("eval", folder, "--per-query", *MRR)
    assert shown.index("q11") < shown.index("first stage")


def test_texts_are_read_only_for_a_reranker(cli, folder):
    """Whoever measures runs waits for no corpus."""
    given = ("eval", folder, "--corpus", folder / "runs/late.trec", *MRR)
    assert len(cli.rows(*given)) == 2
    cli(*given, "-s", "lexical", code=2)


def test_what_stops_all_queries_leaves_the_answers(cli, folder, tmp_path):
    """A key that is taken back for instance: that is raised, and what was answered before is kept and said."""

    def taken_back(handler, payload):
        status = 200 if len(handler.service.requests) < 3 else 401
        handler.send(status, payload)

    with tei(always=taken_back) as service:
        given = ("eval", folder, "--only", "late", "-s", f"tei:{service.url}", "--store", tmp_path, *MRR)
        assert cli(*given, code=1) == ""
    said = " ".join(cli.err.split())
    assert f"what was answered is kept in {tmp_path}" in said
    assert "401" in said


def test_after_ctrl_c_the_same_command_goes_on(folder, tmp_path):
    """What was answered is kept, which is said; nothing else is, but by the exit code."""
    third, stop = threading.Event(), threading.Event()

    def held(handler, payload):
        if len(handler.service.requests) >= 3:
            third.set()
            stop.wait(60)
        handler.send(200, payload)

    with tei(always=held) as service:
        given = ["eval", folder, "--only", "late", "-s", f"tei:{service.url}", "--store", tmp_path / "kept", *MRR]
        command = [sys.executable, "-c", INTERRUPTIBLE, *map(str, given)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as started:
            try:
                assert third.wait(30)
                started.send_signal(signal.SIGINT)
                out, err = started.communicate(timeout=30)
            finally:
                stop.set()
                started.kill()
        again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (started.returncode, out) == (130, "")
    assert "is kept in" in err
    assert "Traceback" not in err
    assert "2 of 12 answers are an earlier run's, kept in" in " ".join(again.stderr.split())
    assert again.stdout.splitlines()[1] == f"late > tei:{service.url}\tMRR\t1.0000"
