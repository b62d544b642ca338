"""Do recorded answers of language models come out as the orders that were recorded with them, and is nothing lost?

A FOLDER holds, for each run, NAME.jsonl, a line a window (``qid``, ``window`` [start, end), ``input_ids`` in the order
of the prompt, ``response`` verbatim), and NAME.final.trec, the order that RankLLM recorded (qid Q0 docid rank …).
`anyrank.llm.Listwise` asks a chat model that gives these answers again, by sliding windows of 20 in steps of 10.

Ends with status 1 where a document is lost, or a query whose answers were all well-formed has another order.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from rich.console import Console
    from rich.table import Table

    from anyrank import Reranker
    from anyrank.llm import Listwise
except ModuleNotFoundError as missing:
    print(f"{missing}; what this needs: pip install anyrank rich", file=sys.stderr)
    raise SystemExit(2) from None

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass
class Recorded:
    """One query: its documents as they first stood, the answers by window of documents, and the recorded order."""

    documents: list[str] = field(default_factory=list)
    answers: dict[tuple[str, ...], str] = field(default_factory=dict)
    final: list[str] = field(default_factory=list)

    def answer(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Give the recorded answer to a prompt again."""
        shown = re.findall(r"^\[\d+\] (\S+)$", messages[-1]["content"], re.MULTILINE)
        return self.answers[tuple(shown)]

    def rerank(self) -> tuple[list[str], Mapping[str, int]]:
        """Rerank by the recorded answers; return the order, and the answers by status."""
        scorer = Listwise(self.answer, schedule="sliding", window=20, stride=10, min_coverage=0.0)
        ranking = Reranker(scorer).rerank("recorded", self.documents)
        return ranking.documents, ranking.report.answers


def lines(path: Path) -> Iterator[str]:
    """Give a file's lines, but for empty ones."""
    return filter(None, path.read_text(encoding="utf-8").split("\n"))


def load(path: Path) -> dict[str, Recorded]:
    """Read a run by query. Raises OSError where it or its final order is missing, ValueError for what is no run."""
    found: dict[str, Recorded] = {}
    for row in map(json.loads, lines(path)):
        query = found.setdefault(row["qid"], Recorded())
        start, end = row["window"]
        query.documents += [""] * (end - len(query.documents))
        for place, document in zip(range(start, end), row["input_ids"], strict=True):
            query.documents[place] = query.documents[place] or document  # the windows come from the back
        query.answers[tuple(row["input_ids"])] = row["response"]
    for line in lines(path.with_suffix(".final.trec")):
        qid, _, document, *_ = line.split()
        found[qid].final.append(document)
    return found


def replay(run: Mapping[str, Recorded]) -> tuple[Counter[str], Counter[str]]:
    """Return the answers by status, and the queries by what came of them."""
    answers, queries = Counter[str](), Counter[str]()
    for query in run.values():
        order, statuses = query.rerank()
        answers.update(statuses)
        well_formed = statuses.keys() == {"ok"}
        queries["well-formed" if well_formed else "malformed"] += 1
        recorded = order == query.final[: len(order)]  # what was not in a window follows
        queries["as recorded"] += recorded
        queries["wrong"] += well_formed and not recorded
        queries["lost"] += sorted(order) != sorted(query.documents)
    return answers, queries


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    folder = parser.parse_args().folder
    columns = ("well-formed", "malformed", "as recorded", "wrong", "lost")
    table, wrong = Table("", "answers", *columns, title="Queries"), 0
    paths = sorted(folder.glob("*.jsonl"))
    try:
        for path in paths:
            answers, queries = replay(load(path))
            shown = ", ".join(f"{count} {status}" for status, count in answers.most_common())
            table.add_row(path.stem, shown, *(str(queries[name]) for name in columns))
            wrong += queries["wrong"] + queries["lost"]
    except (OSError, ValueError, KeyError) as error:
        parser.error(f"{path}: {error}")
    if not paths:
        parser.error(f"{folder}: no *.jsonl in it")
    Console().print(table)
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
