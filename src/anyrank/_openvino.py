"""A transformer on the CPU, run by OpenVINO instead of torch: the same model, two to four times as fast.

The torch model is exported once, kept on disk under the hash of its weights, and stands where the torch model stood,
so that everything around it (tokenizer, prompt, pooling, head) stays its library's. Nothing is taken on trust: before
it is used, its read-out is compared with torch's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakSet

from ._registry import require
from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION: Final = 1
"""Of the files on disk: another one makes them anew."""

TOLERANCE: Final = 0.05
"""How far a read-out may lie from torch's: root mean square, relative to one plus its own. bfloat16 stays within."""

INT8_TOLERANCE: Final = 0.2
"""The same for int8, which lies at 0.045 on MiniLM's weights."""

_process: list[int] = []
"""The process in which OpenVINO began: its threads do not survive a fork, and their absence would not be noticed."""

_live: WeakSet[Any] = WeakSet()
_inherited: list[Any] = []
"""In a forked process, the models of its parent: to destroy one waits for ever for threads that are not there."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _inherited.extend(_live))

PRECISIONS: Final = {"float32": "f32", "bfloat16": "bf16"}

PROBES: Final = ("a", "What is the capital of France? Paris is the capital and the largest city of France.")


def library(needed_by: str = "backend='openvino'") -> Any:
    """Return OpenVINO, without the part that tells its makers of each import and conversion.

    Raises `MissingDependencyError` where it is not installed.
    """
    teller = "openvino_telemetry"
    silenced = "openvino" not in sys.modules and teller not in sys.modules
    if silenced:
        sys.modules[teller] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        return require("openvino", needed_by=needed_by, install="anyrank[fast]")
    finally:
        if silenced:
            del sys.modules[teller]


def accelerate(transformer: Any, dtype: str) -> None:
    """Put a compiled model in place of the torch model inside a transformer module of sentence-transformers.

    ``dtype`` ``"auto"`` is bfloat16 where the processor computes in it; ``"int8"`` is that, and int8 for the linear
    layers that `anyrank._int8.quantized` says. Raises `ModelError` where the model cannot be exported, or does not read
    out what torch does.
    """
    import torch

    instead = "dtype='auto'" if dtype == "int8" else "backend='torch'"
    if (_process or [os.getpid()])[0] != os.getpid():
        msg = f"OpenVINO ran before this process was forked, and cannot run in it: use spawn, or {instead}"
        raise ModelError(msg)
    _process[:] = [os.getpid()]
    if not hasattr(transformer, "modality_config"):
        msg = f"OpenVINO is not used for {type(transformer).__name__}, which is no transformer: use {instead}"
        raise ModelError(msg)
    reads = transformer.modality_config["text"]
    name = type(transformer.model).__name__
    if reads["method"] != "forward" or reads["method_output_name"] not in ("logits", "last_hidden_state"):
        msg = f"OpenVINO is not used for {name}, which is read by {reads['method_output_name']}: use {instead}"
        raise ModelError(msg)
    try:
        features = dict(transformer.tokenizer(list(PROBES), padding=True, return_tensors="pt"))
        program = _Program(transformer.model, transformer.tokenizer, features, reads["method_output_name"])
        compiled = _compiled(program, dtype)
        found = compiled(**features)[0]
        with torch.inference_mode():
            expected = transformer.model(**features)[reads["method_output_name"]].float()
    except Exception as error:
        why = f"{type(error).__name__}: {str(error).splitlines()[:1]}"
        msg = f"OpenVINO cannot run {name} ({why:.300}): use {instead}"
        raise ModelError(msg) from error
    tolerance = INT8_TOLERANCE if dtype == "int8" else TOLERANCE
    if not bool((found - expected).norm() <= tolerance * (expected.norm() + expected.numel() ** 0.5)):
        msg = f"OpenVINO does not read out of {name} what torch does: use {instead}"
        raise ModelError(msg)
    transformer.model = compiled


class _Program(NamedTuple):
    """What is converted: a torch model, with an example of what it is given and the name of what is read."""

    model: Any
    tokenizer: Any
    features: Mapping[str, Any]
    read_out: str


def _compiled(program: _Program, dtype: str) -> Any:
    openvino = library()
    core = openvino.Core()
    model = _converted(openvino, core, program, dtype)
    settings = {"PERFORMANCE_HINT": "LATENCY"}
    if dtype in PRECISIONS:
        settings["INFERENCE_PRECISION_HINT"] = PRECISIONS[dtype]
    compiled = core.compile_model(model, "CPU", settings)
    return _compiled_class()(program.model.config, compiled, list(program.features), program.read_out)


@cache
def _compiled_class() -> Any:
    """Return the class of what stands in for a torch model: torch is not imported before it is needed."""
    import torch
    from transformers.utils.generic import ModelOutput

    class Compiled(torch.nn.Module):
        def __init__(self, config: Any, compiled: Any, inputs: list[str], read_out: str) -> None:
            super().__init__()
            self.config, self._compiled, self._inputs, self._read_out = config, compiled, inputs, read_out
            self.dtype = torch.float32
            self.device = torch.device("cpu")
            _live.add(self)

        def forward(self, **features: Any) -> Any:
            found = self._compiled([features[name].numpy() for name in self._inputs])
            output: Any = ModelOutput
            return output({self._read_out: torch.from_numpy(found[0])})

    return Compiled


def _converted(openvino: Any, core: Any, program: _Program, dtype: str) -> Any:
    """Return the model for OpenVINO, from disk where it is there already."""
    name = _digest(openvino, program.model, program.features)

    def whole() -> Any:
        return _kept(openvino, core, name, lambda: _exported(openvino, program))

    if dtype != "int8":
        return whole()
    from ._int8 import VERSION as MEASURED
    from ._int8 import quantized
    from ._limits import most_tokens

    longest = most_tokens(program.model)
    kind = f"{name}-int8-{MEASURED}"
    return _kept(openvino, core, kind, lambda: quantized(core, whole(), program.tokenizer, longest))


def _kept(openvino: Any, core: Any, name: str, make: Callable[[], Any]) -> Any:
    """Return the model of a name from disk, else make it and keep it."""
    folder = _folder() / name
    file = folder / "model.xml"
    if _readable(file):
        with suppress(RuntimeError):  # half a file, or one of another version: made anew below
            return core.read_model(file)
        shutil.rmtree(folder, ignore_errors=True)
    model = make()
    with suppress(OSError, RuntimeError):  # no place to keep it is no reason not to run it
        _keep(openvino, model, folder)
    return model


def _readable(file: Path) -> bool:
    try:
        return file.is_file() and os.access(file, os.R_OK)
    except PermissionError:  # of another user, who shares the folder and not what is in it
        return False


def _keep(openvino: Any, model: Any, folder: Path) -> None:
    """Write the model, for all processes at once or not at all: into a folder of our own, which is then renamed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        openvino.save_model(model, own / "model.xml", compress_to_fp16=False)
        own.chmod(0o755)  # a folder that users share is of use to all of them
        own.rename(folder)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _folder() -> Path:
    """Return where models are kept: ``ANYRANK_CACHE``, else the user's cache folder."""
    base = (
        os.environ.get("ANYRANK_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "anyrank"
    )
    return Path(base) / "openvino"


def _digest(openvino: Any, torch_model: Any, features: Mapping[str, Any]) -> str:
    """Return a name for what the model computes: its shape, its weights, and who converted them."""
    from hashlib import blake2b

    import transformers

    said = (VERSION, openvino.__version__, transformers.__version__, type(torch_model).__name__, sorted(features))
    digest = blake2b(repr(said).encode(), digest_size=20)
    shape = {name: value for name, value in torch_model.config.to_dict().items() if name != "_name_or_path"}
    digest.update(json.dumps(shape, sort_keys=True, default=str).encode())
    for name, weight in sorted(torch_model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().contiguous().flatten().view(_bytes()).numpy())
    return digest.hexdigest()


def _bytes() -> Any:
    import torch

    return torch.uint8


def _exported(openvino: Any, program: _Program) -> Any:
    """Return the model for OpenVINO by way of a program of torch, for any number and length of texts."""
    import torch

    class ReadOut(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = program.model

        def forward(self, *inputs: Any) -> Any:
            return self.inner(**dict(zip(program.features, inputs, strict=True)))[program.read_out]

    longest = int(getattr(program.model.config, "max_position_embeddings", None) or 32768)
    batch, length = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("length", min=2, max=longest)
    shapes = {"inputs": tuple({0: batch, 1: length} for _ in program.features)}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the two libraries' own, about themselves and each other
        exported = torch.export.export(ReadOut().eval(), tuple(program.features.values()), dynamic_shapes=shapes)
        return openvino.convert_model(exported)
