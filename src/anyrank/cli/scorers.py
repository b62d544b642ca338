"""Lists the scorers there are, and what each of them needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from anyrank import _checks
from anyrank.errors import ArgumentError, UnknownScorerError

from . import _console
from ._lines import written

if TYPE_CHECKING:
    from ._catalog import Card, Need

__all__ = ["command"]


def command(
    *,
    name: Annotated[str | None, Argument(metavar="NAME", help="One scorer, to see all of it.")] = None,
    ready: Annotated[bool, Option("--ready", help="Only what would work now.")] = False,
    as_json: Annotated[bool, Option("--json", help="JSON lines, one a scorer, with all that is known.")] = False,
) -> None:
    """List the scorers, and say what each needs and whether it is there.

    A pipe gets a line a scorer, with tabs between: name, yes or no for ready, score kind, scope, default model, needs,
    what it is.

    For instance:

        anyrank scorers --ready
        anyrank scorers cohere
    """
    from ._catalog import cards

    if name is not None and ready:
        msg = f"--ready goes with the list; anyrank scorers {name} says whether that one is ready"
        raise ArgumentError(msg)
    found = [card for card in cards() if card.ready or not ready]
    if name is not None:
        found = [_named(name, found)]
    if as_json:
        for card in found:
            _console.line(written(card.to_dict()))
    elif name is not None:
        _show_all(found[0])
    elif _console.is_terminal():
        _show(found)
    else:
        for card in found:
            row = (card.score_kind, card.scope, card.model, _needs(card), card.problem or card.what)
            _console.line(_console.tabbed(card.name, "yes" if card.ready else "no", *row))


def _named(name: str, found: Iterable[Card]) -> Card:
    by_name = {card.name: card for card in found}
    if name not in by_name:
        msg = f"no scorer named {name!r}; {_checks.suggest(name, by_name)}"
        raise UnknownScorerError(msg)
    return by_name[name]


def _show(found: Iterable[Card]) -> None:
    """Show a line a scorer, as far as it goes; the name shows all of it."""
    from rich.table import Column, Table

    narrow = [Column(title, no_wrap=True) for title in ("scorer", "", "scores")]
    table = Table(*narrow, "needs", "what it is", box=None, header_style="bold")
    for card in found:
        needs, what = _console.plain(card.problem or _needs(card)), _console.plain(card.what)
        needs.stylize("green" if card.ready else "yellow")
        for cell in (needs, what):
            cell.no_wrap, cell.overflow = True, "ellipsis"
        cells = (card.name, "ready" if card.ready else "", card.score_kind or "")
        table.add_row(*map(_console.plain, cells), needs, what)
    _console.show(table)


def _needs(card: Card) -> str:
    """Return what a scorer needs, in a few words: nothing that it would do without."""
    return ", ".join(_said(need) for need in card.needs if need.required) or "nothing"


def _said(need: Need) -> str:
    if need.kind == "package":
        return f"{need.what} installed" if need.met else need.ways
    what = need.what if need.met or need.kind != "URL" else "its URL"
    return f"{what} {'set' if need.met else 'missing'}"


def _show_all(card: Card) -> None:
    for label, value in _facts(card):
        if _console.is_terminal():
            _console.show(_console.plain(f"{label:<12}{value}"))
        else:
            _console.line(_console.tabbed(label, value))


def _facts(card: Card) -> Iterator[tuple[str, Any]]:
    """Yield all that is known of a scorer, with what it is called; what is not known is left out."""
    yield "scorer", card.name
    yield "what it is", card.what
    yield "ready", "yes" if card.ready else "no"
    known = {"problem": card.problem, "see": card.url, "score kind": card.score_kind, "scope": card.scope}
    yield from ((label, value) for label, value in known.items() if value)
    yield "modalities", ", ".join(card.modalities)
    for need in card.needs:
        yield "needs" if need.required else "may need", f"{need.ways} ({_said(need) if need.met else 'missing'})"
    if card.model:
        yield "model", f"{card.model} (default)"
    for model, said in card.models.items():
        if model != card.model:
            yield "model", f"{model} ({said['score_kind']}, {said['scope']})"
    if card.checked:
        yield "checked", card.checked
    for limit, value in card.limits.items():
        yield "limit", f"{limit} {value:,}" if isinstance(value, int) else f"{limit} {value}"
    for option in card.options:
        default = "required" if option.required else f"default {option.default!r}"
        also = f", or {', '.join(option.env)}" if option.env else ""
        yield "option", f"{option.name}: {option.type or 'any'}, {default}{also}"
