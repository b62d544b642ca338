"""Google's ranking API: https://cloud.google.com/generative-ai-app-builder/docs/ranking. Scores have two decimals.

``api_key`` is an OAuth access token, or a function that gives one; without it google-auth, where it is installed, finds
one as Google's own clients do. ``project`` is the one that pays.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from anyrank._auth import checked_key
from anyrank._rounds import Chore
from anyrank._secrets import Secret
from anyrank.errors import SettingError
from anyrank.hosted import COUNT, INDEX, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

if TYPE_CHECKING:
    from anyrank._exchange import Exchange
    from anyrank._rounds import Rounds


class GoogleAuth(KeyAuth):
    """An access token: the one given, else the environment's, else the default credentials' of google-auth."""

    @property
    def ways(self) -> str:
        """The ways to give a token."""
        return f"{super().ways}, or install google-auth and run `gcloud auth application-default login`"

    def found(self, exchange: "Exchange") -> "Rounds[Any, Secret]":
        """Return the token, empty where there is none."""
        token = yield from super().found(exchange)
        if token:
            return token
        exchange.ring.source = "google-auth"
        [outcome] = yield [Chore(_default_token)]
        if type(outcome.error).__module__.startswith("google."):
            msg = f"scorer {exchange.ring.scorer!r} got no token from google-auth: {outcome.error}; set {self.ways}"
            raise SettingError(msg) from None
        return checked_key(exchange.ring, Secret(outcome.unwrap()))


def _default_token() -> str | None:
    try:
        auth, transport = import_module("google.auth"), import_module("google.auth.transport.requests")
    except ModuleNotFoundError:
        return None
    credentials, _ = auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(transport.Request())
    token: str = credentials.token
    return token


scorer = Endpoint(
    name="vertex",
    url="https://discoveryengine.googleapis.com/v1/projects/{project}/locations/global"
    "/rankingConfigs/default_ranking_config:rank",
    settings=(Option("project", env=("GOOGLE_CLOUD_PROJECT",), required=True),),
    headers={"X-Goog-User-Project": "{project}"},
    auth=GoogleAuth(env=("GOOGLE_OAUTH_ACCESS_TOKEN",)),
    body={
        "model": MODEL,
        "topN": COUNT,
        "query": QUERY,
        "records": Each({"id": INDEX, "content": TEXT}),
        "ignoreRecordDetailsInResponse": True,
        "userLabels": Option("user_labels", dict),
    },
    results=Results("records", index="id", score="score", id_is_index=True),
    model="semantic-ranker-default-004",
    models={
        "semantic-ranker-default-004": {},
        "semantic-ranker-fast-004": {},
        "semantic-ranker-default@latest": {},
        "semantic-ranker-fast@latest": {},
    },
    checked="2026-11-20",
    max_documents=200,
)
