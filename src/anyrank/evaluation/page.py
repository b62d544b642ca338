"""A comparison as a page: one HTML file that asks nobody for anything, in the reader's light or dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anyrank.errors import ArgumentError

from .plots import LONGEST, gains_of, gains_plot, latency_plot
from .report import WORDS, best_of, caption, cells_of, gained, shown
from .significance import Difference, verdicts
from .style import COLOURS, PAGE, PICTURE, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .results import Comparison, Evaluation
    from .slices import Slices

__all__ = ["to_html"]

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is loaded and nothing runs, whatever a query or a name holds."""

MOST: Final = 24
"""So many rows are drawn query by query."""


def to_html(
    comparison: Comparison,
    metric: str | None = None,
    *,
    title: str = "Which reranker for this data?",
    slices: Mapping[str, Slices] | None = None,
) -> str:
    """Return the comparison as a page: table, quality against latency, gains by query, verdicts by slice, failures.

    ``metric`` (None: the first) is what is drawn. The page stands alone: no script, no request.
    """
    chosen = metric or comparison.metrics[0]
    found = gained(comparison, chosen)
    body = [
        f"<h1>{escaped(title)}</h1>",
        f'<p class="soft">{escaped(caption(comparison, chosen))}</p>',
        f"<p>{_summary(comparison.best(chosen), chosen, found)}</p>",
        _table(comparison, found),
        *_section("Quality against latency", _latency(comparison, chosen)),
        *_section(f"{chosen} gained, query by query", _cards(comparison, found.values())),
        *_section("Where it helps and where it hurts", _slices(comparison, chosen, slices or {})),
        *_section("What failed", _failures(comparison)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{COLOURS}{PICTURE}{PAGE}</style></head>\n<body>\n{chr(10).join(body)}\n</body></html>\n"
    )


def _section(heading: str, content: str) -> Iterator[str]:
    if content:
        yield f"<h2>{escaped(heading)}</h2>\n{content}"


def _summary(best: Evaluation, metric: str, known: Mapping[str, Difference]) -> str:
    """Say which row is best, and what is known of it."""
    said = f"Best: <b><bdi>{escaped(best.name)}</bdi></b>, {escaped(metric)} {best.mean(metric):.4f}"
    found = known.get(best.name)
    if found is None:
        return f"{said}."
    return f'{said}. Over its first stage: <b class="{_word(found.verdict)}">{found.verdict}</b> ({found.summary}).'


def _table(comparison: Comparison, known: Mapping[str, Difference]) -> str:
    rows, best = shown(cells_of(comparison, known)), best_of(comparison)
    classes = {name: "word" if name in WORDS else "" for name in rows[0]}
    lines = [_line("th", [(name, classes[name]) for name in rows[0]])]
    for row, found in zip(rows, comparison.rows, strict=True):
        cells = [
            (text, f"{classes[name]} {'best' if text and text == best.get(name) else ''} {_word(text)}".strip())
            for name, text in row.items()
        ]
        lines.append(_line("td", cells, "" if found.reranker else "stage"))
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _line(tag: str, cells: Iterable[tuple[str, str]], kind: str = "") -> str:
    scope = ' scope="col"' if tag == "th" else ""
    inner = "".join(f'<{tag}{scope} class="{style}">{escaped(text)}</{tag}>' for text, style in cells)
    return f'<tr class="{kind}">{inner}</tr>'


def _word(verdict: str) -> str:
    return verdict if verdict in ("helps", "hurts") else ""


def _latency(comparison: Comparison, metric: str) -> str:
    plot = latency_plot(comparison, metric)
    return plot and f'<div class="wide">{plot}</div>'


def _cards(comparison: Comparison, known: Iterable[Difference]) -> str:
    """Draw the best rows query by query, with the queries that moved most."""
    drawn = sorted(known, key=lambda one: -one.after)[:MOST]
    cards = [_card(comparison[one.row], one, comparison.queries) for one in drawn]
    return f'<div class="cards">{"".join(cards)}</div>' if cards else ""


def _card(row: Evaluation, found: Difference, queries: Mapping[str, str]) -> str:
    gains = gains_of(row, found.metric)
    moved = dict.fromkeys(pair for pair in [*gains[:3], *gains[-3:]] if pair[0])
    items = "".join(
        f'<li><span class="{_direction(gain)}">{gain:+.3f}</span> <bdi>{_query(queries, query)}</bdi></li>'
        for gain, query in moved
    )
    return (
        f'<div class="card"><h3>{escaped(row.name)}</h3>'
        f'<p class="soft"><span class="{_word(found.verdict)}">{found.verdict}</span>, {found.mean:+.4f}; '
        f"{found.better} better, {found.worse} worse, {found.equal} equal</p>{gains_plot(gains, queries)}"
        f"<ul>{items}</ul></div>"
    )


def _query(queries: Mapping[str, str], query: str) -> str:
    return escaped(queries.get(query, query)[:LONGEST])


def _direction(gain: float) -> str:
    return "helps" if gain > 0 else "hurts"


def _slices(comparison: Comparison, metric: str, slices: Mapping[str, Slices]) -> str:
    """Tabulate the verdicts of the best reranked row of every first stage, slice by slice."""
    if any(isinstance(labels, str) for labels in slices.values()):
        msg = "slices= are ways to part the queries, by name, as in {'length': slice_by_length(queries)}"
        raise ArgumentError(msg)
    if not slices:
        return ""
    best: dict[str, Evaluation] = {}
    for row in sorted((row for row in comparison.rows if row.baseline), key=lambda row: row.mean(metric)):
        best[row.first_stage] = row
    heads = ("row", "queries", "number", "before", "after", "gain", "p", "verdict")
    lines = [_line("th", [(head, _left(head)) for head in heads])]
    for row in best.values():
        for one in verdicts(row, slices, metric):
            cells = dict(zip(heads, _verdict(one), strict=True))
            lines.append(_line("td", [(text, f"{_left(head)} {_word(text)}".strip()) for head, text in cells.items()]))
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>' if best else ""


def _left(head: str) -> str:
    return "word" if head in ("row", "queries", "verdict") else ""


def _verdict(one: Difference) -> tuple[str, ...]:
    figures = (f"{one.before:.4f}", f"{one.after:.4f}", f"{one.mean:+.4f}", f"{one.p_corrected:.2g}")
    return (one.row, one.slice or "all", str(one.queries), *figures, one.verdict)


def _failures(comparison: Comparison) -> str:
    """List what failed, a few queries of each row."""
    items = [
        f"<li><b><bdi>{escaped(row.name)}</bdi></b>: {len(row.failures)} of {len(row.answers)} queries, such as "
        f"<bdi>{_query(comparison.queries, query)}</bdi>: <bdi>{escaped(error)}</bdi></li>"
        for row in comparison.rows
        for query, error in list(row.failures.items())[:1]
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""
