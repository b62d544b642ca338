"""Questions about the passages of one call: within the model's context, and asked again where that helps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ._asking import asked
from ._passages import OVERHEAD
from .chat import ChatRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from anyrank._rounds import Rounds

    from ._asking import Reader, Talk
    from ._passages import Budget
    from ._reading import Reading
    from .chat import Message
    from .prompts import Prompt

A = TypeVar("A")

QUERY_SHARE: Final = 4
"""The query has at most one in so many tokens of the context."""

AGAIN: Final = "\n\nYour last answer could not be used: {why}. Answer in the form asked for, and with nothing else."
LONGEST: Final = "it names no passage in the form that was asked for"
"""The longest of the reasons: room is kept for it."""

MORE: Final = 4
"""How many times as long an answer may be the second time, where the first was cut off."""


class Asking:
    """What one call asks about: a query and passages, both harmless already, measured, and cut when they are shown.

    ``answer`` says how many tokens the answer about so many passages may have.
    """

    def __init__(
        self,
        talk: Talk,
        prompt: Prompt,
        budget: Budget,
        answer: Callable[[int], int],
        query: str,
        passages: Sequence[str],
    ) -> None:
        """Measure the texts."""
        self.talk = talk
        self._prompt, self._answer = prompt, answer
        self._budget = replace(budget, around=budget.tokens(prompt.shown(len(passages), "") + "\n"))
        self.query = budget.cut(query, budget.context // QUERY_SHARE)
        talk.query_cut = budget.tokens(query) - budget.tokens(self.query)
        self.passages = passages
        self.sizes = [budget.tokens(text) for text in passages]
        again = budget.tokens(AGAIN.format(why=LONGEST))
        self._fixed = again + self._tokens(prompt.frame(self.query, len(passages)))

    def __len__(self) -> int:
        return len(self.passages)

    def together(self, window: int) -> int:
        """Return how many passages to show at a time, ``window`` at most.

        Raises `ArgumentError` where the context has no room for two.
        """
        most = window
        while (fits := self._budget.together(self.sizes, self._room(most), most)) < most:
            most = fits
        return most

    def request(self, window: Sequence[int], **more: Any) -> ChatRequest:
        """Return the question about these passages, cut to fit; what is cut is noted."""
        limit = self._budget.limit([self.sizes[place] for place in window], self._room(len(window)))
        shown = [self._budget.cut(self.passages[place], limit) for place in window]
        for place, text in zip(window, shown, strict=True):
            if len(text) < len(self.passages[place]):
                self.talk.cuts.append((place, self.sizes[place] - self._budget.tokens(text)))
        messages = self._prompt.messages(self.query, shown)
        return ChatRequest(messages, max_tokens=self._answer(len(window)), until=self.talk.until, **more)

    def asked(self, request: ChatRequest, read: Reader[A]) -> Rounds[Any, Reading[A]]:
        """Ask, and once more, with what was wrong, where the answer cannot be used."""
        reading = yield from asked(self.talk, request, read)
        if reading.answer is None:
            reading = yield from asked(self.talk, self._once_more(request, reading), read)
        return reading

    def _once_more(self, request: ChatRequest, reading: Reading[Any]) -> ChatRequest:
        if reading.status == "truncated":  # the same question, with room for the whole answer
            room = self._budget.context - self._tokens(request.messages)
            return replace(request, max_tokens=min(MORE * (request.max_tokens or 1), room))
        *before, last = request.messages
        again = replace(last, content=last.content + AGAIN.format(why=reading.why))
        return replace(request, messages=(*before, again))

    def _tokens(self, messages: Iterable[Message]) -> int:
        return sum(self._budget.tokens(message.content) + OVERHEAD for message in messages)

    def _room(self, count: int) -> int:
        return self._budget.context - self._fixed - self._answer(count)
