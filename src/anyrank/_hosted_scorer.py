"""A scorer behind a rerank endpoint: which texts go out in which request, and how the replies become scores."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from . import _checks, _retry
from ._auth import Keyring
from ._batches import Answer, merged, size_of, split
from ._exchange import Call, Exchange, Party, Pause, Together, Work
from ._gate import Gate
from ._http import Reply, Request
from ._lifecycle import Closing
from ._replies import NoResultsError, dig, payload_of, request_id, usage_of, words_of
from ._rounds import Rounds, arun, run
from ._secrets import Hidden, Secret, names_secret, redacted, refuse_secrets
from ._template import COUNT, MODEL, QUERY, filled, options_in
from ._transport import Client
from ._urls import checked_base
from .errors import ArgumentError, ReplyError, SettingError, SpecError
from .ranking import Report, added
from .scorer import Candidates, Scores, spec_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .hosted import Endpoint

_NONE_MEANS: Final = frozenset({"deadline", "max_concurrency"})
"""The options beside the body's of which None says something: no end, no bound. In the body it says "do not send".

Of the others it says "as if not given".
"""

_HEADER: Final = re.compile(r"|[!-~]([ -~]*[!-~])?")

_CARRIAGE: Final = frozenset({"timeout", "deadline", "max_retries", "max_documents", "max_concurrency", "allow_http"})
"""Options that say how texts get to a service, not what it makes of them."""


class HostedScorer(Closing):
    """A rerank service as a scorer: built by calling its `anyrank.hosted.Endpoint`, or by `anyrank.load`.

    Its options are those of `anyrank.hosted.COMMON`, its keys and the service's own;
    ``inspect.signature(anyrank.scorers.cohere.scorer)`` lists them all.

    Scores come as the service gives them, of the kind that the endpoint says for the model; where they tie, the
    service's own order decides. The key is kept out of ``repr``, pickles and every message. Connections are opened at
    the first call and kept; ``close`` and ``aclose`` let go of them, and a later call opens anew. May be shared by
    threads and event loops.
    """

    def __init__(self, endpoint: Endpoint, options: Mapping[str, Any]) -> None:
        """Check spelling and types; keys, URLs and regions are looked for at the first call that needs them."""
        self.name: str = endpoint.name
        self._given = _checked(endpoint, options)
        self._options = {name: option.default for name, option in endpoint.options.items()} | self._given
        self._row = row = endpoint.variant(self._given)
        for option in self._given.keys() - row.options.keys():
            msg = f"scorer {endpoint.name!r} has no option {option!r} with model {self._options['model']!r}"
            raise SpecError(msg)
        self.model: str | None = self._options["model"] or row.model
        self.score_kind: str = row.score_kind
        self.scope = row.scope
        self.modalities = row.modalities
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
        return spec_from(self.name, _written(self._given), self._row.first)

    @property
    def fingerprint(self) -> str:
        """A hash of what the scores depend on, for caches: name, model, URL and options as they are now, no key."""
        from hashlib import blake2b

        options = _written({**self._settled(), "model": self.model})
        options["base_url"] = options["base_url"] or self._row.base_from_environment() or self._row.url
        said = {name: value for name, value in options.items() if name not in _CARRIAGE and value not in (None, {})}
        return blake2b(_json([self.name, sorted(said.items())]), digest_size=20).hexdigest()

    def score(self, query: str, texts: Iterable[str]) -> Scores:
        """Score from sync code. Raises `SettingError`, `ArgumentError`, and `ProviderError` and its kinds."""
        return run(self._rounds(query, Candidates.of(texts)))

    async def ascore(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the running event loop; cancelling cancels the requests."""
        return await arun(self._rounds(query, Candidates.of(texts)))

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

    def _rounds(self, query: str, texts: Candidates) -> Rounds[Any, Scores]:
        places = self._sent(query, texts)
        if not places:
            return merged(self._row.score_kind, len(texts), [], [], Report(blank=len(texts)))
        values = self._values(query)
        url = self._url(values)
        batches = self._batches(query, texts, places)
        call = Call(self._options["deadline"])
        exchange = self._exchange(call, values)

        def work(batch: Sequence[int]) -> Work:
            chosen = [texts[place] for place in batch]
            own = replace(exchange, texts=(query, *chosen))  # an error quotes none of its own; the rest it never saw
            return Work(lambda: self._asked(own, url, values, chosen), self._gate, own)

        [outcome] = yield [Together([work(batch) for batch in batches], call, self._options["max_concurrency"])]
        answers: list[Answer] = outcome.unwrap()
        report = Report(
            model=answers[0].model or self.model,
            score_kind=self.score_kind,
            usage=added(answer.usage for answer in answers),
            requests=len(call.attempts),
            retries=len(call.retries),
            request_ids=tuple(call.request_ids),
            blank=len(texts) - len(places),
        )
        return merged(self._row.score_kind, len(texts), batches, answers, report)

    def _sent(self, query: str, texts: Sequence[str]) -> list[int]:
        """Return the places of the texts that go out: without the blank ones where the service refuses those."""
        if self._row.blank:
            return list(range(len(texts)))
        return [place for place, text in enumerate(texts) if text.strip()] if query.strip() else []

    def _batches(self, query: str, texts: Sequence[str], places: Sequence[int]) -> list[list[int]]:
        """Split the places among requests. Raises `ArgumentError` where they must go together and may not."""
        row = self._row
        if row.scope == "text":
            sizes = [size_of(query) + size_of(texts[place]) for place in places] if row.max_bytes else [0] * len(places)
            return list(split(places, sizes, row.max_documents, row.max_bytes))
        if row.max_documents is not None and len(places) > row.max_documents:
            msg = (
                f"{self.name} ({self.model}) takes {row.max_documents} documents a request, and there are "
                f"{len(places)}; its scores depend on the whole list, so that it is not split: rerank fewer (a Cascade "
                "narrows them down), or raise max_documents= if the service allows it"
            )
            raise ArgumentError(msg)
        return [list(places)]

    def _settled(self) -> dict[str, Any]:
        """Return the options with what the environment says for those that were not given."""
        values = dict(self._options)
        for option in self._row.options.values():
            if values[option.name] is None and values.get(option.unless) is None:
                values[option.name] = next((os.environ[name] for name in option.env if os.environ.get(name)), None)
        return values

    def _values(self, query: str) -> dict[Any, Any]:
        """Return what fills the slots of a request. Raises `SettingError` for a setting that is nowhere."""
        values: dict[Any, Any] = {**self._settled(), MODEL: self.model, QUERY: query}
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

    def _exchange(self, call: Call, values: Mapping[Any, Any]) -> Exchange:
        row, options = self._row, self._options
        return Exchange(
            client=self._client,
            call=call,
            party=Party(self.name, self.model, tuple(name for name in row.models if "*" not in name), row.checked),
            auth=row.auth,
            ring=self._ring,
            timeout=_seconds(self.name, options["timeout"]),
            max_retries=options["max_retries"],
            allow_http=options["allow_http"],
            headers=options["headers"] or Hidden(),
            settings={option.name: values[option.name] for option in row.settings},
            also_retried=row.also_retried,
        )

    def _asked(
        self, exchange: Exchange, url: str, values: Mapping[Any, Any], texts: Sequence[str]
    ) -> Rounds[Any, Answer]:
        """Ask about one batch, to the last page where the service answers in pages."""
        row = self._row
        body = filled(row.body, {**values, COUNT: len(texts)}, texts) | (values["extra_body"] or {})
        items: list[Any] = []
        while True:
            request = Request("POST", url, _headers(row.sent_headers(values), exchange.headers), _json(body))
            reply = yield from exchange.send(request)
            while row.follow is not None and (further := row.follow(request, reply)) is not None:
                yield [Pause(_retry.FIRST, exchange.call)]  # a service that does not hold its reply is not to be rushed
                reply = yield from exchange.send(further)
            try:
                payload = payload_of(reply)
                exchange.call.named(request_id(reply, payload))
                page = row.results.items(payload)
                items += page
                more = row.next_page and page and len(items) < len(texts) and dig(payload, row.next_page)
                if not more:
                    scores, sequence = row.results.read(items, len(texts))
                    break
            except ValueError as error:
                raise _untrusted(exchange, reply, error) from None
            body = {**body, row.next_page: more}
        model = dig(payload, "model")
        return Answer(scores, sequence, usage_of(payload, row.usage), model if isinstance(model, str) else None)


