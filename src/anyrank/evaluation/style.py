"""How pages and pictures look, in the reader's light or dark, and how foreign text gets into them."""

from __future__ import annotations

import re
from html import escape
from typing import Final

__all__ = ["COLOURS", "PAGE", "PICTURE", "escaped", "fitting"]

UNFIT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no page and no picture can hold: control characters and halves of pairs (XML 1.0, production 2)."""

STAGES: Final = 6
"""So many colours there are for first stages; more begin again."""

COLOURS: Final = """
:root { color-scheme: light dark; --ink: #1d2433; --soft: #667085; --line: #e4e7ec; --paper: #fff; --raised: #f7f8fa;
  --better: #16855b; --worse: #c2410c; --c0: #1f6feb; --c1: #c2560c; --c2: #0b7a5e; --c3: #a0449b; --c4: #876500;
  --c5: #4b7c99; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2c3340; --paper: #12151b;
  --raised: #1a1f28; --better: #3fbf8f; --worse: #f08a5d; --c0: #6ea8fe; --c1: #f0975a; --c2: #45c8a0; --c3: #d98ad4;
  --c4: #d9b44a; --c5: #8fbcd6; } }
"""

PICTURE: Final = """
svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
svg text { font-size: 11.5px; fill: var(--soft); } .axis, .grid { stroke: var(--line); }
svg .label { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.front { fill: none; stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 2 3; }
line.stage { stroke-dasharray: 6 5; stroke-width: 1.5; opacity: .8; }
rect.better { fill: var(--better); } rect.worse { fill: var(--worse); } rect.paper { fill: var(--paper); }
""" + "".join(
    f"circle.c{n}, svg text.c{n} {{ fill: var(--c{n}); }} line.c{n} {{ stroke: var(--c{n}); }}\n" for n in range(STAGES)
)

PAGE: Final = """
body { margin: 0 auto; max-width: 1120px; padding: 2.5rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: .95rem; margin: 0 0 .25rem; } p { margin: .25rem 0; } p + .scroll { margin-top: 1rem; }
.soft { color: var(--soft); } svg { width: 100%; height: auto; display: block; }
.wide { max-width: 980px; overflow-x: auto; } .wide svg { min-width: 600px; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .35rem .55rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { background: var(--raised); font-weight: 600; } tr:last-child td { border-bottom: 0; }
.word { text-align: left; } tr.stage td { background: var(--raised); } .best { font-weight: 700; }
td.word { white-space: normal; overflow-wrap: anywhere; min-width: 9.5em; max-width: 22em; }
.helps { color: var(--better); } .hurts { color: var(--worse); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; min-width: 0; }
.card ul { margin: .5rem 0 0; padding: 0; list-style: none; font-size: 13px; }
.card li { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
"""


def fitting(text: str) -> str:
    """Return a text with U+FFFD for what no file of text can hold."""
    return UNFIT.sub("\ufffd", text)


def escaped(text: str) -> str:
    """Return a text as it stands between tags or in an attribute."""
    return escape(fitting(text))
