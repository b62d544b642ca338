"""The figures of `local.py` as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from _local_latency import Latency

OURS: Final = "#c2410c"
PALE: Final = "#fdba74"
THEIRS: Final = "#64748b"


def draw(file: Path, ratios: Mapping[str, tuple[float, float | None]], latency: Latency) -> None:
    """Draw how many times as fast we are as others, one call and many at once, and how long a call takes."""
    from matplotlib import pyplot as plt

    plt.rcParams |= {"font.size": 9, "svg.hashsalt": "anyrank", "svg.fonttype": "none"}
    figure, (bars, lines) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    _bars(bars, ratios)
    _lines(lines, latency)
    for axes in (bars, lines):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None, dpi=150)


def _bars(axes: Any, ratios: Mapping[str, tuple[float, float | None]]) -> None:
    names = list(ratios)[::-1]
    for side, (label, colour) in enumerate({"one call": OURS, "32 callers at once": PALE}.items()):
        shown = [(place, ratios[name][side]) for place, name in enumerate(names) if ratios[name][side] is not None]
        heights = [place + 0.2 - 0.4 * side for place, _ in shown]
        drawn = axes.barh(heights, [ratio for _, ratio in shown], height=0.36, color=colour, label=label)
        axes.bar_label(drawn, fmt="%.1f", padding=3)
    axes.set_yticks(range(len(names)), [name.replace(" ", "\n") for name in names])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_title("anyrank is so many times as fast as", loc="left")
    axes.margins(x=0.12)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2)


def _lines(axes: Any, latency: Latency) -> None:
    styles = ((THEIRS, "o-"), (OURS, "o-"), (OURS, "s--"))
    for (name, by), (colour, style) in zip(latency.items(), styles, strict=False):
        counts = list(by)
        medians, tails = ([by[count][side] * 1e3 for count in counts] for side in (0, 1))
        axes.plot(counts, medians, style, color=colour, label=name, markersize=4)
        axes.fill_between(counts, medians, tails, color=colour, alpha=0.12, linewidth=0)
    axes.set(xscale="log", yscale="log", xlabel="passages")
    axes.set_xticks(counts, map(str, counts), minor=False)
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("ms a call: median to 99th percentile", loc="left")
    axes.legend(frameon=False)
