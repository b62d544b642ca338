"""LanceDB's own guides, with nothing changed but the import."""

import ast
from pathlib import Path

import fake_service
import lancedb
import pytest
from fake_service import KEY, running
from lance_results import TEXTS
from lancedb.embeddings import TextEmbeddingFunction, get_registry
from lancedb.index import FTS
from lancedb.pydantic import LanceModel, Vector

from anyrank.errors import AuthenticationError

GUIDES = Path(__file__).parent / "guides"
FUSIONS = ("rrf", "linear_combination")

pytestmark = pytest.mark.filterwarnings("ignore:create_fts_index is deprecated")


class Embedder(TextEmbeddingFunction):
    """Stands for Jina's embedder, which would ask a service."""

    def ndims(self):
        """Say how long a vector is."""
        return 3

    def generate_embeddings(self, texts):
        """Count letters."""
        return [[float(len(text)), float(text.count("o")), float(text.count("l"))] for text in texts]


@pytest.fixture(autouse=True)
def _at_home(hub, tmp_path, monkeypatch):  # noqa: ARG001 - the hub has to be there
    """Give the guides a home of their own, the keys they read, and a hub with the models they name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    monkeypatch.delenv("CO_API_KEY", raising=False)
    monkeypatch.setitem(get_registry()._functions, "jina", Embedder)
    monkeypatch.setattr(Embedder, "__embedding_function_registry_alias__", "jina", raising=False)


def results(name, package="anyrank_lancedb", **names):
    """Run a guide and return what it left in ``result`` or ``reranked``, each time it assigned them.

    The guides search for words before they index them, which LanceDB refuses whatever the reranker: the index is there
    as soon as the data are.
    """
    guide = (GUIDES / f"{name}.txt").read_text(encoding="utf-8").replace("lancedb.rerankers", package)
    found = []
    for statement in ast.parse(guide).body:
        exec(compile(ast.Module([statement], []), f"{name}.txt", "exec"), names)
        if ast.unparse(statement) == "tbl.add(data)":
            names["tbl"].create_index("text", config=FTS())
        targets = [target.id for target in getattr(statement, "targets", ()) if isinstance(target, ast.Name)]
        found += [names[target] for target in targets if target in ("result", "reranked")]
    return found


def relevances(rows):
    """Return the scores of a list of rows."""
    return [row["_relevance_score"] for row in rows]


@pytest.mark.parametrize("name", FUSIONS)
def test_fusions_give_what_lancedb_gives(name):
    """The guide's result is the same, row for row and number for number."""
    assert results(name) == results(name, "lancedb.rerankers") != [[]]


def test_cross_encoder_gives_what_lancedb_gives():
    """All three query types: the same rows and columns, and the scores to what 16 bits differ from 32 by."""
    for ours, theirs in zip(results("cross_encoder"), results("cross_encoder", "lancedb.rerankers"), strict=True):
        assert [row["text"] for row in ours] == [row["text"] for row in theirs]
        assert [row.keys() for row in ours] == [row.keys() for row in theirs]
        assert relevances(ours) == pytest.approx(relevances(theirs), rel=0.02)


@pytest.mark.parametrize(("name", "key"), [("cohere", KEY), ("jina", "key")])
def test_hosted_guides(name, key, monkeypatch):
    """Each of the three searches is reranked by the service, which is shown the key that was passed."""
    monkeypatch.setattr(fake_service, "KEY", key)  # the guide for Jina passes this one
    monkeypatch.setenv("JINA_API_KEY", "")
    with running({"cohere": "cohere_v1"}.get(name, name)) as service:
        monkeypatch.setenv("ANYRANK_COHERE_V1_BASE_URL", service.url)
        monkeypatch.setenv("ANYRANK_JINA_BASE_URL", service.url)
        vector, words, hybrid = results(name)
    assert len(service.requests) == 3
    assert [row["text"] for row in vector] == [row["text"] for row in hybrid] == ["hello world", "goodbye world"]
    assert [row["text"] for row in words] == ["hello world"]
    assert all(relevances(rows) == sorted(relevances(rows), reverse=True) for rows in (vector, words, hybrid))


def test_multivector_guide(tmp_path):
    """Three searches over three columns, the query taken from the searches: each row once, best first."""
    embedder = get_registry().get("jina").create()

    class Schema(LanceModel):
        text: str = embedder.SourceField()
        vector: Vector(3) = embedder.VectorField()
        text_vector: Vector(3) = embedder.VectorField()
        meta_vector: Vector(3) = embedder.VectorField()

    table = lancedb.connect(tmp_path).create_table("guide", schema=Schema)
    table.add([{"text": text} for text in TEXTS])
    [reranked] = results("multivector", table=table)
    rows = reranked.to_pylist()
    assert len({row["text"] for row in rows}) == len(rows) >= 3
    assert relevances(rows) == sorted(relevances(rows), reverse=True)
    with pytest.raises(TypeError, match="query"):
        results("multivector", "lancedb.rerankers", table=table)


def test_a_wrong_key_is_named(monkeypatch):
    """What the service says to a key that it does not know reaches the caller as an error of its own."""
    with running("cohere_v1") as service:
        monkeypatch.setenv("ANYRANK_COHERE_V1_BASE_URL", service.url)
        monkeypatch.setenv("COHERE_API_KEY", "no-such-key")
        with pytest.raises(AuthenticationError, match="cohere_v1"):
            results("cohere")
