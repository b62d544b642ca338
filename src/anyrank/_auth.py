"""How a request shows who sends it: a key in a header, a token got for the key, a signature.

What is got for a key is kept until the service refuses it (401), then got once more: a function is asked again, the
environment read again, a token exchanged again. A key that is still the same then is not tried twice. Of callers at the
same time one gets it, and the others wait for that one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from ._exchange import Work
from ._gate import Gate
from ._rounds import Chore
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
    """What one scorer was given to show, and what was got for it.

    ``got`` is shown now and came from ``source``; ``kept`` is what the next one is got from. ``turn`` lets in one
    caller at a time.
    """

    scorer: str
    given: Mapping[str, Secret] = field(default_factory=dict)
    got: Secret | None = None
    source: str = ""
    kept: Any = None
    turn: Gate = field(default_factory=lambda: Gate(1), repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Keyring, (self.scorer, self.given)

    def take(self, option: str) -> Secret:
        """Return what was given as this option, empty where nothing was."""
        key = self.given.get(option, Secret())
        if key:
            self.source = f"{option}="
        return key

    def read(self, names: tuple[str, ...]) -> Secret:
        """Return what the first of these environment variables holds that is set, empty where none is."""
        name = next((name for name in names if os.environ.get(name)), None)
        if name is None:
            return Secret()
        self.source = name
        return Secret(os.environ[name])

    def words(self) -> list[str]:
        """Return all that no message may quote."""
        secrets = (self.got, self.kept, *self.given.values())
        held = (secret.reveal() for secret in secrets if isinstance(secret, Secret))
        parts = (part for value in held for part in (value if isinstance(value, tuple) else (value,)))
        return [part for part in parts if isinstance(part, str)]

    def missing(self, ways: str, what: str = "an API key") -> SettingError:
        """Return the error that says what is missing, and the ways to give it."""
        lost = ", ".join(f"{name}=" for name, key in self.given.items() if key.lost)
        why = f"; the one given as {lost} was left out of the pickle" if lost else ""
        return SettingError(f"scorer {self.scorer!r} needs {what}: set {ways}{why}")


class Auth(Protocol):
    """What an endpoint needs to know of who asks; ``options`` are the keywords that hold secrets."""

    options: ClassVar[tuple[str, ...]]

    @property
    def env(self) -> tuple[str, ...]:
        """The environment variables that may hold it."""
        ...

    @property
    def required(self) -> bool:
        """Whether the service refuses everybody who shows nothing."""
        ...

    @property
    def ways(self) -> str:
        """The ways to give what is shown, for messages."""
        ...

    def signed(self, exchange: Exchange, request: Request) -> Rounds[Any, Request]:
        """Return the request with what shows who sends it. Called before every attempt."""
        ...

    def renewed(self, exchange: Exchange, refused: Request) -> Rounds[Any, bool]:
        """Whether there is something else to show than in the request that was refused."""
        ...


@dataclass(frozen=True, slots=True)
class KeyAuth:
    """A key in a header, ``Authorization: Bearer`` unless said otherwise.

    ``env`` are the variables that may hold it, the first that is set wins; an explicit ``api_key`` beats them all, and
    a header of the user's own stands in its place.
    """

    options: ClassVar[tuple[str, ...]] = ("api_key",)

    env: tuple[str, ...] = ()
    header: str = "Authorization"
    scheme: str = "Bearer "
    required: bool = True

    @property
    def ways(self) -> str:
        """The ways to give a key."""
        return " or ".join([*self.env, *(f"{name}=" for name in self.options)])

    def signed(self, exchange: Exchange, request: Request) -> Rounds[Any, Request]:
        """Return the request with the key in its header."""
        if exchange.shown_in_headers(self.header):
            return request
        if exchange.ring.got is None:
            yield from self._another(exchange, None)
        key = exchange.ring.got
        if not key:
            return request
        return replace(request, headers=Hidden({**request.headers, self.header.lower(): self._shown(key)}))

    def renewed(self, exchange: Exchange, refused: Request) -> Rounds[Any, bool]:
        """Whether there is another key to show than the one that was refused."""
        used = exchange.ring.got
        if exchange.shown_in_headers(self.header):
            return False
        if not used or self._shows(refused, used):
            yield from self._another(exchange, used)
        key = exchange.ring.got
        return key is not None and bool(key) and not self._shows(refused, key)

    def fetch(self, exchange: Exchange) -> Rounds[Any, Secret]:
        """Return what to show, empty where nothing has to be. Raises `SettingError` where there is none."""
        key = yield from self.found(exchange)
        if not key and self.required:
            raise exchange.ring.missing(self.ways)
        return key

    def found(self, exchange: Exchange) -> Rounds[Any, Secret]:
        """Return the key: the one given, or what a given function says, else the environment's, else an empty one."""
        ring = exchange.ring
        key = ring.take("api_key")
        if callable(key.reveal()):
            key = Secret((yield [Chore(key.reveal())])[0].unwrap())
            ring.source = "api_key=" if key else ""
        return checked_key(ring, key or ring.read(self.env))

    def _another(self, exchange: Exchange, old: Secret | None) -> Rounds[Any, None]:
        """Get what comes after ``old``, unless another caller just has."""

        def get() -> Rounds[Any, None]:
            if exchange.ring.got is old:
                exchange.ring.got = yield from self.fetch(exchange)

        yield from in_turn(exchange, get)

    def _shows(self, request: Request, key: Secret) -> bool:
        return request.headers.get(self.header.lower()) == self._shown(key)

    def _shown(self, key: Secret) -> str:
        return f"{self.scheme}{key.reveal()}"


def in_turn(exchange: Exchange, rounds: Callable[[], Rounds[Any, None]]) -> Rounds[Any, None]:
    """Run these rounds while no other caller of the scorer runs its own."""
    [outcome] = yield [Work(rounds, exchange.ring.turn, exchange)]
    outcome.unwrap()


def checked_key(ring: Keyring, key: Secret) -> Secret:
    """Return a key that a header can hold, without the line end of the file it came from. Raises `SettingError`."""
    if not key:
        return key
    wrong = _wrong_with(key)
    if wrong:
        msg = f"scorer {ring.scorer!r}: the API key {wrong} (it came from {ring.source})"
        raise SettingError(msg)
    return Secret(key.reveal().strip())


def _wrong_with(key: Secret) -> str:
    """Return what is wrong with a key. Apart from the raising: a traceback shows the variables of its frames."""
    value = key.reveal()
    if not isinstance(value, str):
        return f"is of type {type(value).__name__}, not a str"
    if not value.strip():
        return "is empty"
    return "" if _HEADER_SAFE.fullmatch(value.strip()) else "holds a space, line end or non-ASCII letter"
