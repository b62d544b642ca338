"""What all LLM rerankers share: options, the conversation's report, and passages that fit."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyrank import _checks
from anyrank._gate import Gate
from anyrank._lifecycle import Closing, acall, call
from anyrank._registry import spec_of
from anyrank._rounds import Rounds, arun, run
from anyrank._secrets import Hidden
from anyrank.errors import ArgumentError, ReplyError, SpecError
from anyrank.host_chat import TOKENS
from anyrank.ranking import Report, added
from anyrank.scorer import Candidates, Scope, Scores, spec_from

from ._asking import Talk
from ._passages import Budget, harmless, passage
from ._questions import Asking
from .chat import NEVER, ChatLike, chat_of, option_names
from .prompts import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_MILLION: Final = 1_000_000


@dataclass(eq=False)
class LLMScorer(Closing):
    """What all LLM rerankers share; ``chat`` is a chat model, a function of the messages, or a spec of one.

    ``prompt`` replaces the words. ``context_tokens`` is what question and answer may have together; longer passages
    are cut, and when that leaves too little of each, fewer are shown at a time. ``passage_tokens`` is the most one
    passage may have, ``count_tokens`` a function that counts tokens: without one they are estimated, from above but for
    some scripts in older vocabularies (see `anyrank.llm._passages`). ``answer_tokens`` is what an answer may have
    beyond the words that were asked for: room to think for a reasoning model.

    ``max_concurrency`` bounds the questions under way, ``deadline`` the seconds of a whole call. ``prices``, in any
    currency for a million tokens of each kind (``{"prompt_tokens": 0.4, "completion_tokens": 1.6}``), add ``cost`` to
    the report's usage, where the model counts tokens. ``chat_options`` are those of a chat model that is a spec; for a
    key use `anyrank.load`, or build the chat model. Raises `ArgumentError` and its kind at construction.
    """

    name: ClassVar[str]
    scope: ClassVar[Scope] = "order"
    default_prompt: ClassVar[Prompt]
    unanswered: ClassVar[str] = "what was asked about kept its order"

    chat: ChatLike
    prompt: Prompt | Mapping[str, Any] | None = field(default=None, kw_only=True)
    context_tokens: int = field(default=16_384, kw_only=True)
    passage_tokens: int | None = field(default=None, kw_only=True)
    count_tokens: Callable[[str], int] | None = field(default=None, kw_only=True)
    answer_tokens: int = field(default=64, kw_only=True)
    max_concurrency: int | None = field(default=8, kw_only=True)
    deadline: float | None = field(default=600.0, kw_only=True)
    prices: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    chat_options: Mapping[str, Any] = field(default_factory=dict, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        """Build the chat model where a spec names it, and check what can be checked without it."""
        self.chat, self._owned = chat_of(self.chat, Hidden(self.chat_options or {}))
        self.chat_options = {}
        self._said = Prompt.of(self.prompt, self.default_prompt)
        self._check("context_tokens", "answer_tokens")
        self._check("passage_tokens", "max_concurrency", optional=True)
        if self.deadline is not None and (_checks.finite(self.deadline) or 0.0) <= 0.0:
            msg = f"deadline must be seconds above 0, or None for no end; got {self.deadline!r}"
            raise ArgumentError(msg)
        if self.count_tokens is not None and not callable(self.count_tokens):
            msg = f"count_tokens must be a function of a text; got {self.count_tokens!r:.80}"
            raise ArgumentError(msg)
        _check_prices(self.prices)
        self._budget = Budget(self.context_tokens, self.passage_tokens, self.count_tokens)
        self._gate = Gate(self.max_concurrency)

    def _check(self, *options: str, optional: bool = False) -> None:
        """Raise `ArgumentError` for an option that is no whole number above 0, or None where it is optional."""
        for option in options:
            (_checks.top_n if optional else _checks.count)(getattr(self, option), option)

    @property
    def score_kind(self) -> str:
        """What the scores mean: the place among these candidates, unless the class says otherwise."""
        return "reciprocal_rank"

    @property
    def model(self) -> str | None:
        """The chat model's name."""
        return getattr(self.chat, "model", None)

    @property
    def spec(self) -> str | dict[str, Any]:
        """The spec that `anyrank.load` reads. Raises `SpecError`, naming it, for a chat model that has none."""
        options = {
            one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("chat", "chat_options")
        }
        defaults = {one.name: one.default for one in fields(self)} | {"prices": {}}
        changed = {name: value for name, value in options.items() if value != defaults[name]}
        if self.count_tokens is not None:
            msg = f"count_tokens={self.count_tokens!r:.80} is a function and cannot be written down"
            raise SpecError(msg)
        if self.prompt is not None:
            changed["prompt"] = self._said.to_dict()
        written = spec_of(self.chat)
        kind, more = (written, {}) if isinstance(written, str) else next(iter(written.items()))
        more = dict(more)
        model = more.pop("model", None)
        return spec_from(self.name, {"chat": f"{kind}:{model}" if model else kind, **more, **changed}, "chat")

    @property
    def fingerprint(self) -> str | None:
        """A hash of what the scores depend on: model, words, and options; None where the chat model has none."""
        known = getattr(self.chat, "fingerprint", None)
        if known is None or self.count_tokens is not None:
            return None
        from hashlib import blake2b

        carriage = ("chat", "chat_options", "prompt", "max_concurrency", "deadline", "prices", "count_tokens")
        options = [(one.name, getattr(self, one.name)) for one in fields(self) if one.name not in carriage]
        return blake2b(repr((self.name, known, self._said.fingerprint, options)).encode(), digest_size=20).hexdigest()

    def score(self, query: str, texts: Iterable[str]) -> Scores:
        """Score from sync code. Raises what the chat model raises, `DeadlineError` and `ArgumentError`."""
        return run(self._rounds(query, Candidates.of(texts)))

    async def ascore(self, query: str, texts: Iterable[str]) -> Scores:
        """Score on the running event loop; cancelling cancels the questions under way."""
        return await arun(self._rounds(query, Candidates.of(texts)))

    def warm_up(self) -> None:
        """Let the chat model load what it needs."""
        call(self.chat, "warm_up")

    async def awarm_up(self) -> None:
        """Let the chat model load what it needs, without blocking the event loop."""
        await acall(self.chat, "awarm_up", "warm_up")

    def close(self) -> None:
        """Close the chat model if it was built here."""
        if self._owned:
            call(self.chat, "close")

    async def aclose(self) -> None:
        """Close the chat model if it was built here, on the running event loop."""
        if self._owned:
            await acall(self.chat, "aclose", "close")

    @abstractmethod
    def _ranked(self, asking: Asking) -> Rounds[Any, list[float]]:
        """Return one value a passage, higher for better, from rounds of questions."""

    def _words(self, count: int) -> int:  # noqa: ARG002 - of a ranking it is more for more passages
        """Return how many tokens an answer about so many passages has, or more."""
        return 16

    def _answer(self, count: int) -> int:
        return self._words(count) + self.answer_tokens

    def _rounds(self, query: str, texts: Candidates) -> Rounds[Any, Scores]:
        query, passages = harmless(query), [passage(text) for text in texts]
        places = [place for place, text in enumerate(passages) if text] if query else []
        until = NEVER if self.deadline is None else monotonic() + self.deadline
        talk = Talk(self.chat, self._gate, until, self.deadline, self.max_concurrency)
        values: list[float] = []
        if places:
            asked = [passages[place] for place in places]
            asking = Asking(talk, self._said, self._budget, self._answer, query, asked)
            values = yield from self._ranked(asking)
        known = dict(zip(places, values, strict=True))
        least = min(values, default=0.0) - 1.0
        return Scores(
            [known.get(place, 0.0) for place in range(len(texts))],
            order=[known.get(place, least) for place in range(len(texts))],
            report=self._report(talk, len(texts) - len(places)).at(places),
        )

    def _report(self, talk: Talk, blank: int) -> Report:
        usage = added(reply.usage for reply in talk.replies)
        if self.prices and usage:
            usage["cost"] = sum(usage.get(kind, 0.0) * price for kind, price in self.prices.items()) / _MILLION
        answers = Counter(talk.statuses)
        names = [reply.model for reply in talk.replies if reply.model]
        return Report(
            model=names[0] if names else self.model,
            score_kind=self.score_kind,
            usage=usage,
            requests=sum(reply.requests for reply in talk.replies),
            retries=sum(reply.retries for reply in talk.replies),
            request_ids=tuple(name for reply in talk.replies for name in reply.request_ids),
            rounds=talk.rounds,
            truncated=dict(sorted(talk.cuts)),  # of one place the largest comes last
            query_truncated=talk.query_cut,
            blank=blank,
            answers=dict(answers),
            repaired=answers["repaired"],
            degraded=bool(talk.lost),
            errors=(ReplyError(self._why(talk)),) if talk.lost else (),
        )

    def _why(self, talk: Talk) -> str:
        counted = ", ".join(f"{count} {status}" for status, count in Counter(talk.lost).items())
        model = self.model or "the chat model"
        return f"{model} gave no usable answer {len(talk.lost)} times ({counted}): {self.unanswered}"


