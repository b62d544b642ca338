"""The report's pictures, as SVG: quality against latency, and gains query by query."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from .style import COLOURS, PICTURE, STAGES, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .results import Comparison, Evaluation


__all__ = ["gains_of", "gains_plot", "latency_plot", "milliseconds", "to_svg"]

LONGEST: Final = 200
"""So many characters of a query are shown."""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 56, 190, 16, 44


class Point(NamedTuple):
    """A timed row in the plane."""

    row: Evaluation
    seconds: float
    figure: float


class Box(NamedTuple):
    """A part of the picture that is taken."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """Return the box of that size whose middle is there."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def inside(self) -> bool:
        """Whether it is in the picture."""
        return self.left >= 0 and self.right <= WIDTH

    def meets(self, other: Box) -> bool:
        """Whether both take some of the same place."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


@dataclass(frozen=True)
class Axes:
    """Where a figure lies in the picture: latency along a logarithmic axis, quality up a linear one."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    @classmethod
    def around(cls, latencies: Sequence[float], figures: Sequence[float]) -> Axes:
        """Leave some room on every side."""
        margin = 0.1 * (max(figures) - min(figures) or 0.1)
        room = (max(latencies) / min(latencies)) ** 0.06 * 1.3
        return cls(min(latencies) / room, max(latencies) * room, min(figures) - margin, max(figures) + margin)

    def x(self, seconds: float) -> float:
        """Return how far from the left."""
        share = math.log(seconds / self.low_x) / math.log(self.high_x / self.low_x)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, figure: float) -> float:
        """Return how far from the top."""
        return HEIGHT - BOTTOM - (figure - self.low_y) / (self.high_y - self.low_y) * (HEIGHT - TOP - BOTTOM)


def latency_plot(comparison: Comparison, metric: str) -> str:
    """Return a picture of every reranked row, its mean over its median latency; first stages are dashed lines.

    Rows that no other beats in both are joined by a line. Empty where nothing was timed.
    """
    points = [
        Point(row, seconds, row.mean(metric))
        for row in comparison.rows
        if row.reranker and (seconds := row.latency(0.5))
    ]
    if not points:
        return ""
    stages = [row for row in comparison.rows if row.reranker is None]
    colours = {row.first_stage: place % STAGES for place, row in enumerate(stages)}
    heights = [*(row.mean(metric) for row in stages), *(one.figure for one in points)]
    axes = Axes.around([one.seconds for one in points], heights)
    front = _front(points)
    path = " ".join(f"{axes.x(one.seconds):.1f},{axes.y(one.figure):.1f}" for one in front)
    parts = [
        *_grid(axes, metric),
        *_stages(axes, [(row.name, row.mean(metric), colours[row.first_stage]) for row in stages]),
        f'<polyline class="front" points="{path}"/>',
        *(_dot(axes, one, metric, colours[one.row.first_stage]) for one in points),
        *_labels(axes, [*front, *(one for one in points if one not in front)]),
    ]
    return _svg(WIDTH, HEIGHT, f"{metric} against median latency", parts)


def to_svg(comparison: Comparison, metric: str | None = None) -> str:
    """Return the picture of quality against latency as a file of its own; empty where nothing was timed."""
    head, closed, rest = latency_plot(comparison, metric or comparison.metrics[0]).partition(">")
    style = f'<style>{COLOURS}{PICTURE}</style><rect class="paper" width="100%" height="100%"/>'
    return f"{head}{closed}{style}{rest}\n" if closed else ""


def gains_of(row: Evaluation, metric: str) -> list[tuple[float, str]]:
    """Return what each query gained over the first stage, with its id, from the most to the least."""
    before = row.baseline.values[metric] if row.baseline else {}
    return sorted(
        ((figure - before.get(query, 0.0), query) for query, figure in row.values[metric].items()), reverse=True
    )


