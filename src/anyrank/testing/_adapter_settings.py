"""What every adapter does with its settings: numbers, specs, keys, what is written down, what is reported."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from anyrank import Cascade, Fallback, FirstStage, Reranker

from ._adapter_host import QUERY, TEXTS, AdapterHost, by_length, fail

if TYPE_CHECKING:
    from anyrank.ranking import Report


class AdapterSettings(AdapterHost):
    """The part of `AdapterContract` that is about settings."""

    @pytest.mark.parametrize(("top_n", "count"), [(None, 5), (2, 2), (99, 5)])
    def test_top_n(self, top_n: int | None, count: int) -> None:
        """So many come back at most; None is all."""
        assert self.ranked(by_length, top_n=top_n) == sorted(TEXTS, key=len, reverse=True)[:count]

    @pytest.mark.parametrize("top_n", [0, -1, True])
    def test_top_n_must_be_above_zero(self, top_n: int) -> None:
        """0, negatives and booleans are refused at construction."""
        with pytest.raises(ValueError, match=r"top_|limit"):
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
        assert self.ranked(Fallback(fail, FirstStage()), score_threshold=100.0) == list(TEXTS)

    def test_rerankers_keep_their_own_numbers(self) -> None:
        """A `Reranker` or `Cascade` is used as it is; the adapter's own ``top_n`` overrides it."""
        best = sorted(TEXTS, key=len, reverse=True)
        assert self.ranked(Reranker(by_length, top_n=3)) == best[:3]
        assert self.ranked(Cascade((by_length, 3), (lambda _, texts: [-len(t) for t in texts], 2))) == best[2:0:-1]
        assert self.ranked(Reranker(by_length, top_n=3), top_n=1) == best[:1]

    def test_unknown_specs_and_keywords_are_refused(self) -> None:
        """A misspelt scorer, option or setting is an error at construction that says what is known."""
        with pytest.raises(ValueError, match=r"did you mean 'lexical'"):
            self.build("lexicla")
        with pytest.raises(ValueError, match=r"has no option 'k2'"):
            self.build("lexical", scorer_options={"k2": 1})
        with pytest.raises(self.unknown_keyword_error):
            self.build("lexical", topn=3)

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
        adapter = self.build(Fallback(fail, "lexical"), on_report=reports.append)
        with caplog.at_level(logging.WARNING, logger="anyrank"):
            self.rerank(adapter, QUERY, self.documents(TEXTS))
        assert reports[0].degraded
        assert isinstance(reports[0].errors[0], OSError)
        warnings = [record.getMessage() for record in caplog.records if record.name == "anyrank"]
        assert len(warnings) == 1
        assert "out of order" in warnings[0]
