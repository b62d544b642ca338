"""The JSON Schemas of answers, within what strict modes take: no bounds on the length of a list."""

from __future__ import annotations

from typing import Any


def ranking_schema(count: int) -> dict[str, Any]:
    """Return that of an object with a list of passages' numbers."""
    return _object("ranking", {"type": "array", "items": _number(count)})


def choice_schema(name: str, count: int) -> dict[str, Any]:
    """Return that of an object that names one of the passages."""
    return _object(name, _number(count))


def _number(count: int) -> dict[str, Any]:
    return {"type": "integer", "enum": list(range(1, count + 1))}


def _object(name: str, part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: part}, "required": [name], "additionalProperties": False}
