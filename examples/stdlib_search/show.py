"""The tables and the progress bars. Nothing here depends on colour: what is printed also reads well from a file."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from .clock import Clock
from .host import Found, Settings
from .passages import Passage
from .stages import STAGES, Answer

SHOWN = 5
"""How many places of a list a before-and-after table shows."""

WIDE = 110
"""From how many columns on a terminal has room for all four lists side by side."""


@contextmanager
def progress(console: Console, doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar that goes away when it is done; the block is given what moves it on."""
    columns = (SpinnerColumn(), TextColumn(f"{doing:<10}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(doing, total=total)
        yield lambda steps: bars.advance(task, steps)


def setting(console: Console, passages: Sequence[Passage], settings: Settings, scorer: object) -> None:
    """Say what is searched, and how."""
    modules = len({passage.module for passage in passages})
    console.print(
        f"[bold]{len(passages):,} passages[/bold] from {_counted(modules, 'module')} of Python's standard library."
    )
    console.print(
        f"BM25 and dense retrieve {settings.retrieved} each, fusion (RRF) keeps {settings.candidates}, "
        f"reranking returns {settings.top_n}."
    )
    console.print(f"Scorer: {scorer if isinstance(scorer, str) else json.dumps(scorer)}", style="dim", markup=False)


def before_and_after(console: Console, answers: Sequence[Answer]) -> None:
    """Show two questions list by list: the one that reranking helped most, and the one that it hurt most, if any."""
    by_gain = sorted(answers, key=lambda answer: answer.gain, reverse=True)
    shown = (by_gain[0], by_gain[-1] if by_gain[-1].gain < 0 else by_gain[1]) if len(by_gain) > 1 else by_gain
    stages = STAGES if console.width >= WIDE else STAGES[-2:]
    space = (console.width - 5) // len(stages) - 3
    for answer, worth in zip(shown, ("helps most here", "helps here too"), strict=False):
        table = _table("", *stages)
        for place in range(SHOWN):
            table.add_row(str(place + 1), *(_name(answer, answer.found[stage], place, space) for stage in stages))
        _print(console, f"“{answer.question.text}”{_moved(answer.gain, worth)}", table)


def ranks(console: Console, answers: Sequence[Answer], host: str) -> None:
    """Show at which place each stage has the right answer."""
    table = _table("question", *STAGES, right=STAGES)
    for answer in answers:
        asked = Text(answer.question.text).append("\n" + " or ".join(answer.question.answers), "cyan")
        table.add_row(asked, *(_rank(answer.rank(stage)) for stage in STAGES))
    table.caption = "- is not in the list"
    _print(console, f"Where {host} has the right answer", table)


def quality(console: Console, answers: Sequence[Sequence[Answer]], hosts: Sequence[str]) -> None:
    """Show each framework's mean reciprocal rank and how often the right answer comes first."""
    table = _table("", *STAGES, right=STAGES)
    for host, of_host in zip(hosts, zip(*answers, strict=True), strict=True):
        table.add_row(host, *(_quality(of_host, stage) for stage in STAGES))
    table.caption = "Haystack brings its own BM25; the others use anyrank's."
    _print(console, f"MRR@10 (and how many right answers come first, of {len(answers)})", table)


def agreement(console: Console, answers: Sequence[Answer], hosts: Sequence[str], differing: Sequence[str]) -> None:
    """Say whether the frameworks rank and score the same candidates alike."""
    console.print()
    if differing:
        console.print("✗ The frameworks do not agree on the same candidates:", style="bold red")
        console.print(*differing, sep="\n", style="red", markup=False)
        return
    candidates = sum(len(answer.found["fused"]) for answer in answers)
    everyone = ", ".join(hosts[:-1]) + " and " + hosts[-1]
    console.print(f"✓ {everyone} return the same ranking, score for score,", style="bold green")
    console.print(
        f"  from the same {candidates} candidates for {_counted(len(answers), 'question')}, compared to the last bit."
    )


def timings(console: Console, clock: Clock, hosts: Sequence[str], questions: int) -> None:
    """Show how long each step took."""
    columns = ("shared", *hosts)
    table = _table("", *columns, right=columns)
    for step in ("import", "collect", "embed", "index"):
        table.add_row(step, *(_seconds(clock.seconds.get((step, host))) for host in (None, *hosts)))
    table.add_section()
    for step in STAGES:
        spent = (clock.seconds.get((step, host)) for host in hosts)
        label = f"{step}, a question" if step != "fused" else "both at once, fused"
        table.add_row(label, "", *(_seconds(seconds and seconds / questions) for seconds in spent))
    table.caption = "shared: PyTorch and the model; the passages; their embeddings"
    _print(console, "How long it took", table)


def hint(console: Console) -> None:
    """Say what to try next."""
    console.print('\nAsk your own: --query "…"; another scorer: --scorer lexical; more: --help', style="dim")


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def _print(console: Console, title: str, table: Table) -> None:
    console.print()
    console.print(title, style="bold", markup=False)
    console.print(table)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _moved(gain: float, worth: str) -> str:
    if not gain:
        return ""
    return f": reranking {worth if gain > 0 else 'hurts most here'}"


def _name(answer: Answer, found: Found, place: int, width: int) -> Text:
    """Return a name, the right ones marked, long ones without their beginning."""
    if place >= len(found):
        return Text("")
    name, right = found[place][0], found[place][0] in answer.question.answers
    space = width - 2 * right
    shown = name if len(name) <= space else "…" + name[1 - space :]
    return Text(f"{shown} ✓", "bold green") if right else Text(shown)


def _rank(rank: int | None) -> Text:
    if rank is None:
        return Text("-", "red")
    return Text(str(rank), "bold green" if rank == 1 else "" if rank <= 10 else "yellow")


def _quality(answers: Sequence[Answer], stage: str) -> str:
    mean = sum(answer.reciprocal(stage) for answer in answers) / len(answers)
    return f"{mean:.3f} ({sum(answer.rank(stage) == 1 for answer in answers)})"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
