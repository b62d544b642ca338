"""Work on what streams in, several at once, and what comes of it in the order it came in."""

from __future__ import annotations

from concurrent.futures import Future
from queue import Queue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["in_order"]

A = TypeVar("A")
R = TypeVar("R")

AHEAD = 4
"""For each call that may be under way, so many items are taken in before the first of them has its answer."""


def in_order(function: Callable[[A], R], items: Iterable[A], limit: int) -> Iterator[Future[R]]:
    """Yield the future of each call in the order of the items, ``limit`` calls under way at a time.

    Items are read in a thread of their own, so that the answer to one need not wait for the next, and only a few ahead,
    so that memory is bounded. An error in reading is the last future's. The threads are daemons: whoever stops early
    waits for none.
    """
    answers: Queue[Future[R] | None] = Queue(AHEAD * limit)
    gate = Semaphore(limit)

    def read() -> None:
        try:
            for item in items:
                answer: Future[R] = Future()
                answers.put(answer)
                gate.acquire()
                Thread(target=_answer, args=(answer, gate, function, item), daemon=True).start()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            failed: Future[R] = Future()
            failed.set_exception(error)
            answers.put(failed)
        answers.put(None)

    Thread(target=read, daemon=True).start()
    while (answer := answers.get()) is not None:
        yield answer


def _answer(answer: Future[Any], gate: Semaphore, function: Callable[[A], R], item: A) -> None:
    try:
        answer.set_result(function(item))
    except BaseException as error:  # noqa: BLE001 - as above
        answer.set_exception(error)
    finally:
        gate.release()
