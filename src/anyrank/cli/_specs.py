"""Scorers and other settings as they are written on a command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anyrank.errors import ArgumentError

__all__ = ["named", "setting", "spec"]


def spec(text: str) -> Any:
    """Read a scorer spec: ``lexical``, ``jina:jina-reranker-v3``, a JSON object, or ``@FILE`` with one in it.

    Raises `ArgumentError` for JSON that is none; whether there is such a scorer is seen when it is loaded.
    """
    text = text.strip()
    if text.startswith("@"):
        return _json(_content(Path(text[1:])), text[1:])
    return _json(text, "the spec") if text.startswith("{") else text


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
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"{path}: {(error.strerror or str(error)).lower()}"
        raise ArgumentError(msg) from None


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"{where}: not JSON: {error}"
        raise ArgumentError(msg) from None
