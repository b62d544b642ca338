"""``anyrank rerank``: what is piped in, what comes out, and what is said when it cannot be."""

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_data import command_line  # noqa: F401 - the fixture cli

from anyrank import Reranker
from anyrank.cli._streaming import in_order
from anyrank.testing import installed_scorers

TEXTS = ["open a file", "merge sorted lists", "sort one list", "merge two files"]
ROWS = [{"id": place, "text": text} for place, text in enumerate(TEXTS)]
LINES = "".join(f"{text}\n" for text in TEXTS)
JSON_LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
ORDER = [1, 3, 0, 2]

PLUGIN = """
import time

def slow():
    def score(query, texts):
        time.sleep(float(query))
        return [float(len(text)) for text in texts]
    return score

def noisy():
    import logging, os, warnings
    logging.getLogger("sentence_transformers").warning("Converting")
    warnings.warn("about to change")
    names = ("TRANSFORMERS_VERBOSITY", "HF_HUB_VERBOSITY", "TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS")
    if [os.environ.get(name) for name in names] != ["error", "error", "1", "1"]:
        raise ValueError("bars would be shown")
    for _ in range(2):
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s")
    return lambda query, texts: [0.0 for _ in texts]

def picky():
    def score(query, texts):
        if query == "bad":
            raise ConnectionError("the line is dead")
        return [float(len(text)) for text in texts]
    return score"""


@pytest.fixture
def plugin(tmp_path):
    """Install a scorer that waits, and one that fails for one query."""
    with installed_scorers(tmp_path, "cli_plugin", PLUGIN, {name: name for name in ("slow", "picky", "noisy")}):
        yield tmp_path


def reference(**settings):
    """Return what the library makes of the same documents."""
    return Reranker("lexical", **settings).rerank("merge lists", TEXTS)


def test_lines_of_text_come_back_as_they_went_in(cli):
    """Best first, each line once, nothing else."""
    assert cli("rerank", "merge lists", stdin=LINES).splitlines() == reference().documents
    assert cli.err == ""


def test_a_file_and_a_dash_are_read_too(cli, tmp_path):
    """A name, ``-`` and a pipe are the same documents."""
    path = tmp_path / "docs.txt"
    path.write_text(LINES)
    piped = cli("rerank", "merge lists", stdin=LINES)
    assert cli("rerank", "merge lists", path) == cli("rerank", "merge lists", "-", stdin=LINES) == piped


def test_json_lines_come_back_with_a_score_and_nothing_else_changed(cli):
    """Fields in their order, large numbers, escapes and halves of pairs included; a score there is replaced."""
    rows = [
        '{"n": 1.1, "text": "open a file", "big": 12345678901234567890123, "tiny": 5e-324}',
        '{"score": 7, "text": "merge lists", "esc": "ä\\ud800"}',
    ]
    out = cli("rerank", "merge lists", stdin="\n".join(rows)).splitlines()
    score = json.loads(out[0])["score"]
    assert out[0] == rows[1].replace("7", repr(score), 1)
    assert out[1] == rows[0].removesuffix("}") + ', "score": 0.0}'


def test_json_is_what_json_asks_for(cli):
    """Text lines become objects of text and score, the library's own scores to the last digit."""
    found = cli.json("rerank", "merge lists", stdin=LINES)
    assert found == [{"text": hit.document, "score": hit.score} for hit in reference()]


def test_two_stages_are_a_cascade(cli):
    """The scores of the first are the first stage's of the second, which sees only what the first passed on."""
    first = cli("rerank", "merge lists", "-n", "3", stdin=JSON_LINES)
    kept = [json.loads(line) for line in cli("rerank", "x", "-s", "first_stage:score", stdin=first).splitlines()]
    assert [row["score"] for row in kept] == reference(top_n=3).scores
    spec = '{"ensemble": {"scorers": {"first": "first_stage:score", "bm25": "lexical"}, "method": "weighted_sum"}}'
    assert [row["id"] for row in cli.json("rerank", "merge lists", "-s", spec, stdin=first)] == ORDER[:3]


