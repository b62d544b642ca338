"""From a spec to a scorer and back.

A spec is a string, ``name`` or ``name:argument`` (split at the first colon), or a mapping of one name to its options,
``{"ensemble": {"scorers": {"bm25": "lexical"}, "method": "rrf"}}``. The name is that of a file in ``scorers/``, of a
composition, or of an entry point in the group ``anyrank.scorers``. Each such file has a ``scorer``: what is called
with the argument and options, and gives the scorer object. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, overload

from . import _checks
from ._secrets import Hidden
from .errors import ArgumentError, MissingDependencyError, SpecError, UnknownScorerError
from .scorer import AnyScorer, FunctionScorer, Scorer, ScorerLike

if TYPE_CHECKING:
    from types import ModuleType

    from .cascade import Cascade

Spec: TypeAlias = str | Mapping[str, Any]
Factory: TypeAlias = Callable[..., Any]

ENTRY_POINTS: Final = "anyrank.scorers"

COMPOSITIONS: Final = {
    "cached": ("cached", "Cached"),
    "calibrated": ("evaluation.calibration", "Calibrated"),
    "cascade": ("cascade", "Cascade", "from_options"),
    "chunked": ("chunked", "Chunked"),
    "ensemble": ("ensemble", "Ensemble"),
    "fallback": ("fallback", "Fallback", "from_options"),
    "first_stage": ("first_stage", "FirstStage"),
}
"""Where the scorers made of scorers are: the module and what to look up in it."""


@overload
def load(spec: str, **options: Any) -> Scorer: ...
@overload
def load(spec: Mapping[str, Any], **options: Any) -> Scorer | Cascade: ...
def load(spec: Spec, **options: Any) -> Scorer | Cascade:
    """Build the scorer (or, for ``{"cascade": …}``, the reranker) that a spec names, with these options.

    ``load("cross_encoder:BAAI/bge-reranker-v2-m3", device="cpu")``. Nothing heavy is imported or opened before the
    first call that needs it; no two calls of ``load`` share an instance. Raises `UnknownScorerError` for an unknown
    name, listing the known ones, and `SpecError` for an option the scorer does not have.
    """
    name, argument, given = read_spec(spec)
    options, given = Hidden(options), Hidden(given)  # a traceback quotes the variables of its frames
    if spec == "cascade":
        msg = "a cascade is written with its stages: {'cascade': {'stages': [['lexical', 50], …]}}"
        raise SpecError(msg)
    factory = _factory(name)
    accepted = signature(factory).parameters
    for option in options:
        if option in given:
            msg = f"option {option!r} of scorer {name!r} is given twice, in the spec and beside it"
            raise SpecError(msg)
    given |= options
    if argument is not None:
        given[_argument(name, accepted, given)] = argument
    _check_options(name, accepted, given)
    built = factory(**given)
    return built if hasattr(built, "rerank") else resolve(built)[0]  # type: ignore[return-value]  # Scorer for short


def load_scorer(spec: Spec) -> Scorer:
    """Build a scorer as `load` does; a cascade, which is a reranker, is a `SpecError`."""
    name, _, _ = read_spec(spec)
    if name == "cascade":
        msg = "a cascade is a reranker, not a scorer: build it with load(), or give the spec to an adapter"
        raise SpecError(msg)
    return load(spec)  # type: ignore[return-value]  # only the cascade is no scorer


def resolve(scorer: ScorerLike) -> tuple[AnyScorer, bool]:
    """Return the scorer object that ``scorer`` stands for, and whether it was built here (and is ours to close).

    Raises `ArgumentError` for a class, a reranker or anything else that cannot score, `SpecError` for a bad spec.
    """
    if isinstance(scorer, (str, Mapping)):
        return load_scorer(scorer), True
    if isinstance(scorer, type):
        msg = f"{scorer.__name__} is a class: pass an instance of it"
        raise ArgumentError(msg)
    if callable(getattr(scorer, "score", None)) or callable(getattr(scorer, "ascore", None)):
        return cast("AnyScorer", scorer), False
    if callable(scorer):
        return cast("AnyScorer", FunctionScorer(scorer)), False
    if hasattr(scorer, "rerank"):
        msg = f"{scorer!r} is a reranker, not a scorer: pass the scorer inside it, or use it on its own"
        raise ArgumentError(msg)
    msg = (
        f"{scorer!r:.80} is no scorer: pass a spec such as 'lexical', a function (query, texts) -> floats, "
        "or an object with a method score(query, texts)"
    )
    raise ArgumentError(msg)


def read_spec(spec: object) -> tuple[str, str | None, dict[str, Any]]:
    """Return a spec's name, argument and options. Raises `SpecError` when it cannot be read."""
    if isinstance(spec, str) and spec.strip():
        name, colon, argument = spec.partition(":")
        if argument.strip() or not colon:
            return name.strip(), argument.strip() or None, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        [(name, options)] = spec.items()
        if isinstance(name, str) and name != "type" and isinstance(options, Mapping):
            return name, None, dict(options)
    shown = f"a mapping with {', '.join(map(repr, spec))}" if isinstance(spec, Mapping) else f"{spec!r:.120}"
    msg = (
        f"not a scorer spec: {shown}; write 'name', 'name:argument' or {{'name': {{'option': value}}}}, "
        "such as 'lexical' or 'cross_encoder:BAAI/bge-reranker-v2-m3'"
    )
    raise SpecError(msg)


