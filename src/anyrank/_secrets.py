"""What must not be written down: specs and options go into pipelines, traces and logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

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
                    f"{where}: {name!r} names a secret, and this is written down; pass api_key= or set the environment"
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
