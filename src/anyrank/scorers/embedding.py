"""A bi-encoder: the cosine between the query's embedding and each text's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from anyrank._local import LocalModel, check_remote_code
from anyrank._registry import require
from anyrank.scorer import Candidates, Scores, SpecFromFields

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["Embedding"]


@dataclass(eq=False)
class Embedding(SpecFromFields, LocalModel["SentenceTransformer"]):
    """Any sentence-transformers bi-encoder as a scorer, score kind ``cosine`` (-1 to 1).

    ``model`` is a repository id or a folder. Query and texts get the prompts that the model was saved with
    (``encode_query``, ``encode_document``). ``device`` None lets sentence-transformers choose. Needs
    ``anyrank[local]``.
    """

    name: ClassVar[str] = "embedding"
    score_kind: ClassVar[str] = "cosine"

    model: str
    device: str | None = None
    dtype: str = "float32"
    batch_size: int = 32
    max_length: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Refuse remote code without a pinned revision (`ArgumentError`)."""
        check_remote_code(self.name, self.model, self.revision, trusted=self.trust_remote_code)

    def _load(self) -> SentenceTransformer:
        library: Any = require("sentence_transformers", needed_by="scorer 'embedding'", install="anyrank[local]")
        model: SentenceTransformer = library.SentenceTransformer(
            self.model,
            device=self.device,
            revision=self.revision,
            trust_remote_code=self.trust_remote_code,
            model_kwargs={"dtype": self.dtype},
        )
        if self.max_length is not None:
            model.max_seq_length = self.max_length
        return model

    def _score(self, model: SentenceTransformer, query: str, texts: Candidates) -> Scores:
        settings: dict[str, Any] = {
            "batch_size": self.batch_size,
            "convert_to_tensor": True,
            "normalize_embeddings": True,
            "show_progress_bar": False,
        }
        asked = model.encode_query(query, **settings).float()
        found = model.encode_document(list(texts), **settings).float()
        return Scores((found @ asked).clamp(-1.0, 1.0).tolist())


scorer = Embedding
