"""What the distribution promises."""

import subprocess
import sys
from importlib.metadata import requires
from importlib.resources import files

HEAVY = ("torch", "transformers", "sentence_transformers", "numpy", "llama_index", "haystack", "langchain_classic")


def test_import_is_light():
    """Importing it brings the host and anyrank, and no model library or other framework (L28)."""
    code = (
        "import sys, langchain_core.retrievers, langchain_core.documents, langchain_core.tracers\n"
        "before = set(sys.modules)\n"
        "import langchain_anyrank\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    added = set(shown.stdout.split())
    assert not added.intersection(HEAVY)
    assert added - set(sys.stdlib_module_names) <= {"anyrank", "langchain_anyrank", "langchain_core", "langsmith"}


def test_it_is_typed():
    """Type checkers may read its hints."""
    assert files("langchain_anyrank").joinpath("py.typed").is_file()


def test_it_needs_the_core_of_langchain_only():
    """Neither langchain nor langchain-classic is required."""
    names = {line.split(">")[0].split("<")[0].strip() for line in requires("langchain-anyrank") or ()}
    assert names == {"anyrank", "langchain-core"}
