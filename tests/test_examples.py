"""Every example runs, offline, with warnings as errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8"))


def run(name, *arguments, **environment):
    """Run an example as a user does, its output piped."""
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HAYSTACK_TELEMETRY_ENABLED": "false",
            "COLUMNS": "100",
            **environment,
        },
    )


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "quickstart.py"])
def test_the_example_runs(name):
    """It ends well and prints something."""
    result = run(name)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_the_quickstart_runs(tmp_path):
    """On a few modules: the tables, the proof that all three frameworks agree, no colour codes in a pipe."""
    modules = "heapq,collections,itertools,bisect,functools,shutil"
    result = run("quickstart.py", "--modules", modules, XDG_CACHE_HOME=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "heapq.merge" in result.stdout
    assert "same" in result.stdout.lower()
    assert "\x1b[" not in result.stdout
