"""What must not be written down: specs and options go into pipelines, traces and logs; errors quote what they got."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self

from .errors import SpecError

_NAME: Final = re.compile(
    r"(^|[_-])(api[_-]?key|token|password|passwd|secret|credentials?|authorization|auth|bearer|cookie"
    r"|(private|access|secret|subscription)[_-]key)$",
    re.IGNORECASE,
)
_TOKEN_OF_A_TOKENIZER: Final = re.compile(
    r"^(additional_special|bos|cls|eos|false|mask|no|pad|sep|true|unk|yes)_token$"
)
_URL: Final = re.compile(
    r"://[^/\s?#]*@|[?&]([a-z]+_)?(api[_-]?key|key|token|password|secret|sig|signature)=", re.IGNORECASE
)
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def names_secret(name: str) -> bool:
    """Whether an option of this name holds a secret: ``api_key``, ``hfToken``, ``X-Api-Key``."""
    return _NAME.search(_HUMP.sub("_", name)) is not None and not _TOKEN_OF_A_TOKENIZER.match(name)


def refuse_secrets(value: object, where: str = "scorer_options") -> None:
    """Raise `SpecError` where a spec or its options name a secret, or hold a URL with user info or a key in it.

    Keys come by ``api_key=`` or the environment.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if names_secret(str(name)):
                msg = (
                    f"{where}: {name!r} names a secret, and this is written down; set the environment, pass api_key= "
                    "where the scorer has it, or give a scorer object from anyrank.load()"
                )
                raise SpecError(msg)
            refuse_secrets(inner, f"{where}[{name!r}]")
    elif isinstance(value, str):
        if _URL.search(value):
            msg = f"{where}: a URL with user info or a key in it is written down; pass api_key= or set the environment"
            raise SpecError(msg)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            refuse_secrets(inner, where)


class Hidden(dict[str, Any]):
    """Headers, or options: ``repr``, which tracebacks quote, shows names only; pickles leave out what holds a key."""

    def __repr__(self) -> str:
        return f"Hidden({', '.join(self)})"

    def secrets(self) -> list[str]:
        """Return the values that hold a key."""
        return [value for name, value in self.items() if names_secret(name)]

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Hidden, ({name: value for name, value in self.items() if not names_secret(name)},)


class Secret:
    """A key, its parts, or the function that gives it: hidden from ``repr``, left out of pickles, shared by copies."""

    __slots__ = ("_value", "lost")

    def __init__(
        self, value: str | tuple[str | None, ...] | Callable[[], str | None] | None = None, *, lost: bool = False
    ) -> None:
        """Hold it; ``lost`` says that there was one before pickling."""
        self._value = value
        self.lost = lost

    def reveal(self) -> Any:
        """Return it."""
        return self._value

    def __bool__(self) -> bool:
        return self._value is not None

    def __repr__(self) -> str:
        return "Secret(***)" if self else "Secret()"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (bool(self) or self.lost,)


def _unpickled(lost: bool) -> Secret:  # noqa: FBT001 - called by pickle only
    return Secret(lost=lost)


GRAM: Final = 12
"""A run of characters this long that an error message shares with a document counts as quoted from it."""


def redacted(message: str, keys: Iterable[str], texts: Iterable[str]) -> str:
    """Return a service's message without the keys, and without what it quotes from the texts."""
    for key in keys:
        message = message.replace(key, "***") if key else message
    known = set(texts)
    for text in known:
        if GRAM // 2 <= len(text) < GRAM:
            message = message.replace(text, "…")
    told = "\0".join(known)
    runs = (start for start in range(len(message) - GRAM + 1) if message[start : start + GRAM] in told)
    quoted = {at for start in runs for at in range(start, start + GRAM)}
    return re.sub("\0+", "…", "".join("\0" if at in quoted else letter for at, letter in enumerate(message)))
