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
    ├── MissingDependencyError (ImportError)   an optional package is not installed; says the pip line
    ├── SettingError (ValueError)         a scorer lacks what a call needs: a key, a URL, a region; says how to give it
    └── ProviderError                     a rerank service refused, failed or answered nonsense; see its attributes
        ├── AuthenticationError           it does not accept the key
        ├── QuotaError                    the account has nothing left: trying again does not help
        ├── RateLimitError                too many requests, and still so after every retry
        ├── DeadlineError (TimeoutError)  no answer in time
        ├── UnreachableError (ConnectionError)   no connection, or one that broke
        └── ReplyError (ValueError)       an answer that cannot be trusted; also a ScoresError

What a scorer itself raises is not in this tree: it reaches the caller as the same object.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AnyRankError",
    "ArgumentError",
    "AsyncOnlyError",
    "AuthenticationError",
    "DeadlineError",
    "FusionError",
    "MissingDependencyError",
    "ModelError",
    "ProviderError",
    "QuotaError",
    "RateLimitError",
    "ReplyError",
    "ScoresError",
    "SettingError",
    "SpecError",
    "TextError",
    "UnknownScorerError",
    "UnreachableError",
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


class SettingError(AnyRankError, ValueError):
    """A scorer lacks, or may not use, what a call needs: a key, a URL, a region, a project."""


class ProviderError(AnyRankError):
    """A rerank service refused a request, failed, or answered something that cannot be used.

    ``provider`` is the scorer's name, ``model`` the model asked for, ``status`` the HTTP status where there was one,
    ``request_id`` the service's own name for the request. The message never holds a key, a query or a document.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        """Keep what is known beside the message."""
        super().__init__(message)
        self.provider = provider
        self.model = model
        self.status = status
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, vars(self)


class AuthenticationError(ProviderError):
    """The service does not accept the key: missing, wrong, expired, or without the right to rerank."""


class QuotaError(ProviderError):
    """The account's credit, quota or spending limit is used up."""


class RateLimitError(ProviderError):
    """The service still said "too many requests" after the last retry, or asks to wait past the deadline."""


class DeadlineError(ProviderError, TimeoutError):
    """No answer came within ``timeout`` or ``deadline``."""


class UnreachableError(ProviderError, ConnectionError):
    """No connection came about, or it broke before the reply was complete."""


class ReplyError(ProviderError, ScoresError):
    """The service's answer is not one finite score for each text that was sent."""