def names() -> list[str]:
    """Return the name of every scorer there is, built in or installed, in alphabetical order."""
    return sorted({*_built_in(), *COMPOSITIONS, *_entry_points()})


def takes(spec: Spec, option: str) -> bool:
    """Whether the scorer a spec names has an option of this name."""
    name, _, _ = read_spec(spec)
    accepted = signature(_factory(name)).parameters
    return option in accepted or (_takes_any(accepted) and name not in COMPOSITIONS)


def spec_of(scorer: object) -> str | dict[str, Any]:
    """Write the spec that `load` reads back into an equal scorer or cascade.

    Raises `SpecError`, naming the object, for one that has no spec: a function, a foreign object.
    """
    if isinstance(scorer, (str, Mapping)):
        read_spec(scorer)
        return scorer if isinstance(scorer, str) else dict(scorer)
    spec: str | dict[str, Any] | None = getattr(scorer, "spec", None)
    if spec is None:
        msg = f"{scorer!r:.80} has no spec: only what load() can build again can be written down"
        raise SpecError(msg)
    return spec


def require(package: str, *, needed_by: str, install: str) -> ModuleType:
    """Import an optional package. Raises `MissingDependencyError` when it, and not a part of it, is not there."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingDependencyError(package, needed_by, install) from error


def _factory(name: str) -> Factory:
    if name in COMPOSITIONS:
        module, *path = COMPOSITIONS[name]
        found: Any = import_module(f"anyrank.{module}")
        for attribute in path:
            found = getattr(found, attribute)
        return found  # type: ignore[no-any-return]
    if name in _built_in():
        return import_module(f"anyrank.scorers.{name}").scorer  # type: ignore[no-any-return]
    installed = _entry_points()
    if name in installed:
        return _installed(name, installed[name])
    msg = f"no scorer named {name!r}; {_checks.suggest(name, {*_built_in(), *COMPOSITIONS, *installed})}"
    raise UnknownScorerError(msg)


def _installed(name: str, point: Any) -> Factory:
    """Import another package's scorer; what goes wrong there says whose it is."""
    try:
        factory = point.load()
    except Exception as error:
        error.add_note(f"while importing scorer {name!r} from the entry point {point.value!r}")
        raise
    if callable(factory):
        return factory  # type: ignore[no-any-return]
    msg = (
        f"scorer {name!r}: its entry point {point.value!r} is a {type(factory).__name__}, nothing that builds a scorer"
    )
    raise SpecError(msg)


@cache
def _built_in() -> frozenset[str]:
    from pkgutil import iter_modules

    from . import scorers

    return frozenset(module.name for module in iter_modules(scorers.__path__) if not module.name.startswith("_"))


def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _argument(name: str, accepted: Mapping[str, Parameter], given: Mapping[str, Any]) -> str:
    """Return the option that the text behind the colon is: the first that can be given by place."""
    first = next(iter(accepted.values()), None)
    if first is None or first.kind is not Parameter.POSITIONAL_OR_KEYWORD:
        msg = f"scorer {name!r} takes no argument: write {name!r}, without the colon"
        raise SpecError(msg)
    if first.name in given:
        msg = f"option {first.name!r} of scorer {name!r} is given twice, behind the colon and by name"
        raise SpecError(msg)
    return first.name


def _check_options(name: str, accepted: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    for option in given:
        if option not in accepted and not _takes_any(accepted):
            known = f"; {_checks.suggest(option, accepted)}" if accepted else "; it takes none"
            if option in ("top_n", "top_k", "min_score"):
                known = f": give it to the Reranker, or to the framework's adapter{known}"
            msg = f"scorer {name!r} has no option {option!r}{known}"
            raise SpecError(msg)
    for parameter in accepted.values():
        if parameter.default is Parameter.empty and parameter.name not in given and parameter.kind in _NAMED:
            msg = f"scorer {name!r} needs {parameter.name}=: write '{name}:…' or give it as an option"
            raise SpecError(msg)


_NAMED: Final = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def _takes_any(accepted: Mapping[str, Parameter]) -> bool:
    return any(parameter.kind is Parameter.VAR_KEYWORD for parameter in accepted.values())
