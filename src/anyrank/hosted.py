"""A rerank endpoint is data: an `Endpoint` says how a service is asked and how its answer is read, and nothing else.

Calling one builds the scorer: the files of ``anyrank/scorers`` are mostly one `Endpoint` each. A service of your own
needs no release: describe it, call it, and hand the scorer to `anyrank.Reranker` or to any adapter::

    from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Results

    house = Endpoint(
        name="house",
        url="https://rerank.example.org/v1/rerank",
        auth=KeyAuth(env=("HOUSE_API_KEY",)),
        body={"model": MODEL, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT},
        results=Results("results", score="relevance_score"),
        model="house-large",
    )
    Reranker(house(api_key=...))
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ._auth import Auth, KeyAuth
from ._hosted_scorer import HostedScorer
from ._replies import Results
from ._secrets import Hidden
from ._template import COUNT, INDEX, MODEL, PICTURE, QUERY, TEXT, Braces, Each, Lines, Option, braced, options_in
from ._urls import checked_base, joined
from .errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ._http import Reply, Request
    from .scorer import Scope

__all__ = [
    "COMMON",
    "COUNT",
    "INDEX",
    "MODEL",
    "PICTURE",
    "QUERY",
    "TEXT",
    "Braces",
    "Each",
    "Endpoint",
    "HostedScorer",
    "KeyAuth",
    "Lines",
    "Option",
    "Results",
]

COMMON: Final = (
    Option("model"),
    Option("base_url"),
    Option("timeout", (float, tuple, list)),
    Option("deadline", float),
    Option("max_retries", int, default=2),
    Option("max_documents", int),
    Option("score_kind", choices=("probability", "logit", "cosine", "similarity")),
    Option("headers", dict),
    Option("extra_body", dict),
    Option("allow_http", bool, default=False),
)
"""The options of every service, beside its keys and its own.

``timeout`` are the seconds to connect and the seconds without a byte, or one number for both; ``deadline`` the seconds
for the whole call, waiting and retries included, None for no end; ``max_concurrency`` bounds the requests that one
scorer object has under way, None for no bound. The defaults of these three are the endpoint's, 5 and 60, 120 and 8
where it has none of its own. ``max_documents`` overrides how many documents go into one request, ``score_kind`` what
the scores are said to be. ``headers`` are sent along, ``extra_body`` goes into the request's JSON as it is.
``allow_http`` lets a key go over plain http to another machine.
"""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One rerank service as data.

    ``url`` is where requests go; without a host it is the path below a ``base_url`` that the user must give. Names in
    braces, here and in ``headers``, are filled from the options, ``{model}`` by ``model_in_url``. ``body`` is the JSON
    of a request with slots in it (`MODEL`, `QUERY`, `COUNT`, `Each`, `Option`), ``results`` says how the reply is read,
    ``usage`` where it has which unit. ``settings`` are options that stand nowhere in the body.

    ``max_documents`` and ``max_bytes`` (UTF-8 bytes of the texts, the query counted once for each) bound one request;
    bytes also keep a limit on tokens, which have at least one each. A longer list is split and sent concurrently where
    the scope is ``"text"``. ``blank`` says whether the service takes blank texts. ``models`` are the known models'
    names, or patterns of them, each with the fields that differ for it; ``checked`` is the day they were looked up.
    ``first`` is the option behind the colon of a spec.

    ``also_retried`` are statuses that mean "try again" here only, ``next_page`` the field that asks for the next page,
    ``follow`` a function that turns a reply which only promises an answer into the request that fetches it.
    """

    name: str
    url: str
    body: Mapping[str, Any]
    results: Results = field(default_factory=Results)
    auth: Auth = field(default_factory=KeyAuth)
    model: str | None = None
    needs_model: bool = False
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checked: str = ""
    score_kind: str = "probability"
    scope: Scope = "text"
    modalities: frozenset[str] = frozenset({"text"})
    settings: tuple[Option, ...] = ()
    base_env: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    blank: bool = False
    max_documents: int | None = None
    max_bytes: int | None = None
    max_concurrency: int | None = 8
    timeout: tuple[float, float] = (5.0, 60.0)
    deadline: float | None = 120.0
    also_retried: Collection[int] = ()
    next_page: str | None = None
    follow: Callable[[Request, Reply], Request | None] | None = None
    first: str = "model"
    model_in_url: Callable[[str], str] = str
    options: Mapping[str, Option] = field(init=False, repr=False, compare=False)

    def __call__(self, *args: Any, **options: Any) -> HostedScorer:
        """Build the scorer. Raises `SpecError` for an option it does not have or of the wrong kind."""
        options = Hidden(options)  # a traceback quotes the variables of its frames
        return HostedScorer(self, self.bound(*args, **options))

    def bound(self, *args: Any, **options: Any) -> Hidden:
        """Return the options by name. Raises `SpecError` for one that the service does not have."""
        options = Hidden(options)  # as above
        try:
            return Hidden(signature(self).bind(*args, **options).arguments)
        except TypeError as error:
            msg = f"scorer {self.name!r}: {error}; its options: {', '.join(signature(self).parameters)}"
        raise SpecError(msg)

    def __post_init__(self) -> None:
        """Collect the options: each body has its own, and they are the scorer's keywords."""
        own = (
            Option("timeout", (float, tuple, list), default=self.timeout),
            Option("deadline", float, default=self.deadline),
            Option("max_concurrency", int, default=self.max_concurrency),
        )
        known = {option.name: option for option in (*COMMON, *own, *self.settings, *options_in(self.body))}
        names = [self.first, *self.auth.options, *(name for name in known if name != self.first)]
        kinds = [Parameter.POSITIONAL_OR_KEYWORD, *[Parameter.KEYWORD_ONLY] * (len(names) - 1)]
        parameters = [
            Parameter(name, kind, default=known[name].default if name in known else None)
            for name, kind in zip(names, kinds, strict=True)
        ]
        vars(self).update(options=known, __signature__=Signature(parameters))

    def variant(self, options: Mapping[str, Any]) -> Endpoint:
        """Return the endpoint as the model and the options change it."""
        model = options.get("model") or self.model or ""
        found = self.models.get(model)
        if found is None:
            found = next((fields for known, fields in self.models.items() if fnmatchcase(model, known)), {})
        changed = dict(found)
        for name, value in options.items():
            if self.options[name].changes:
                changed |= self.options[name].changes.get(value, {})
        changed |= {name: options[name] for name in ("max_documents", "score_kind") if name in options}
        return replace(self, **changed) if changed else self

    def base_names(self) -> tuple[str, ...]:
        """Return the environment variables that may hold the base URL, in order."""
        return (f"ANYRANK_{self.name.upper()}_BASE_URL", *self.base_env)

    def located(self, base_url: str | None, values: Mapping[str, Any]) -> str:
        """Return the whole URL, with these values in it."""
        url = joined(base_url, self.url) if base_url else self.url
        return braced(url, values, lambda value: quote(value, safe="/%"))

    def sent_headers(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers of every request, with these values in them."""
        return {name: braced(value, values) for name, value in self.headers.items()}

    def base_from_environment(self) -> str | None:
        """Return the base URL that the environment gives, if any. Raises `SpecError` for one that cannot be one."""
        name = next((name for name in self.base_names() if os.environ.get(name)), None)
        return None if name is None else checked_base(self.name, os.environ[name], name)
