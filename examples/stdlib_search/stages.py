"""One question through all stages, and whether the frameworks agree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .clock import Clock
from .host import Corpus, Found, Host
from .questions import Question

STAGES = ("BM25", "dense", "fused", "reranked")
"""In the order in which a question passes them; the first two are independent of each other."""


@dataclass(frozen=True)
class Answer:
    """What one framework found for a question, by stage."""

    question: Question
    found: dict[str, Found]

    def rank(self, stage: str) -> int | None:
        """Return the place of the best right answer, from 1; None when there is none."""
        places = [place for place, (name, _) in enumerate(self.found[stage], 1) if name in self.question.answers]
        return min(places, default=None)

    def reciprocal(self, stage: str, depth: int = 10) -> float:
        """Return 1 / rank, or 0 for a rank beyond ``depth``: the mean over questions is MRR."""
        rank = self.rank(stage)
        return 1 / rank if rank is not None and rank <= depth else 0.0

    @property
    def gain(self) -> float:
        """How much better the reciprocal rank is after reranking than before."""
        return self.reciprocal("reranked") - self.reciprocal("fused")


def ask(host: Host[Any], question: Question, clock: Clock, advance: Callable[[int], object]) -> Answer:
    """Ask a framework: each retriever on its own, then both fused, then reranked."""
    with clock("BM25", host.name):
        bm25 = host.bm25(question.text)
    with clock("dense", host.name):
        dense = host.dense(question.text)
    with clock("fused", host.name):
        fused = host.fused(question.text)
    with clock("reranked", host.name):
        reranked = host.reranked(question.text, fused)
    advance(1)
    lists = zip(STAGES, (bm25, dense, fused, reranked), strict=True)
    return Answer(question, {stage: host.found(documents) for stage, documents in lists})


def disagreements(hosts: Sequence[Host[Any]], corpus: Corpus, answers: Sequence[Answer]) -> list[str]:
    """Give every framework the first one's candidates, and return in words who does not rank and score them alike.

    The frameworks' own candidates may differ: Haystack's BM25 is not ours. Where they are the same, the answer that is
    there already counts. To be asked at once: of a model in few bits the last one depends on what it read together,
    and the scorer keeps what it read for a while only.
    """
    passages = {passage.name: passage for passage in corpus.passages}
    first, *others = answers
    names, scores = zip(*first.found["fused"], strict=True)
    differing = []
    for host, other in zip(hosts[1:], others, strict=True):
        found = other.found["reranked"]
        if other.found["fused"] != first.found["fused"]:
            documents = host.documents([passages[name] for name in names], scores)
            found = host.found(host.reranked(first.question.text, documents))
        if found != first.found["reranked"]:
            differing.append(f"{host.name} differs from {hosts[0].name} on {first.question.text!r}")
    return differing
