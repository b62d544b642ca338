"""The cells of a comparison: candidates of every judged query, as they are, fused or reranked, and measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from anyrank import _checks
from anyrank._kept import Store as Keeping
from anyrank.errors import ArgumentError, FusionError
from anyrank.first_stage import FirstStage
from anyrank.fusion import fuse
from anyrank.ranking import Ranking
from anyrank.scorer import Image

from .asking import Asking, Progress, Store, answer_of, fingerprint, opened
from .metrics import METRICS, Judge, Values, trec_eval_order
from .results import Answer, Evaluation
from .retrievers import FirstStageLike, candidates_of, document_id
from .store import Folder
from .tables import read_queries

if TYPE_CHECKING:
    from anyrank.adapter import RerankerLike
    from anyrank.text import TextOf

    from .collection import Run

__all__ = ["Grid", "Ties"]

Ties: TypeAlias = Literal["given", "trec_eval"]


@dataclass(frozen=True)
class Grid:
    """What all rows of a comparison share."""

    judge: Judge
    queries: Mapping[str, str]
    asking: Asking
    ties: Ties

    @classmethod
    def of(  # noqa: PLR0913 - the options of `evaluate`
        cls,
        qrels: Any,
        queries: Any,
        *,
        needed: bool,
        metrics: Iterable[str] = METRICS,
        text: TextOf[Any] = None,
        key: Callable[[Any], object] = document_id,
        relevant: int = 1,
        max_concurrency: int | None = 1,
        store: Store | Path | str | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        ties: Ties = "given",
    ) -> Self:
        """Check the options; ``needed`` says whether every query that counts must have its text."""
        if ties not in ("given", "trec_eval"):
            msg = f"ties are measured as 'given' or as 'trec_eval' orders them; got {ties!r}"
            raise ArgumentError(msg)
        if not isinstance(store, str | Path | Keeping | None) or not callable(key):
            msg = f"store= takes a folder or a mutable mapping, key= a function; got {store!r:.80} and {key!r:.80}"
            raise ArgumentError(msg)
        kept = Folder(store) if isinstance(store, (str, Path)) else store
        limit = _checks.top_n(max_concurrency, "max_concurrency")
        judge = Judge(qrels, metrics, relevant=relevant)
        return cls(judge, _counting(judge, queries, needed=needed), Asking(text, key, limit, kept, on_progress), ties)

    def candidates(self, name: str, source: FirstStageLike) -> Run:
        """Return a first stage's rankings of the queries that count, empty ones where it has none."""
        found = candidates_of(source, self.queries, max_concurrency=self.asking.max_concurrency)
        run = {query: found.get(query, Ranking()) for query in self.judge.qrels}
        judged = {document for grades in self.judge.qrels.values() for document in grades}
        ids = {str(self.asking.key(hit.document)) for ranking in run.values() for hit in ranking}
        if judged.isdisjoint(ids):
            msg = (
                f"first stage {name!r} finds no judged document for any judged query: do the ids go together? "
                f"judgments name {_few(judged)} for {_few(self.judge.qrels)}, it has {_few(ids)} for {_few(found)}"
            )
            raise ArgumentError(msg)
        return run

    def fused(self, runs: Mapping[str, Run], settings: Mapping[str, Any]) -> Run:
        """Return the fusion of first stages, of all or of those that its weights name.

        Raises `FusionError`, also for a weight of no first stage.
        """
        if not isinstance(settings, Mapping):
            msg = f"a fusion is given by the keywords of fuse, such as {{'method': 'rrf'}}; got {settings!r:.80}"
            raise FusionError(msg)
        weights = settings.get("weights")
        names = list(weights) if isinstance(weights, Mapping) else list(runs)
        if unknown := set(names) - runs.keys():
            known = _checks.suggest(min(unknown), runs)
            msg = f"there is a weight for {min(unknown)!r}, which is no first stage; {known}"
            raise FusionError(msg)
        options: dict[str, Any] = {"key": self.asking.key, **settings}
        return {query: fuse({name: runs[name][query] for name in names}, **options) for query in self.judge.qrels}

    def as_it_is(self, stage: str, run: Run) -> Evaluation:
        """Return the row of a first stage alone."""
        answers = {query: answer_of(ranking, self.asking.key) for query, ranking in run.items()}
        return Evaluation(stage, None, answers, self._measured(answers))

    def reranked(
        self, baseline: Evaluation, run: Run, name: str, reranker: RerankerLike, *, price: Mapping[str, float] | None
    ) -> Evaluation:
        """Return the row of a first stage under a reranker."""
        row = f"{baseline.first_stage} > {name}"
        asked = {query: text for query, text in self.queries.items() if run[query]}
        with opened(reranker) as built:
            reading = [stage for stage in built._stages if not isinstance(stage.scorer, FirstStage)]  # noqa: SLF001 - ours
            if reading and self.asking.text is None:
                _refuse_bare_ids(baseline.first_stage, run)
            answers = dict.fromkeys(run, Answer(())) | self.asking.asked(row, built, asked, run)
            known = fingerprint(built)
        return Evaluation(
            baseline.first_stage, name, answers, self._measured(answers), baseline, fingerprint=known, price=price or {}
        )

    def _measured(self, answers: Mapping[str, Answer]) -> Values:
        return self.judge.measure({query: _order(answer, self.ties) for query, answer in answers.items()})


def _refuse_bare_ids(name: str, run: Run) -> None:
    """Raise `ArgumentError` for candidates that are ids: a scorer would read them as texts."""
    documents = [hit.document for ranking in run.values() for hit in ranking if not isinstance(hit.document, Image)]
    if documents and all(isinstance(one, (str, int)) and not re.search(r"\s", str(one)) for one in documents):
        msg = (
            f"first stage {name!r} holds ids and no texts ({_few(documents)}), and a reranker reads texts: pass "
            "documents, or text= as a function from an id to its text (text=str if these are the texts)"
        )
        raise ArgumentError(msg)


def _order(answer: Answer, ties: Ties) -> list[str]:
    scores = {document: score for document, score in zip(answer.order, answer.scores, strict=True) if score is not None}
    if ties == "given" or len(scores) < len(answer.order):
        return list(answer.order)
    return trec_eval_order(scores)


def _counting(judge: Judge, queries: Any, *, needed: bool) -> dict[str, str]:
    texts = {} if queries is None else read_queries(queries)
    missing = [query for query in judge.qrels if query not in texts]
    if missing and needed:
        msg = (
            f"{len(missing)} of {len(judge.qrels)} judged queries have no text, such as {_few(missing)}; "
            f"queries there are: {_few(texts) or 'none'}"
        )
        raise ArgumentError(msg)
    return {query: texts[query] for query in judge.qrels if query in texts}


def _few(names: Iterable[object]) -> str:
    return ", ".join(repr(name) for name, _ in zip(names, range(3), strict=False))
