"""Every error anyrank raises, as one tree.

::

    AnyRankError
    ├── ArgumentError (ValueError)        an argument cannot be right: top_n=0, a NaN weight, a dict as documents
    │   ├── SpecError                     a scorer spec that cannot be read, or an option its scorer does not have
    │   │   └── UnknownScorerError        a spec that names no known scorer
    │   ├── TextError                     a query or text that is no string, a field that no document has
    │   └── FusionError                   an unknown method, source or parameter; a weight that cannot be one
    ├── ScoresError (ValueError)          a scorer answered something other than one finite float a text
    ├── AsyncOnlyError (TypeError)        an async-only scorer was called from sync code
    ├── ModelError (ValueError)           a model whose scores would mean nothing; says which part is missing
    └── MissingDependencyError (ImportError)   an optional package is not installed; says the pip line

What a scorer itself raises is not in this tree: it reaches the caller as the same object.
"""

from __future__ import annotations

__all__ = [
    "AnyRankError",
    "ArgumentError",
    "AsyncOnlyError",
    "FusionError",
    "MissingDependencyError",
    "ModelError",
    "ScoresError",
    "SpecError",
    "TextError",
    "UnknownScorerError",
]


class AnyRankError(Exception):
    """Base of every error that anyrank itself raises."""


class ArgumentError(AnyRankError, ValueError):
    """An argument cannot be right, whatever the data."""


class SpecError(ArgumentError):
    """A scorer spec cannot be read, or its scorer does not take an option."""


class UnknownScorerError(SpecError):
    """No scorer has the name a spec begins with."""


class TextError(ArgumentError):
    """A query or a document's text is not a string, or a field is in no document."""


class FusionError(ArgumentError):
    """A fusion method, source, weight or parameter is not possible."""


class ScoresError(AnyRankError, ValueError):
    """A scorer's answer is not one finite float a text."""


class AsyncOnlyError(AnyRankError, TypeError):
    """A scorer that can only be awaited was asked from sync code."""


class ModelError(AnyRankError, ValueError):
    """A model cannot be used as the scorer it was loaded as."""


class MissingDependencyError(AnyRankError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, needed_by: str, install: str) -> None:
        """Say which package is missing, who needs it, and the line that installs it."""
        super().__init__(f"{needed_by} needs the package {package!r}: pip install '{install}'", name=package)
        self._said = (package, needed_by, install)

    def __reduce__(self) -> tuple[type[MissingDependencyError], tuple[str, str, str]]:
        return type(self), self._said
