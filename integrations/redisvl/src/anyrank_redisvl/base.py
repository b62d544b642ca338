"""What the four rerankers here share: RedisVL's fields, and its two methods over a `HostReranker`."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

from pydantic import ConfigDict, Field, PrivateAttr, StrictBool, field_validator
from redisvl.utils.rerank.base import BaseReranker

from anyrank.adapter import HostLifecycle, HostReranker, checked_top_n
from anyrank.errors import TextError
from anyrank.text import texts_of
from anyrank_redisvl._call import (
    CONTENT,
    Call,
    Ranked,
    RankOptions,
    Record,
    Row,
    checked_docs,
    checked_fields,
    checked_flag,
    checked_query,
)

if TYPE_CHECKING:
    from anyrank.text import TextOf

TEXT = attrgetter("text")


class SharedReranker(HostLifecycle, BaseReranker):  # type: ignore[misc]  # RedisVL ships no types
    """A RedisVL reranker that asks a `HostReranker`, and sorts, cuts and re-attaches nothing itself.

    ``rank_by``, ``limit`` and ``return_score`` may be assigned, and are checked then; what the scorer is built from
    may not. The API key and the report function are no fields: they are in no ``repr``, dump or pickle.
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", validate_assignment=True, hide_input_in_errors=True
    )

    model: str = Field(frozen=True)
    rank_by: list[str] | None = None
    limit: int | None
    return_score: StrictBool

    _host: HostReranker = PrivateAttr()
    _known: ClassVar[frozenset[str]] = RankOptions.__optional_keys__
    _wraps: ClassVar[bool] = False

    def rank(self, query: str, docs: Sequence[Record | str], **options: Unpack[RankOptions]) -> Ranked:
        """Return the most relevant documents, best first, and the score of each.

        ``docs`` are dicts, such as the results of a query, or strings; they come back as they are. A document that
        lacks a field of ``rank_by`` is scored without it; equal scores keep their order. The keywords are those of
        `RankOptions`, for this call. No documents give an empty list, and nothing is loaded or sent.

        Raises `ArgumentError` and its kind (`ValueError`) for an empty query and for arguments that cannot be right,
        `TypeError` for keywords that there are not, and whatever the scorer raises.
        """
        return self._rank(query, docs, options)

    async def arank(self, query: str, docs: Sequence[Record | str], **options: Unpack[RankOptions]) -> Ranked:
        """Return what `rank` does, without blocking the event loop."""
        return await self._arank(query, docs, options)

    @field_validator("limit", mode="before")
    @classmethod
    def check_limit(cls, value: Any) -> int | None:
        """Accept a positive whole number, or None for all; in place of RedisVL's check of this name."""
        return checked_top_n(value, "limit")

    @field_validator("rank_by", mode="before")
    @classmethod
    def check_rank_by(cls, value: Any) -> list[str] | None:
        """Accept a field's name or a list of names; in place of RedisVL's check of this name."""
        return checked_fields(value)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy that shares the scorer (unless ``deep``); ``update`` may hold what may be assigned."""
        copied: Self = super().model_copy(deep=deep)
        for name, value in (update or {}).items():
            setattr(copied, name, value)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._settings()), ()

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return the arguments to build it again with, without the key and the report function."""

    def _rank(self, query: str, docs: Sequence[Record | str], options: Mapping[str, Any]) -> Ranked:
        call = self._call(query, docs, options)
        return call.answer(self._asked(options).rerank(call.query, call.rows, text=TEXT, top_n=call.limit))

    async def _arank(self, query: str, docs: Sequence[Record | str], options: Mapping[str, Any]) -> Ranked:
        call = self._call(query, docs, options)
        return call.answer(await self._asked(options).arerank(call.query, call.rows, text=TEXT, top_n=call.limit))

    def _asked(self, options: Mapping[str, Any]) -> HostReranker:  # noqa: ARG002 - for those whose scorers differ by call
        """Return the reranker that answers a call with these options."""
        return self._host

    def _call(self, query: str, docs: Sequence[Record | str], options: Mapping[str, Any]) -> Call:
        for name in sorted(options.keys() - self._known):
            msg = f"{type(self).__name__}.rank() has no argument {name!r}; known: {', '.join(sorted(self._known))}"
            raise TypeError(msg)
        query, given = checked_query(query), checked_docs(docs)
        names = checked_fields(options.get("rank_by")) or self.rank_by
        field = names[0] if names else CONTENT
        records = [doc if isinstance(doc, Mapping) else {field: doc} for doc in given]
        texts = texts_of(records, names or self._unnamed(records))
        return Call(
            query=query,
            rows=list(map(Row, records, texts)),
            documents=[doc if isinstance(doc, Mapping) else {CONTENT: doc} for doc in given] if self._wraps else given,
            limit=checked_top_n(options.get("limit", self.limit), "limit"),
            return_score=checked_flag(options.get("return_score", self.return_score), "return_score"),
        )

    def _unnamed(self, records: Sequence[Record]) -> "TextOf[Record]":
        """Return how records are read without ``rank_by``. Raises `TextError` where that is not known."""
        if not records or any(CONTENT in record for record in records):
            return CONTENT
        found = ", ".join(map(str, list(records[0])[:12])) or "none"
        msg = f"no document has a field {CONTENT!r} (fields there are: {found}): say with rank_by= which to read"
        raise TextError(msg)
