"""What the scorers share whose models sentence-transformers loads."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from . import _checks
from ._limits import most_positions, most_tokens
from ._local import LocalModel
from ._packaged import PREFIX, place_of
from ._registry import require
from ._unloadable import why
from .errors import ArgumentError, ModelError
from .scorer import SpecFromFields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

M = TypeVar("M")
A = TypeVar("A")
R = TypeVar("R")

DTYPES: Final = ("auto", "float32", "bfloat16", "float16", "int8")
BACKENDS: Final = ("auto", "torch", "openvino")


@dataclass(eq=False)
class LibraryModel(SpecFromFields, LocalModel[M]):
    """A local model that sentence-transformers loads.

    ``model`` is a repository id, a folder, or ``package:NAME``, an installed package that carries one.
    ``device`` None takes a GPU where there is one. ``backend`` ``"auto"`` runs the model with OpenVINO on a CPU, where
    it is installed (``anyrank[fast]``) and reads out what torch does, else with torch; the other names force one.
    ``dtype`` ``"auto"`` is bfloat16 where the hardware computes in it (a GPU's torch, a CPU's OpenVINO), which keeps
    the order to a rank correlation of 0.999 or better; ``"float32"`` gives sentence-transformers' scores to 1e-5,
    whatever else is in the batch; ``"int8"``, by OpenVINO on a CPU, is faster still and moves a score a little more.
    ``batch_size`` None is what suits the device. ``max_length`` cuts texts to so many tokens. ``revision`` pins a
    repository's commit; ``trust_remote_code`` runs the repository's own code and needs such a pin.
    ``pickled_weights`` takes weights that are kept as a pickle only, a format that can hold code, where safe ones are
    missing. Needs ``anyrank[local]``.
    """

    extra: ClassVar[str] = "local"

    model: str
    device: str | None = None
    dtype: str = "auto"
    backend: str = "auto"
    batch_size: int | None = None
    max_length: int | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    pickled_weights: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        _checks.top_n(self.batch_size, "batch_size")
        _checks.top_n(self.max_length, "max_length")
        self._one_of("dtype", DTYPES)
        self._one_of("backend", BACKENDS)
        if self.dtype == "int8" and (self.backend == "torch" or self.device not in (None, "cpu")):
            msg = "dtype='int8' is computed by OpenVINO on a CPU: leave backend= and device= out, or take dtype='auto'"
            raise ArgumentError(msg)
        pinned = re.fullmatch(r"[0-9a-f]{7,40}", self.revision or "")
        if self.trust_remote_code and not pinned and not self._is_here:
            msg = (
                f"{self.name} with trust_remote_code=True runs code from the repository {self.model!r}: pin it with "
                "revision='<commit hash>', after reading that commit"
            )
            raise ArgumentError(msg)

    @property
    def _is_here(self) -> bool:
        return self.model.startswith(PREFIX) or Path(self.model).is_dir()

    @property
    def _place(self) -> str:
        """Where the model is loaded from."""
        return place_of(self.model, f"scorer {self.name!r}")

    def _one_of(self, option: str, known: Sequence[str | None]) -> None:
        value = getattr(self, option)
        if value not in known:
            msg = f"{self.name} has no {option} {value!r}; known: {', '.join(map(repr, known))}"
            raise ArgumentError(msg)

    def _open(self, kind: str, **settings: Any) -> M:
        """Load the model as a class of sentence-transformers, on torch."""
        library = require("sentence_transformers", needed_by=f"scorer {self.name!r}", install="anyrank[local]")
        device = self._device()
        with self._weights() as weights:
            model: M = getattr(library, kind)(
                self._place,
                device=device,
                revision=self.revision,
                trust_remote_code=self.trust_remote_code,
                model_kwargs={"dtype": self._torch_dtype(device), **weights},
                **settings,
            )
        model.model_card_data.model = None  # type: ignore[attr-defined]  # a cycle: to close it would free no memory
        _refuse_wordless(self.model, model)
        self._limit(model)
        return model

    def _device(self) -> str:
        from sentence_transformers.util import get_device_name

        return self.device or ("cpu" if self._forced else get_device_name())

    @property
    def _forced(self) -> str | None:
        """The option, if there is one, by which OpenVINO has to run the model."""
        if self.backend == "openvino":
            return "backend='openvino'"
        return "dtype='int8'" if self.dtype == "int8" else None

    def _limit(self, model: Any) -> None:
        """Let a model read no more tokens than it has positions for.

        Raises `ModelError` for a ``max_length`` beyond.
        """
        transformer = model.transformers_model
        if transformer is None:
            return
        there_are, most = most_positions(transformer), most_tokens(transformer)
        if self.max_length is not None and there_are is not None and self.max_length > there_are:
            msg = f"{self.model!r} has positions for {there_are} tokens: max_length={self.max_length} is too many"
            raise ModelError(msg)
        if self.max_length is None and most is not None and (model.max_seq_length or most + 1) > most:
            model.max_seq_length = most

    @property
    def tokenizer(self) -> Any:
        """A copy of the model's tokenizer, by which `anyrank.Chunked` measures. Loads the model."""
        return self._submit(self._lent).result()

    def _lent(self, worker: Any) -> Any:
        """Copy it on the worker: two threads may not use one tokenizer."""
        from copy import deepcopy

        model: Any = self._ready(worker)
        if model is not worker.lent_by:
            own = deepcopy(getattr(model, "tokenizer", None) or model.model.tokenizer)
            own.model_max_length = getattr(model, "max_seq_length", None) or self.max_length or own.model_max_length
            worker.lent_by, worker.lent = model, own
        return worker.lent

    @contextmanager
    def _weights(self) -> Iterator[dict[str, Any]]:
        """Give the settings by which transformers loads safe weights.

        Raises `ModelError` where it is known why a model cannot be loaded.
        """
        try:
            yield {} if self.pickled_weights else {"use_safetensors": True}
        except Exception as error:
            msg = why(self.model, error, pickled=self.pickled_weights)
            if msg is None:
                raise
            raise ModelError(msg) from error

    def _torch_dtype(self, device: str) -> str:
        if self.dtype != "auto":
            return "float32" if self._forced else self.dtype
        if not device.startswith("cuda"):
            return "float32"
        from torch import cuda

        return "bfloat16" if cuda.is_bf16_supported() else "float16"

    def _accelerated(self, model: Any) -> None:
        """Let OpenVINO run a loaded model's transformer, where that is asked for, or possible and faster.

        Raises `ModelError` or `MissingDependencyError` where it is asked for and not possible.
        """
        from ._openvino import accelerate, library

        if self._forced:
            library(self._forced)
        elif self.backend == "torch" or self.dtype == "float16" or str(model.device) != "cpu" or not _installed():
            return
        try:
            accelerate(model[0], self.dtype)
        except ModelError as error:
            if self._forced:
                raise
            from logging import getLogger

            getLogger("anyrank").info("%s runs on torch: %s", self.model, error)

    def _together(self, model: Any) -> int:
        """Return how many texts make a batch: a CPU is fastest with few, which waste no padding."""
        return self.batch_size or (8 if str(model.device) == "cpu" else 128)


