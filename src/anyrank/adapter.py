"""What every framework adapter needs and its users never see.

An adapter turns its host's objects into texts, asks a `HostReranker`, and turns the ranking back into new host objects.
Everything the adapters would otherwise each do for themselves is here: reading ``scorer=``, handing over a key,
refusing secrets where they would be written down, delivering the report, closing only what was built, and the two
fields that are serialised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Unpack

from . import _checks
from ._lifecycle import acall, call
from ._registry import load, takes
from ._rounds import aeach, each
from ._secrets import refuse_secrets
from .cascade import Cascade
from .diversity import FieldsOf, Step, load_step
from .errors import ArgumentError, SpecError
from .ranking import Hit, Ranking
from .reranker import Reranker, StagedReranker, Then
from .scorer import ScorerLike, traits

if TYPE_CHECKING:
    from .ranking import Report
    from .reranker import Options

__all__ = [
    "ApiKey",
    "HostLifecycle",
    "HostReranker",
    "OnReport",
    "RerankerLike",
    "StepLike",
    "aeach",
    "checked_documents",
    "checked_top_n",
    "each",
    "host_ranking",
    "refuse_secrets",
]

T = TypeVar("T")

RerankerLike: TypeAlias = ScorerLike | Reranker | Cascade
"""What an adapter's ``scorer=`` takes."""

StepLike: TypeAlias = Then | str | Mapping[str, Any]
"""A step of an adapter's ``then=``: a function from ranking to ranking, or a spec that `diversity.load_step` reads."""

ApiKey: TypeAlias = str | Callable[[], str | None]
"""A key, or a function that gives it when it is first needed."""

OnReport: TypeAlias = Callable[["Report"], object]
"""Called with the report of every call, after it."""


class HostReranker:
    """A reranker as an adapter holds it.

    ``scorer`` is a spec, with ``scorer_options`` and ``api_key`` for it; or a scorer object, a function, a `Reranker`
    or a `Cascade`, without them. ``top_n`` and ``score_threshold`` None keep a wrapped reranker's own. ``then`` are
    steps before the cut, behind a wrapped reranker's own; those of `anyrank.diversity` look their field names up in
    what ``fields_of`` gives of a document, and find its text there as ``"text"``. Raises `ArgumentError` and its kind
    at construction; nothing is loaded or opened before the first non-empty call.
    """

    def __init__(  # noqa: PLR0913 - an adapter's settings, which its users write side by side
        self,
        scorer: RerankerLike,
        *,
        scorer_options: Mapping[str, Any] | None = None,
        api_key: ApiKey | None = None,
        top_n: int | None = None,
        score_threshold: float | None = None,
        then: Iterable[StepLike] | None = None,
        fields_of: FieldsOf | None = None,
        on_report: OnReport | None = None,
    ) -> None:
        """Build what the spec names, or wrap the object."""
        if scorer_options is not None and not isinstance(scorer_options, Mapping):
            msg = f"scorer_options must be a dict of the scorer's options; got a {type(scorer_options).__name__}"
            raise ArgumentError(msg)
        self.scorer = scorer
        self.scorer_options = dict(scorer_options or {})
        self.then = _listed_steps(then)
        self.on_report = _reporter(on_report)
        self._top_n = _checks.top_n(top_n)
        self._threshold = _checks.threshold(score_threshold, "score_threshold")
        built = _build(scorer, self.scorer_options, api_key)
        self._built = None if built is scorer else built
        steps = [_step(step, fields_of) for step in self.then]
        self.reranker: Reranker | Cascade
        if isinstance(built, StagedReranker):
            self.reranker = built.followed_by(steps) if steps else built  # type: ignore[assignment]  # the two subclasses there are
            self.reranker.refuse_threshold(self._threshold)
        else:
            self.reranker = Reranker(built, min_score=self._threshold, then=steps)

    @property
    def model_name(self) -> str:
        """The model's name where the scorer says one, else the scorer's: what traces show."""
        last = traits(self.reranker.scorer)
        return last.model or last.name

    @property
    def score_threshold(self) -> float | None:
        """The lowest score that comes back, where the adapter sets one."""
        return self._threshold

    @property
    def top_n(self) -> int | None:
        """How many documents come back at most: the adapter's own number, else the wrapped reranker's."""
        return self._top_n or self.reranker.top_n

    def rerank(self, query: str, documents: Iterable[T], **options: Unpack[Options]) -> Ranking[T]:
        """Rerank as `Reranker.rerank` does, then deliver the report."""
        return self._delivered(self.reranker.rerank(query, documents, **self._own(options)))

    async def arerank(self, query: str, documents: Iterable[T], **options: Unpack[Options]) -> Ranking[T]:
        """Rerank as `Reranker.arerank` does, then deliver the report."""
        return self._delivered(await self.reranker.arerank(query, documents, **self._own(options)))

    def warm_up(self) -> None:
        """Load models and open clients now."""
        self.reranker.warm_up()

    async def awarm_up(self) -> None:
        """Load models and open clients now, without blocking the event loop."""
        await self.reranker.awarm_up()

    def close(self) -> None:
        """Close what was built from a spec, never an object that was given."""
        call(self._built, "close")

    async def aclose(self) -> None:
        """Close as `close` does, on the running event loop."""
        await acall(self._built, "aclose", "close")

    def written(self) -> dict[str, Any]:
        """Return ``scorer``, ``scorer_options`` and, where there are steps, ``then`` as plain JSON values.

        Raises `SpecError`, naming the object, for a live scorer or step, and for an option that cannot be written.
        """
        from json import dumps, loads

        spec = _spec(self.scorer, "scorer", "'lexical' (anyrank.spec_of says an object's, where it has one)")
        fields: dict[str, Any] = {"scorer": spec, "scorer_options": self.scorer_options or None}
        if self.then:
            fields["then"] = [_spec(step, "then", "'dedupe' or {'diversify': {'weight': 0.7}}") for step in self.then]
        for name, value in fields.items():
            try:
                fields[name] = loads(dumps(value, allow_nan=False))  # a tuple is a list once it is written
            except (TypeError, ValueError) as error:
                msg = f"{name} of {spec!r:.80} cannot be written down as JSON: {error}"
                raise SpecError(msg) from error
        return fields

    def _own(self, options: Options) -> Options:
        """Return a call's options with the adapter's own numbers where the call gives none."""
        return {
            **options,
            "top_n": _checks.top_n(options.get("top_n")) or self._top_n,
            "min_score": self._threshold if options.get("min_score") is None else options["min_score"],
        }

    def _delivered(self, ranking: Ranking[T]) -> Ranking[T]:
        report = ranking.report
        if report.degraded:
            _warn(report)
        if self.on_report is not None:
            self.on_report(report)
        return ranking


