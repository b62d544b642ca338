"""Reports: the same figures in every form, nothing that a name or a query could break, and pages that stand alone."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from anyrank import Fallback, FirstStage
from anyrank.errors import ArgumentError
from anyrank.evaluation import (
    Comparison,
    Evaluation,
    compare,
    rows_of,
    slice_by,
    to_csv,
    to_html,
    to_json,
    to_markdown,
    to_rich,
    to_svg,
)

HOSTILE = '<script>alert("x")</script> \\| **bold** [red] \u2028 &amp; \' ` \u202e\u05d0 \n new line \x00\x1b\ud800'
SHOWN = re.sub("[\x00\x1b\ud800]", "\ufffd", HOSTILE)
QUERIES = {str(n): f"{HOSTILE} {n}" for n in range(12)}
DOCUMENTS = [{"id": name, "text": name} for name in ("short", "rather long")]


def by_length(_query, texts):
    """Prefer long texts."""
    return [float(len(text)) for text in texts]


def failing(query, texts):
    """Fail on one query with a message that quotes it."""
    if query.endswith(" 3"):
        raise ConnectionError(query)
    return by_length(query, texts)


@pytest.fixture(scope="module")
def comparison():
    """Compare rows with hostile names, one failing, one degraded."""
    return compare(
        {"by length": by_length, HOSTILE: failing, "careful": Fallback(failing, FirstStage())},
        QUERIES,
        first_stages={"bm25": dict.fromkeys(QUERIES, DOCUMENTS)},
        qrels={**dict.fromkeys(QUERIES, "rather long"), "none": {"short": 0}},
        metrics=["MRR", "NDCG@1"],
    )


def test_the_table_says_what_was_found(comparison):
    """Means, what a row gained over its first stage, what took how long, and what went wrong."""
    first, plain, hostile, careful = rows_of(comparison)
    assert (first["MRR"], first["reranker"], first["verdict"]) == (0.5, None, None)
    assert (plain["MRR"], plain["gain"], plain["verdict"], plain["failed"]) == (1.0, 0.5, "helps", 0)
    assert plain["p50"] > 0
    assert (hostile["failed"], hostile["MRR"]) == (1, pytest.approx(11 / 12))
    assert (careful["degraded"], careful["MRR"]) == (1, pytest.approx(11.5 / 12))


def test_csv_holds_every_figure(comparison):
    """In full precision, under the names of the columns."""
    rows = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert [float(row["MRR"]) for row in rows] == [row["MRR"] for row in rows_of(comparison)]
    assert rows[2]["reranker"] == SHOWN


def test_json_holds_every_query(comparison):
    """Figures, answers and differences, in values that every reader knows."""
    said = json.loads(to_json(comparison), parse_constant=pytest.fail)
    assert said["rows"][1]["values"]["MRR"] == dict.fromkeys(QUERIES, 1.0)
    assert said["rows"][1]["answers"]["0"]["order"] == ["rather long", "short"]
    assert "ConnectionError" in said["rows"][2]["answers"]["3"]["error"]
    assert [one["verdict"] for one in said["differences"]] == ["helps"] * 3
    assert said["without_relevant"] == 1


def test_markdown_keeps_its_columns(comparison):
    """As many cells in every line, whatever the names hold; the best in bold; no column without a figure."""
    lines = to_markdown(comparison).rstrip("\n").split("\n")
    cells = [re.split(r"(?<!\\)\|", line) for line in lines]
    assert len({len(line) for line in cells}) == 1
    assert "**1.0000**" in lines[3]
    assert "cost" not in lines[0]
    assert "failed" in lines[0]


def test_the_terminal_shows_names_as_they_are(comparison):
    """Brackets in a name are no markup."""
    console = Console(width=220, file=io.StringIO())
    console.print(to_rich(comparison))
    shown = console.file.getvalue()
    assert "[red]" in shown
    assert "helps" in shown
    assert "1 without one" in shown


@pytest.mark.parametrize("table", [to_markdown, to_rich])
def test_columns_can_be_chosen(comparison, table):
    """An unknown one is named."""
    assert to_markdown(comparison, columns=["reranker", "MRR"]).splitlines()[0] == "| reranker | MRR |"
    with pytest.raises(ArgumentError, match="no column 'MRRR'; did you mean 'MRR'"):
        table(comparison, columns=["MRRR"])


@pytest.fixture(scope="module")
def page(comparison):
    """Return the comparison as a page."""
    return to_html(comparison, title=HOSTILE, slices={HOSTILE: slice_by(QUERIES, lambda text: len(text) % 2)})


def test_files_can_hold_it(comparison, page):
    """Half a surrogate pair, which no encoding has, is shown as what it is not; JSON has it as it stands."""
    for text in (to_csv(comparison), to_markdown(comparison), to_svg(comparison), page):
        assert "\ufffd" in text.encode("utf-8").decode("utf-8")
    assert json.loads(to_json(comparison).encode("utf-8"))["rows"][2]["reranker"] == HOSTILE


def test_a_page_stands_alone(page):
    """No script, no request, nothing from outside, and a policy that forbids it."""
    assert not re.search(r"<script|<link|<iframe|src=|@import|url\(|https?://(?!www\.w3\.org/2000/svg)", page)
    assert "default-src 'none'" in page


def test_a_page_is_well_formed(page):
    """Every element is closed and everything foreign escaped: an XML parser can read it."""
    body = page.partition("<body>")[2].partition("</body>")[0]
    tree = ET.fromstring(f"<body>{body}</body>")
    assert tree.find("h1").text == SHOWN
    headings = [heading.text for heading in tree.findall("h2")]
    assert headings == [
        "Quality against latency",
        "MRR gained, query by query",
        "Where it helps and where it hurts",
        "What failed",
    ]


def test_a_page_draws_every_query_and_every_timed_row(page):
    """A bar a query that gained, a point a reranked row."""
    body = page.partition("<body>")[2].partition("</body>")[0]
    tree = ET.fromstring(f"<body>{body}</body>")
    svg = "{http://www.w3.org/2000/svg}"
    assert len(tree.findall(f".//{svg}circle")) == 3
    bars = [len(card.findall(f".//{svg}rect")) for card in tree.iterfind(".//div[@class='card']")]
    assert sorted(bars) == [11, 12, 12]


def test_a_picture_of_its_own(comparison):
    """A file that an XML parser and a browser read, with its own colours; none where nothing was timed."""
    picture = ET.fromstring(to_svg(comparison))
    svg = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f".//{svg}circle")) == 3
    assert "prefers-color-scheme: dark" in picture.find(f"{svg}style").text
    assert to_svg(compare({}, None, first_stages={"a": {"q": ["x"]}}, qrels={"q": "x"})) == ""


def test_a_page_of_rankings_only():
    """Without times and queries, what there is: the table."""
    found = compare({}, None, first_stages={"a": {"q": ["x", "y"]}}, qrels={"q": "y"})
    page = to_html(found)
    assert "<h2>" not in page
    assert "average" not in to_markdown(found, crosstab=["MRR@10"])
    assert (
        to_markdown(found).splitlines()[0]
        == "| first stage | NDCG@10 | MRR@10 | MAP | Recall@10 | Hit@10 | Judged@10 |"
    )
    assert "0.5000" in page


def test_a_page_of_thousands_of_queries_stays_small():
    """A bar a pixel at most, from the largest gain to the largest loss."""
    queries = {str(place): f"query {place} " + "long " * 100 for place in range(3000)}
    values = {"MRR": {query: place / 3000 for place, query in enumerate(queries)}}
    before = Evaluation("bm25", None, {}, {"MRR": dict.fromkeys(queries, 0.5)})
    after = Evaluation("bm25", "model", {}, values, before)
    page = to_html(Comparison([before, after], queries))
    bars = re.findall(r"<rect class=.(better|worse)[^>]*><title>([^ ]*) ", page)
    assert len(bars) == 340
    assert (bars[0], bars[-1]) == (("better", "+0.4997"), ("worse", "-0.5000"))
    assert len(page) < 200_000


def test_a_page_of_one_query():
    """Nothing can be said of chance, and no interval is shown."""
    found = compare({"same": "first_stage"}, {"q": "x"}, first_stages={"a": {"q": ["x", "y"]}}, qrels={"q": "y"})
    assert "too few queries" in to_html(found)
    assert "inf" not in to_html(found)


def test_slices_have_names(comparison):
    """Ways to part the queries, not one of them."""
    with pytest.raises(ArgumentError, match="by name, as in"):
        to_html(comparison, slices=slice_by(QUERIES, len))


@pytest.fixture(scope="module")
def crossed():
    """Compare two first stages of which one is the other backwards, each with the same two rerankers."""
    queries = {"q1": "x", "q2": "y"}
    forth = {"q1": [*DOCUMENTS], "q2": [*DOCUMENTS]}
    back = {query: found[::-1] for query, found in forth.items()}
    rerankers = {"as it is": by_length, "same": "first_stage"}
    return compare(
        rerankers,
        queries,
        first_stages={"forth": forth, "average": back},
        qrels={"q1": "short", "q2": "rather long"},
        metrics=["Hit@1", "MRR"],
    )


def test_a_crosstab(crossed):
    """First stages by rerankers, none of them first; every mean, the best in bold, and the averages, by hand."""
    assert to_markdown(crossed, crosstab=["MRR", "Hit@1"]).splitlines() == [
        "| first stage (MRR / Hit@1) | as it is | as it is | same |",
        "| --- | ---: | ---: | ---: |",
        *[f"| {stage} | {' | '.join(['**0.7500** / **0.5000**'] * 3)} |" for stage in ("forth", "average", "average")],
    ]
    [line] = to_markdown(crossed, crosstab="MRR").splitlines()[2:3]
    assert line == "| forth | **0.7500** | **0.7500** | **0.7500** |"


def test_a_crosstab_names_its_best(comparison):
    """Only the highest mean of a metric is bold, and a row that is missing is an empty cell."""
    [first, plain, *_] = comparison.rows
    other = Evaluation("dense", None, {}, {"MRR": dict.fromkeys(QUERIES, 0.25)})
    table = to_markdown(Comparison([first, plain, other]), crosstab=["MRR"]).splitlines()[2:]
    assert table == [
        "| bm25 | 0.5000 | **1.0000** |",
        "| dense | 0.2500 |  |",
        "| average | 0.3750 | **1.0000** |",
    ]


def test_a_crosstab_for_the_terminal(comparison):
    """Names are shown as they are."""
    console = Console(width=400, file=io.StringIO())
    console.print(to_rich(comparison, crosstab=["MRR", "NDCG@1"]))
    assert "first stage (MRR / NDCG@1)" in console.file.getvalue()
    assert "[red]" in console.file.getvalue()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"crosstab": ["MAP"]}, "'MAP' was not measured; there are MRR, NDCG@1"),
        ({"crosstab": []}, "names one metric or more of MRR, NDCG@1"),
        ({"crosstab": ["MRR"], "columns": ["MRR"]}, "leave columns= out"),
    ],
)
def test_a_crosstab_that_cannot_be(comparison, options, said):
    """The error says what there is."""
    with pytest.raises(ArgumentError, match=said):
        to_markdown(comparison, **options)
