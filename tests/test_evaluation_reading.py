"""Judgments, runs, queries and collections from files, tables, lists and retrievers: read right, or refused by line."""

import gzip
import json
import math
import os
from collections import namedtuple

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank import Ranking
from anyrank.errors import ArgumentError
from anyrank.evaluation import (
    Document,
    document_id,
    evaluate,
    read_collection,
    read_qrels,
    read_queries,
    read_run,
    retrieve,
    write_run,
)

QRELS = {"q1": {"d1": 2, "d2": 0}, "q2": {"d3": 1}}
TRIPLES = [("q1", "d1", 2), ("q1", "d2", 0), ("q2", "d3", 1)]
ROWS = [dict(zip(("query_id", "doc_id", "relevance"), triple, strict=True)) for triple in TRIPLES]
Judgment = namedtuple("Judgment", ROWS[0])  # noqa: PYI024 - as ir-measures and ir_datasets have them
ids = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "Cc", "Cs"]), min_size=1, max_size=4)


def written(path, text):
    """Write a file and return where it is."""
    path.write_text(text, encoding="utf-8", newline="")
    return path


def lines(rows, separator):
    """Return rows as the lines of a file."""
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path):
    """Write a collection of two queries in the BEIR layout, one document with U+2028 in it."""
    for part in ("runs", "qrels"):
        tmp_path.joinpath(part).mkdir()
    documents = [{"_id": f"d{n}", "title": "a title", "text": f"text\u2028\x85 {n}"} for n in range(1, 5)]
    queries = [{"_id": "q1", "text": "one"}, {"_id": "q2", "text": "two"}]
    for name, rows in (("corpus", documents), ("queries", queries)):
        written(tmp_path / f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    written(tmp_path / "qrels/test.tsv", lines([("query-id", "corpus-id", "score"), *TRIPLES], "\t"))
    written(tmp_path / "runs/bm25.trec", "q1 Q0 d2 1 9 x\nq1 Q0 d1 2 8 x\nq2 Q0 d3 1 5 x\n")
    return tmp_path


@pytest.mark.parametrize(
    "source",
    [
        QRELS,
        ROWS,
        pd.DataFrame(ROWS),
        pa.Table.from_pylist(ROWS),
        pd.DataFrame(ROWS).rename(columns={"query_id": "qid", "doc_id": "docno", "relevance": "label"}),
        pd.DataFrame(ROWS).astype({"query_id": "category", "doc_id": "category"}),
        [Judgment(*triple) for triple in TRIPLES],
        {"q1": {"d1": "2", "d2": 0.0}, "q2": "d3"},
        {"q1": {"d1": 2, "d2": False}, "q2": {"d3"}},
        {"q1": {"d1": 2, "d2": 0}, "q2": ["d3"]},
    ],
    ids=["dict", "rows", "pandas", "arrow", "other names", "categories", "tuples", "strings", "set", "relevant ids"],
)
def test_judgments_from_whatever_holds_them(source):
    """Every form says the same."""
    assert read_qrels(source) == QRELS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test.tsv", lines([("query-id", "corpus-id", "score"), *TRIPLES], "\t")),
        ("bare.tsv", lines(TRIPLES, "\t")),
        ("windows.tsv", "\ufeff" + lines(TRIPLES, "\t").replace("\n", "\r\n")),
        ("qrels.txt", lines([(query, 0, document, grade) for query, document, grade in TRIPLES], " ")),
        ("headed.txt", "docno  label iteration QID\n" + lines([(d, grade, 0, q) for q, d, grade in TRIPLES], " ")),
        ("trailing.tsv", lines(TRIPLES, "\t").replace("\n", "\t \n \n")),
        ("qrels.jsonl", "".join(json.dumps(row) + "\n\n" for row in ROWS)),
        ("rows.json", json.dumps(ROWS, indent=1)),
        ("one row a line.json", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("qrels.json", json.dumps(QRELS, indent=1)),
    ],
)
def test_judgments_from_files(tmp_path, name, text):
    """BEIR's columns, TREC's and JSON lines; byte order marks, carriage returns and blank lines do no harm."""
    assert read_qrels(written(tmp_path / name, text)) == QRELS


def test_gzipped_files_are_read(tmp_path):
    """A run as it comes from TREC."""
    path = tmp_path / "run.trec.gz"
    path.write_bytes(gzip.compress(b"q Q0 d 1 0.5 tag\n"))
    assert read_run(path) == {"q": Ranking.of(["d"], [0.5])}


def test_ids_with_blanks_in_them(tmp_path):
    """Columns are parted by tabs where there are tabs."""
    path = written(tmp_path / "qrels.tsv", "query-id\tcorpus-id\tscore\nfirst query\ta document\t1\n")
    assert read_qrels(path) == {"first query": {"a document": 1}}


