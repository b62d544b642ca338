"""A scorer behind a rerank endpoint: which texts go out in which request, and how the replies become scores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import _retry
from ._batches import Answer, merged, size_of, split
from ._exchange import Call, Exchange, Pause, Together, Work
from ._http import Request
from ._replies import dig, payload_of, request_id, usage_of
from ._rounds import Rounds, arun, run
from ._service import Service, untrusted
from ._service_options import as_json
from ._template import COUNT, QUERY, filled
from .errors import ArgumentError
from .ranking import Report, added
from .scorer import Candidates, Scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .hosted import Endpoint


class HostedScorer(Service):
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
        super().__init__(endpoint, options)
        self.score_kind: str = self._row.score_kind
        self.scope = self._row.scope
        self.modalities = self._row.modalities

    def score(self, query: str, texts: Iterable[str]) -> Scores:
        """Score from sync code. Raises `SettingError`, `ArgumentError`, and `ProviderError` and its kinds."""
        return run(self._rounds(query, Candidates.of(texts)))

    async def ascore(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the running event loop; cancelling cancels the requests."""
        return await arun(self._rounds(query, Candidates.of(texts)))

    def _rounds(self, query: str, texts: Candidates) -> Rounds[Any, Scores]:
        places = self._sent(query, texts)
        if not places:
            return merged(self._row.score_kind, len(texts), [], [], Report(blank=len(texts)))
        values = {**self._values(), QUERY: query}
        url = self._url(values)
        batches = self._batches(query, texts, places)
        call = Call(self._options["deadline"])
        exchange = self._exchange(call, values, Exchange)

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

    def _asked(
        self, exchange: Exchange, url: str, values: Mapping[Any, Any], texts: Sequence[str]
    ) -> Rounds[Any, Answer]:
        """Ask about one batch, to the last page where the service answers in pages."""
        row = self._row
        body = filled(row.body, {**values, COUNT: len(texts)}, texts) | (values["extra_body"] or {})
        items: list[Any] = []
        while True:
            request = Request("POST", url, self._headers(values), as_json(body))
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
                raise untrusted(exchange, reply, error) from None
            body = {**body, row.next_page: more}
        model = dig(payload, "model")
        return Answer(scores, sequence, usage_of(payload, row.usage), model if isinstance(model, str) else None)
