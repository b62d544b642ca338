"""Requests signed for AWS, in its Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html.

The credentials are looked up for every attempt, so that those which expire are replaced in time.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from functools import reduce
from hashlib import sha256
from importlib import import_module
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from ._auth import checked_key, in_turn
from ._rounds import Chore
from ._secrets import Hidden, Secret
from .errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._auth import Keyring
    from ._exchange import Exchange
    from ._http import Request
    from ._rounds import Rounds

ALGORITHM: Final = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """What AWS knows a sender by; temporary ones have a ``token``. Hidden from ``repr``."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Credentials(***)"


@dataclass(frozen=True, slots=True)
class SigV4Auth:
    """A signature of AWS, for one of its services in the region that the endpoint's setting ``region`` names.

    The credentials are the explicit ones, else the environment's, else, where botocore is installed, those of its usual
    places: profiles, single sign-on, the roles of containers and machines. They are never mixed. An ``Authorization``
    header of the user's own stands in the signature's place.
    """

    options: ClassVar[tuple[str, ...]] = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    env: ClassVar[tuple[str, ...]] = ("AWS_ACCESS_KEY_ID",)
    required: ClassVar[bool] = True
    ways: ClassVar[str] = (
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or aws_access_key_id= and "
        "aws_secret_access_key= (and aws_session_token=), or a profile or role, which need the package botocore"
    )

    service: str

    def signed(self, exchange: Exchange, request: Request) -> Rounds[Any, Request]:
        """Return the request with its signature, as of now."""
        if exchange.shown_in_headers("authorization"):
            return request
        ring = exchange.ring
        credentials = _stated(ring)
        if credentials is None:
            credentials = yield from _looked_up(exchange)
        ring.got = Secret(credentials)
        moment = strftime("%Y%m%dT%H%M%SZ", gmtime())
        return signed(request, credentials, exchange.settings["region"], self.service, moment)

    def renewed(self, exchange: Exchange, refused: Request) -> Rounds[Any, bool]:  # noqa: ARG002 - for keys that last
        """No: every attempt looks the credentials up."""
        yield from ()
        return False


def signed(request: Request, credentials: Credentials, region: str, service: str, moment: str) -> Request:
    """Return a request with the headers that sign it; ``moment`` is like ``20150830T123600Z``."""
    parts = urlsplit(request.url)
    headers = Hidden({"host": _host(parts), **request.headers, "x-amz-date": moment})
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = sorted(name for name in headers if name in ("content-type", "host") or name.startswith("x-amz-"))
    canonical = (
        request.method,
        _path(parts.path),
        "&".join("=".join(pair) for pair in sorted(_pairs(parts.query))),
        *(f"{name}:{' '.join(headers[name].split())}" for name in names),
        "",
        ";".join(names),
        sha256(request.body).hexdigest(),
    )
    scope = (moment[:8], region, service, "aws4_request")
    said = (ALGORITHM, moment, "/".join(scope), sha256("\n".join(canonical).encode()).hexdigest())
    signature = reduce(_mac, (*scope, "\n".join(said)), f"AWS4{credentials.secret_key}".encode()).hex()
    headers["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{'/'.join(scope)}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return replace(request, headers=headers)


def _mac(key: bytes, said: str) -> bytes:
    return hmac.digest(key, said.encode(), "sha256")


def _host(parts: SplitResult) -> str:
    """Return the host as every client writes it: in lower case, with its port unless that is the usual one."""
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix(":443" if parts.scheme == "https" else ":80")


def _path(path: str) -> str:
    """Return the path without dots and empty steps, and encoded once more than it is sent."""
    steps: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return quote("/" + "/".join(steps) + ("/" if steps and path.endswith("/") else ""), safe="/~")


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&"))] if query else []


def _stated(ring: Keyring) -> Credentials | None:
    """Return the credentials given, else the environment's. Raises `SettingError` for half of them."""
    given = {f"{name}=": checked_key(ring, ring.take(name)) for name in SigV4Auth.options}
    if any(given.values()):
        return _whole(ring, given)
    names = [name.upper() for name in SigV4Auth.options]
    stated = {name: checked_key(ring, ring.read((name,))) for name in names}
    return _whole(ring, stated) if stated[names[0]] or stated[names[1]] else None


def _whole(ring: Keyring, keys: dict[str, Secret]) -> Credentials:
    (ring.source, access_key), (second, secret_key), (_, token) = keys.items()
    if not access_key or not secret_key:
        here, lacking = (ring.source, second) if access_key else (second, ring.source)
        msg = f"scorer {ring.scorer!r}: {lacking} is missing, and needed beside {here}"
        raise SettingError(msg)
    return Credentials(access_key.reveal(), secret_key.reveal(), token.reveal())


def _looked_up(exchange: Exchange) -> Rounds[Any, Credentials]:
    """Return the credentials that botocore finds, fresh. Raises `SettingError` where it finds none."""
    ring = exchange.ring

    def find() -> Rounds[Any, None]:
        if ring.kept is None:
            ring.kept = yield from _of_botocore(ring, _chain)

    if ring.kept is None:
        yield from in_turn(exchange, find)
    if ring.kept is None:
        raise ring.missing(SigV4Auth.ways, "AWS credentials")
    ring.source = f"botocore ({ring.kept.method})"
    found = yield from _of_botocore(ring, ring.kept.get_frozen_credentials)
    return Credentials(found.access_key, found.secret_key, found.token)


def _chain() -> Any:
    """Return what gives credentials, and renews them before they expire; None without botocore or credentials."""
    try:
        session = import_module("botocore.session")
    except ModuleNotFoundError:
        return None
    return session.Session().get_credentials()


def _of_botocore(ring: Keyring, function: Callable[[], Any]) -> Rounds[Any, Any]:
    """Ask botocore, in a thread. Raises `SettingError` for what it complains about."""
    [outcome] = yield [Chore(function)]
    if type(outcome.error).__module__.startswith("botocore"):
        msg = f"scorer {ring.scorer!r} got no AWS credentials from botocore: {outcome.error}; set {SigV4Auth.ways}"
        raise SettingError(msg) from None
    return outcome.unwrap()
