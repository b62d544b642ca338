"""Late interaction: query and text keep one vector a token, and every token of the query looks for its best match."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from sys import getsizeof
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from anyrank import _checks
from anyrank._library import LibraryModel, document_prompt, in_parts
from anyrank._limits import most_positions
from anyrank._local import Job
from anyrank._maxsim import as_tensor, maxsim, pooled
from anyrank._projection import conversion_unsaid, drop_projection, has_own_projection
from anyrank.errors import ArgumentError
from anyrank.ranking import Report
from anyrank.scorer import Candidates, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentence_transformers import MultiVectorEncoder
    from torch import Tensor

__all__ = ["LateInteraction", "maxsim"]

Vectors: TypeAlias = Mapping[str, Any] | Callable[[list[str]], Sequence[Any]]
"""Where a document's vectors come from, by its text: rows of a numpy array or tensor, or None for "not known"."""


@dataclass(eq=False)
class LateInteraction(LibraryModel["_Encoder"]):
    """A late-interaction model, score kind ``similarity``: MaxSim, as `maxsim` says.

    Takes what ``sentence_transformers.MultiVectorEncoder`` reads: its own checkpoints, PyLate's, and Stanford's ColBERT
    with ``artifact.metadata``; prefixes, query expansion, lengths and the tokens that do not count are as saved. Any
    other encoder of text works as well, with its own token embeddings, normalised: an *untrained* late-interaction
    model, nothing in it having learned to be read this way.

    The shown score is the sum over the query's tokens, expansion included; ``activation="meanmaxsim"`` divides it by
    their number (-1 to 1 for normalised vectors), which makes queries of different lengths comparable and changes no
    order. ``pooled`` adds to that mean so many times the cosine between the means of both texts' vectors, and to the
    sum as much for each token: what an embedding of the whole text says, from the same pass. ``max_length`` is the
    number of tokens of a document that are read; ``report.truncated`` tells what was cut.

    ``vectors`` gives documents' vectors that are known already: a mapping from text to array, or a function that is
    called with texts and returns one array for each. An array has a row of finite floats for each token and is used
    as it is. A text that is missing, or None, is encoded. ``cache_bytes`` bounds the vectors of encoded documents that
    are kept for the next queries; 0 keeps none. The other options are those of `LibraryModel`.
    """

    name: ClassVar[str] = "late_interaction"
    score_kind: ClassVar[str] = "similarity"

    activation: str | None = None
    pooled: float = 0.0
    vectors: Vectors | None = field(default=None, repr=False)
    cache_bytes: int = 128 * 2**20

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        super().__post_init__()
        self._one_of("activation", (None, "meanmaxsim"))
        if not (self.vectors is None or isinstance(self.vectors, Mapping) or callable(self.vectors)):
            msg = (
                "vectors= is a mapping from a document's text to its vectors, or a function from texts to a list of "
                f"them; got {type(self.vectors).__name__}"
            )
            raise ArgumentError(msg)
        if _checks.finite(self.pooled) is None or self.pooled < 0:
            msg = f"pooled is how much the cosine of the mean vectors counts, 0 or more; got {self.pooled!r:.80}"
            raise ArgumentError(msg)
        if self.cache_bytes != 0:
            _checks.top_n(self.cache_bytes, "cache_bytes")

    @property
    def spec(self) -> str | dict[str, Any] | None:  # type: ignore[override]  # vectors are a live object
        """The spec that `anyrank.load` reads; None with ``vectors``, which cannot be written down."""
        return super().spec if self.vectors is None else None

    def _load(self) -> _Encoder:
        with conversion_unsaid():
            model = cast("MultiVectorEncoder", self._open("MultiVectorEncoder"))
        if not has_own_projection(model, self._place, self.revision):
            drop_projection(model)
        transformer = cast("Any", model[0])
        length = self.max_length or transformer.document_length
        positions = most_positions(transformer.model)
        transformer.document_length = min(length, positions) if length and positions else length
        batch_size = self._together(model)
        self._accelerated(model)
        return _Encoder(model, batch_size, _Cache(self.cache_bytes))

    def _score(self, model: _Encoder, query: str, texts: Candidates) -> Scores:
        return self._score_all(model, [Job(query, texts)])[0]

    def _score_all(self, model: _Encoder, jobs: Sequence[Job]) -> list[Scores]:
        """Encode every query and every distinct text once, in common batches; of the texts, keep scores only."""
        asked = model.queries([job.query for job in jobs])
        tallies = [
            _Tally(vectors, self.pooled, set(job.texts), job.context.run(self._given, job.texts, vectors.shape[1]))
            for job, vectors in zip(jobs, asked, strict=True)
        ]
        missing = dict.fromkeys(
            text for tally, job in zip(tallies, jobs, strict=True) for text in tally.lacks(job.texts)
        )
        for few in model.documents(list(missing)):
            for tally in tallies:
                tally.add(few)
        return [self._scores(job.texts, tally) for job, tally in zip(jobs, tallies, strict=True)]

    def _scores(self, texts: Candidates, tally: _Tally) -> Scores:
        raw = [tally.scores[text] for text in texts]
        report = Report(truncated={place: tally.cut[text] for place, text in enumerate(texts) if text in tally.cut})
        if self.activation is None:
            return Scores(raw, report=report)
        return Scores((score / max(1, len(tally.asked)) for score in raw), order=raw, report=report)

    def _given(self, texts: Iterable[str], size: int) -> dict[str, _Document]:
        """Return the documents whose vectors are known. Raises `ArgumentError` for ones that cannot be right."""
        if self.vectors is None:
            return {}
        distinct = list(dict.fromkeys(texts))
        if isinstance(self.vectors, Mapping):
            arrays: Any = [self.vectors.get(text) for text in distinct]
        else:
            arrays = self.vectors(list(distinct))
        count = None if isinstance(arrays, (str, Mapping)) or not hasattr(arrays, "__len__") else len(arrays)
        if count != len(distinct):
            many = f"a {type(arrays).__name__}" if count is None else f"{count} arrays"
            msg = f"the function given as vectors= returned {many} for {len(distinct)} texts, not an array for each"
            raise ArgumentError(msg)
        pairs = zip(distinct, arrays, strict=True)
        return {text: _Document(_checked(array, size, text)) for text, array in pairs if array is not None}


