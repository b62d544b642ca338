"""A bi-encoder: the cosine between the query's embedding and each text's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from anyrank._local import LibraryModel
from anyrank.scorer import Candidates, Scores

if TYPE_CHECKING:
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
        settings: dict[str, Any] = {
            "batch_size": self._together(model),
            "convert_to_tensor": True,
            "normalize_embeddings": True,
            "show_progress_bar": False,
        }
        asked = model.encode_query(query, **settings).float()
        found = model.encode_document(list(texts), **settings).float()
        return Scores((found @ asked).clamp(-1.0, 1.0).tolist())


scorer = Embedding
