"""A scorer by hand whose scores depend on query and text only, and that remembers what it was asked."""

import re

import pytest

from anyrank.scorer import spec_from
from anyrank.testing import installed_scorers


class Overlap:
    """Counts the query's words in a text, of which it reads the first ``reads`` words."""

    name = "overlap"

    def __init__(self, reads=None, fingerprint="overlap 1"):
        self.reads = reads
        self.fingerprint = fingerprint
        self.asked = []

    @property
    def spec(self):
        """The spec that `load` reads where `overlap_installed` is in use."""
        return spec_from(self.name, {} if self.reads is None else {"reads": self.reads}, first="")

    def score(self, query, texts):
        """Return the share of the query's words that each text has, and a little less for other words."""
        self.asked.append(texts)
        wanted = words(query)
        found = [words(text)[: self.reads] for text in texts]
        return [len({*wanted} & {*text}) / (len(wanted) or 1) - len(text) / 1e6 for text in found]


def words(text):
    """Return the words of a text in small letters."""
    return re.findall(r"\w+", text.lower())


@pytest.fixture
def overlap_installed(tmp_path):
    """Let `load` know the scorer by its name."""
    with installed_scorers(tmp_path, "overlap_plugin", "from overlap import Overlap", {"overlap": "Overlap"}):
        yield
