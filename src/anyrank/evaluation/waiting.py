"""A loop in a thread, for scorers that can only be awaited."""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Coroutine

__all__ = ["Loop"]

R = TypeVar("R")

PATIENCE: Final = 5.0
"""So many seconds are waited for what was cancelled; a thread that a scorer keeps busy holds nobody up."""


class Loop:
    """An event loop that several threads wait on: one for all calls, since clients stay with the loop they know.

    It begins at the first call; ``begun`` says whether there was one. Leaving the ``with`` block cancels what is under
    way and ends the thread.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._loop: AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE)

    @property
    def begun(self) -> bool:
        """Whether anything was awaited."""
        return self._loop is not None

    def result(self, awaited: Coroutine[Any, Any, R]) -> R:
        """Await in the loop, and give what comes of it to this thread."""
        from asyncio import run_coroutine_threadsafe

        try:
            future = run_coroutine_threadsafe(awaited, self._running())
        except RuntimeError:  # closed, since another call failed
            awaited.close()
            raise
        return future.result()

    def _running(self) -> AbstractEventLoop:
        from asyncio import new_event_loop

        with self._lock:
            if self._loop is None:
                self._loop = new_event_loop()
                self._thread = Thread(target=self._run, args=(self._loop,), name="anyrank loop", daemon=True)
                self._thread.start()
            return self._loop

    @staticmethod
    def _run(loop: AbstractEventLoop) -> None:
        """Run until it is stopped, then end as `asyncio.run` does."""
        try:
            loop.run_forever()
            loop.run_until_complete(_cancel_all())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _cancel_all() -> None:
    from asyncio import all_tasks, current_task, gather

    left = all_tasks() - {current_task()}
    for task in left:
        task.cancel()
    await gather(*left, return_exceptions=True)
