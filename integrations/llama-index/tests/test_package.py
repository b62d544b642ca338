"""The distribution itself: its namespace, metadata and imports."""

import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import llama_index.core

import llama_index.postprocessor.anyrank as package

HEAVY = "torch", "transformers", "sentence_transformers", "langchain_core", "haystack"


def test_imports_stay_light():
    """In a fresh interpreter, the package brings nothing heavy (I33)."""
    code = f"import sys, llama_index.postprocessor.anyrank; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_lives_in_the_hosts_namespace():
    """The host's package and ours share ``llama_index``, which has no ``__init__.py`` of ours."""
    folder = Path(package.__file__).parent
    assert folder.joinpath("py.typed").exists()
    assert not any(above.joinpath("__init__.py").exists() for above in (folder.parent, folder.parent.parent))
    assert Path(llama_index.core.__file__).exists()


def test_everything_public_is_exported():
    """``__all__`` is true."""
    assert all(getattr(package, name).__name__ == name for name in package.__all__)


def test_llamahub_finds_the_classes():
    """The hub's metadata names the import path and every class."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    hub = project["tool"]["llamahub"]
    assert hub["import_path"] == package.__name__
    assert sorted(hub["class_authors"]) == sorted(name for name in package.__all__ if name != "chat_model")
    assert "llama-index-core<0.15,>=0.13" in requires("llama-index-postprocessor-anyrank")
