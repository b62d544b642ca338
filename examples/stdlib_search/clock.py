"""How long each step takes, in each framework."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Clock:
    """Adds up seconds by step and framework; a step that all share has no framework."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.seconds: defaultdict[tuple[str, str | None], float] = defaultdict(float)

    @contextmanager
    def __call__(self, step: str, host: str | None = None) -> Iterator[None]:
        """Time a block."""
        started = perf_counter()
        yield
        self.seconds[step, host] += perf_counter() - started
