"""Encoders as late-interaction models: whether their last projection was trained, and not a word of the conversion."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from logging import LogRecord

    from sentence_transformers import MultiVectorEncoder


@contextmanager
def conversion_unsaid() -> Iterator[None]:
    """Leave out the library's warning that it converts an encoder: here that is what was asked for."""
    from logging import getLogger

    def is_told(record: LogRecord) -> bool:
        return not record.getMessage().startswith("Converting ")

    logger = getLogger("sentence_transformers.base.model")
    logger.addFilter(is_told)
    try:
        yield
    finally:
        logger.removeFilter(is_told)


def has_own_projection(model: MultiVectorEncoder, source: str, revision: str | None) -> bool:
    """Whether the projection to smaller vectors, if there is one, comes from the checkpoint.

    To an encoder without one the library adds a projection of random weights, to be trained.
    """
    from sentence_transformers.util import load_file_path

    loaded = getattr(cast("Any", model.transformers_model).config, "_commit_hash", None) or revision
    folder = os.environ.get("SENTENCE_TRANSFORMERS_HOME")

    def saved(file: str) -> Any:
        path = load_file_path(source, file, cache_folder=folder, revision=loaded)
        return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))

    if "HF_ColBERT" in ((saved("config.json") or {}).get("architectures") or ()):
        return True
    kind = (saved("config_sentence_transformers.json") or {}).get("model_type") or "SentenceTransformer"
    modules = saved("modules.json")
    if modules is None or kind not in {"SentenceTransformer", "MultiVectorEncoder", "ColBERT"}:
        return False
    return kind != "SentenceTransformer" or any(module["type"].endswith(".Dense") for module in modules)


def drop_projection(model: MultiVectorEncoder) -> None:
    """Take the projection away again."""
    from sentence_transformers.base.modules.dense import Dense

    for place in reversed([place for place, module in enumerate(model) if isinstance(module, Dense)]):
        del model[place]
