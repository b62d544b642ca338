"""LanceDB's result tables: several lists to one without a detour through Python, and which rows are the same.

All that is known of the columns which LanceDB adds stands here.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anyrank.errors import ArgumentError, TextError
from anyrank_lancedb._roll import Roll

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyrank_lancedb._roll import Places

ROW_ID: Final = "_rowid"
DISTANCE: Final = "_distance"
SCORE: Final = "_score"
RELEVANCE: Final = "_relevance_score"

FOUND_BY: Final = (DISTANCE, SCORE)
"""What a search leaves of its own: a vector search's distance, a full-text search's BM25 score."""

NOTHING: Final = pa.table({})


def has(table: pa.Table, name: str) -> bool:
    """Whether a table has a column of this name."""
    return bool(table.schema.get_field_index(name) >= 0)


def column_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column. Raises `anyrank.errors.TextError`, naming the columns there are."""
    if has(table, name):
        return table.column(name)
    there = ", ".join(table.column_names) or "none"
    msg = f"the search result has no column {name!r} (columns there are: {there}): name one of these, or select it too"
    raise TextError(msg)


def require_row_ids(lists: Sequence[pa.Table]) -> None:
    """Raise `ArgumentError` unless every list says which rows its rows are."""
    for place, table in enumerate(lists):
        if not has(table, ROW_ID):
            there = ", ".join(table.column_names)
            msg = (
                f"result list {place} has no column {ROW_ID!r}, by which rows of several lists are told apart: add "
                f".with_row_id(True) to its search (columns there are: {there})"
            )
            raise ArgumentError(msg)


def row_ids(lists: Sequence[pa.Table]) -> list[pa.ChunkedArray | pa.Array]:
    """Return each list's row ids, all of one type; the rows of a list that is alone, without ids, are numbered.

    Raises `ArgumentError` where one of several lists lacks them.
    """
    known = [table.column(ROW_ID) for table in lists if has(table, ROW_ID)]
    kind = known[0].type if known else pa.uint64()
    if len(known) == len(lists):
        return [ids if ids.type == kind else ids.cast(kind) for ids in known]
    filled = [table for table in lists if table.num_rows]
    if len(filled) > 1:
        require_row_ids(filled)
    own = iter(known)
    return [next(own).cast(kind) if has(table, ROW_ID) else pa.array(range(table.num_rows), kind) for table in lists]


def concatenated(lists: Sequence[pa.Table]) -> pa.Table:
    """Return one table of all rows: a column that a list lacks is null there, of two types the wider one is taken."""
    tables = [table for table in lists if table.num_columns] or [NOTHING]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError:  # no wider one is known, as for a dictionary of strings beside strings
        return pa.concat_tables(_alike(tables), promote_options="default")


def _alike(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Return the tables with one type a column, the first table's where none is wider."""
    fields: dict[str, pa.Field] = {}
    for field in chain.from_iterable(table.schema for table in tables):
        fields[field.name] = _wider(fields.get(field.name, field), field)
    return [
        table.cast(pa.schema([fields[name] for name in table.schema.names], table.schema.metadata)) for table in tables
    ]


def _wider(one: pa.Field, other: pa.Field) -> pa.Field:
    try:
        return pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive").field(0)
    except pa.ArrowTypeError:
        return one


def indices(places: Places) -> pa.Array:
    """Return places as Arrow takes them: none at all have no type of their own."""
    return pa.array(places, pa.int64())


def distinct(table: pa.Table) -> pa.Table:
    """Return the table with the first copy of each row; without row ids all are different."""
    roll = Roll.of(row_ids([table]))
    return table.take(indices(roll.first(roll.rows))) if roll.repeats else table


def enrolled(lists: Sequence[pa.Table]) -> tuple[list[pa.Table], Roll]:
    """Return the lists, each with no row twice, and the roll of their rows. Raises as `row_ids` does."""
    roll = Roll.of(row_ids(lists))
    if not roll.repeats:
        return list(lists), roll
    once = list(map(distinct, lists))
    return once, Roll.of(row_ids(once))


def taken(lists: Sequence[pa.Table], roll: Roll, rows: Sequence[Any], *, everything: bool) -> pa.Table:
    """Return these rows of the lists' roll.

    ``everything`` keeps the distance and the score, those of a hybrid search for rows that both its lists have.
    """
    table, first = concatenated(lists), indices(roll.first(rows))
    if not everything:
        return without_found(table).take(first)
    complete = table.take(first)
    for name in FOUND_BY:
        if has(table, name) and not has(lists[0], name):
            place = table.schema.get_field_index(name)
            complete = complete.set_column(place, name, table.column(place).take(indices(roll.last(rows))))
    return complete


def copies(table: pa.Table, rows: pa.Table) -> tuple[Places, Places]:
    """Return where the copies of these rows are in a table, in their order, and which of them each is a copy of."""
    matches = pc.index_in(table.column(ROW_ID), rows.column(ROW_ID)).fill_null(rows.num_rows).to_numpy()
    places = np.argsort(matches, kind="stable")[: np.count_nonzero(matches < rows.num_rows)]
    return places, matches[places]


def scored(table: pa.Table, scores: Any) -> pa.Table:
    """Return the table with these scores, as float32, in its last column."""
    if has(table, RELEVANCE):
        table = table.drop_columns([RELEVANCE])
    return table.append_column(RELEVANCE, pa.array(np.asarray(scores, np.float32)))


def without_found(table: pa.Table) -> pa.Table:
    """Return the table without what the searches left, where that is there."""
    return table.select([name for name in table.schema.names if name not in FOUND_BY])
