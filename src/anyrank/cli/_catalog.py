"""What there is to know of each scorer, from what it declares: its row, its class, its docstring. No second list."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from importlib import import_module
from inspect import Parameter, formatannotation, getmodule, signature
from typing import Any, Final

from anyrank import _registry
from anyrank._secrets import names_secret
from anyrank.hosted import Endpoint
from anyrank.llm import LLMScorer, openai

from ._console import said
from ._installed import extras

__all__ = ["Card", "Need", "cards"]

_VARIABLE: Final = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_ADDRESS: Final = re.compile(r"https?://\S+?(?=[.,;)]*(?:\s|$))")


@dataclass(frozen=True, slots=True)
class Need:
    """Something a scorer needs beside its spec: what, whether it is there, and the ways to give it.

    ``kind`` is ``"package"``, ``"key"``, ``"URL"`` or the name of an option.
    """

    kind: str
    what: str
    met: bool
    ways: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Setting:
    """An option of a scorer, with the environment variables that stand in for it."""

    name: str
    type: str = ""
    default: Any = None
    env: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Card:
    """All that is declared of one scorer; None is what it does not say.

    ``problem`` is what went wrong when it was looked at: an entry point that cannot be imported, for one.
    """

    name: str
    what: str = ""
    url: str | None = None
    score_kind: str | None = None
    scope: str | None = None
    modalities: tuple[str, ...] = ("text",)
    model: str | None = None
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checked: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[Setting, ...] = ()
    needs: tuple[Need, ...] = ()
    problem: str | None = None

    @property
    def ready(self) -> bool:
        """Whether it would work now, given a spec with its model where it needs one."""
        return self.problem is None and all(need.met for need in self.needs if need.required)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"name": self.name, "ready": self.ready, **_json(asdict(self))}


def cards() -> Iterator[Card]:
    """Yield a card for every scorer, built in or installed; one that is broken says so on its own."""
    for name in _registry.names():
        try:
            yield _card(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - another package's scorer may raise anything
            yield Card(name, problem=said(error) if isinstance(error, Exception) else repr(error))


def _card(name: str) -> Card:
    factory = _registry._factory(name)  # noqa: SLF001 - of this package
    if isinstance(factory, Endpoint):
        own = name in _registry._built_in()  # noqa: SLF001 - as above
        module = f"anyrank.scorers.{name}" if own else _registry._entry_points()[name].module  # noqa: SLF001
        return _of_endpoint(_titled(name, import_module(module)), factory)
    built = signature(factory).return_annotation
    if isinstance(built, type) and issubclass(built, LLMScorer):
        return _of_chat(_titled(name, getmodule(built)), built)
    return _of_class(_titled(name, getmodule(factory)), factory)


def _titled(name: str, module: object) -> Card:
    """Return a card with what the docstring of a scorer's module says: its first sentence, and its address."""
    said = " ".join((getattr(module, "__doc__", None) or "").split())
    address = _ADDRESS.search(said)
    what = re.split(r":? https?://|\.(?: |$)", said, maxsplit=1)[0].replace("`", "")
    return Card(name, what, address[0] if address else None)


def _of_endpoint(card: Card, endpoint: Endpoint) -> Card:
    row = endpoint.variant({})
    limits = {name: getattr(row, name) for name in ("max_documents", "max_bytes", "max_concurrency", "deadline")}
    known = {name: replace(endpoint, **changed) for name, changed in endpoint.models.items()}
    return replace(
        card,
        score_kind=row.score_kind,
        scope=row.scope,
        modalities=_sorted(row.modalities),
        model=row.model,
        models={name: {"score_kind": one.score_kind, "scope": one.scope} for name, one in known.items()},
        checked=endpoint.checked or None,
        limits={name: limit for name, limit in limits.items() if limit is not None},
        options=tuple(_endpoint_options(endpoint)),
        needs=tuple(_endpoint_needs(endpoint)),
    )


def _endpoint_options(endpoint: Endpoint) -> Iterator[Setting]:
    for name, parameter in signature(endpoint).parameters.items():
        option = endpoint.options.get(name)
        if option is None:
            yield Setting(name, "secret", env=_secret_variables(endpoint, name))
            continue
        kinds = option.kind if isinstance(option.kind, tuple) else (option.kind,)
        written = map(repr, option.choices) if option.choices else (kind.__name__ for kind in kinds)
        env = endpoint.base_names() if name == "base_url" else option.env
        yield Setting(name, " | ".join(written), parameter.default, env, required=option.required and not option.env)


def _secret_variables(endpoint: Endpoint, name: str) -> tuple[str, ...]:
    """Return the variables that stand in for a secret: the key's, or those that are called like it."""
    if name == "api_key":
        return endpoint.auth.env
    return tuple(one for one in _VARIABLE.findall(endpoint.auth.ways) if one.endswith(name.upper()))


