"""What both contracts stand on."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Contract:
    """A suite of tests that a subclass inherits whole."""

    def test_no_test_of_the_contract_is_replaced(self) -> None:
        """A subclass may mark a test of its contract xfail with a reason, but not drop or replace it."""
        inherited = {name: test for base in _contracts(type(self)) for name, test in vars(base).items()}
        for name, test in inherited.items():
            if not name.startswith("test_") or getattr(type(self), name, None) is test:
                continue
            marks = getattr(getattr(type(self), name, None), "pytestmark", [])
            excused = any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
            assert excused, f"{type(self).__name__} replaces {name}: mark it xfail(reason=…) instead"


def _contracts(cls: type) -> list[type]:
    """Return the shipped contract classes among the bases."""
    return [base for base in cls.__mro__ if base.__module__.startswith("anyrank.testing")]


@contextmanager
def installed_scorers(folder: Path, name: str, source: str, factories: Mapping[str, str]) -> Iterator[None]:
    """Install, for the block's time, a distribution with the module ``source`` and its entry points.

    ``factories`` maps scorer names to attributes of the module. It is a real distribution on ``sys.path``, found as
    any installed package is.
    """
    folder.joinpath(f"{name}.py").write_text(source, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    points = "".join(f"{scorer} = {name}:{attribute}\n" for scorer, attribute in factories.items())
    info.joinpath("entry_points.txt").write_text(f"[anyrank.scorers]\n{points}", encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(name, None)
