"""What every adapter does, whatever its host's words for it."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ._adapter_host import QUERY, TEXTS, WAIT, by_length, fail, never
from ._adapter_settings import AdapterSettings

if TYPE_CHECKING:
    from collections.abc import Sequence


class AdapterContract(AdapterSettings):
    """Subclass it and say, with the methods of `AdapterHost`, how the host builds, calls, reads and saves a reranker.

    The tests are those of `AdapterSettings` and these: order, identity, errors, async and threads.
    """

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

    def test_steps_come_before_the_cut(self) -> None:
        """``then`` takes specs, which are saved, and functions, which cannot be; a misspelt step is refused."""
        texts = ("merge", "merge sorted", "merge", "merge sorted inputs", "open")
        adapter = self.build("lexical", then=["dedupe", {"diversify": {"weight": 1}}], top_n=4)
        given = self.documents(texts)
        found = self.rerank(adapter, QUERY, given)
        assert sorted(self.texts(found)) == sorted(set(texts))
        assert asyncio.run(self.arerank(adapter, QUERY, given)) == found
        assert self.rerank(self.restore(self.save(adapter)), QUERY, given) == found
        live = self.build("lexical", then=[lambda ranking: ranking[1:]])
        assert len(self.rerank(live, QUERY, given)) == 4
        with pytest.raises((ValueError, NotImplementedError)):
            self.restore(self.save(live))
        with pytest.raises(ValueError, match="did you mean 'dedupe'"):
            self.build("lexical", then=["dedup"])

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
        adapter = self.build(never)
        assert self.rerank(adapter, QUERY, []) == []
        assert asyncio.run(self.arerank(adapter, QUERY, [])) == []

    @pytest.mark.parametrize(
        "answer", [[1.0], [1.0] * 6, [float("nan")] * 5, [1, 2, 3, 4, float("inf")], None, "12345"]
    )
    def test_a_bad_answer_is_an_error(self, answer: Any) -> None:
        """A wrong count, NaN, infinity or no list at all raises; it never becomes an order."""
        with pytest.raises(Exception, match="scorer '<lambda>' returned"):
            self.ranked(lambda _query, _texts: answer)

    def test_errors_reach_the_caller(self) -> None:
        """What a scorer raises is raised, in both colours; it never looks like an empty result."""
        adapter = self.build(fail)
        with pytest.raises(OSError, match="out of order"):
            self.rerank(adapter, QUERY, self.documents(TEXTS))
        with pytest.raises(OSError, match="out of order"):
            asyncio.run(self.arerank(adapter, QUERY, self.documents(TEXTS)))

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
