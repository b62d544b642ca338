"""What `anyrank doctor` looks at: this machine, what is installed, what the environment says. Nothing is downloaded."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from anyrank import __version__

from ._catalog import cards
from ._console import said
from ._installed import adapters, extras, version_of

__all__ = ["Finding", "checkup"]

Level: TypeAlias = Literal["ok", "note", "fault"]

PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``ok``, a ``note`` that may matter, or a ``fault`` that something fails by."""

    level: Level
    topic: str
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def checkup() -> Iterator[Finding]:
    """Yield what there is to say of this machine and this environment, one check after another."""
    for check in (_versions, _adapters, _packages, _devices, _openvino, _scorers, _environment, _folders):
        yield from attempted(check, check.__name__.strip("_"))


def attempted(check: Callable[[], Iterator[Finding]], topic: str) -> Iterator[Finding]:
    """Yield what a check finds; that it fails is a finding too."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - a broken package raises whatever it likes when it is looked at
        yield Finding("fault", topic, said(error))


def _versions() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{sys.version.split()[0]} on {sys.platform}, {sys.executable}")
    installed = version_of("anyrank")
    if installed not in (None, __version__):
        yield Finding("fault", "anyrank", f"{__version__} is imported, and {installed} is installed: install it again")
    else:
        yield Finding("ok", "anyrank", f"{__version__}, {Path(__file__).parents[1]}")


def _adapters() -> Iterator[Finding]:
    """Hold what each adapter says it needs against what is installed."""
    for name, version, needs in adapters():
        unmet = [f"{need}, and there is {need.version or 'none'}" for need in needs if not need.met]
        if unmet:
            yield Finding("fault", "adapter", f"{name} {version} needs {'; '.join(unmet)}")
            continue
        known = ", ".join(f"{need.name} {need.version}" for need in needs if need.name != "anyrank")
        level: Level = "ok" if version == __version__ else "note"
        also = "" if version == __version__ else f", beside anyrank {__version__}: upgrade both together"
        yield Finding(level, "adapter", f"{name} {version} ({known}){also}")


def _packages() -> Iterator[Finding]:
    """Hold the optional packages against the lowest versions that the extras name."""
    for need in sorted({replace(need, extra=None) for needs in extras().values() for need in needs}, key=str):
        by = ",".join(extra for extra, needs in extras().items() if any(one.name == need.name for one in needs))
        if need.met:
            yield Finding("ok", "package", f"{need.name} {need.version} ({by})")
        elif need.version is None:
            yield Finding("note", "package", f"{need.name} is not installed: pip install 'anyrank[{by}]'")
        else:
            why = f"{need.name} {need.version} is not {need}: pip install -U 'anyrank[{by}]'"
            yield Finding("fault", "package", why)


def _devices() -> Iterator[Finding]:
    yield Finding("ok", "device", f"CPU, {len(_cpus())} of {os.cpu_count()} cores for this process")
    if version_of("torch") is None:
        return
    import torch

    yield Finding("ok", "device", f"torch runs {torch.get_num_threads()} threads")
    for place in range(torch.cuda.device_count()):
        free, total = (size / 2**30 for size in torch.cuda.mem_get_info(place))
        name = torch.cuda.get_device_name(place)
        yield Finding("ok", "device", f"cuda:{place} {name}, {free:.1f} of {total:.1f} GiB free")
    if not torch.cuda.is_available() and torch.version.cuda:
        yield Finding("note", "device", f"torch is built for CUDA {torch.version.cuda}, and finds no GPU")
    if torch.backends.mps.is_available():
        yield Finding("ok", "device", "mps")


def _cpus() -> Any:
    """Return the processors that this process may use, where the system says so."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _openvino() -> Iterator[Finding]:
    if version_of("openvino") is None:
        return
    from anyrank._openvino import library

    core = library().Core()
    name = core.get_property("CPU", "FULL_DEVICE_NAME").strip()
    kinds = " ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")))
    yield Finding("ok", "openvino", f"{name}: {kinds}")
    if "BF16" not in kinds:
        yield Finding("note", "openvino", "the processor does not compute in bfloat16: local models run in float32")


def _scorers() -> Iterator[Finding]:
    """Say for which services a key is set, by the variables' names, and which scorers cannot be imported."""
    known = list(cards())
    for card in known:
        if card.problem:
            yield Finding("fault", "scorer", f"{card.name}: {card.problem}")
    keys = [(card.name, need.what) for card in known for need in card.needs if need.kind == "key" and need.met]
    for name, variable in keys:
        yield Finding("ok", "key", f"{name}: {variable} is set")
    if not keys:
        yield Finding("note", "key", "no key of a service is set: anyrank scorers says which variables they go by")


def _environment() -> Iterator[Finding]:
    for name, value in sorted(os.environ.items()):
        if name.upper() in PROXIES and value:
            yield Finding("note", "proxy", f"{name}={_without_user(value)}")
    for name in CERTIFICATES:
        if value := os.environ.get(name, ""):
            there = Path(value).exists()
            yield Finding(
                "note" if there else "fault", "certificates", f"{name}={value}{'' if there else ' is not there'}"
            )
    for name in OFFLINE:
        if (value := os.environ.get(name, "")) and value.lower() not in ("0", "false", "no", "off"):
            yield Finding("note", "hub", f"{name}={value}: only models that are here already can be loaded")


def _folders() -> Iterator[Finding]:
    """Look whether models can be kept: those that are downloaded, and those that OpenVINO converts."""
    from anyrank._openvino import _folder

    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    for topic, folder in (("hub", hub), ("converted", _folder())):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        writable = os.access(there, os.W_OK | os.X_OK) and there.is_dir()
        yield Finding("ok" if writable else "fault", topic, f"{folder}{'' if writable else ' cannot be written'}")


def _without_user(value: str) -> str:
    return re.sub(r"^(\w+://)?.*@", r"\1", value)  # a password may hold an @ of its own
