"""RedisVL's guide to its rerankers, cell by cell, with nothing but the import changed."""

import ast
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from fake_service import KEY, Contract, running

CELLS = Path(__file__).with_name("guide.txt").read_text(encoding="utf-8").split("# %%\n")[1:]
QUERY, DOCS, RECORDS = "What is the capital of the United States?", CELLS[1], CELLS[10]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def printed(save_cross_encoder, tmp_path_factory):
    """Run the cells one after the other and return what each of them printed: pairs of a score and a document."""
    folder = tmp_path_factory.mktemp("guide")
    repository = folder / "models--BAAI--bge-reranker-base"
    save_cross_encoder(repository / "snapshots" / COMMIT)
    repository.joinpath("refs").mkdir()
    repository.joinpath("refs", "main").write_text(COMMIT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as here, running("cohere_v1") as cohere, running("voyage") as voyage:
        here.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))  # HF_HOME, after the library was imported
        here.setitem(sys.modules, "openvino", None)  # torch, which is quicker for one call
        for name, service in {"COHERE": cohere, "VOYAGE": voyage}.items():
            here.setenv(f"{name}_API_KEY", KEY)
            here.setenv(f"ANYRANK_{service.contract.name.upper()}_BASE_URL", service.url)
        names = {}
        outputs = [output_of(cell.replace("redisvl.utils.rerank", "anyrank_redisvl"), names) for cell in CELLS]
        for name in ("cross_encoder_reranker", "cohere_reranker", "reranker"):
            names[name].close()
    return [[line.split("  --  ") for line in output.splitlines()] for output in outputs]


def output_of(cell, names):
    """Run a cell and return what it prints."""
    with redirect_stdout(StringIO()) as output:
        exec(cell, names)
    return output.getvalue()


def documents(cell):
    """Return the documents that a cell of the guide assigns."""
    return ast.literal_eval(cell.partition("docs = ")[2])


def best(service, docs, texts):
    """Return the three documents that the fake of a service finds best, with its scores, as they are printed."""
    scores = [Contract(service).score(QUERY, text) for text in texts]
    order = sorted(range(len(docs)), key=lambda place: -scores[place])[:3]
    return [[str(scores[place]), str(docs[place])] for place in order]


def test_the_cross_encoder(printed):
    """Dicts come out, three of them, with probabilities, the best first (the guide prints redis-vl-python#693)."""
    found = printed[4]
    scores = [float(score) for score, _ in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    texts = [ast.literal_eval(document)["content"] for _, document in found]
    assert len(set(texts)) == 3
    assert set(texts) < set(documents(DOCS))


def test_cohere_with_strings(printed):
    """Strings come out, each with Cohere's score of it."""
    docs = documents(DOCS)
    assert printed[9] == best("cohere_v1", docs, docs)


def test_cohere_with_fields(printed):
    """Dicts come out as they are, and Cohere has read both fields."""
    docs = documents(RECORDS)
    assert printed[12] == best("cohere_v1", docs, [f"{doc['passage']}\n{doc['source']}" for doc in docs])


def test_voyage_with_dicts_it_is_told_nothing_about(printed):
    """Without ``content`` and ``rank_by`` all fields are read, by name."""
    docs = documents(RECORDS)
    texts = [f"source: {doc['source']}\npassage: {doc['passage']}" for doc in docs]
    assert printed[17] == best("voyage", docs, texts)
