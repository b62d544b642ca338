"""A collection in the BEIR layout for the command line, and the command line on it."""

import io
import json
import re
import sys
from pathlib import Path

import pytest

from anyrank.cli import main

WORDS = "apple banana cherry damson elder fig grape hazel iris juniper kiwi lemon".split()  # noqa: SIM905 - reads better


def write_collection(folder: Path) -> Path:
    """Write twelve queries; what is relevant stands third in the run ``late``, second in ``early``."""
    for name in ("qrels", "runs"):
        (folder / name).mkdir(parents=True)
    rows = [f"q{n}\td{n}\t1\n" for n in range(12)]
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows))
    (folder / "queries.jsonl").write_text(jsonl({"_id": f"q{n}", "text": f"a {word}"} for n, word in enumerate(WORDS)))
    corpus = [{"_id": f"d{n}", "title": word, "text": "eaten", "kind": WORDS[n - 1]} for n, word in enumerate(WORDS)]
    (folder / "corpus.jsonl").write_text(jsonl(corpus))
    for name, place in {"early": 1, "late": 2}.items():
        (folder / f"runs/{name}.trec").write_text("".join(run_lines(place)))
    return folder


def run_lines(place):
    """Yield a run in which what is relevant stands at this place, counted from 0."""
    for n in range(12):
        for rank in range(4):
            yield f"q{n} Q0 d{(n + rank - place) % 12} {rank + 1} {4 - rank} tag\n"


def jsonl(rows):
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


class Stdin(io.TextIOWrapper):
    """Standard input with this text piped into it, or a terminal at which nobody types (None)."""

    def __init__(self, text):
        super().__init__(io.BytesIO((text or "").encode()))
        self.piped = text is not None

    def isatty(self):
        return not self.piped


class CommandLine:
    """Runs commands in this process: ``code``, ``out`` and ``err`` are those of the last."""

    def __init__(self, capsys, monkeypatch):
        self.capsys = capsys
        self.monkeypatch = monkeypatch

    def __call__(self, *arguments, code=0, stdin=""):
        """Run a command, which must end with this code, and return what it wrote to standard output."""
        self.monkeypatch.setattr(sys, "stdin", Stdin(stdin))
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        self.out, self.err = self.capsys.readouterr()
        self.code = end.value.code or 0
        assert self.code == code, self.err
        return self.out

    def rows(self, *arguments, **options):
        """Run a command and return the cells of its lines."""
        return [line.split("\t") for line in self(*arguments, **options).splitlines()]

    def json(self, *arguments, **options):
        """Run a command and return its JSON lines, which are strict."""
        return [
            json.loads(line, parse_constant=pytest.fail) for line in self(*arguments, "--json", **options).splitlines()
        ]

    def terminal(self, *arguments, width=100, **options):
        """Run a command in a terminal of this width, and return what it shows but for colours."""
        for name, value in {"COLUMNS": str(width), "TERM": "xterm"}.items():
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self(*arguments, **options))


@pytest.fixture(name="cli")
def command_line(capsys, monkeypatch):
    """Return the command line."""
    return CommandLine(capsys, monkeypatch)


@pytest.fixture(name="folder", scope="module")
def fruit(tmp_path_factory):
    """Return a collection that no test changes."""
    return write_collection(tmp_path_factory.mktemp("cli") / "fruit")
