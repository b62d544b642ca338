"""Every Python block of every Markdown file runs, top to bottom, in one namespace, and prints what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HIDDEN = {".venv", ".venv-lowest", ".venv-sdks", ".git", ".github", "node_modules"}
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.md") if not HIDDEN & set(path.relative_to(ROOT).parts)
)
KEYLESS = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN", "_BASE_URL"))}
QUIET = {**KEYLESS, "HF_HUB_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "false"}
BLOCK = re.compile(r"^( *)```(python|text)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)[^)]*\)")


def blocks(document):
    """Return a document's ``python`` and ``text`` blocks with the line each begins at."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        indent, kind, body = match.groups()
        yield kind, re.sub(f"^{indent}", "", body, flags=re.MULTILINE), text.count("\n", 0, match.start()) + 2


def script(document):
    """Return the document's Python blocks as one program that keeps their line numbers."""
    lines: list[str] = []
    for kind, body, line in blocks(document):
        if kind == "python":
            lines += [""] * (line - 1 - len(lines)) + body.splitlines()
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if any(kind == "python" for kind, *_ in blocks(name))])
def test_the_snippets_run(document, tmp_path):
    """In a process of their own, warnings as errors; a ``text`` block is part of what they print."""
    program = tmp_path / Path(document).with_suffix(".py").name
    program.write_text(script(document), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        check=False,
        env=QUIET,
    )
    assert result.returncode == 0, result.stderr
    for kind, body, line in blocks(document):
        if kind == "text":
            assert body in result.stdout, f"{document}:{line} is not what is printed:\n{result.stdout}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    """Every relative link is a file of the repository."""
    path = ROOT / document
    missing = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
    assert not missing
