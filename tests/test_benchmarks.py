"""The benchmark scripts run: on a judged collection of two queries, and with hardly any repeats."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RUNS = {
    "bm25": {"q1": ["d1", "d2", "d3"], "q2": ["d4", "d1"]},
    "dense": {"q1": ["d3", "d1"], "q2": ["d1", "d4", "d2"]},
}


def run(name, *arguments):
    """Run a script and return what became of it."""
    return subprocess.run(
        [sys.executable, BENCHMARKS / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "HAYSTACK_TELEMETRY_ENABLED": "False", "COLUMNS": "120"},
    )


@pytest.fixture
def collection(tmp_path):
    """Write a judged collection: two runs, two queries."""
    folder = tmp_path / "tiny"
    for part in ("runs", "qrels"):
        folder.joinpath(part).mkdir(parents=True)
    for name, rankings in RUNS.items():
        rows = [
            f"{query} Q0 {document} {rank} {10 - rank} {name}"
            for query, documents in rankings.items()
            for rank, document in enumerate(documents, start=1)
        ]
        folder.joinpath(f"runs/{name}.trec").write_text("\n".join(rows) + "\n", encoding="utf-8")
    folder.joinpath("qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td4\t1\n", encoding="utf-8")
    return folder


def test_fusion_figures(collection, tmp_path):
    """The figures are trec_eval's: both answers first for bm25, second for dense."""
    kept = tmp_path / "figures.json"
    result = run("fusion.py", collection, "--json", kept)
    assert result.returncode == 0, result.stderr
    assert "rrf" in result.stdout
    figures = json.dumps(json.loads(kept.read_text(encoding="utf-8")))
    assert "1.0" in figures
    assert "0.6309" in figures


def test_fusion_of_a_folder_that_is_none(tmp_path):
    """A wrong folder is named, with status 2."""
    result = run("fusion.py", tmp_path / "nothing")
    assert result.returncode == 2
    assert "nothing" in result.stdout + result.stderr


@pytest.mark.parametrize(("name", "few"), [("overhead.py", "--repeats=1"), ("fusion_speed.py", "--rounds=2")])
def test_speed_scripts_run(name, few):
    """They print their tables; what they say of time is not looked at."""
    result = run(name, few)
    assert result.returncode == 0, result.stderr
    assert all(host in result.stdout for host in ("LangChain", "LlamaIndex", "Haystack"))


def test_hosted_script_runs():
    """It prints its tables; peers that are not installed are left out by name."""
    result = run("hosted.py", "--repeats=1", "--concurrent=5")
    assert result.returncode == 0, result.stderr
    assert all(name in result.stdout.lower() for name in ("langchain", "llama", "haystack", "rerankers"))
    assert not result.stderr


def test_a_short_soak_finds_nothing_wrong():
    """Every ranking is right, nothing grows, and the script's status says so."""
    result = run("soak.py", "--calls=200", "--faults=0.2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing lost" in result.stdout


def test_local_script_runs():
    """Its sections print their tables; peers that are not installed are left out by name."""
    result = run("local.py", "--repeats=1", "--quick", "--only=one,latency,peers")
    assert result.returncode == 0, result.stderr
    assert all(name in result.stdout.lower() for name in ("one caller", "langchain", "lancedb", "rerankers"))
    assert not result.stderr


def test_lancedb_script_runs():
    """With one repeat: LanceDB's fusions beside ours, and whole hybrid queries."""
    found = run("in_lancedb.py", "--repeats=1", "--rows=1000")
    assert (found.returncode, found.stderr) == (0, "")
    assert "Hybrid queries" in found.stdout


def test_schedules_script_runs():
    """With few trials, which say little: every schedule has its row."""
    found = run("llm_schedules.py", "--trials=20")
    assert not found.stderr
    assert all(schedule in found.stdout for schedule in ("blocks", "sliding", "tournament", "pointwise"))


def test_replay_script_finds_what_was_recorded(tmp_path):
    """Two recorded answers, one of them malformed: the order is the recorded one, and no document is lost."""
    window = {"qid": "q1", "window": [0, 3], "input_ids": ["a", "b", "c"], "response": "[3] > [3] > [1]"}
    tmp_path.joinpath("model.jsonl").write_text(json.dumps(window) + "\n")
    rows = [f"q1 Q0 {document} {rank} {4 - rank} model\n" for rank, document in enumerate("cab", start=1)]
    tmp_path.joinpath("model.final.trec").write_text("".join(rows))
    found = run("llm_replay.py", tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert "repaired" in found.stdout


def test_offline_script_runs(collection):
    """Runs of ids only are compared and fused; a wrong folder has status 2."""
    result = run("offline.py", collection, "--markdown")
    assert result.returncode == 0, result.stderr
    assert "weighted sum" in result.stdout
    assert run("offline.py", collection / "nothing").returncode == 2
