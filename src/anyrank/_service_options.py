"""The options of a service's client: which are right, which are written down, which change what is computed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from . import _checks
from ._secrets import Hidden, names_secret, refuse_secrets
from ._template import options_in
from ._urls import checked_base
from .errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .hosted import Endpoint

_NONE_MEANS: Final = frozenset({"deadline", "max_concurrency"})
"""The options beside the body's of which None says something: no end, no bound. In the body it says "do not send".

Of the others it says "as if not given".
"""

_HEADER: Final = re.compile(r"|[!-~]([ -~]*[!-~])?")

CARRIAGE: Final = frozenset({"timeout", "deadline", "max_retries", "max_documents", "max_concurrency", "allow_http"})
"""Options that say how texts get to a service, not what it makes of them."""


def checked(endpoint: Endpoint, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that differ from their defaults. Raises `SpecError` or `ArgumentError` for a wrong one."""
    name = endpoint.name
    nullable = _NONE_MEANS | {option.name for option in options_in(endpoint.body)}
    given = {
        key: endpoint.options[key].checked(name, value)
        for key, value in options.items()
        if key not in endpoint.auth.options
        and value != endpoint.options[key].default
        and (value is not None or key in nullable)
    }
    _check_carriage(name, given)
    if endpoint.first == "model" and str(given.get("model", "")).startswith(("http://", "https://")):
        msg = f"scorer {name!r}: {given['model']!r:.80} is a URL, and the text behind the colon a model: give base_url="
        raise SpecError(msg)
    refuse_secrets(given.get("extra_body"), f"scorer {name!r}: extra_body")
    if "base_url" in given:
        refuse_secrets(checked_base(name, given["base_url"]), f"scorer {name!r}: base_url")
    try:
        as_json(given)
    except (TypeError, ValueError) as error:
        msg = f"an option of scorer {name!r} cannot be written as JSON: {error}"
        raise SpecError(msg) from error
    _check_headers(name, given.get("headers") or {})
    return given | {"headers": Hidden(given["headers"])} if "headers" in given else given


def _check_carriage(name: str, given: Mapping[str, Any]) -> None:
    for key in ("max_documents", "max_concurrency"):
        _checks.top_n(given.get(key), key)
    seconds(name, given.get("timeout", 1.0))
    deadline, retries = given.get("deadline"), given.get("max_retries", 0)
    if deadline is not None and (_checks.finite(deadline) or 0.0) <= 0.0:
        msg = f"option 'deadline' of scorer {name!r} must be a number above 0, or None for no end; got {deadline!r}"
        raise SpecError(msg)
    if retries < 0:
        msg = f"option 'max_retries' of scorer {name!r} must be 0 or more; got {retries!r}"
        raise SpecError(msg)


def _check_headers(name: str, headers: Mapping[Any, Any]) -> None:
    for header, value in headers.items():
        if not isinstance(header, str) or not isinstance(value, str) or not _HEADER.fullmatch(value):
            msg = f"scorer {name!r}: header {header!r} must be a str of one line of ASCII, without spaces around it"
            raise SpecError(msg)


def written(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without the headers that hold a key."""
    headers = options.get("headers")
    if headers is None:
        return dict(options)
    return {**options, "headers": {name: value for name, value in headers.items() if not names_secret(name)}}


def seconds(scorer: str, given: Any) -> tuple[float, float]:
    """Return the seconds to connect and the seconds to wait for a byte. Raises `SpecError`."""
    pair = given if isinstance(given, (tuple, list)) else (given, given)
    values = [_checks.finite(value) for value in pair]
    if len(values) != 2 or any(value is None or value <= 0 for value in values):
        msg = f"scorer {scorer!r}: timeout must be seconds, (connect, read) or one number for both; got {given!r:.80}"
        raise SpecError(msg)
    return values[0] or 0.0, values[1] or 0.0


def as_json(body: Any) -> bytes:
    """Return a value as the bytes of compact JSON. Raises TypeError or ValueError for one that JSON does not have."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")
