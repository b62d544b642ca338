"""One request to a service, with its key, its retries and its refusals. Knows no socket: it is driven in rounds."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from . import _retry
from ._http import Limits, Reply, UndeliveredError
from ._replies import SHOWN, request_id, words_of
from ._rounds import Outcome, Rounds, aeach, arun, each, run
from ._secrets import Hidden, names_secret, redacted
from ._transport import Send
from ._urls import loopback
from .errors import (
    AuthenticationError,
    DeadlineError,
    ProviderError,
    QuotaError,
    RateLimitError,
    SettingError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ._auth import Auth, Keyring
    from ._gate import Gate
    from ._http import Request
    from ._transport import Client

NEVER: Final = math.inf


class Call:
    """One call of a scorer: when it must be over, and what it has taken so far."""

    def __init__(self, deadline: float | None) -> None:
        """Start the clock; ``deadline`` is in seconds from now."""
        self.deadline = deadline
        self.until = NEVER if deadline is None else monotonic() + deadline
        self.attempts: list[float] = []
        self.retries: list[float] = []
        self.request_ids: list[str] = []
        self.over = threading.Event()

    def left(self) -> float | None:
        """Return the seconds left, None for as many as you like."""
        return None if self.until == NEVER else max(self.until - monotonic(), 0.0)

    def named(self, request_id: str | None) -> None:
        """Keep what the service called a request."""
        if request_id:
            self.request_ids.append(request_id)


@dataclass(frozen=True, slots=True)
class Pause:
    """The errand of waiting before a retry; a call that is over wakes it."""

    seconds: float
    call: Call

    def do(self) -> None:
        """Wait in this thread."""
        self.call.over.wait(self.seconds)

    async def ado(self) -> None:
        """Wait without blocking the event loop."""
        from asyncio import sleep

        await sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Work:
    """The errand of one generator of rounds, in its turn at the gate. Waiting for a retry keeps the place."""

    rounds: Callable[[], Rounds[Any, Any]]
    gate: Gate
    exchange: Exchange

    def do(self) -> Any:
        """Run it in this thread."""
        with self.gate.held(self.exchange.call.left, self.exchange.late):
            return run(self.rounds())

    async def ado(self) -> Any:
        """Run it on the event loop."""
        async with self.gate.aheld(self.exchange.call.left, self.exchange.late):
            return await arun(self.rounds())


@dataclass(frozen=True, slots=True)
class Together:
    """The errand of several pieces of work of one call: the first that fails ends the call."""

    works: Sequence[Work]
    call: Call
    limit: int | None

    def do(self) -> list[Any]:
        """Do them, each in a thread of its own."""
        try:
            return each(Work.do, self.works, self.limit) if len(self.works) > 1 else [self.works[0].do()]
        finally:
            self.call.over.set()

    async def ado(self) -> list[Any]:
        """Do them concurrently."""
        return await aeach(Work.ado, self.works, None) if len(self.works) > 1 else [await self.works[0].ado()]


@dataclass(frozen=True, slots=True)
class Party:
    """Who is asked, for messages: the scorer's name, its model, and the models its service is known to have."""

    name: str
    model: str | None = None
    models: tuple[str, ...] = ()
    checked: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.model})" if self.model else self.name


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one request needs on its way. ``settings`` may be signed; ``texts`` are what an error must not quote."""

    client: Client
    call: Call
    party: Party
    auth: Auth
    ring: Keyring
    timeout: tuple[float, float]
    max_retries: int
    allow_http: bool = False
    headers: Hidden = field(default_factory=Hidden)
    settings: Mapping[str, Any] = field(default_factory=dict)
    also_retried: Collection[int] = ()
    texts: Sequence[str] = ()

    def send(self, request: Request, *, sign: bool = True) -> Rounds[Any, Reply]:
        """Send a request, with key and retries, until there is a good reply. Raises `ProviderError` and its kinds."""
        renewed = not sign
        for attempt in count():
            signed = (yield from self.auth.signed(self, request)) if sign else request
            self._refuse_plain(signed, secret=signed is not request or not sign)
            outcome = yield from self._attempted(signed)
            reply = outcome.value
            if reply is not None and 200 <= reply.status < 300:
                return reply
            if reply is not None and reply.status == 401 and not renewed:
                renewed = yield from self.auth.renewed(self, signed)
                if renewed:
                    continue
            yield from self._paused(attempt, outcome, signed.url)
        raise AssertionError  # pragma: no cover - count() has no end

    def _attempted(self, request: Request) -> Rounds[Any, Outcome[Reply]]:
        """Send a request once, as it is. Raises `DeadlineError` where there is no time left for it."""
        left = self.call.left()
        if self.call.over.is_set() or left == 0.0:
            raise self.late()
        connect, read = self.timeout
        self.call.attempts.append(monotonic())
        [outcome] = yield [Send(self.client, request, Limits(connect, read, self.call.until))]
        return outcome

    def _paused(self, attempt: int, outcome: Outcome[Reply], url: str) -> Rounds[Any, None]:
        """Wait before the next attempt. Raises what the last one came to where there is to be none."""
        if attempt >= self.max_retries or not self._worth_it(attempt, outcome):
            raise self._failure(outcome, url)
        if outcome.value is not None:
            self.call.named(request_id(outcome.value))
        seconds = _retry.wait_before(attempt, outcome.value)
        left = self.call.left()
        if left is not None and seconds >= left:
            failure = self._failure(outcome, url)
            if left:
                failure.add_note(f"not tried again: a wait of {seconds:.1f} s would pass the deadline")
            raise failure
        self.call.retries.append(seconds)
        yield [Pause(seconds, self.call)]

    def secrets(self) -> list[str]:
        """Return all that no message may quote: keys, and what the user's own headers hold of them."""
        return [*self.ring.words(), *self.headers.secrets()]

    def shown_in_headers(self, name: str) -> bool:
        """Whether the user's own headers have this one."""
        return any(name.lower() == given.lower() for given in self.headers)

    def _worth_it(self, attempt: int, outcome: Outcome[Reply]) -> bool:
        if isinstance(outcome.error, UndeliveredError):
            return outcome.error.again and (attempt == 0 or not outcome.error.timeout)
        return outcome.value is not None and _retry.worth_it(
            outcome.value, " ".join(words_of(outcome.value)), self.also_retried
        )

    def _refuse_plain(self, request: Request, *, secret: bool) -> None:
        """Raise `SettingError` before a key, in a header or where a token is got for it, goes out unencrypted."""
        parts = urlsplit(request.url)
        if parts.scheme == "https" or self.allow_http or loopback(request.url):
            return
        if secret or any(names_secret(name) for name in request.headers):
            msg = (
                f"scorer {self.party.name!r} would send its key unencrypted to {parts.hostname}: use https, or say "
                "allow_http=True if that network is yours"
            )
            raise SettingError(msg)

    def _failure(self, outcome: Outcome[Reply], url: str) -> ProviderError:
        """Return the error that an attempt came to; raises what is not the service's doing."""
        asked = url.partition("?")[0]  # a query may hold a key
        if isinstance(outcome.error, UndeliveredError):
            return self._undelivered(outcome.error, asked)
        return self._refusal(outcome.unwrap(), asked)

    def _undelivered(self, error: UndeliveredError, asked: str) -> ProviderError:
        if self.call.left() == 0.0:
            return self.late()
        if not error.timeout:
            return self.error(UnreachableError, f"could not be reached at {asked}: {error}")
        connect, read = self.timeout
        return self.error(DeadlineError, f"did not answer in time (timeout=({connect:g}, {read:g})): {error}")

    def late(self) -> ProviderError:
        """Return the error of a call that took too long."""
        return self.error(DeadlineError, f"did not answer within deadline={self.call.deadline or 0:g} seconds")

    def _refusal(self, reply: Reply, asked: str) -> ProviderError:
        message, code = words_of(reply)
        words = f"{message} {code}"
        kind: type[ProviderError] = ProviderError
        if _retry.spent(reply.status, words):
            kind, hint = QuotaError, ": the account has nothing left"
        elif reply.status in (401, 403, 498):
            kind, hint = AuthenticationError, self.about_the_key()
        elif reply.status == 429:
            kind, hint = RateLimitError, ": too many requests; lower max_concurrency or the rate of calls"
        elif 300 <= reply.status < 400:
            hint = f": a redirect to {_host(reply)}, not followed, since it could carry the key away; set base_url"
        else:
            hint = self._about_the_model(words)
            if not hint and reply.status in (404, 405):
                hint = f": asked at {asked}; check base_url and model"
        keys = self.secrets()  # among the texts too: of a long one, the cut message may quote a part
        quoted = redacted(message, keys, (*keys, *self.texts))[:SHOWN]
        said = f", {quoted!r}" if quoted else ""
        return self.error(kind, f"refused the request with {reply.status}{said}{hint}", reply)

    def error(self, kind: type[ProviderError], what: str, reply: Reply | None = None) -> ProviderError:
        """Return an error that names service, model and request."""
        named = None if reply is None else request_id(reply)
        status = None if reply is None else reply.status
        shown = f" (request {named})" if named else ""
        return kind(
            f"{self.party} {what}{shown}",
            provider=self.party.name,
            model=self.party.model,
            status=status,
            request_id=named,
        )

    def about_the_key(self) -> str:
        """Return where the key came from, and the ways to give another."""
        source, ways = self.ring.source, self.auth.ways
        return f": the key came from {source}; check it ({ways})" if source else f": it wants a key; set {ways}"

    def _about_the_model(self, words: str) -> str:
        if not self.party.models or "model" not in words.lower():
            return ""
        return f"; models known on {self.party.checked}: {', '.join(self.party.models)}"


def _host(reply: Reply) -> str:
    return repr(urlsplit(reply.headers.get("location", "")).hostname or "another path")