class HostLifecycle:
    """For adapters whose host has no words of its own for it: the lifecycle of the `HostReranker` in ``_host``."""

    _host: HostReranker

    def warm_up(self) -> None:
        """Load models and open clients now instead of at the first call."""
        self._host.warm_up()

    async def awarm_up(self) -> None:
        """Warm up without blocking the event loop."""
        await self._host.awarm_up()

    def close(self) -> None:
        """Close what was built from a spec, never an object that was given."""
        self._host.close()

    async def aclose(self) -> None:
        """Close as `close` does, on the running event loop."""
        await self._host.aclose()


def checked_top_n(value: int | None, name: str) -> int | None:
    """Return a positive whole number, or None for all; raises `ArgumentError` with the host's name for it."""
    return _checks.top_n(value, name)


def checked_documents(given: object, kind: type[T], host: str, name: str = "documents") -> list[T]:
    """Return a list of a host's documents; raises `ArgumentError`, saying what ``name`` holds instead."""
    whole = isinstance(given, (kind, str, Mapping)) or not isinstance(given, Iterable)
    documents: list[Any] = [given] if whole else list(given)  # type: ignore[call-overload]  # an Iterable by now
    strangers = documents if whole else [item for item in documents if not isinstance(item, kind)]
    if strangers:
        kind_found = type(strangers[0]).__name__
        msg = f"{name} must be a list of {host} Documents; got a {kind_found}: {strangers[0]!r:.80}"
        raise ArgumentError(msg)
    return documents


def host_ranking(documents: Iterable[T], scores: Iterable[float | None]) -> Ranking[T]:
    """Take a host's list in its own order, with whatever scores there are; single ones may be None."""
    return Ranking(tuple(map(Hit, documents, count(), scores)))


def _build(scorer: RerankerLike, options: dict[str, Any], api_key: ApiKey | None) -> Any:
    if not isinstance(scorer, (str, Mapping)):
        for name, given in (("scorer_options", bool(options)), ("api_key", api_key is not None)):
            if given:
                msg = (
                    f"{name}= goes with a spec such as 'jina'; scorer={scorer!r:.80} is an object: configure it itself"
                )
                raise ArgumentError(msg)
        return scorer
    refuse_secrets(scorer, "scorer")
    refuse_secrets(options)
    if api_key is None:
        return load(scorer, **options)
    if not takes(scorer, "api_key"):
        msg = f"scorer {scorer!r:.80} takes no api_key: leave it out"
        raise SpecError(msg)
    return load(scorer, **options, api_key=api_key)


def _spec(given: Any, name: str, example: str) -> str | dict[str, Any]:
    """Return a spec as it is written down; raises `SpecError` for what is none."""
    if isinstance(given, (str, Mapping)):
        return given if isinstance(given, str) else dict(given)
    msg = f"{name}={given!r:.80} is a live object and cannot be written down: give a spec such as {example}"
    raise SpecError(msg)


def _listed_steps(then: Iterable[StepLike] | None) -> tuple[StepLike, ...]:
    if isinstance(then, (str, Mapping)) or not isinstance(then, Iterable | None):
        msg = f"then must be a list of steps, such as ['dedupe', {{'diversify': {{'weight': 0.7}}}}]; got {then!r:.80}"
        raise ArgumentError(msg)
    steps = tuple(then or ())
    refuse_secrets(steps, "then")
    return steps


def _step(given: StepLike, fields_of: FieldsOf | None) -> Then:
    step = load_step(given)
    return step.reading(fields_of) if isinstance(step, Step) and fields_of is not None else step


def _reporter(given: OnReport | None) -> OnReport | None:
    from inspect import iscoroutinefunction

    if given is not None and (not callable(given) or iscoroutinefunction(given)):
        msg = f"on_report must be a plain function of a Report, which is called and not awaited; got {given!r:.80}"
        raise ArgumentError(msg)
    return given


def _warn(report: Report) -> None:
    from logging import getLogger

    causes = "; ".join(f"{type(error).__name__}: {error!s:.200}" for error in report.errors)
    getLogger("anyrank").warning("reranking is degraded, answered by %s: %s", report.scorer, causes or "no cause given")
