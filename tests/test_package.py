"""What holds for the packages as a whole: light imports, one version, documents that tell the truth."""

import doctest
import importlib
import re
import subprocess
import sys
import tomllib
from inspect import signature
from pathlib import Path

import pytest

import anyrank
from anyrank import Reranker, errors, fuse, load, names
from anyrank._registry import COMPOSITIONS, _factory
from anyrank.fusion import METHODS
from anyrank.normalize import NORMALIZERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("integrations/*/pyproject.toml"))]


def loaded_by(code):
    """Return the modules that a fresh interpreter loads for some code, beyond those it starts with."""
    script = f"import sys; before = set(sys.modules); {code}; print(*set(sys.modules) - before)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_anyrank_is_light():
    """No third-party package, no event loop, no package metadata; at most 80 modules."""
    loaded = loaded_by("import anyrank")
    foreign = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"anyrank"}
    assert not foreign
    assert len(loaded) <= 80
    assert not loaded & {"asyncio", "importlib.metadata", "logging", "concurrent.futures"}


def test_using_the_core_stays_light():
    """Reranking and fusing without a model loads no third-party package either."""
    code = "from anyrank import Reranker, fuse; fuse([Reranker('lexical').rerank('a', ['a', 'b'])])"
    foreign = {name.partition(".")[0] for name in loaded_by(code)} - set(sys.stdlib_module_names) - {"anyrank"}
    assert not foreign


@pytest.mark.parametrize("spec", ["cross_encoder:some/model", "embedding:some/model"])
def test_building_a_local_scorer_loads_no_model_library(spec):
    """Torch waits for the first call that needs it."""
    assert not loaded_by(f"from anyrank import load; load({spec!r})") & {"torch", "transformers", "numpy"}


def test_all_is_sorted_and_there():
    """Every public name exists, once, in order."""
    assert list(anyrank.__all__) == sorted(set(anyrank.__all__))
    assert all(hasattr(anyrank, name) for name in anyrank.__all__)
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")


def test_versions_go_together():
    """All distributions have the core's version and ask for it."""
    for path in PROJECTS:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        assert project["version"] == anyrank.__version__, path
        assert project["requires-python"] == ">=3.11", path
        assert path == PROJECTS[0] or "anyrank>=0.1,<0.2" in project["dependencies"], path


def test_the_core_depends_on_requests_only():
    """Everything else is optional."""
    assert tomllib.loads(PROJECTS[0].read_text(encoding="utf-8"))["project"]["dependencies"] == ["requests>=2.31"]


def test_building_a_hosted_scorer_loads_no_http_library():
    """The network waits for the first call that needs it."""
    heavy = {"requests", "urllib3", "aiohttp", "asyncio", "ssl"}
    assert not loaded_by("from anyrank import load; load('cohere', api_key='k')") & heavy


@pytest.mark.parametrize("folder", ["tests", "examples"])
def test_torch_is_pinned_first(folder):
    """Another version pulls gigabytes of packages for GPUs."""
    first = (ROOT / folder / "requirements.txt").read_text(encoding="utf-8").splitlines()[0]
    assert first.split()[0] == "torch==2.13.0"


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "src/anyrank").glob("[a-z]*.py")))
def test_the_examples_in_docstrings_hold(module):
    """Every ``>>>`` in a public module gives what it says."""
    assert doctest.testmod(importlib.import_module(f"anyrank.{module}")).failed == 0


def test_every_scorer_and_method_is_in_the_readme():
    """The tables name all of them, and none that is not there."""
    rows = re.findall(r"^\| `([^|]*)\|", README, flags=re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"\b([a-z_][a-z0-9_]*)\b", row)}
    assert set(names()) <= listed
    assert set(METHODS) <= listed
    assert all(f"`{name}`" in README for name in NORMALIZERS)


def test_every_built_in_scorer_can_be_built():
    """Each file of ``scorers/`` has a scorer of its own name."""
    for name in set(names()) - set(COMPOSITIONS):
        first = next(iter(signature(_factory(name)).parameters))
        arguments = {"k1": "", "base_url": ":http://127.0.0.1:9", "chat": ":openai:m"}
        argument = arguments.get(first, ":some/model")
        scorer = load(name + argument)
        assert scorer.name == name


def test_the_package_is_typed():
    """Type checkers are told to look inside, in every distribution."""
    assert (ROOT / "src/anyrank/py.typed").is_file()
    for source in ROOT.glob("integrations/*/src"):
        assert list(source.rglob("py.typed")), source


def scores(*values):
    """Return a scorer named ``mine`` that gives these scores."""

    def mine(_query, _texts):
        return list(values)

    return mine


BAD_INPUT = {
    "UnknownScorerError: no scorer named 'lexicla'; did you mean 'lexical'? known:": lambda: Reranker("lexicla"),
    "ArgumentError: top_n must be a whole number above 0, or None for all; got 0": lambda: Reranker("lexical", top_n=0),
    "ScoresError: scorer 'mine' returned 2 scores for 3 texts:": lambda: Reranker(scores(1, 2)).rerank(
        "q", list("abc")
    ),
    "ScoresError: scorer 'mine' returned nan among its scores, for text 1:": lambda: Reranker(
        scores(1.0, float("nan"))
    ).rerank("q", ["a", "b"]),
    "TextError: no document has a field 'titel' (fields there are: title, body)": lambda: Reranker("lexical").rerank(
        "q", [{"title": "a", "body": "b"}], text="titel"
    ),
    "FusionError: the weight of source 'bm25' must be a finite number of at least 0; got -1": lambda: fuse(
        {"bm25": []}, weights={"bm25": -1, "dense": 1}
    ),
    "FusionError: there is no weight for source 'dense'; known: bm25": lambda: fuse(
        {"bm25": [], "dense": []}, weights={"bm25": 1}
    ),
    "SettingError: scorer 'cohere' needs an API key: set CO_API_KEY or COHERE_API_KEY or api_key=": lambda: Reranker(
        "cohere"
    ).rerank("q", ["a"]),
    "ArgumentError: a score threshold means nothing here:": lambda: Reranker("first_stage", min_score=0.5),
}


@pytest.mark.parametrize("said", BAD_INPUT)
def test_the_readme_quotes_errors_truly(said, monkeypatch):
    """What the README says bad input gets is what it gets."""
    for name in ("CO_API_KEY", "COHERE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert f"`{said}" in README
    with pytest.raises(anyrank.AnyRankError) as caught:
        BAD_INPUT[said]()
    assert f"{type(caught.value).__name__}: {caught.value}".startswith(said)