@pytest.mark.parametrize(
    ("scores", "says"),
    [([1, 2, 3, 4], "rise at document 1"), ([4, 3, "2", 1], "1 of 4 have none"), ([4, 3, True, 1], "1 of 4 have none")],
)
def test_scores_that_are_no_first_stage_are_told_as_such(cli, scores, says):
    """Only a scorer that reads them minds."""
    lines = "".join(json.dumps({**row, "score": score}) + "\n" for row, score in zip(ROWS, scores, strict=True))
    cli("rerank", "merge lists", "-s", "first_stage:score", stdin=lines, code=2)
    assert says in cli.err
    assert [row["id"] for row in cli.json("rerank", "merge lists", stdin=lines)] == ORDER


def test_the_text_may_be_in_other_fields(cli):
    """``--text`` names them, several are joined, and steps see what was scored."""
    rows = [{"title": "merge", "body": "lists"}, {"title": "sort"}, {"title": "merge", "body": "lists"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    asked = ["rerank", "merge lists", "--text", "title", "--text", "body", "--then", "dedupe"]
    assert [row["title"] for row in cli.json(*asked, stdin=lines)] == ["merge", "sort"]


def test_steps_options_and_numbers_reach_the_library(cli, tmp_path):
    """``--then`` takes a name, JSON and a file with JSON; ``-n`` and ``--min-score`` cut."""
    rows = [{**row, "kind": row["text"].split()[0]} for row in ROWS]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    cap = '{"cap": {"by": "kind", "per_group": 1}}'
    assert [row["kind"] for row in cli.json("rerank", "merge", "--then", cap, stdin=lines)] == ["merge", "open", "sort"]
    (tmp_path / "cap.json").write_text(cap)
    assert len(cli.json("rerank", "merge", "--then", f"@{tmp_path}/cap.json", "-n", "2", stdin=lines)) == 2
    assert len(cli.json("rerank", "merge", "--min-score", "0.1", stdin=lines)) == 2


@pytest.mark.parametrize("stdin", ["", "\n \n\r\n", "\ufeff"])
def test_nothing_in_nothing_out(cli, stdin):
    """No document is no error, and no model is loaded for it."""
    assert cli("rerank", "q", "-s", "cross_encoder:not/there", stdin=stdin) == ""


def test_only_a_line_feed_ends_a_line(cli):
    """Separators inside a text stay in it; a byte order mark and carriage returns do not."""
    lines = "\ufeffb\u2028b\x0bb\x85b\r\na\u2028a\r\n"
    assert cli("rerank", "q", stdin=lines) == "b\u2028b\x0bb\x85b\na\u2028a\n"


def test_a_compressed_file_is_read_as_it_is(cli, tmp_path):
    """And named where it breaks off."""
    path = tmp_path / "docs.txt.gz"
    path.write_bytes(gzip.compress(LINES.encode()))
    assert cli("rerank", "merge lists", path).splitlines() == reference().documents
    for spoilt, says in (path.read_bytes()[:-9], "ended before"), (b"plain", "not a gzipped file"):
        path.write_bytes(spoilt)
        cli("rerank", "merge lists", path, code=2)
        assert f"{path}: " in cli.err.replace("\n", "")
        assert says in cli.err


def test_what_is_not_all_json_is_text_with_a_word_of_warning(cli):
    """A file that is named as JSON, or fields that are named, make it an error with its line."""
    mixed = JSON_LINES + "plain\n"
    assert set(cli("rerank", "merge", stdin=mixed).splitlines()) == set(mixed.splitlines())
    assert "standard input, line 5: not a JSON object" in cli.err.replace("\n", " ")
    assert "plain text" in cli.err
    cli("rerank", "merge", "--text", "text", stdin=mixed, code=2)
    assert "standard input, line 5" in cli.err
    cli("rerank", "merge", stdin="one\n[1]\n")
    assert cli.err == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"text": "a"}\n{"text": "b"\n', "line 2: not a JSON object: Expecting ',' delimiter, character 13"),
        (b'{"text": "a"}\n["text"]\n', "line 2: not a JSON object, but a list"),
        (b'{"text": NaN}\n', "line 1: not a JSON object: it has no NaN"),
        (b'{"text": "a"}\n\n{"text": "\xff"}\n', "not UTF-8"),
        (b'{"text": ' + b"[" * 100_000, "line 1: not a JSON object"),
        (b'{"body": "a"}\n', "fields there are: body"),
        (b'{"body": "a"}\n', "docs.jsonl, document 0 its first; --text FIELD says where the text is"),
        (b'{"text": 3}\n', "is of type int, not str"),
    ],
)
def test_what_cannot_be_read_is_named(cli, tmp_path, content, says):
    """With file and line, and 2 as the exit code."""
    path = tmp_path / "docs.jsonl"
    path.write_bytes(content)
    assert cli("rerank", "q", path, code=2) == ""
    assert says in cli.err
    assert "Traceback" not in cli.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["q", "missing.txt"], 2, "missing.txt: no such file"),
        (["q", "."], 2, "is a directory"),
        (["q", "-s", "lexicla"], 2, "did you mean 'lexical'"),
        (["q", "-s", '{"lexical": {"k": 1}}'], 2, "did you mean 'k1'"),
        (["q", "-s", "{"], 2, "not JSON"),
        (["q", "-s", "@nowhere.json"], 2, "nowhere.json: no such file"),
        (["q", "--then", "dedup"], 2, "did you mean 'dedupe'"),
        (["q", "-n", "0"], 2, "top_n must be"),
        (["q", "-s", "first_stage", "--min-score", "1"], 2, "threshold means nothing"),
        (["q", "-o", "no/such/folder"], 2, "there is no folder no/such"),
        (["q", "-o", "."], 2, "a folder, where a file is to be written"),
        (["q", "--keep-going"], 2, "goes with --batch"),
        (["q", "--max-concurrency", "2"], 2, "goes with --batch"),
        ([], 2, "what is asked?"),
        (["q", "--scorers", "x"], 2, "--scorer"),
        (["--batch", "q", "file"], 2, "give the file alone"),
        (["--batch", "--max-concurrency", "0"], 2, "Invalid value for '--max-concurrency'"),
        (["q", "-s", "cohere"], 2, "CO_API_KEY"),
        (["q", "-s", "picky"], 0, ""),
        (["bad", "-s", "picky"], 1, "ConnectionError: the line is dead"),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_errors_say_whose_fault_it_is(cli, monkeypatch, arguments, code, says):
    """2 for what the user has to change, 1 for what failed; one line, and no traceback."""
    monkeypatch.delenv("CO_API_KEY", raising=False)
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    cli("rerank", *arguments, stdin=LINES, code=code)
    assert says in " ".join(cli.err.split())
    assert "Traceback" not in cli.err


