"""The pages on the command line do what they say: every ``console`` block runs, and prints what it shows.

A page's blocks are one session of a shell, top to bottom, in an empty folder, where a collection ``fruit`` lies beside
(`cli_data.write_collection`). A line ``$ command`` is run, with the lines ``> …`` that go on with it; what follows is
what it prints, to standard output and standard error. ``…`` stands for anything. A file that is shown by ``$ cat FILE``
and is not there has the content that is shown: so a page brings its own data. A block that begins with ``$ pip`` is for
the reader alone. Examples in help texts are run too, but for those with placeholders in capitals.
"""

import os
import re
import subprocess
import sys
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

import pytest
from cli_data import write_collection

from anyrank.cli._app import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/cli.md"]
BLOCK = re.compile(r"^```console\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SECRETS = ("_KEY", "_APIKEY", "_TOKEN", "_BASE_URL", "_API_BASE")
CALM = {name: value for name, value in os.environ.items() if not name.endswith(SECRETS)}
END = "\x1e"


def steps(page):
    """Return a page's commands, each with what it should print."""
    blocks = [block for block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")) if "$ pip" not in block]
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    found = [re.match(r"([^\n]*\n(?:> [^\n]*\n)*)(.*)", part, flags=re.DOTALL).groups() for part in parts]
    return [(re.sub(r"\n> ", "\n", command).strip(), shown) for command, shown in found]


def session(folder, commands):
    """Run commands in one shell, where ``anyrank`` is this repository's, and return what each printed and its code."""
    program = folder / "bin" / "anyrank"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m anyrank "$@"\n')
    program.chmod(0o755)
    marked = "".join(f"{command}\ncode=$?; printf '%s{END}' $code; (exit $code)\n" for command in commands)
    environment = {
        **CALM,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "HF_HUB_OFFLINE": "1",
    }
    result = subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + marked],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=folder / "here",
        env=environment,
        check=False,
        timeout=300,
    )
    outputs = result.stdout.decode().split(END)[:-1]
    return [re.fullmatch(r"(.*?)(\d+)", output, flags=re.DOTALL).groups() for output in outputs]


def matches(shown, printed):
    """Whether what was printed is what is shown."""
    return re.fullmatch(re.escape(shown.strip()).replace("…", ".*"), printed.strip(), flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """Return a folder whose ``here`` holds a collection."""
    write_collection(tmp_path / "here" / "fruit")
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_is_printed(page, folder):
    """Every command, one after the other."""
    todo = steps(page)
    for command, shown in todo:
        name = re.fullmatch(r"cat (\S+)", command)
        if name and shown and not (folder / "here" / name[1]).exists():
            (folder / "here" / name[1]).write_text(shown, encoding="utf-8")
    outputs = session(folder, [command for command, _ in todo])
    assert len(outputs) == len(todo)
    for (command, shown), (printed, _) in zip(todo, outputs, strict=True):
        assert matches(shown, printed), f"$ {command}\n{printed}"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_help_text_work(command, folder):
    """Each ends with 0, over files of the names that it uses."""
    here = folder / "here"
    write_collection(here / "scifact")
    (here / "qrels.txt").write_bytes((here / "fruit/qrels/test.tsv").read_bytes())
    (here / "docs.jsonl").write_text('{"text": "merge lists"}\n{"text": "open files"}\n')
    for name, stage in {"bm25": "early", "dense": "late", "a": "early", "b": "late"}.items():
        (here / f"{name}.trec").write_bytes((here / f"fruit/runs/{stage}.trec").read_bytes())
    outputs = session(folder, examples(command))
    assert [code for _, code in outputs] == ["0"] * len(examples(command)), outputs


def examples(command):
    """Return the examples of a command's help, with a scorer that is there in the place of one that is to be named."""
    told = cleandoc(import_module(f"anyrank.cli.{command}").command.__doc__).partition("For instance:\n\n")[2]
    lines = re.sub(r"\|\n +", "| ", told).replace("cross_encoder:MODEL", "first_stage:score").splitlines()
    assert lines, f"anyrank {command} --help shows no example"
    return [line.strip() for line in lines]
