"""A client of one service: its options, key, URL and connections. What is asked of it is its subclasses' business."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, TypeVar

from ._auth import Keyring
from ._exchange import Exchange, Party
from ._gate import Gate
from ._lifecycle import Closing
from ._replies import NoResultsError, words_of
from ._secrets import Hidden, Secret, redacted
from ._service_options import CARRIAGE, as_json, checked, seconds, written
from ._template import MODEL
from ._transport import Client
from .errors import ReplyError, SettingError, SpecError
from .scorer import spec_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._exchange import Call
    from ._http import Reply
    from .hosted import Endpoint

E = TypeVar("E", bound=Exchange)


class Service(Closing):
    """What one `anyrank.hosted.Endpoint` and a user's options make: all that a request needs but its body.

    The key is kept out of ``repr``, pickles and every message. Connections are opened at the first call and kept;
    ``close`` and ``aclose`` let go of them, and a later call opens anew. May be shared by threads and event loops.
    """

    def __init__(self, endpoint: Endpoint, options: Mapping[str, Any]) -> None:
        """Check spelling and types; keys, URLs and regions are looked for at the first call that needs them."""
        self.name: str = endpoint.name
        self._given = checked(endpoint, options)
        self._options = {name: option.default for name, option in endpoint.options.items()} | self._given
        self._row = row = endpoint.variant(self._given)
        for option in self._given.keys() - row.options.keys():
            msg = f"scorer {endpoint.name!r} has no option {option!r} with model {self._options['model']!r}"
            raise SpecError(msg)
        self.model: str | None = self._options["model"] or row.model
        secrets = {name: Secret(options[name]) for name in endpoint.auth.options if options.get(name) is not None}
        self._ring = Keyring(endpoint.name, secrets)
        self._gate = Gate(self._options["max_concurrency"])
        self._client = Client()

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in getattr(self, "_given", {}).items() if name != "headers")
        return f"{self.name}({', '.join(shown)})"

    @property
    def spec(self) -> str | dict[str, Any]:
        """The spec that `anyrank.load` reads; keys, and headers that hold one, are left out."""
        return spec_from(self.name, written(self._given), self._row.first)

    @property
    def fingerprint(self) -> str:
        """A hash of what the answers depend on, for caches: name, model, URL and options as they are now, no key."""
        from hashlib import blake2b

        options = written({**self._settled(), "model": self.model})
        options["base_url"] = options["base_url"] or self._row.base_from_environment() or self._row.url
        said = {name: value for name, value in options.items() if name not in CARRIAGE and value not in (None, {})}
        return blake2b(as_json([self.name, sorted(said.items())]), digest_size=20).hexdigest()

    def warm_up(self) -> None:
        """Import what sending needs; nothing is sent."""
        self._client.open()

    async def awarm_up(self) -> None:
        """Import what sending on this event loop needs; nothing is sent."""
        await self._client.aopen()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    async def aclose(self) -> None:
        """Let go of the connections, and wait for those of this event loop."""
        await self._client.aclose()

    def _settled(self) -> dict[str, Any]:
        """Return the options with what the environment says for those that were not given."""
        values = dict(self._options)
        for option in self._row.options.values():
            if values[option.name] is None and values.get(option.unless) is None:
                values[option.name] = next((os.environ[name] for name in option.env if os.environ.get(name)), None)
        return values

    def _values(self) -> dict[Any, Any]:
        """Return what fills the slots of every request. Raises `SettingError` for a setting that is nowhere."""
        values: dict[Any, Any] = {**self._settled(), MODEL: self.model}
        options = self._row.options
        for option in options.values():
            if option.required and values[option.name] is None and values.get(option.unless) is None:
                either = [option, *(options[name] for name in [option.unless] if name)]
                ways = " or ".join(way for one in either for way in (*one.env, f"{one.name}="))
                msg = f"scorer {self.name!r} needs {option.name}: set {ways}"
                raise SettingError(msg)
        if self._row.needs_model and not self.model:
            msg = f"scorer {self.name!r} needs the name of a model that the server has: set model="
            raise SettingError(msg)
        return values

    def _url(self, values: Mapping[Any, Any]) -> str:
        row = self._row
        base = values["base_url"] or row.base_from_environment()
        if base is None and not row.url.startswith("https://"):
            msg = f"scorer {self.name!r} needs the server's URL: set {' or '.join(row.base_names())} or base_url="
            raise SettingError(msg)
        model = row.model_in_url(self.model or "")
        return row.located(base, {**values, "model": model})

    def _headers(self, values: Mapping[Any, Any]) -> Hidden:
        """Return the headers of every request: ours, the service's and the user's, without the key."""
        from . import __version__

        base = {
            "accept": "application/json",
            "accept-encoding": "gzip, deflate",
            "content-type": "application/json",
            "user-agent": f"anyrank/{__version__}",
        }
        given = self._options["headers"] or {}
        own = {
            name.lower(): value
            for headers in (self._row.sent_headers(values), given)
            for name, value in headers.items()
        }
        return Hidden(base | own)

    def _exchange(self, call: Call, values: Mapping[Any, Any], kind: type[E]) -> E:
        row, options = self._row, self._options
        return kind(
            client=self._client,
            call=call,
            party=Party(self.name, self.model, tuple(name for name in row.models if "*" not in name), row.checked),
            auth=row.auth,
            ring=self._ring,
            timeout=seconds(self.name, options["timeout"]),
            max_retries=options["max_retries"],
            allow_http=options["allow_http"],
            headers=options["headers"] or Hidden(),
            settings={option.name: values[option.name] for option in row.settings},
            also_retried=row.also_retried,
        )


def untrusted(exchange: Exchange, reply: Reply, error: ValueError) -> ReplyError:
    """Return the error for a reply that came with success and holds none, or one that cannot be believed."""
    keys = exchange.secrets()
    what = "no JSON" if isinstance(error, json.JSONDecodeError) else redacted(str(error), keys, exchange.texts)
    silent = isinstance(error, (json.JSONDecodeError, NoResultsError))  # then it may say why in words
    said = redacted(words_of(reply)[0], keys, (*keys, *exchange.texts))[:200] if silent else ""
    shown = f", {said!r}" if said else ""
    return exchange.error(ReplyError, f"answered {reply.status} with {what}{shown}: it cannot be trusted", reply)  # type: ignore[return-value]
