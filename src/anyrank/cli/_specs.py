"""Scorers and other settings as they are written on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyrank.errors import ArgumentError

from ._lines import parsed, reading

__all__ = ["named", "setting", "spec"]


def spec(text: str) -> Any:
    """Read a scorer spec: ``lexical``, ``jina:jina-reranker-v3``, a JSON object, or ``@FILE`` with one in it.

    Raises `ArgumentError` for JSON that is none; whether there is such a scorer is seen when it is loaded.
    """
    text = text.strip()
    if text.startswith("@"):
        with reading(text[1:]):
            content = Path(text[1:]).read_text(encoding="utf-8-sig")
        return parsed(content, text[1:])
    return parsed(text, "the spec") if text.startswith("{") else text


def named(text: str) -> tuple[str, str]:
    """Split ``NAME=VALUE``; a value alone is its own name.

    A name holds no brace, ``@``, colon, slash or backslash: what does is a JSON object, a file, a spec or a path.
    """
    name, equals, value = text.partition("=")
    if equals and name.strip() and not set(name) & set("{@:/\\"):
        return name.strip(), value.strip()
    return text.strip(), text.strip()


def setting(text: str) -> Any:
    """Read a value: JSON where it is (``3``, ``0.5``, ``true``, ``["a", "b"]``), else the text itself."""
    try:
        return parsed(text, "")
    except ArgumentError:
        return text