def _checked(array: Any, size: int, text: str) -> Tensor:
    """Return precomputed vectors as a tensor."""
    try:
        vectors = as_tensor(array)
    except (TypeError, ValueError, RuntimeError):
        wrong = f"a {type(array).__name__}"
    else:
        shaped = vectors.ndim == 2 and vectors.shape[1] == size and len(vectors) and vectors.is_floating_point()
        if shaped and vectors.isfinite().all():
            return vectors
        given = f"{str(vectors.dtype).removeprefix('torch.')} of shape {tuple(vectors.shape)}"
        wrong = "NaN or infinity" if shaped else given
    msg = (
        f"vectors= gave {wrong} for {text!r:.80}; the model needs one row of {size} finite floats for each token, "
        "encoded by this same model"
    )
    raise ArgumentError(msg)


@dataclass(frozen=True, slots=True)
class _Document:
    """A document's vectors, and how many of its tokens are not among them because it was too long."""

    vectors: Tensor
    cut: int = 0


class _Tally:
    """What is known so far of one call: the scores of its texts, and what was cut of them."""

    def __init__(self, asked: Tensor, pooled: float, texts: AbstractSet[str], given: Mapping[str, _Document]) -> None:
        self.asked = asked
        self.pooled = pooled
        self.scores: dict[str, float] = {}
        self.cut: dict[str, int] = {}
        self._texts = texts
        self.add(given)

    def lacks(self, texts: Iterable[str]) -> Iterator[str]:
        """Give the texts that have no score yet."""
        return (text for text in texts if text not in self.scores)

    def add(self, documents: Mapping[str, _Document]) -> None:
        """Score those documents that are asked about, and not scored yet."""
        mine = {text: documents[text] for text in self.lacks(documents) if text in self._texts}
        if mine:
            self.scores.update(zip(mine, self._scored([one.vectors for one in mine.values()]), strict=True))
            self.cut.update((text, document.cut) for text, document in mine.items() if document.cut)

    def _scored(self, documents: Sequence[Tensor]) -> list[float]:
        scores = maxsim(self.asked, documents)
        if self.pooled:
            scores = scores + self.pooled * len(self.asked) * pooled(self.asked, documents)
        found: list[float] = scores.tolist()
        return found


class _Cache:
    """Documents by their text; the least lately used go first when all take more than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._documents: OrderedDict[str, _Document] = OrderedDict()

    def get(self, text: str) -> _Document | None:
        """Return a document that is kept, which makes it the latest used."""
        if text in self._documents:
            self._documents.move_to_end(text)
        return self._documents.get(text)

    def add(self, text: str, document: _Document) -> None:
        """Keep a document that is not kept yet."""
        self._documents[text] = document
        self._bytes += self._size(text, document)
        while self._bytes > self._limit:
            self._bytes -= self._size(*self._documents.popitem(last=False))

    @staticmethod
    def _size(text: str, document: _Document) -> int:
        return getsizeof(text) + document.vectors.nbytes


@dataclass(frozen=True, slots=True)
class _Encoder:
    """A loaded model, and the documents that it encoded last."""

    model: MultiVectorEncoder
    batch_size: int
    cache: _Cache

    def queries(self, texts: list[str]) -> list[Tensor]:
        """Return the vectors of each query as float32."""
        distinct = list(dict.fromkeys(texts))
        found = self._encoded(self.model.encode_query, distinct)
        vectors = {text: rows.float() for text, rows in zip(distinct, found, strict=True)}
        return [vectors[text] for text in texts]

    def documents(self, texts: list[str]) -> Iterator[dict[str, _Document]]:
        """Give distinct texts with their vectors: first all that are kept, then batch by batch, the longest first."""
        kept = {text: document for text in texts if (document := self.cache.get(text))}
        yield kept
        missing = [text for text in texts if text not in kept]
        lengths = self._lengths(missing)
        missing.sort(key=lengths.__getitem__, reverse=True)
        for start in range(0, len(missing), self.batch_size):
            batch = missing[start : start + self.batch_size]
            vectors = self._encoded(partial(self.model.encode_document, prompt=self._prompt), batch)
            encoded = {
                text: _Document(rows, max(0, lengths[text] - self._limit))
                for text, rows in zip(batch, vectors, strict=True)
            }
            yield encoded
            for text, document in encoded.items():
                self.cache.add(text, document)

    def _encoded(self, encode: Callable[..., Any], texts: list[str]) -> Iterator[Tensor]:
        work = partial(encode, batch_size=self.batch_size, show_progress_bar=False)
        return chain.from_iterable(in_parts(work, texts))

    def _lengths(self, texts: list[str]) -> dict[str, int]:
        """Return how many tokens each text has, prefix and special ones included, before anything is cut."""
        prompted = [self._prompt + text for text in texts]
        ids = self.model.tokenizer(prompted, truncation=False, verbose=False)["input_ids"] if texts else []
        return dict(zip(texts, map(len, ids), strict=True))

    @property
    def _limit(self) -> int:
        own = getattr(self.model[0], "document_length", None)
        return int(own or self.model.max_seq_length or 2**31)

    @property
    def _prompt(self) -> str:
        return document_prompt(self.model)


scorer = LateInteraction
