"""A bi-encoder: the cosine between the query's embedding and each text's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from anyrank._library import LibraryModel, document_prompt, fitted, tokens_cut
from anyrank._local import Job
from anyrank.ranking import Report
from anyrank.scorer import Candidates, Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentence_transformers import SentenceTransformer

__all__ = ["Embedding"]


class Embedding(LibraryModel["SentenceTransformer"]):
    """Any sentence-transformers bi-encoder as a scorer, score kind ``cosine`` (-1 to 1).

    Query and texts get the prompts that the model was saved with (``encode_query``, ``encode_document``). The options
    are those of `LibraryModel`.
    """

    name: ClassVar[str] = "embedding"
    score_kind: ClassVar[str] = "cosine"

    def _load(self) -> SentenceTransformer:
        model = self._open("SentenceTransformer")
        if self.max_length is not None:
            model.max_seq_length = self.max_length
        self._accelerated(model)
        return model

    def _score(self, model: SentenceTransformer, query: str, texts: Candidates) -> Scores:
        return self._score_all(model, [Job(query, texts)])[0]

    def _score_all(self, model: SentenceTransformer, jobs: Sequence[Job]) -> list[Scores]:
        """Encode every query and every distinct text once, in common batches."""
        settings: dict[str, Any] = {
            "batch_size": self._together(model),
            "convert_to_tensor": True,
            "normalize_embeddings": True,
            "show_progress_bar": False,
        }
        texts = list(dict.fromkeys(text for job in jobs for text in job.texts))
        rows = {text: row for row, text in enumerate(texts)}
        prompt = document_prompt(model)
        asked = fitted(partial(model.encode_query, **settings), [job.query for job in jobs]).float()
        found = fitted(partial(model.encode_document, prompt=prompt, **settings), texts).float()
        limit = model.max_seq_length
        prompted = [prompt + text for text in texts]
        cut = tokens_cut(model.tokenizer, limit, prompted) if isinstance(limit, int) else {}
        answers = []
        for job, vector in zip(jobs, asked, strict=True):
            mine = [rows[text] for text in job.texts]
            report = Report(truncated={place: cut[row] for place, row in enumerate(mine) if row in cut})
            answers.append(Scores((found[mine] @ vector).clamp(-1.0, 1.0).tolist(), report=report))
        return answers


scorer = Embedding