def _endpoint_needs(endpoint: Endpoint) -> Iterator[Need]:
    ways = re.sub(r"\([^)]*\)", "", endpoint.auth.ways)  # of its ways, variables joined by "and" are one
    key = _need("key", [_VARIABLE.findall(way) for way in re.split(r"\bor\b", ways)])
    yield replace(key, ways=endpoint.auth.ways, required=endpoint.auth.required)
    if not endpoint.url.startswith("https://"):
        yield _need("URL", [[name] for name in endpoint.base_names()], "base_url=")
    for option in endpoint.options.values():
        if option.required and option.name != endpoint.first:
            either = [option, *(endpoint.options[name] for name in [option.unless] if name)]
            ways = " or ".join(f"{one.name}=" for one in either)
            yield _need(option.name, [[name] for one in either for name in one.env], ways)


def _need(kind: str, ways: list[list[str]], option: str = "") -> Need:
    """Return a need that environment variables meet: in one of several ways, each of one or more of them.

    It is called by those that are set, else by those of the first way.
    """
    known = [way for way in ways if way]
    there = next((way for way in known if all(map(os.environ.get, way))), None)
    listed = " or ".join([*map(" and ".join, known), *filter(None, [option])])
    return Need(kind, " and ".join(there or next(iter(known), [kind])), there is not None, listed)


def _of_chat(card: Card, kind: type) -> Card:
    """Return the card of an LLM reranker: its own options, and those of the chat model of a spec."""
    own = _of_class(card, kind)
    chat = openai.OPENAI
    more = [option for option in _endpoint_options(chat) if option.name in openai.OPTIONS]
    ways = [[name] for name in (*chat.auth.env, *chat.base_names())]
    kept = [option for option in own.options if option.name != "chat_options"]
    return replace(own, options=(*kept, *more), needs=(_need("key", ways, "api_key= or base_url="),))


def _of_class(card: Card, factory: Any) -> Card:
    kind = factory if isinstance(factory, type) else getattr(factory, "__self__", factory)
    given = signature(factory).parameters.values()
    options = tuple(_setting(parameter, kind) for parameter in given)
    scope = _declared(kind, "scope")
    bounds = {option.name: option.default for option in options if option.name in ("max_concurrency", "deadline")}
    model = next((option.default for option in options if option.name == "model"), None)
    return replace(
        card,
        score_kind=_declared(kind, "score_kind"),
        scope=scope or (None if card.name in _registry.COMPOSITIONS else "text"),
        modalities=_sorted(getattr(kind, "modalities", None)),
        model=model if isinstance(model, str) else None,
        limits={name: bound for name, bound in bounds.items() if bound is not None},
        options=options,
        needs=tuple(_package(extra) for extra in [_declared(kind, "extra")] if extra),
    )


def _setting(parameter: Parameter, kind: Any) -> Setting:
    annotation, default = parameter.annotation, parameter.default
    typed = annotation if isinstance(annotation, str) else formatannotation(annotation)
    typed = "" if annotation is Parameter.empty else typed
    if names_secret(parameter.name):
        return Setting(parameter.name, "secret", required=default is Parameter.empty)
    if parameter.kind in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL):
        return Setting(str(parameter).partition(":")[0], typed)
    if default is Parameter.empty:
        return Setting(parameter.name, typed, required=True)
    made = [one.default_factory for one in fields(kind) if one.name == parameter.name] if is_dataclass(kind) else []
    if made and made[0] is not MISSING:
        default = made[0]()
    return Setting(parameter.name, typed, default)


def _declared(kind: Any, name: str) -> str | None:
    """Return what a class says of itself, also by a property or an attribute that needs no more than its defaults."""
    value = getattr(kind, name, None)
    if isinstance(kind, type) and not isinstance(value, str):
        try:
            value = getattr(_example(kind), name, None)
        except Exception:  # noqa: BLE001 - only an instance with its members knows
            return None
    return value if isinstance(value, str) else None


def _example(kind: type) -> object:
    """Return an instance to ask: one of our own that wants no arguments, else one that was never initialised."""
    wanted = any(one.default is Parameter.empty for one in signature(kind).parameters.values())
    return object.__new__(kind) if wanted or not kind.__module__.startswith("anyrank.") else kind()


def _package(extra: str) -> Need:
    found = extras().get(extra, [])
    lacking = [str(one) for one in found if not one.met]
    return Need("package", f"anyrank[{extra}]", not lacking, f"pip install 'anyrank[{extra}]'")


def _sorted(modalities: Any) -> tuple[str, ...]:
    return tuple(sorted(modalities)) if isinstance(modalities, (frozenset, tuple, set)) else ("text",)


def _json(value: Any) -> Any:
    """Return a declared value as JSON has it; what it has not, as Python writes it."""
    match value:
        case Mapping():
            return {str(name): _json(inner) for name, inner in value.items()}
        case tuple() | list() | frozenset():
            return [_json(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return repr(value)
