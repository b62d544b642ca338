"""Asking a chat model in rounds: one place for turns, deadlines and what ends a call."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from anyrank._rounds import Rounds, aeach, arun, each, run
from anyrank.errors import DeadlineError

from ._reading import Reading
from .chat import NEVER, ChatReply, ChatRequest, aask, ask

if TYPE_CHECKING:
    from anyrank._gate import Gate

A = TypeVar("A")
Q = TypeVar("Q")
R = TypeVar("R")

Reader: TypeAlias = Callable[[ChatReply], Reading[A]]


@dataclass(slots=True)
class Talk:
    """One call's conversation with its model: its bounds, and what it has come to so far. Shared by threads.

    ``statuses`` are those of all answers, ``lost`` those of questions that have none that can be used; ``cuts`` are
    places of passages with the tokens cut from them. After a ``failure`` nothing more is asked.
    """

    chat: Any
    gate: Gate
    until: float
    deadline: float | None
    limit: int | None
    replies: list[ChatReply] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    cuts: list[tuple[int, int]] = field(default_factory=list)
    query_cut: int = 0
    rounds: int = 0
    failure: BaseException | None = None

    def left(self) -> float | None:
        """Return the seconds left, None for as many as you like."""
        return None if self.until == NEVER else max(self.until - monotonic(), 0.0)

    def late(self) -> DeadlineError:
        """Return the error of a call that took too long."""
        model = getattr(self.chat, "model", None)
        return DeadlineError(f"{model or 'the chat model'} did not answer within deadline={self.deadline:g} seconds")

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Hold the block that asks: it is not begun when the call is over, and the call is over when it fails."""
        if self.left() == 0.0 and self.failure is None:
            self.failure = self.late()
        if self.failure is not None:
            raise self.failure
        try:
            yield
        except BaseException as error:
            self.failure = error
            raise


@dataclass(frozen=True, slots=True)
class Ask(Generic[A]):
    """The errand of one question, in its turn, and of reading the answer."""

    talk: Talk
    request: ChatRequest
    read: Reader[A]

    def do(self) -> Reading[A]:
        """Ask from this thread. Raises whatever the model raises, and `DeadlineError`."""
        talk = self.talk
        with talk.gate.held(talk.left, talk.late), talk.going_on():
            return self._heard(ask(talk.chat, self.request))

    async def ado(self) -> Reading[A]:
        """Ask without blocking the event loop; the deadline also ends a model that knows of none."""
        from asyncio import timeout

        talk = self.talk
        async with talk.gate.aheld(talk.left, talk.late):
            with talk.going_on():
                try:
                    async with timeout(talk.left()) as end:
                        reply = await aask(talk.chat, self.request)
                except TimeoutError:
                    if end.expired():
                        raise talk.late() from None
                    raise
                return self._heard(reply)

    def _heard(self, reply: ChatReply) -> Reading[A]:
        self.talk.replies.append(reply)
        reading = self.read(reply)
        self.talk.statuses.append(reading.status)
        return reading


@dataclass(frozen=True, slots=True)
class Together:
    """The errand of pieces of work, each with rounds of its own, at the same time; one that fails ends the call."""

    talk: Talk
    works: Sequence[Callable[[], Rounds[Any, Any]]]

    def do(self) -> list[Any]:
        """Do each in a thread of its own."""
        try:
            return each(lambda work: run(work()), self.works, self.talk.limit)
        except BaseException as error:  # Ctrl-C too
            self.talk.failure = error
            raise

    async def ado(self) -> list[Any]:
        """Do them concurrently."""
        return await aeach(lambda work: arun(work()), self.works, None)


def parts(talk: Talk, works: Sequence[Callable[[], Rounds[Any, R]]]) -> Rounds[Any, list[R]]:
    """Do pieces of work at the same time. The first that fails ends them."""
    if len(works) == 1:
        return [(yield from works[0]())]
    [outcome] = yield [Together(talk, works)]
    done: list[R] = outcome.unwrap()
    return done


def asked(talk: Talk, request: ChatRequest, read: Reader[A]) -> Rounds[Any, Reading[A]]:
    """Ask, and return what the answer comes to."""
    [outcome] = yield [Ask(talk, request, read)]
    reading: Reading[A] = outcome.unwrap()
    return reading


def led(steps: Generator[Q, A, R], answered: Callable[[Q], Rounds[Any, A]]) -> Rounds[Any, R]:
    """Drive a generator of what it wants to know with what answers it in rounds."""
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send((yield from answered(wanted)))
    except StopIteration as done:
        result: R = done.value
        return result
