"""Asking a chat model in rounds: one place for turns, deadlines and second questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from anyrank._rounds import Rounds, arun, run
from anyrank.errors import DeadlineError

from ._reading import Reading
from .chat import NEVER, ChatReply, ChatRequest, Message, aask, ask

if TYPE_CHECKING:
    from anyrank._gate import Gate
    from anyrank._rounds import Outcome

A = TypeVar("A")
R = TypeVar("R")

Reader: TypeAlias = Callable[[ChatReply], Reading[A]]

MORE: Final = 4
"""How many times as long an answer may be the second time, where the first was cut off."""


@dataclass(slots=True)
class Talk:
    """One call's conversation with its model: its bounds, and what it has come to so far. Shared by threads.

    ``statuses`` are those of all answers, ``lost`` those of questions that have none that can be used; ``cut`` are the
    tokens cut from passages, by place.
    """

    chat: Any
    gate: Gate
    until: float
    deadline: float | None
    replies: list[ChatReply] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    cut: dict[int, int] = field(default_factory=dict)
    query_cut: int = 0
    rounds: int = 0

    def left(self) -> float | None:
        """Return the seconds left, None for as many as you like."""
        return None if self.until == NEVER else max(self.until - monotonic(), 0.0)

    def late(self) -> DeadlineError:
        """Return the error of a call that took too long."""
        model = getattr(self.chat, "model", None)
        return DeadlineError(f"{model or 'the chat model'} did not answer within deadline={self.deadline:g} seconds")


@dataclass(frozen=True, slots=True)
class Ask:
    """The errand of one question, in its turn."""

    talk: Talk
    request: ChatRequest

    def do(self) -> ChatReply:
        """Ask from this thread. Raises whatever the model raises, and `DeadlineError`."""
        talk = self.talk
        with talk.gate.held(talk.left, talk.late):
            if talk.left() == 0.0:
                raise talk.late()
            return self._heard(ask(talk.chat, self.request))

    async def ado(self) -> ChatReply:
        """Ask without blocking the event loop; the deadline also ends a model that knows of none."""
        from asyncio import timeout

        talk = self.talk
        async with talk.gate.aheld(talk.left, talk.late):
            try:
                async with timeout(talk.left()) as end:
                    return self._heard(await aask(talk.chat, self.request))
            except TimeoutError:
                if end.expired():
                    raise talk.late() from None
                raise

    def _heard(self, reply: ChatReply) -> ChatReply:
        self.talk.replies.append(reply)
        return reply


@dataclass(frozen=True, slots=True)
class Part:
    """The errand of a piece of work that has rounds of its own."""

    rounds: Callable[[], Rounds[Any, Any]]

    def do(self) -> Any:
        """Run it in this thread."""
        return run(self.rounds())

    async def ado(self) -> Any:
        """Run it on the event loop."""
        return await arun(self.rounds())


def asked(talk: Talk, request: ChatRequest, read: Reader[A], *, again: bool = True) -> Rounds[ChatReply, Reading[A]]:
    """Ask, and once more, with what was wrong, where the answer cannot be used."""
    outcomes: list[Outcome[ChatReply]] = yield [Ask(talk, request)]
    reply = outcomes[0].unwrap()
    reading = read(reply)
    talk.statuses.append(reading.status)
    if reading.answer is None and again:
        return (yield from asked(talk, _once_more(request, reply, reading), read, again=False))
    return reading


def _once_more(request: ChatRequest, reply: ChatReply, reading: Reading[Any]) -> ChatRequest:
    if reading.status == "truncated":  # the same question, with room for the whole answer
        return replace(request, max_tokens=None if request.max_tokens is None else request.max_tokens * MORE)
    said = Message("assistant", reply.text[:2000] or "(no answer)")
    wrong = Message(
        "user", f"That answer cannot be used: {reading.why}. Answer again, in the form asked for and with nothing else."
    )
    return replace(request, messages=(*request.messages, said, wrong))


def parts(works: Iterable[Callable[[], Rounds[Any, R]]]) -> Rounds[Any, list[R]]:
    """Do pieces of work at the same time. The first that fails ends them."""
    outcomes = yield [Part(work) for work in works]
    return [outcome.unwrap() for outcome in outcomes]
