"""From a row of a result table to the text that is scored, and to what later steps read of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.types as kinds

from anyrank.errors import ArgumentError, TextError
from anyrank_lancedb._rows import column_of, has, indices

if TYPE_CHECKING:
    from anyrank_lancedb._roll import Places

Column: TypeAlias = str | Sequence[str]
"""The column whose text is scored, or several, whose texts are joined by line breaks."""


class Row(Mapping[str, Any]):
    """A row as steps see it: its columns by name, read when asked for, and under ``"text"`` what is scored of it."""

    __slots__ = ("_place", "_table", "text")

    def __init__(self, table: pa.Table, place: int, text: str) -> None:
        self._table = table
        self._place = place
        self.text = text

    def __getitem__(self, name: str) -> Any:
        if name == "text":
            return self.text
        if not has(self._table, name):
            raise KeyError(name)
        return self.column(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._table.schema.names, "text"]))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def column(self, name: str) -> Any:
        """Return what a column holds. Raises `anyrank.errors.TextError`, naming the columns there are."""
        return column_of(self._table, name)[self._place].as_py()


def by_column(name: str) -> Callable[[Row], Any]:
    """Return a reader of this column. Raises `ArgumentError` for what is no name."""
    _checked_name(name, "dedupe_by")
    return lambda row: row.column(name)


def checked_column(given: Column) -> Column:
    """Return a column's name, or a tuple of several. Raises `ArgumentError` for anything else."""
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        return _checked_name(given, "column")
    return tuple(_checked_name(name, "column") for name in given)


def _checked_name(name: Any, option: str) -> str:
    if isinstance(name, str) and name:
        return name
    msg = f"{option} must be a column's name; got {name!r:.80}"
    raise ArgumentError(msg)


def texts_of(table: pa.Table, places: Places, column: Column) -> list[str]:
    """Return the texts at these places; null is ``""``, and of several columns the empty ones are left out.

    Raises `anyrank.errors.TextError` for a column that is not there or holds something other than text.
    """
    if not len(places):
        return []
    names = [column] if isinstance(column, str) else column
    parts = [_strings(table, name, places) for name in names]
    return parts[0] if len(parts) == 1 else ["\n".join(filter(None, row)) for row in zip(*parts, strict=True)]


def _strings(table: pa.Table, name: str, places: Places) -> list[str]:
    values = column_of(table, name)
    if _is_text(values.type):
        return [text or "" for text in values.take(indices(places)).to_pylist()]
    texts = ", ".join(field.name for field in table.schema if _is_text(field.type)) or "none"
    msg = f"column {name!r} holds {values.type}, not text: column= names a column of text (here: {texts})"
    raise TextError(msg)


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if kinds.is_dictionary(kind) else kind
    return any(fits(inner) for fits in (kinds.is_string, kinds.is_large_string, kinds.is_null))