def gains_plot(gains: Sequence[tuple[float, str]], queries: Mapping[str, str]) -> str:
    """Return a picture of gains and losses, from the most to the least, a bar a query, or a pixel every so many."""
    width, height = 340, 110
    count = min(len(gains), width)
    drawn = [gains[place * (len(gains) - 1) // max(count - 1, 1)] for place in range(count)]
    step = width / count
    largest = max(abs(gain) for gain, _ in gains) or 1.0
    bars = [
        f'<rect class="{"better" if gain > 0 else "worse"}" x="{place * step:.2f}" width="{max(step - 0.4, 0.6):.2f}" '
        f'y="{height / 2 - max(gain, 0) / largest * 50:.1f}" height="{max(abs(gain) / largest * 50, 0.5):.1f}">'
        f"<title>{gain:+.4f} {escaped(queries.get(query, query)[:LONGEST])}</title></rect>"
        for place, (gain, query) in enumerate(drawn)
        if gain
    ]
    axis = f'<line class="axis" x1="0" x2="{width}" y1="{height / 2}" y2="{height / 2}"/>'
    corner = f'x="0" y="{height - 2}"' if gains[len(gains) // 2][0] > 0 else f'x="{width}" y="12" text-anchor="end"'
    scale = f"<text {corner}>±{largest:.2f}</text>" if bars else ""
    return _svg(width, height, "gained by query", [axis, *bars, scale])


def milliseconds(seconds: float) -> str:
    """Write a duration with three digits."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escaped(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _front(points: Sequence[Point]) -> list[Point]:
    """Return the points that none beats in both latency and quality, the quickest first."""
    found: list[Point] = []
    for one in sorted(points, key=lambda point: (point.seconds, -point.figure)):
        if not found or one.figure > found[-1].figure:
            found.append(one)
    return found


def _grid(axes: Axes, metric: str) -> Iterator[str]:
    """Yield lines with their figures: round ones upwards, some of every decade along, at least one."""
    step = _round_step((axes.high_y - axes.low_y) / 5)
    for number in range(math.ceil(axes.low_y / step), math.floor(axes.high_y / step) + 1):
        y = axes.y(number * step)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number * step:.3g}</text>'
    decades = range(math.floor(math.log10(axes.low_x)), math.ceil(math.log10(axes.high_x)) + 1)
    span = axes.high_x / axes.low_x
    digits = (1, 1.5, 2, 3, 5, 7) if span < 5 else (1, 2, 5) if span < 200 else (1,)
    for seconds in (digit * 10.0**decade for decade in decades for digit in digits):
        if axes.low_x <= seconds <= axes.high_x:
            x = axes.x(seconds)
            yield f'<line class="grid" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="{x:.1f}" x2="{x:.1f}"/>'
            yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{milliseconds(seconds)}</text>'
    yield f'<text x="{LEFT}" y="{HEIGHT - 6}">median latency of a query, {escaped(metric)} upwards</text>'


def _round_step(least: float) -> float:
    decade = 10.0 ** math.floor(math.log10(least))
    return next(digit * decade for digit in (1, 2, 5, 10) if digit * decade >= least * 0.999)


def _stages(axes: Axes, stages: Sequence[tuple[str, float, int]]) -> Iterator[str]:
    """Yield each first stage's line, from the best down, and its name beside it, below the one before."""
    above = -math.inf
    for name, figure, colour in sorted(stages, key=lambda stage: -stage[1]):
        y = axes.y(figure)
        above = max(y + 4, above + 14)
        yield f'<line class="stage c{colour}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        said = f"{_short(name, 21)} as it is"
        yield f'<text class="c{colour}" x="{WIDTH - RIGHT + 6}" y="{above:.1f}">{escaped(said)}</text>'


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _dot(axes: Axes, one: Point, metric: str, colour: int) -> str:
    said = f"{one.row.name}: {metric} {one.figure:.4f}, {milliseconds(one.seconds)}"
    return (
        f'<circle class="c{colour}" cx="{axes.x(one.seconds):.1f}" cy="{axes.y(one.figure):.1f}" r="5">'
        f"<title>{escaped(said)}</title></circle>"
    )


def _labels(axes: Axes, points: Sequence[Point]) -> Iterator[str]:
    """Yield the rerankers' names around their points, the first ones first; one that finds no room is left out."""
    dots = [Box.around(axes.x(one.seconds), axes.y(one.figure), 12, 12) for one in points]
    taken = list(dots)
    for one in points:
        name = _short(one.row.reranker or "", 32)
        x, y, width = axes.x(one.seconds), axes.y(one.figure), 6.3 * len(name)
        sides = ((x, y - 13), (x + 9 + width / 2, y), (x - 9 - width / 2, y), (x, y + 15))
        places = (Box.around(middle, height, width, 12) for middle, height in sides)
        if place := next((box for box in places if box.inside() and not any(map(box.meets, taken))), None):
            taken.append(place)
            middle, base = (place.left + place.right) / 2, place.bottom - 2
            yield f'<text class="label" x="{middle:.1f}" y="{base:.1f}" text-anchor="middle">{escaped(name)}</text>'
