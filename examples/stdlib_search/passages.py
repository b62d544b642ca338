"""The documentation of Python's own standard library, as passages: a real corpus that every machine already has.

Run as a program, this file is the child process that imports the modules named in its arguments and writes one JSON
line for each. `collect` starts it with its streams closed off, so that no module can print, ask or stay imported.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

MODULES = tuple(Path(__file__).with_name("modules.txt").read_text(encoding="utf-8").split())
"""Imported in this order, and only these: nothing that opens a window, a browser or a prompt when imported."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What one name of the library is documented to be: ``name`` is dotted, ``text`` has it as its first line."""

    name: str
    text: str
    module: str


def collect(modules: Sequence[str] = MODULES, *, on_module: Callable[[str], object] = id) -> list[Passage]:
    """Return the passages of these modules; ``on_module`` is told about each module as it is done.

    The same object under two names, and the same words under two names of one ending, count once. A module that this
    Python does not have is left out.
    """
    command = [sys.executable, "-I", "-X", "utf8", str(Path(__file__).resolve()), *modules]
    found: dict[tuple[str, str], Passage] = {}
    with subprocess.Popen(  # noqa: S603 - this very file
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as child:
        for line in child.stdout or ():
            module, documented = json.loads(line)
            for name, words in documented:
                found.setdefault((name.rpartition(".")[2], words), Passage(name, f"{name}\n{words}", module))
            on_module(module)
    if child.returncode:
        msg = f"collecting the documentation failed with status {child.returncode}"
        raise RuntimeError(msg)
    return list(found.values())


def _main(modules: Iterable[str]) -> None:
    out = _private_stdout()
    seen: set[int] = set()
    for module in modules:
        documented = [(name, words) for name, thing in _things(module, seen) if (words := _words(thing))]
        out.write(json.dumps((module, documented)) + "\n")
        out.flush()
    os._exit(0)  # what the modules registered to run at exit is none of ours


def _private_stdout() -> TextIO:
    """Keep the pipe to the parent for ourselves and give everybody else nothing to write to."""
    private = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return private


def _things(module_name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield a module and everything public in it that was not seen before, each with its dotted name."""
    try:
        module = import_module(module_name)
    except ImportError:
        return
    yield module_name, module
    for name, thing in _members(module):
        if id(thing) in seen or not _is_ours(thing, module):
            continue
        seen.add(id(thing))
        own_name = getattr(thing, "__name__", name)
        called = own_name if getattr(module, own_name, None) is thing else name
        yield f"{module_name}.{called}", thing
        if inspect.isclass(thing):
            yield from ((f"{module_name}.{called}.{method}", it) for method, it in _methods(thing))


def _members(module: Any) -> Iterator[tuple[str, Any]]:
    for name in getattr(module, "__all__", None) or sorted(vars(module)):
        thing = getattr(module, name, None)
        if not name.startswith("_") and (inspect.isclass(thing) or inspect.isroutine(thing)):
            yield name, thing


def _is_ours(thing: Any, module: Any) -> bool:
    """Whether a module means to publish a thing: all that ``__all__`` names, else what was not merely imported."""
    if hasattr(module, "__all__"):
        return True
    home = getattr(thing, "__module__", None) or module.__name__
    return bool(home.lstrip("_") == module.__name__)


def _methods(owner: type) -> Iterator[tuple[str, Any]]:
    for name, thing in vars(owner).items():
        if not name.startswith("_") and (inspect.isroutine(thing) or isinstance(thing, property)):
            yield name, thing


_SIGNATURE = re.compile(r"[\w.]+\(.*?\)\s*(?:-+>\s*(.*))?$")


def _words(thing: Any) -> str:
    """Return a docstring without the signature lines that many of the older ones begin with."""
    doc = thing.__doc__
    lines = inspect.cleandoc(doc).splitlines() if isinstance(doc, str) else []
    signatures = []
    while lines and (match := _SIGNATURE.match(lines[0])):
        signatures.append(match[1] or "")
        lines.pop(0)
    return "\n".join(lines).strip() or " ".join(filter(None, signatures))


if __name__ == "__main__":
    _main(sys.argv[1:])
