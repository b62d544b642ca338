"""What the distribution promises."""

import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

HEAVY = ("torch", "transformers", "sentence_transformers", "langchain_core", "haystack", "llama_index", "openai")


def test_import_is_light():
    """Importing it brings LanceDB and anyrank, and no model library, client or other framework."""
    code = (
        "import sys, lancedb, lancedb.rerankers, asyncio\n"
        "before = set(sys.modules)\n"
        "import anyrank_lancedb\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    added = set(shown.stdout.split())
    assert not added.intersection(HEAVY)
    assert added - set(sys.stdlib_module_names) <= {"anyrank", "anyrank_lancedb", "pyarrow", "numpy", "lancedb"}


def test_it_is_typed():
    """Type checkers may read its hints."""
    assert files("anyrank_lancedb").joinpath("py.typed").is_file()


def test_it_needs_no_reranking_client():
    """Beside anyrank it needs LanceDB and what LanceDB itself stands on."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    names = {line.split(">")[0] for line in project["dependencies"]}
    assert names == {"anyrank", "lancedb", "numpy", "pyarrow"}