def _refuse_wordless(name: str, model: Any) -> None:
    """Raise `ModelError` for a folder without a tokenizer: the library makes one up that knows no word."""
    tokenizer: Any = getattr(model, "tokenizer", None)
    if hasattr(tokenizer, "all_special_tokens") and not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        msg = f"{name!r} holds no tokenizer, so that every word would be unknown: add its tokenizer files"
        raise ModelError(msg)


def document_prompt(model: Any) -> str:
    """Return what a model was saved to have put before a document.

    The library overlooks a "passage" prompt beside its own empty "document".
    """
    prompts = model.prompts
    return next((prompt for name in ("document", "passage", "corpus") if (prompt := prompts.get(name))), "")


def tokens_cut(tokenizer: Any, limit: int, *columns: Sequence[str]) -> dict[int, int]:
    """Return by how many tokens each text, or each pair of two columns, is too long, by its place.

    Most texts are so short that they need not be counted.
    """
    rows = [place for place, row in enumerate(zip(*columns, strict=True)) if _most(row) > limit]
    if not rows:
        return {}
    long = [[column[place] for place in rows] for column in columns]
    found = tokenizer(*long, truncation=False, verbose=False, return_attention_mask=False)["input_ids"]
    return {place: len(ids) - limit for place, ids in zip(rows, found, strict=True) if len(ids) > limit}


def _most(row: Iterable[str]) -> int:
    """Return more tokens than a row can have: one a byte, and NFKC makes some letters up to eleven times as long."""
    return sum(len(text.encode()) * (1 if text.isascii() else 11) + 3 for text in row)


def fitted(work: Callable[[list[A]], Any], items: list[A]) -> Any:
    """Return the tensor of ``work(items)``, from halves of the items where memory does not hold them all."""
    import torch

    parts = in_parts(work, items)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def in_parts(work: Callable[[list[A]], R], items: list[A]) -> list[R]:
    """Return ``work(items)`` as the only part, or those of halves where memory does not hold them all."""
    import torch

    try:
        return [work(items)]
    except (MemoryError, RuntimeError) as error:
        if len(items) < 2 or not (isinstance(error, (MemoryError, torch.OutOfMemoryError)) or _out_of_memory(error)):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return in_parts(work, items[:half]) + in_parts(work, items[half:])


def _out_of_memory(error: Exception) -> bool:
    return "out of memory" in str(error) or "can't allocate memory" in str(error)


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("openvino") is not None
