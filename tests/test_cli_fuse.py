"""``anyrank fuse``: the library's fusion, over files, in an order that trec_eval keeps."""

import json
from ctypes import c_float
from itertools import pairwise

import pytest
from cli_data import CommandLine
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Ranking, fuse
from anyrank.cli._float32 import falling
from anyrank.evaluation import read_run, trec_eval_order

BM25 = "q1 Q0 a 1 3.5 x\nq1 Q0 b 2 2 x\nq1 Q0 c 3 1 x\nq2 Q0 c 1 1 x\n"
DENSE = "q1 Q0 b 1 0.9 x\nq1 Q0 d 2 0.8 x\nq1 Q0 a 3 0.7 x\nq3 Q0 d 1 1 x\n"
LISTS = {"bm25": Ranking.of(list("abc"), [3.5, 2, 1]), "dense": Ranking.of(list("bda"), [0.9, 0.8, 0.7])}


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Return the command line, in a folder with two runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bm25.trec").write_text(BM25)
    (tmp_path / "dense.trec").write_text(DENSE)
    return CommandLine(capsys, monkeypatch)


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], {}),
        (["--method", "borda"], {"method": "borda"}),
        (["--weight", "bm25=0.3", "--weight", "dense=0.7"], {"weights": {"bm25": 0.3, "dense": 0.7}}),
        (["--param", "k=10"], {"k": 10}),
        (["--method", "comb_sum", "--normalize", "z_score"], {"method": "comb_sum", "normalize": "z_score"}),
        (["-n", "2"], {"top_n": 2}),
    ],
)
def test_it_is_the_librarys_fusion(cli, arguments, settings):
    """The same documents, ranks and scores, to the last digit; each option is a keyword of `fuse`."""
    found = [row for row in cli.json("fuse", "bm25.trec", "dense.trec", *arguments) if row["query_id"] == "q1"]
    known = fuse(LISTS, **settings)
    assert [(row["doc_id"], row["score"]) for row in found] == [(hit.document, hit.score) for hit in known]
    assert [row["rank"] for row in found] == list(range(1, len(known) + 1))


def test_settings_come_from_a_file_and_options_beside_it_win(cli, tmp_path):
    """As ``anyrank tune`` saves them: keywords of `fuse`."""
    (tmp_path / "tuned.json").write_text(json.dumps({"method": "rrf", "k": 5, "weights": {"bm25": 0.2, "dense": 0.8}}))
    given = ["fuse", "bm25.trec", "dense.trec", "--settings", "tuned.json"]
    known = fuse(LISTS, k=5, weights={"bm25": 0.2, "dense": 0.8})
    assert [row["score"] for row in cli.json(*given)][: len(known)] == known.scores
    known = fuse(LISTS, k=7, weights={"bm25": 0.2, "dense": 0.8})
    assert [row["score"] for row in cli.json(*given, "--param", "k=7")][: len(known)] == known.scores


def test_queries_of_some_runs_only_are_kept(cli):
    """In the order in which they are met; the runs that lack them have no vote."""
    rows = cli.json("fuse", "bm25.trec", "dense.trec", "--method", "comb_sum")
    assert list(dict.fromkeys(row["query_id"] for row in rows)) == ["q1", "q2", "q3"]


def test_a_run_reads_as_the_order_of_the_fusion(cli, tmp_path):
    """By rank and by score, also for trec_eval, which orders ties by id and reads 32 bits."""
    ties = "".join(f"q1 Q0 {name} {rank} {9 - rank} x\n" for rank, name in enumerate("axbyc", 1))
    (tmp_path / "a.trec").write_text(ties)
    (tmp_path / "b.trec").write_text("".join(f"q1 Q0 {name} {rank} 1 x\n" for rank, name in enumerate("cybxa", 1)))
    order = fuse({name: read_run(f"{name}.trec")["q1"] for name in "ab"}).documents
    cli("fuse", "a.trec", "b.trec", "-o", "out.trec")
    assert read_run("out.trec")["q1"].documents == order
    scores = {row.split()[2]: float(row.split()[4]) for row in (tmp_path / "out.trec").read_text().splitlines()}
    assert trec_eval_order(scores) == order != sorted(order)


def test_fused_runs_are_fused_again(cli):
    """A pipe is a run too, in either form, and has scores that can be summed."""
    known = fuse(LISTS)
    for form in ([], ["--json"]):
        out = cli("fuse", "bm25.trec", "dense.trec", *form)
        rows = [row for row in cli.json("fuse", "-", "--method", "comb_sum", stdin=out) if row["query_id"] == "q1"]
        assert [row["doc_id"] for row in rows] == known.documents
        assert [row["score"] for row in rows] == pytest.approx(known.scores)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bm25.trec", "--method", "rrff"], "did you mean 'rrf'"),
        (["bm25.trec", "--normalize", "zscore"], "did you mean 'z_score'"),
        (["bm25.trec", "--param", "phi=0.5"], "has no parameter 'phi'"),
        (["bm25.trec", "--param", "k"], "write --param k=10"),
        (["bm25.trec", "--param", "k=1", "--param", "k=2"], "given twice"),
        (["bm25.trec", "--weight", "bm2=1"], "no weight for source 'bm25'"),
        (["bm25.trec", "--weight", "bm25=1", "--weight", "dense=1"], "'dense', which is no source"),
        (["bm25.trec", "--weight", "bm25=lots"], "must be a finite number"),
        (["bm25.trec", "./bm25.trec"], "two runs are named 'bm25'"),
        (["bm25.trec", "nowhere.trec"], "nowhere.trec: no such file"),
        (["bm25.trec", "--settings", "nowhere.json"], "nowhere.json: no such file"),
        (["bm25.trec", "--settings", "list.json"], "a JSON object, as anyrank tune saves it"),
        (["broken.trec"], "broken.trec, line 1"),
        (["blank.jsonl"], "cannot hold the id 'a b'"),
        (["bm25.trec", "-n", "0"], "top_n must be"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_be_right_is_told(cli, tmp_path, arguments, says):
    """With 2 as the exit code, and what to write instead."""
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.trec").write_text("q1 Q0 a\n")
    (tmp_path / "blank.jsonl").write_text('{"query_id": "q", "doc_id": "a b", "score": 1}\n')
    cli("fuse", *arguments, code=2)
    assert says in " ".join(cli.err.split())


FINITE32 = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**99), max_value=2.0**99)
CLOSE = st.sampled_from([0.0, 1.0, 1 / 61, 1 / 61 + 1e-12, -2.5, 5e-324])


@given(st.lists(FINITE32 | CLOSE))
def test_scores_fall_in_32_bits_and_change_no_more_than_they_must(scores):
    """Whatever the ties: each is lower than the one before, and one that already is stays the same."""
    scores = sorted(scores, reverse=True)
    written = list(falling(scores))
    read = [c_float(score).value for score in written]
    assert all(above > below for above, below in pairwise(read))
    assert all(new <= old or new == c_float(old).value for new, old in zip(written, scores, strict=True))
    if all(c_float(above).value > c_float(below).value for above, below in pairwise(scores)):
        assert written == scores