@pytest.mark.parametrize("text", ["q d 0.5\nq e 1\n", "q d high\nq e 1\n"])
def test_a_first_line_is_no_header_unless_it_names_columns(tmp_path, text):
    """A judgment that cannot be read is never left out."""
    with pytest.raises(ArgumentError, match=r"line 1: .*grade"):
        read_qrels(written(tmp_path / "bad.tsv", text))


def test_numbers_as_ids_become_strings():
    """Ids meet whatever type they came in, also as the floats that pandas makes of whole numbers beside a gap."""
    gap = pd.DataFrame({"qid": [1, None], "docno": [7, 8], "label": [1, 1]})
    assert read_qrels(gap.dropna()) == {"1": {"7": 1}}
    with pytest.raises(ArgumentError, match="row 1: no query"):
        read_qrels(gap)
    assert read_qrels({1: {7: 1}}) == {"1": {"7": 1}}
    assert read_run({1: {7: 0.5}})["1"].documents == ["7"]
    assert read_qrels([{7: 1}, [8]]) == {"0": {"7": 1}, "1": {"8": 1}}


def test_the_rank_of_a_run_decides(tmp_path):
    """Lines in any order, scores that rise: the rank column is authoritative, the scores are kept, and part ties."""
    path = written(tmp_path / "run.trec", "q Q0 b 2 9 x\nq\tQ0  a 1\t8 x\nq Q0 c 10 7 x\nq Q0 d 2 10 x\n")
    assert read_run(path) == {"q": Ranking.of(["a", "d", "b", "c"], [8, 10, 9, 7])}


def test_a_table_of_pyterriers():
    """``docno`` is what judgments name, ``docid`` a number of its own index."""
    rows = pd.DataFrame([{"qid": "1", "query": "any", "docid": 17, "docno": "x", "rank": 0, "score": 1.0}])
    assert read_run(rows) == {"1": Ranking.of(["x"], [1.0])}
    assert read_queries(rows) == {"1": "any"}


@pytest.mark.parametrize(
    "source",
    [
        {"q": {"b": 1, "a": 2, "c": 1}},
        {"q": Ranking.of(["a", "b", "c"], [2, 1, 1])},
        [{"qid": "q", "docno": document, "score": score} for document, score in (("b", 1), ("a", 2), ("c", 1))],
    ],
)
def test_without_ranks_the_score_decides(source):
    """Higher first, equal ones as they stand."""
    assert read_run(source) == {"q": Ranking.of(["a", "b", "c"], [2.0, 1.0, 1.0])}


@pytest.mark.parametrize(
    "source", [["one", "two"], {"0": "one", "1": "two"}, [{"_id": "0", "text": "one"}, {"id": 1, "text": "two"}]]
)
def test_queries(source):
    """By id, or by place; a table has an id and a text."""
    assert read_queries(source) == {"0": "one", "1": "two"}


def test_queries_by_tab(tmp_path):
    """As MS MARCO has them."""
    assert read_queries(written(tmp_path / "queries.tsv", "7\tone and two\n8\tthree\n")) == {
        "7": "one and two",
        "8": "three",
    }


@pytest.mark.parametrize(
    ("read", "source", "said"),
    [
        (read_queries, {"q": 3}, "the text of query 'q' must be a str"),
        (read_queries, [{"id": 1, "text": "a"}, {"id": "1", "text": "b"}], "row 1: query '1' stands twice"),
        (read_qrels, {"q": None}, "the judgments of query 'q' must be grades"),
        (read_qrels, {"q": {"d": 10**9}}, "a grade is a whole number, such as"),
        (read_qrels, {1: "d", "1": "e"}, "judgments: the id '1' stands there twice"),
        (read_run, {"q": {1: 0.5, "1": 0.7}}, "the ranking of query 'q': the id '1' stands there twice"),
        (read_run, {"q": "d1"}, "the ranking of query 'q' must be a list"),
        (read_run, {"q": None}, "the ranking of query 'q' must be a list"),
        (read_run, {"q": {"d": None}}, "document 'd' has no score"),
        (
            read_run,
            [{"qid": "q", "docno": "a", "rank": 1}, {"qid": "q", "docno": "b", "score": 5}],
            "row 1: .* in some",
        ),
    ],
)
def test_what_would_be_read_wrong_is_refused(read, source, said):
    """Nothing is guessed, lost or measured under another name."""
    with pytest.raises(ArgumentError, match=said):
        read(source)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("q d 1\nq d\n", "line 2: 2 columns where 4 or 3 are expected"),
        ("q d 1\nq e high\n", "line 2: grade must be a finite number; got 'high'"),
        ("q d 1\nq e 0.5\n", "line 2: a grade is a whole number, such as 0, 1 or 2; got '0.5'"),
        ("q d 1\nq d 2\n", "line 2: document 'd' of query 'q' has grade 1 already, and now 2"),
    ],
)
def test_bad_judgments_are_named_by_line(tmp_path, text, said):
    """File, line and what is wrong."""
    path = written(tmp_path / "bad.tsv", text)
    with pytest.raises(ArgumentError) as caught:
        read_qrels(path)
    assert f"{path}, {said}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("run.trec", "q Q0 d 1 0.5 x\nq Q0 d 2 0.4 x\n", "line 2: query 'q' has document 'd' twice"),
        ("run.trec", "q Q0 d 1 nan x\n", "line 1: score must be a finite number; got 'nan'"),
        ("run.trec", "q Q0 d first 1 x\n", "line 1: rank must be a finite number; got 'first'"),
        ("run.jsonl", '{"query_id": "q", "doc_id": "d"}\n{"query_id"\n', "line 2: not JSON"),
        ("run.jsonl", "[1]\n", "line 1: a JSON object is needed, not list"),
        ("run.jsonl", '{"query_id": "q", "text": 1}\n', "line 1: no document; its column may be called doc_id"),
    ],
)
def test_bad_runs_are_named_by_line(tmp_path, name, text, said):
    """As trec_eval, a document twice is an error; unlike it, with the line."""
    path = written(tmp_path / name, text)
    with pytest.raises(ArgumentError) as caught:
        read_run(path)
    assert f"{path}, {said}" in str(caught.value)