def _checked(endpoint: Endpoint, options: Mapping[str, Any]) -> dict[str, Any]:
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
    for key in ("max_documents", "max_concurrency"):
        _checks.top_n(given.get(key), key)
    _seconds(name, given.get("timeout", 1.0))
    deadline, retries = given.get("deadline"), given.get("max_retries", 0)
    if deadline is not None and (_checks.finite(deadline) or 0.0) <= 0.0:
        msg = f"option 'deadline' of scorer {name!r} must be a number above 0, or None for no end; got {deadline!r}"
        raise SpecError(msg)
    if retries < 0:
        msg = f"option 'max_retries' of scorer {name!r} must be 0 or more; got {retries!r}"
        raise SpecError(msg)
    if endpoint.first == "model" and str(given.get("model", "")).startswith(("http://", "https://")):
        msg = f"scorer {name!r}: {given['model']!r:.80} is a URL, and the text behind the colon a model: give base_url="
        raise SpecError(msg)
    refuse_secrets(given.get("extra_body"), f"scorer {name!r}: extra_body")
    if "base_url" in given:
        refuse_secrets(checked_base(name, given["base_url"]), f"scorer {name!r}: base_url")
    try:
        _json(given)
    except (TypeError, ValueError) as error:
        msg = f"an option of scorer {name!r} cannot be written as JSON: {error}"
        raise SpecError(msg) from error
    for header, value in (given.get("headers") or {}).items():
        if not isinstance(header, str) or not isinstance(value, str) or not _HEADER.fullmatch(value):
            msg = f"scorer {name!r}: header {header!r} must be a str of one line of ASCII, without spaces around it"
            raise SpecError(msg)
    return given | {"headers": Hidden(given["headers"])} if "headers" in given else given