def test_a_key_in_a_spec_is_refused_and_not_shown(cli):
    """A command line is seen by every process of the machine, and kept in the shell's history."""
    cli("rerank", "q", "-s", '{"cohere": {"api_key": "sk-hush"}}', stdin=LINES, code=2)
    assert "names a secret" in cli.err
    assert "sk-hush" not in cli.err


def test_a_terminal_with_nothing_to_read_is_told_so():
    """Instead of waiting for ever."""
    leader, follower = pty.openpty()
    with started("rerank", "q", stdin=follower, stderr=subprocess.PIPE) as process:
        assert "nothing to read: name a file" in process.stderr.read()
    os.close(follower)
    os.close(leader)
    assert process.returncode == 2


def test_a_terminal_gets_a_table(cli):
    """Rank, score, and the text on one line, cut to the width, without anything that a terminal obeys."""
    hostile = "merge \x1b[31mred\x1b]0;title\x07 [bold]lists[/bold] \x9b2J \u202egnp.exe " + "long " * 99
    shown = cli.terminal("rerank", "merge", stdin=f"{hostile}\nsort\n", width=60)
    header, first, second = shown.splitlines()
    assert header.split() == ["score", "text"]
    assert first.split()[:1] == ["1"]
    assert "[bold]lists[/bold]" in first
    assert len(first) <= 60
    assert second.split() == ["2", "0.0000", "sort"]
    assert not set(shown) & set("\x1b\x07\x9b\u202e")


