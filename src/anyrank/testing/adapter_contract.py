"""What every adapter does, whatever its host's words for it."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import threading
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from anyrank import Cascade, Fallback, FirstStage, Reranker

from ._base import Contract, installed_scorers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from anyrank.ranking import Report

TEXTS = ("merge sorted inputs", "count items", "merge sort and merge again", "", "open a file")
QUERY = "merge sorted"
WAIT = 20.0
"""Seconds after which a test that would hang fails instead."""

KEYED = """
class Keyed:
    def __init__(self, model=None, *, api_key=None, factor=1.0):
        self.api_key, self.factor = api_key, factor
    def score(self, query, texts):
        key = self.api_key() if callable(self.api_key) else self.api_key
        if key != "s3cr3t":
            raise PermissionError("no key")
        return [self.factor * len(text) for text in texts]
"""


def by_length(_query: str, texts: Sequence[str]) -> list[float]:
    """Score by length: easy to check by eye."""
    return [float(len(text)) for text in texts]


class AdapterContract(Contract):
    """Subclass it and say how the host builds, calls, reads and writes down its reranker."""

    unknown_keyword_error: type[Exception] | tuple[type[Exception], ...] = (ValueError, TypeError)

    @abstractmethod
    def build(self, scorer: Any, **settings: Any) -> Any:
        """Return the adapter. ``settings`` are in the common words; ``top_n`` may need the host's name for it."""

    @abstractmethod
    def documents(self, texts: Sequence[str]) -> list[Any]:
        """Return host documents with ids, nested metadata and, where the host has them, first-stage scores."""

    @abstractmethod
    def rerank(self, adapter: Any, query: str, documents: Any) -> list[Any]:
        """Call the adapter from sync code and return the documents."""

    @abstractmethod
    async def arerank(self, adapter: Any, query: str, documents: Any) -> list[Any]:
        """Call the adapter's native async method."""

    @abstractmethod
    def text(self, document: Any) -> str:
        """Return a document's text."""

    @abstractmethod
    def score(self, document: Any) -> Any:
        """Return the score that the adapter attached."""

    @abstractmethod
    def rest(self, document: Any) -> Any:
        """Return all of a document but its score, comparable: type, id, text, metadata."""

    @abstractmethod
    def save(self, adapter: Any) -> str:
        """Write the adapter down the host's way."""

    @abstractmethod
    def restore(self, saved: str) -> Any:
        """Build the adapter from what `save` wrote."""

    def api_key(self, key: str) -> Any:
        """Return a key as the host's users pass it."""
        return key

    @pytest.fixture
    def keyed(self, tmp_path: Path) -> Iterator[str]:
        """Give the spec of an installed scorer that takes the key ``s3cr3t`` and scores by length."""
        with installed_scorers(tmp_path, "keyed_scorer", KEYED, {"keyed": "Keyed"}):
            yield "keyed"

    def texts(self, documents: Sequence[Any]) -> list[str]:
        """Return the documents' texts."""
        return [self.text(document) for document in documents]

    def ranked(self, scorer: Any, texts: Sequence[str] = TEXTS, **settings: Any) -> list[str]:
        """Rerank these texts with this scorer and return them in order."""
        return self.texts(self.rerank(self.build(scorer, **settings), QUERY, self.documents(texts)))

    def test_best_first_with_their_own_scores(self) -> None:
        """Documents come best first, each with the score of its own text, as a float that JSON can hold."""
        found = self.rerank(self.build(by_length), QUERY, self.documents(TEXTS))
        assert self.texts(found) == sorted(TEXTS, key=len, reverse=True)
        assert [self.score(document) for document in found] == [len(self.text(document)) for document in found]
        assert all(type(self.score(document)) is float for document in found)
        json.dumps([self.score(document) for document in found])

    def test_ties_keep_the_order_of_the_input(self) -> None:
        """Equal scores, zeros of both signs included, leave documents in the order they came."""
        assert self.ranked(lambda _, texts: [(-0.0, 0.0)[i % 2] for i in range(len(texts))]) == list(TEXTS)

    def test_negative_scores_are_ranked(self) -> None:
        """Scores below zero are as good as any."""
        assert self.ranked(lambda _, texts: [-float(len(text)) for text in texts]) == sorted(TEXTS, key=len)

    def test_only_the_score_changes(self) -> None:
        """Type, id, text and metadata of a document come back as they went in."""
        given = self.documents(TEXTS)
        by_text = {self.text(document): self.rest(document) for document in given}
        for document in self.rerank(self.build(by_length), QUERY, given):
            assert self.rest(document) == by_text[self.text(document)]

    def test_inputs_stay_as_they_were(self) -> None:
        """Neither the list nor its documents are changed, and a second call gives the same."""
        given = self.documents(TEXTS)
        before, kept = copy.deepcopy(given), list(given)
        adapter = self.build("lexical", top_n=2)
        first = self.rerank(adapter, QUERY, given)
        assert given == before
        assert all(one is other for one, other in zip(given, kept, strict=True))
        assert all(document is not other for document in first for other in given)
        assert self.rerank(adapter, QUERY, given) == first

    def test_any_sequence_is_taken_and_a_list_returned(self) -> None:
        """A tuple of documents works; the result is a list."""
        found = self.rerank(self.build(by_length), QUERY, tuple(self.documents(TEXTS)))
        assert isinstance(found, list)
        assert len(found) == len(TEXTS)

    def test_the_scorer_is_asked_once_with_all_texts(self) -> None:
        """One call, all texts, in input order."""
        calls: list[tuple[str, ...]] = []

        def spy(query: str, texts: Sequence[str]) -> list[float]:
            calls.append((query, *texts))
            return by_length(query, texts)

        self.ranked(spy)
        assert calls == [(QUERY, *TEXTS)]

    def test_no_documents_ask_nobody(self) -> None:
        """An empty list gives an empty list, without a call, in both colours."""
        adapter = self.build(_never)
        assert self.rerank(adapter, QUERY, []) == []
        assert asyncio.run(self.arerank(adapter, QUERY, [])) == []

    @pytest.mark.parametrize(("top_n", "count"), [(None, 5), (2, 2), (99, 5)])
    def test_top_n(self, top_n: int | None, count: int) -> None:
        """So many come back at most; None is all."""
        assert self.ranked(by_length, top_n=top_n) == sorted(TEXTS, key=len, reverse=True)[:count]

    @pytest.mark.parametrize("top_n", [0, -1, True])
    def test_top_n_must_be_above_zero(self, top_n: int) -> None:
        """0, negatives and booleans are refused at construction."""
        with pytest.raises(ValueError, match="top_"):
            self.build("lexical", top_n=top_n)

    def test_the_threshold_is_inclusive(self) -> None:
        """A document on the threshold stays; those below go."""
        assert self.ranked(by_length, score_threshold=float(len(TEXTS[0]))) == [TEXTS[2], TEXTS[0]]

    def test_a_threshold_of_zero_counts(self) -> None:
        """0.0 is a threshold, not "none"."""
        assert self.ranked(lambda _query, _texts: [-1.0, 0.0, 1.0, 2.0, 3.0], score_threshold=0.0) == list(TEXTS[:0:-1])

    def test_a_threshold_on_places_is_refused(self) -> None:
        """Reciprocal ranks mean nothing to a fixed threshold: an error at construction."""
        with pytest.raises(ValueError, match="threshold"):
            self.build({"ensemble": {"scorers": {"bm25": "lexical"}}}, score_threshold=0.5)

    def test_a_threshold_spares_degraded_results(self) -> None:
        """When a stand-in answered, the threshold meant for the other's scores is not applied."""
        assert self.ranked(Fallback(_fail, FirstStage()), score_threshold=100.0) == list(TEXTS)

    def test_rerankers_keep_their_own_numbers(self) -> None:
        """A `Reranker` or `Cascade` is used as it is; the adapter's own ``top_n`` overrides it."""
        best = sorted(TEXTS, key=len, reverse=True)
        assert self.ranked(Reranker(by_length, top_n=3)) == best[:3]
        assert self.ranked(Cascade((by_length, 3), (lambda _, texts: [-len(t) for t in texts], 2))) == best[2:0:-1]
        assert self.ranked(Reranker(by_length, top_n=3), top_n=1) == best[:1]

    @pytest.mark.parametrize(
        "answer", [[1.0], [1.0] * 6, [float("nan")] * 5, [1, 2, 3, 4, float("inf")], None, "12345"]
    )
    def test_a_bad_answer_is_an_error(self, answer: Any) -> None:
        """A wrong count, NaN, infinity or no list at all raises; it never becomes an order."""
        with pytest.raises(Exception, match="scorer '<lambda>' returned"):
            self.ranked(lambda _query, _texts: answer)

    def test_errors_reach_the_caller(self) -> None:
        """What a scorer raises is raised, in both colours; it never looks like an empty result."""
        adapter = self.build(_fail)
        with pytest.raises(OSError, match="out of order"):
            self.rerank(adapter, QUERY, self.documents(TEXTS))
        with pytest.raises(OSError, match="out of order"):
            asyncio.run(self.arerank(adapter, QUERY, self.documents(TEXTS)))

    def test_unknown_specs_and_keywords_are_refused(self) -> None:
        """A misspelt scorer, option or setting is an error at construction that says what is known."""
        with pytest.raises(ValueError, match=r"did you mean 'lexical'"):
            self.build("lexicla")
        with pytest.raises(ValueError, match=r"has no option 'k2'"):
            self.build("lexical", scorer_options={"k2": 1})
        with pytest.raises(self.unknown_keyword_error):
            self.build("lexical", topn=3)

    def test_async_gives_the_same_on_any_loop(self) -> None:
        """The async method returns what the sync one does, on one event loop after another."""
        adapter = self.build("lexical")
        expected = self.rerank(adapter, QUERY, self.documents(TEXTS))
        for _ in range(2):
            assert asyncio.run(self.arerank(adapter, QUERY, self.documents(TEXTS))) == expected

    def test_native_async_is_concurrent(self) -> None:
        """64 calls of an async scorer are under way at the same time; no thread pool limits them."""

        async def all_together() -> list[Any]:
            barrier = asyncio.Barrier(64)

            async def scorer(query: str, texts: Sequence[str]) -> list[float]:
                await barrier.wait()
                return by_length(query, texts)

            adapter = self.build(scorer)
            calls = (self.arerank(adapter, QUERY, self.documents(TEXTS)) for _ in range(64))
            return await asyncio.wait_for(asyncio.gather(*calls), WAIT)

        assert len(asyncio.run(all_together())) == 64

    def test_a_sync_scorer_does_not_block_the_loop(self) -> None:
        """While a sync scorer waits, the event loop goes on: here it is the loop that lets it finish."""
        release = threading.Event()

        def waits(query: str, texts: Sequence[str]) -> list[float]:
            assert release.wait(WAIT), "the event loop was blocked"
            return by_length(query, texts)

        async def both() -> list[Any]:
            call = asyncio.ensure_future(self.arerank(self.build(waits), QUERY, self.documents(TEXTS)))
            await asyncio.sleep(0.05)
            release.set()
            return await asyncio.wait_for(call, WAIT)

        assert len(asyncio.run(both())) == len(TEXTS)

    def test_an_async_scorer_in_sync_code_is_refused_by_name(self) -> None:
        """The sync method says which scorer can only be awaited."""

        async def only_async(_query: str, texts: Sequence[str]) -> list[float]:
            return [0.0 for _ in texts]

        with pytest.raises(TypeError, match="only_async"):
            self.ranked(only_async)

    def test_threads_do_not_mix_answers(self) -> None:
        """One adapter used from eight threads keeps every answer with its question."""
        adapter = self.build(by_length, top_n=1)
        lists = [[f"{'x' * (n + 5)}", f"{n}"] for n in range(40)]

        def best(texts: list[str]) -> str:
            return self.text(self.rerank(adapter, QUERY, self.documents(texts))[0])

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(best, lists)) == [texts[0] for texts in lists]

    @pytest.mark.parametrize(
        ("scorer", "options"),
        [
            ("lexical", None),
            ("lexical", {"k1": 0.5}),
            (
                {
                    "ensemble": {
                        "scorers": {"bm25": "lexical", "first": "first_stage"},
                        "weights": {"bm25": 2, "first": 1},
                    }
                },
                None,
            ),
            ({"cascade": {"stages": [["lexical", 3], ["first_stage", 2]]}}, None),
            ({"fallback": {"scorers": ["lexical", "first_stage"]}}, None),
        ],
        ids=["spec", "options", "ensemble", "cascade", "fallback"],
    )
    def test_written_down_and_restored(self, scorer: Any, options: dict[str, Any] | None) -> None:
        """A saved adapter comes back and ranks the same."""
        adapter = self.build(scorer, scorer_options=options, top_n=4)
        restored = self.restore(self.save(adapter))
        given = self.documents(TEXTS)
        assert self.rerank(restored, QUERY, given) == self.rerank(adapter, QUERY, given)

    def test_a_live_object_cannot_come_back(self) -> None:
        """An adapter over an object or function is not written down as something else."""
        with pytest.raises((ValueError, NotImplementedError)):
            self.restore(self.save(self.build(by_length)))

    def test_the_key_reaches_the_scorer_and_nothing_else(self, keyed: str) -> None:
        """``api_key=`` is handed over; it is in no repr and in nothing that is written down."""
        adapter = self.build(keyed, api_key=self.api_key("s3cr3t"), scorer_options={"factor": 2.0})
        found = self.rerank(adapter, QUERY, self.documents(TEXTS))
        assert self.score(found[0]) == 2.0 * max(map(len, TEXTS))
        shown = [repr(adapter), str(adapter), str(vars(adapter))]
        assert not any("s3cr3t" in text for text in [*shown, *self._saved(adapter)])

    def _saved(self, adapter: Any) -> list[str]:
        """Return what is written down, or nothing where the host refuses (a literal key)."""
        try:
            return [self.save(adapter)]
        except ValueError:
            return []

    def test_a_key_for_a_scorer_without_one_is_an_error(self) -> None:
        """``api_key=`` with a scorer that takes none, or with an object, is refused."""
        for scorer in ("lexical", by_length):
            with pytest.raises(ValueError, match="api_key"):
                self.build(scorer, api_key=self.api_key("s3cr3t"))

    @pytest.mark.parametrize(
        "options",
        [
            {"api_key": "s3cr3t"},
            {"headers": {"Authorization": "Bearer s3cr3t"}},
            {"base_url": "https://me:s3cr3t@host"},
        ],
    )
    def test_secrets_in_options_are_refused(self, keyed: str, options: dict[str, Any]) -> None:
        """What is written down may not hold a secret; the refusal does not repeat it."""
        with pytest.raises(ValueError, match="scorer_options") as refusal:
            self.build(keyed, scorer_options=options)
        assert "s3cr3t" not in str(refusal.value.__cause__ or refusal.value).split("input_value")[0]

    def test_reports_are_delivered(self) -> None:
        """``on_report`` gets the report of every call, in both colours."""
        reports: list[Report] = []
        adapter = self.build("lexical", on_report=reports.append)
        self.rerank(adapter, QUERY, self.documents(TEXTS))
        asyncio.run(self.arerank(adapter, QUERY, self.documents(TEXTS)))
        assert [report.scorer for report in reports] == ["lexical", "lexical"]

    def test_degraded_results_say_so(self, caplog: pytest.LogCaptureFixture) -> None:
        """A stand-in's result is in the report and in one warning, with what went wrong."""
        reports: list[Report] = []
        adapter = self.build(Fallback(_fail, "lexical"), on_report=reports.append)
        with caplog.at_level(logging.WARNING, logger="anyrank"):
            self.rerank(adapter, QUERY, self.documents(TEXTS))
        assert reports[0].degraded
        assert isinstance(reports[0].errors[0], OSError)
        warnings = [record.getMessage() for record in caplog.records if record.name == "anyrank"]
        assert len(warnings) == 1
        assert "out of order" in warnings[0]


def _never(_query: str, _texts: Sequence[str]) -> list[float]:
    msg = "the scorer was asked about nothing"
    raise AssertionError(msg)


def _fail(_query: str, _texts: Sequence[str]) -> list[float]:
    msg = "out of order"
    raise OSError(msg)