def _written(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options without the headers that hold a key."""
    headers = options.get("headers")
    if headers is None:
        return dict(options)
    return {**options, "headers": {name: value for name, value in headers.items() if not names_secret(name)}}


def _seconds(scorer: str, given: Any) -> tuple[float, float]:
    """Return the seconds to connect and the seconds to wait for a byte. Raises `SpecError`."""
    pair = given if isinstance(given, (tuple, list)) else (given, given)
    seconds = [_checks.finite(value) for value in pair]
    if len(seconds) != 2 or any(value is None or value <= 0 for value in seconds):
        msg = f"scorer {scorer!r}: timeout must be seconds, (connect, read) or one number for both; got {given!r:.80}"
        raise SpecError(msg)
    return seconds[0] or 0.0, seconds[1] or 0.0


def _untrusted(exchange: Exchange, reply: Reply, error: ValueError) -> ReplyError:
    """Return the error for a reply that came with success and holds none, or one that cannot be believed."""
    keys = exchange.secrets()
    what = "no JSON" if isinstance(error, json.JSONDecodeError) else redacted(str(error), keys, exchange.texts)
    silent = isinstance(error, (json.JSONDecodeError, NoResultsError))  # then it may say why in words
    said = redacted(words_of(reply)[0], keys, (*keys, *exchange.texts))[:200] if silent else ""
    shown = f", {said!r}" if said else ""
    return exchange.error(ReplyError, f"answered {reply.status} with {what}{shown}: it cannot be trusted", reply)  # type: ignore[return-value]


def _headers(*given: Mapping[str, str]) -> Hidden:
    from . import __version__

    base = {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "content-type": "application/json",
        "user-agent": f"anyrank/{__version__}",
    }
    return Hidden(base | {name.lower(): value for headers in given for name, value in headers.items()})


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")