def _check_prices(prices: Any) -> None:
    """Raise `ArgumentError` for what are no prices. One of a kind that is never counted would cost nothing."""
    if not isinstance(prices, Mapping) or not all(map(_is_price, prices.values())):
        msg = f"prices must be numbers, 0 or more, for a million tokens of each kind; got {prices!r:.80}"
        raise ArgumentError(msg)
    for kind in prices.keys() - TOKENS.keys():
        msg = f"prices has no kind of tokens {kind!r}; {_checks.suggest(kind, TOKENS)}"
        raise ArgumentError(msg)


def _is_price(value: object) -> bool:
    number = _checks.finite(value)
    return number is not None and number >= 0.0


def reciprocal_ranks(order: Sequence[int]) -> list[float]:
    """Return each place's score for an order of all places, best first."""
    values = [0.0] * len(order)
    for rank, place in enumerate(order, start=1):
        values[place] = 1.0 / rank
    return values


def builder(kind: type[LLMScorer]) -> Callable[..., LLMScorer]:
    """Return what builds a scorer from a spec: its options, and beside them those of its chat model."""
    own = {one.name for one in fields(kind)} - {"chat", "chat_options"}

    def build(chat: ChatLike, **options: Any) -> LLMScorer:
        options = Hidden(options)  # a traceback quotes the variables of its frames
        known = own | (option_names(chat) if isinstance(chat, str) else set())
        for name in options.keys() - known:
            msg = f"scorer {kind.name!r} has no option {name!r}; {_checks.suggest(name, known)}"
            raise SpecError(msg)
        mine = {name: value for name, value in options.items() if name in own}
        more = Hidden({name: value for name, value in options.items() if name not in own})
        return kind(chat, **mine, chat_options=more)

    build.__annotations__["return"] = kind  # whoever lists scorers sees which one it builds
    return build
