"""What the benchmark scripts share: ways to do the same take turns, and a table says how busy the machine was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

from rich.console import Console
from rich.table import Table

Call: TypeAlias = Callable[[], Any]

TELLING: Final = ("avx2", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""The processor's flags that decide how fast a model is."""

console = Console()


def turns(ways: Mapping[str, Call], repeats: int) -> dict[str, float]:
    """Return the median seconds of several ways to do the same, which take turns after a first call that counts not."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for call in ways.values():
        call()
    for _ in range(repeats):
        for name, call in ways.items():
            started = time.perf_counter()
            call()
            took[name].append(time.perf_counter() - started)
    return {name: median(seconds) for name, seconds in took.items()}


def show(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]], note: str = "") -> None:
    """Print one table."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    machine = f"load average {os.getloadavg()[0]:.2f}; {os.cpu_count()} processors"
    table.caption = "; ".join(filter(None, (note, machine)))
    console.print(table)


def processor() -> str:
    """Return those of the telling flags that this processor has."""
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return "processor's flags unknown"
    return f"processor with {', '.join(flag for flag in TELLING if flag in known) or 'none of ' + ', '.join(TELLING)}"
