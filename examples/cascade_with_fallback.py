"""A cascade whose second stage is out of order: the answer comes all the same, and says so.

The first stage is cheap and narrows six texts to three. The second one asks a rerank service that does not answer, so
its fallback, the order of the first stage, stands in. Nothing is silent: the report has the error and what it cost.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from anyrank import Cascade, Fallback, FirstStage

QUERY = "How do I keep basil alive in winter?"
TEXTS = [
    "Basil wants warmth: in winter keep the pot indoors, in the lightest place there is.",
    "Rosemary stays outside in winter and is better off dry than wet.",
    "Pesto keeps for a week in the fridge, covered with oil.",
    "How to keep basil fresh: put the stems into water, as with flowers.",
    "In winter, tap water is cold; let it stand before you water herbs.",
    "Mint comes back by itself in spring.",
]


def rerank_service(query: str, texts: Sequence[str]) -> list[float]:
    """Stand for a hosted reranker on a bad day."""
    msg = f"no answer after 3 attempts (1 query of {len(query)} characters, {len(texts)} documents)"
    raise ConnectionError(msg)


def main() -> None:
    """Rerank, then read the report."""
    cascade = Cascade(("lexical", 3), (Fallback(rerank_service, FirstStage()), 2))
    ranking = cascade.rerank(QUERY, TEXTS)

    found = Table("place in the input", "score", "text", title=QUERY, title_justify="left")
    for hit in ranking:
        found.add_row(str(hit.index), f"{hit.score:.2f}", hit.document)

    report = ranking.report
    told = Table("report", "", title="What the report says", title_justify="left", show_header=False)
    told.add_row("scorer", report.scorer)
    told.add_row("stages", ", ".join(report.members))
    told.add_row("degraded", "yes" if report.degraded else "no")
    told.add_row("errors", "\n".join(f"{type(error).__name__}: {error}" for error in report.errors))
    told.add_row("score kind", f"{report.score_kind} (1 / place: FirstStage's)")

    console = Console()
    console.print(found, "", told)


if __name__ == "__main__":
    main()
