"""How a request shows who sends it: a key in a header, a token got for the key, a signature.

What is got for a key is kept until the service refuses it (401), then got once more: a function is asked again, the
environment read again, a token exchanged again. A key that is still the same then is not tried twice.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ._secrets import Hidden, Secret
from .errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._exchange import Exchange
    from ._http import Request
    from ._rounds import Rounds

_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(slots=True)
class Keyring:
    """What one scorer was given to show, and what was got for it."""

    scorer: str
    given: Mapping[str, Secret] = field(default_factory=dict)
    got: Any = None
    source: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return Keyring, (self.scorer, self.given)


@dataclass(frozen=True, slots=True)
class Ask:
    """The errand of a function that may take its time, such as one that gets a token."""

    function: Callable[[], Any]

    def do(self) -> Any:
        """Call it."""
        return self.function()

    async def ado(self) -> Any:
        """Call it in a thread."""
        from asyncio import to_thread

        return await to_thread(self.function)


@dataclass(frozen=True, slots=True)
class KeyAuth:
    """A key in a header, ``Authorization: Bearer`` unless said otherwise.

    ``env`` are the variables that may hold it, the first that is set wins; an explicit ``api_key`` beats them all.
    """

    options: ClassVar[tuple[str, ...]] = ("api_key",)

    env: tuple[str, ...] = ()
    header: str = "Authorization"
    scheme: str = "Bearer "
    required: bool = True

    def signed(self, exchange: Exchange, request: Request) -> Rounds[Any, Request]:
        """Return the request with the key in its header."""
        ring = exchange.ring
        if ring.got is None:
            ring.got = yield from self.fetch(exchange)
        if not ring.got:
            return request
        return replace(request, headers=Hidden({**request.headers, self.header: f"{self.scheme}{ring.got.reveal()}"}))

    def renewed(self, exchange: Exchange, used: Any) -> Rounds[Any, bool]:
        """Whether there is another key to show than the one that was refused."""
        ring = exchange.ring
        if ring.got is used:
            ring.got = yield from self.fetch(exchange)
        return bool(ring.got) and (not used or ring.got.reveal() != used.reveal())

    def fetch(self, exchange: Exchange) -> Rounds[Any, Secret]:
        """Return the key: the one given, else the environment's. Raises `SettingError` where there is none."""
        ring = exchange.ring
        given = ring.given.get("api_key", Secret())
        value, ring.source = given.reveal(), "api_key="
        if callable(value):
            [outcome] = yield [Ask(value)]
            value, ring.source = outcome.unwrap(), "the function given as api_key="
        if value is None:
            name = next((name for name in self.env if os.environ.get(name)), None)
            value, ring.source = (os.environ[name], name) if name else (None, "")
        if value is None and self.required and not exchange.shown_in_headers(self.header):
            raise SettingError(_missing(ring.scorer, self.env, lost=given.lost))
        return checked_key(ring.scorer, value, ring.source)


def checked_key(scorer: str, value: Any, source: str) -> Secret:
    """Return a key that a header can hold, without the line end of the file it came from."""
    if value is None:
        return Secret()
    if not isinstance(value, str) or not value.strip():
        what = "empty" if isinstance(value, str) else f"a {type(value).__name__}, not a str"
        msg = f"scorer {scorer!r}: the API key is {what} (it came from {source})"
        raise SettingError(msg)
    if not _HEADER_SAFE.fullmatch(value.strip()):
        msg = f"scorer {scorer!r}: the API key holds a space, line end or non-ASCII letter (it came from {source})"
        raise SettingError(msg)
    return Secret(value.strip())


def _missing(scorer: str, env: tuple[str, ...], *, lost: bool) -> str:
    ways = " or ".join([*env, "api_key="])
    why = "; the one given as api_key= was left out of the pickle" if lost else ""
    return f"scorer {scorer!r} needs an API key: set {ways}{why}"