def test_json_in_a_terminal_is_the_same_json(cli):
    """What a terminal would obey is escaped, as JSON can."""
    row = {"text": "a\x9b2J\u202e", "id": 1}
    out = cli.terminal("rerank", "q", "--json", stdin=json.dumps(row, ensure_ascii=False) + "\n")
    assert json.loads(out) == {**row, "score": 0.0}
    assert not set(out) & set("\x9b\u202e")


@pytest.mark.usefixtures("plugin")
def test_the_report_goes_to_standard_error(cli):
    """As one line of JSON; a stand-in's answer is told in any case."""
    cli("rerank", "merge", "--report", stdin=LINES)
    report = json.loads(cli.err)
    assert report["scorer"] == "lexical"
    assert report["score_kind"] == "bm25"
    assert report["degraded"] is False
    spec = '{"fallback": {"scorers": ["picky", "lexical"]}}'
    cli("rerank", "bad", "-s", spec, "--report", stdin=LINES)
    warning, report = cli.err.strip().rsplit("\n", 1)
    assert warning.startswith("anyrank: warning: reranking is degraded, answered by lexical")
    assert json.loads(report)["degraded"] is True
    assert json.loads(report)["errors"] == ["ConnectionError: the line is dead"]


def test_a_file_takes_the_result(cli, tmp_path):
    """In UTF-8, with line feeds, and nothing on standard output."""
    path = tmp_path / "out.txt"
    assert cli("rerank", "ä", "-o", path, stdin="b\nä\n") == ""
    assert path.read_bytes() == "ä\nb\n".encode()


BATCH = [
    {"query": "merge", "documents": ["open a file", "merge lists"], "id": "q1"},
    {"id": "q2", "documents": [{"text": "a", "n": 1}, {"text": "sort b"}], "query": "sort"},
    {"query": "bad", "documents": ["x"]},
    {"query": "none", "documents": []},
]


def batch(rows):
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_batch_reranks_each_line_for_its_own_query(cli):
    """In the order of the lines; strings become objects, other fields stay where they are."""
    found = cli.json("rerank", "--batch", stdin=batch(BATCH))
    assert [list(row) for row in found] == [list(row) for row in BATCH]
    assert [one["text"] for one in found[0]["documents"]] == ["merge lists", "open a file"]
    assert [list(one) for one in found[1]["documents"]] == [["text", "score"], ["text", "n", "score"]]
    assert found[3]["documents"] == []
    assert [one["score"] for one in found[0]["documents"]] == Reranker("lexical").rerank(
        "merge", BATCH[0]["documents"]
    ).scores