def test_files_that_are_none(tmp_path):
    """A missing file and one in another encoding say so."""
    with pytest.raises(ArgumentError, match="no such file"):
        read_run(tmp_path / "nothing.trec")
    with pytest.raises(ArgumentError, match="cannot be read"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("latin.tsv", b"q d 1\nq\xe9 d 1\n", "latin.tsv, line 2: not UTF-8"),
        ("plain.tsv.gz", b"q d 1\n", "plain.tsv.gz, after line 0: it cannot be read: Not a gzipped file"),
        (
            "cut.tsv.gz",
            gzip.compress(b"q d 1\n", mtime=0)[:-4],
            "cut.tsv.gz, after line .: it cannot be read: Compressed file",
        ),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, said):
    """With the line where reading ended."""
    tmp_path.joinpath(name).write_bytes(content)
    with pytest.raises(ArgumentError, match=said):
        read_qrels(tmp_path / name)


@given(st.dictionaries(ids, st.lists(ids, unique=True, min_size=1, max_size=5), min_size=1, max_size=3))
def test_a_run_that_was_written_is_read_back(tmp_path_factory, orders):
    """The same ids in the same order, whatever characters they have, also compressed."""
    folder = tmp_path_factory.mktemp("runs")
    for path in (folder / "run.trec", folder / "run.trec.gz"):
        write_run(path, orders)
        assert {query: ranking.documents for query, ranking in read_run(path).items()} == orders


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (["two words"], "cannot hold the id 'two words'"),
        ([""], "cannot hold the id ''"),
        (["a\u2028b"], "cannot hold"),
        (["\ufeffa"], "cannot hold"),
        ([1], "cannot hold the id 1"),
        (["a", "b", "a"], "each once"),
        ("abc", "a list of ids"),
    ],
)
def test_what_a_run_cannot_hold(tmp_path, order, said):
    """The format's columns are parted by blanks, and trec_eval refuses a document that stands twice."""
    with pytest.raises(ArgumentError, match=said):
        write_run(tmp_path / "run.trec", {"q": order})


def test_a_beir_folder(folder):
    """Titles and texts are joined, only named documents kept, runs hold the documents."""
    found = read_collection(folder)
    assert found.qrels == QRELS
    assert found.queries == {"q1": "one", "q2": "two"}
    assert found.documents.keys() == {"d1", "d2", "d3"}
    assert found.first_stages["bm25"]["q1"] == Ranking.of(
        [Document("d2", "a title text\u2028\x85 2"), Document("d1", "a title text\u2028\x85 1")], [9, 8]
    )


def test_a_folder_of_ids_only(folder):
    """Without texts a run holds ids, to be compared and fused."""
    folder.joinpath("corpus.jsonl").unlink()
    folder.joinpath("queries.jsonl").unlink()
    found = read_collection(folder)
    assert found.first_stages["bm25"]["q1"].documents == ["d2", "d1"]
    assert not found.queries


