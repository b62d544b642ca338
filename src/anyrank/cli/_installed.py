"""What is installed, against what the distributions themselves say they need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from packaging.requirements import Requirement as Read
from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["Requirement", "adapters", "extras", "requirements", "version_of"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A distribution that another one needs, in which versions, and the extra that needs it (None: all)."""

    name: str
    versions: str = ""
    extra: str | None = None

    def __str__(self) -> str:
        return f"{self.name}{self.versions}"

    @property
    def version(self) -> str | None:
        """The version that is installed; None where there is none."""
        return version_of(self.name)

    @property
    def met(self) -> bool:
        """Whether it is installed in a version within the bounds."""
        version = self.version
        return version is not None and SpecifierSet(self.versions).contains(version, prereleases=True)


def version_of(name: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def requirements(distribution: Distribution) -> Iterator[Requirement]:
    """Yield what a distribution needs on this system and Python, by itself and for its extras."""
    extras = [None, *(distribution.metadata.get_all("Provides-Extra") or ())]
    for read in map(Read, distribution.requires or ()):
        for extra in extras if read.marker else [None]:
            if read.marker is None or read.marker.evaluate({"extra": extra or ""}):
                yield Requirement(read.name, str(read.specifier), extra)
                break


@cache
def extras() -> dict[str, list[Requirement]]:
    """Return what each of anyrank's extras needs."""
    from importlib.metadata import distribution

    found: dict[str, list[Requirement]] = {}
    for requirement in requirements(distribution("anyrank")):
        if requirement.extra:
            found.setdefault(requirement.extra, []).append(requirement)
    return found


def adapters() -> list[tuple[str, str, list[Requirement]]]:
    """Return the distributions that are built on anyrank: name, version, and what they need."""
    from importlib.metadata import distributions

    found: dict[str, tuple[str, str, list[Requirement]]] = {}
    for one in distributions():
        needs = [need for need in requirements(one) if need.extra is None]
        if any(need.name == "anyrank" for need in needs):
            found.setdefault(one.name, (one.name, one.version, needs))
    return sorted(found.values())