def test_a_batch_from_a_file_with_options(cli, tmp_path):
    """The options hold for every line, and each has its report."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(batch(BATCH))
    found = cli.json("rerank", "--batch", path, "-n", "1", "--report", "--max-concurrency", "1")
    assert [len(row["documents"]) for row in found] == [1, 1, 1, 0]
    assert [json.loads(line)["line"] for line in cli.err.splitlines()] == [f"{path}, line {n}" for n in (1, 2, 3, 4)]


@pytest.mark.usefixtures("plugin")
def test_a_line_that_fails_ends_a_batch(cli):
    """What comes before it is written, and the error names the line."""
    out = cli("rerank", "--batch", "-s", "picky", stdin=batch(BATCH), code=1)
    assert [json.loads(line)["query"] for line in out.splitlines()] == ["merge", "sort"]
    assert "the line is dead" in cli.err
    assert "standard input, line 3" in cli.err


@pytest.mark.usefixtures("plugin")
def test_a_batch_keeps_going_when_it_is_told_to(cli):
    """The line comes with its error, the others are reranked, and the exit code tells."""
    lines = batch(BATCH) + 'no json\n{"query": 3, "documents": []}\n{"query": "q"}\n{"query": "q", "documents": [1]}\n'
    out = cli("rerank", "--batch", "-s", "picky", "--keep-going", stdin=lines, code=1)
    found = [json.loads(line) for line in out.splitlines()]
    assert [list(row)[-1] == "error" for row in found] == [False, False, True, False, True, True, True, True]
    assert found[2]["documents"] == ["x"]
    assert "ConnectionError: the line is dead" in found[2]["error"]
    assert list(found[4]) == ["error"]
    assert all(f"line {n}" in cli.err for n in (3, 5, 6, 7, 8))


def test_a_batch_does_not_overwrite_what_it_reads(cli, tmp_path):
    """Reading and writing one file would lose it."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(batch(BATCH))
    cli("rerank", "--batch", path, "-o", path, code=2)
    assert "is read and written" in cli.err
    assert path.read_text() == batch(BATCH)


def test_a_batch_holds_a_few_lines_at_a_time():
    """Reading waits for the answers, however long the file is, and no more calls than allowed are under way."""
    taken, running, most = [], [], []

    def items():
        for number in range(500):
            taken.append(number)
            yield number

    def work(number):
        running.append(number)
        most.append(len(running))
        time.sleep(0.0005)
        running.remove(number)
        return number

    found = []
    for future in in_order(work, items(), 3):
        found.append(future.result())
        assert len(taken) - len(found) <= 3 * 4 + 3
    assert found == list(range(500))
    assert max(most) <= 3


