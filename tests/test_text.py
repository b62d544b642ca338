"""From a document to its text: any type, no surprises."""

from dataclasses import dataclass

import pytest

from anyrank import Reranker, fields
from anyrank.errors import TextError
from anyrank.text import texts_of


@dataclass
class Page:
    title: str
    body: str | None = None


@dataclass(slots=True)
class Slotted:
    title: str


class Host:
    """A framework's document."""

    def __init__(self, page_content):
        self.page_content = page_content


@pytest.mark.parametrize(
    ("documents", "text", "expected"),
    [
        (["a", None, "b"], None, ["a", "", "b"]),
        ([{"text": "a"}, {"text": None}, {}], None, ["a", "", ""]),
        ([{"content": "a"}], None, ["a"]),
        ([Host("a"), Host("b")], None, ["a", "b"]),
        ([Host("a"), "b"], None, ["a", "b"]),
        ([{"title": "t", "body": "b"}], "body", ["b"]),
        ([{"title": "t", "body": "b"}], ["title", "body"], ["t\nb"]),
        ([{"title": "t"}, {"body": "b"}], ("title", "body"), ["t", "b"]),
        ([Page("t", "b"), Page("t")], ["title", "body"], ["t\nb", "t"]),
        ([Page("t", "b")], lambda page: page.body, ["b"]),
        ([Page("t")], lambda page: page.body, [""]),
        ([], None, []),
        ([], "title", []),
    ],
)
def test_reading(documents, text, expected):
    """A string itself, a usual field, a named field, several fields, or what a function says; None is empty."""
    assert texts_of(documents, text) == expected


def test_fields_with_a_separator():
    """`fields` joins its parts as asked and leaves empty ones out."""
    rows = [{"title": "t", "body": "b"}, {"body": "b"}]
    assert texts_of(rows, fields("title", "body", separator=": ")) == ["t: b", "b"]
    assert texts_of([{"body": "b"}], fields("body")) == ["b"]


@pytest.mark.parametrize(
    ("documents", "text", "says"),
    [
        ([{"title": "t"}], None, r"dict is \(fields there are: title\): pass text="),
        ([Page("t")], None, r"fields there are: body, title"),
        ([7], None, "int"),
        ([{"title": "t", "body": "b"}], "txt", r"no document has a field 'txt' \(fields there are: title, body\)"),
        ([{"title": 5}], "title", "field 'title' of document 0 is of type int"),
        ([b"bytes"], lambda document: document, "document 0 is of type bytes"),
        ([{"a": "x"}], [], "names of one or more fields"),
        ([{"a": "x"}], 5, "text= takes a function"),
        ([Slotted("t")], "txt", r"fields there are: title"),
    ],
)
def test_bad_text_says_where(documents, text, says):
    """What cannot be read is an error with the document's place and the fields there are."""
    with pytest.raises(ValueError, match=says):
        texts_of(documents, text)


def test_documents_of_any_type_come_back():
    """The very objects return, in order of their fields' relevance."""
    rows = [{"title": "cats", "body": "purr"}, {"title": "dogs", "body": "cats flee"}]
    ranking = Reranker("lexical").rerank("flee", rows, text=["title", "body"])
    assert ranking[0].document is rows[1]
    assert ranking[1].document is rows[0]


def test_text_errors_are_value_errors():
    """One tree: a bad text is a bad argument."""
    assert issubclass(TextError, ValueError)