def compressed(folder):
    """Gzip every file of a collection, as they are downloaded."""
    for path in [*folder.glob("*.jsonl"), *folder.glob("*/*.t*")]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda folder: folder.joinpath("qrels/test.tsv").unlink(), r"it has no qrels/\*\.tsv"),
        (lambda folder: folder.joinpath("qrels/test.tsv").rename(folder / "qrels/dev.tsv"), None),
        (lambda folder: written(folder / "runs/bm25.trec", "q1 Q0 d9 1 1 x\n"), "'bm25' names 1 documents .* 'd9'"),
        (lambda folder: written(folder / "queries.jsonl", '{"_id": "q1"}\n'), "line 1: no text"),
        (
            lambda folder: written(folder / "queries.jsonl", '{"_id": 1, "text": "a"}\n{"_id": "1", "text": "b"}'),
            "line 2: query '1' stands twice",
        ),
        (compressed, None),
    ],
)
def test_folders_as_they_come(folder, changed, said):
    """What is missing is named; a single file of judgments is taken whatever its name, and gzipped ones are read."""
    changed(folder)
    if said is None:
        found = read_collection(str(folder))
        assert (found.qrels, len(found.queries), len(found.documents)) == (QRELS, 2, 3)
    else:
        with pytest.raises(ArgumentError, match=said):
            read_collection(folder)


def test_several_splits_need_a_choice(folder):
    """Which judgments count is never guessed."""
    with pytest.raises(ArgumentError, match="no judgments for split 'dev'; known: test"):
        read_collection(folder, split="dev")
    folder.joinpath("qrels/test.tsv").rename(folder / "qrels/dev.tsv")
    written(folder / "qrels/train.tsv", "q1\td2\t1\n")
    with pytest.raises(ArgumentError, match="no judgments for split 'test'; known: dev, train"):
        read_collection(folder)
    assert read_collection(folder, split="train").qrels == {"q1": {"d2": 1}}


class Thing:
    """A document of some framework."""

    def __init__(self, **fields):
        self.__dict__ |= fields


@pytest.mark.parametrize(
    "document",
    ["7", 7, {"id": 7}, {"_id": "7"}, Thing(id="7"), Thing(node_id="7"), Thing(id=None, metadata={"doc_id": "7"})],
)
def test_what_judgments_call_a_document(document):
    """Itself, a field, or an entry of its metadata."""
    assert document_id(document) == "7"


def test_a_document_without_an_id_asks_for_a_key():
    """The error says what to do."""
    with pytest.raises(ArgumentError, match="pass key="):
        document_id({"text": "no id"})


def texts_by_query(query):
    """Return two documents, the query's own second."""
    return [("other", "nothing of it"), (query, f"all about {query}")]


def langchain():
    """Return a LangChain retriever."""
    from langchain_core.documents import Document as Text
    from langchain_core.retrievers import BaseRetriever

    class Found(BaseRetriever):
        def _get_relevant_documents(self, query, *, run_manager):  # noqa: ARG002 - the host's signature
            return [Text(text, id=name) for name, text in texts_by_query(query)]

    return Found()


def llama_index():
    """Return a LlamaIndex retriever."""
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.schema import NodeWithScore, TextNode

    class Found(BaseRetriever):
        def _retrieve(self, query_bundle):
            texts = texts_by_query(query_bundle.query_str)
            return [NodeWithScore(node=TextNode(id_=name, text=text), score=1 / 2) for name, text in texts]

    return Found()


def haystack(*, in_pipeline):
    """Return a Haystack retriever over two stored documents, alone or as a pipeline."""
    os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
    from haystack import Document as Text
    from haystack import Pipeline
    from haystack.components.retrievers import InMemoryBM25Retriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    store = InMemoryDocumentStore()
    store.write_documents([Text(id=name, content=text) for name, text in texts_by_query("bananas")])
    retriever = InMemoryBM25Retriever(store)
    if not in_pipeline:
        return retriever
    pipeline = Pipeline()
    pipeline.add_component("bm25", retriever)
    return pipeline


@pytest.mark.parametrize(
    "make",
    [langchain, llama_index, lambda: haystack(in_pipeline=False), lambda: haystack(in_pipeline=True), lambda: named],
    ids=["LangChain", "LlamaIndex", "Haystack", "Haystack pipeline", "function"],
)
def test_a_retriever_is_a_first_stage(make):
    """The frameworks' own retrievers are asked once a query, timed, and their documents reranked."""
    found = evaluate("lexical", {"q": "bananas"}, candidates=make(), qrels={"q": "bananas"}, metrics=["MRR"])
    assert found.means == {"MRR": 1.0}
    [first] = found.baseline.answers.values()
    assert "bananas" in first.order
    assert first.seconds > 0


def named(query):
    """Return documents as a plain function does."""
    return [{"id": name, "text": text} for name, text in texts_by_query(query)]


def test_what_is_no_retriever():
    """The error lists what can be one."""
    with pytest.raises(ArgumentError, match="is no first stage"):
        retrieve(math.pi)