def test_an_answer_does_not_wait_for_the_next_question():
    """A program that asks one thing after another through a pipe gets each answer at once."""
    arguments = [sys.executable, "-m", "anyrank", "rerank", "--batch"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for row in BATCH[:2]:
            process.stdin.write(json.dumps(row) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["query"] == row["query"]
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0


def started(*arguments, **options):
    """Start the command line in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "anyrank", *arguments], text=True, **options)


def ended(*arguments, **options):
    """Run the command line in a process of its own, without what would make it write at once, to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_", "TQDM"))}
    options = {"input": LINES, "stderr": subprocess.PIPE, **options}
    options["env"] = environment | options.get("env", {})
    return subprocess.run([sys.executable, "-m", "anyrank", *arguments], text=True, check=False, **options)


def test_libraries_keep_quiet(plugin):
    """Nothing that a scorer's libraries log or warn of is shown, but that there is something to wait for, once."""
    result = ended("rerank", "q", "-s", "noisy", stdout=subprocess.DEVNULL, env={"PYTHONPATH": str(plugin)})
    assert result.stderr.startswith("anyrank: note: the hub that models come from does not answer;")
    assert result.stderr.count("\n") == 1


def test_a_full_disk_is_an_error_of_one_line():
    """Also where what is written fits the buffer, so that it is met at the very end."""
    with Path("/dev/full").open("w") as full:
        result = ended("rerank", "q", stdout=full)
    assert result.stderr == "anyrank: error: standard output: cannot be written: no space left on device\n"
    assert result.returncode == 1


@pytest.mark.parametrize("closed", [1, 2])
def test_closed_streams_swallow_what_is_written(tmp_path, closed):
    """As a daemon has them: the files are written all the same."""
    out = tmp_path / "out.txt"
    ended("rerank", "merge lists", "-o", str(out), preexec_fn=lambda: os.close(closed), stderr=None)
    assert out.read_text().splitlines() == reference().documents
    silent = ended("rerank", "merge lists", preexec_fn=lambda: os.close(closed), stdout=subprocess.PIPE, stderr=None)
    assert (silent.returncode, silent.stdout != "") == (0, closed == 2)


def test_a_traceback_is_shown_before_the_error(cli):
    """Which comes with the same exit code as without."""
    cli("--traceback", "rerank", "q", "-s", "lexicla", stdin=LINES, code=2)
    assert cli.err.startswith("Traceback")
    assert cli.err.splitlines()[-1].startswith("anyrank: error: no scorer named 'lexicla'")


def test_a_file_is_not_read_and_written(cli, tmp_path):
    """By whatever name; and what is there is kept where there is nothing to read."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(batch(BATCH))
    cli("rerank", "--batch", path, "-o", path, code=2)
    assert "is read and written" in cli.err
    with path.open() as source:
        assert ended("rerank", "--batch", "-o", str(path), stdin=source, input=None).returncode == 2
    cli("rerank", "--batch", tmp_path / "none", "-o", path, code=2)
    assert "none: no such file or directory" in cli.err
    assert path.read_text() == batch(BATCH)
    out = tmp_path / "out.jsonl"
    for _ in range(2):
        cli("rerank", "--batch", "-", "-o", out, stdin=batch(BATCH[:1]))
    assert len(out.read_text().splitlines()) == 1


def test_a_spec_in_a_file_is_strict_json(cli, tmp_path):
    """With or without a mark of its byte order; what is none is the user's to change."""
    path = tmp_path / "spec.json"
    for content, code in (
        (b'\xef\xbb\xbf"lexical"', 0),
        (b"\xff", 2),
        (b'{"lexical": {"k1": NaN}}', 2),
        (b"[" * 9999, 2),
    ):
        path.write_bytes(content)
        cli("rerank", "q", "-s", f"@{path}", stdin=LINES, code=code)
        assert ("spec.json: not " in cli.err) == (code == 2)


def test_a_closed_pipe_is_no_error():
    """As with ``| head -1``: what nobody reads is not written, in silence."""
    lines = "".join(f"line {number} {'x' * 100}\n" for number in range(20_000))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started("rerank", "line", **pipes) as process:
        process.stdin.write(lines)
        process.stdin.close()
        assert process.stdout.readline().startswith("line 0")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_a_closed_pipe_ends_a_batch_although_more_may_come():
    """The thread that waits for the next line does not keep the process, nor crash its end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started("rerank", "--batch", **pipes) as process:
        process.stdout.close()
        process.stdin.write(batch(BATCH))
        process.stdin.flush()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""


def test_ctrl_c_ends_it_at_once(plugin):
    """With 130 and no traceback, while a scorer is at work and, with ``--batch``, while the pipe is open."""
    environment = {**os.environ, "PYTHONPATH": str(plugin)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment}
    default = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    for arguments, sent in ((["600", "-s", "slow"], "a\n"), (["--batch", "-s", "slow"], batch(BATCH[:1]))):
        with started("rerank", *arguments, **pipes, **default) as process:
            process.stdin.write(sent.replace("merge", "600", 1))
            process.stdin.flush()
            if "--batch" not in arguments:
                process.stdin.close()
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            assert "Traceback" not in process.stderr.read()
        assert process.returncode == 130


def test_a_failing_line_ends_it_although_the_pipe_stays_open(plugin):
    """The thread that still reads does not keep the process, nor crash its end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started("rerank", "--batch", "-s", "picky", **pipes, env={**os.environ, "PYTHONPATH": str(plugin)}) as process:
        process.stdin.write(batch(BATCH[2:3]))
        process.stdin.flush()
        assert process.wait(timeout=20) == 1
        said = process.stderr.read()
    assert "the line is dead" in said
    assert "Fatal" not in said


def test_a_real_terminal_gets_the_table():
    """Through a pseudo-terminal: colours may be in it, the documents' own escapes are not."""
    leader, follower = pty.openpty()
    with started("rerank", "b", stdin=subprocess.PIPE, stdout=follower) as process:
        process.communicate("a\x1b[31m\nb\n")
    os.close(follower)
    shown = os.read(leader, 10_000).decode()
    os.close(leader)
    assert "score" in shown
    assert "\x1b[31m" not in shown
