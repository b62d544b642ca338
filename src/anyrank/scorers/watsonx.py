"""IBM watsonx.ai: https://cloud.ibm.com/apidocs/watsonx-ai#text-rerank. Its API keys are exchanged for IAM tokens.

On premises, ``base_url`` is the cluster, and ``headers={"Authorization": "ZenApiKey …"}`` stands in for a key.
"""

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from anyrank._auth import checked_key
from anyrank._http import Reply, Request
from anyrank._replies import dig, payload_of
from anyrank._secrets import Hidden, Secret
from anyrank.errors import AuthenticationError, ProviderError, ReplyError
from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option, Results

if TYPE_CHECKING:
    from anyrank._exchange import Exchange
    from anyrank._rounds import Rounds


class IamAuth(KeyAuth):
    """A bearer token: given as ``token``, or got for an API key from IBM's identity service."""

    options: ClassVar[tuple[str, ...]] = ("api_key", "token")

    @property
    def ways(self) -> str:
        """The ways to give a key or a token."""
        return f"{super().ways} or WATSONX_TOKEN"

    def fetch(self, exchange: "Exchange") -> "Rounds[Any, Secret]":
        """Return a token. Raises `SettingError` where there is no key for one, and `ProviderError` and its kinds."""
        ring = exchange.ring
        token = ring.take("token")
        if not token and not ring.given.get("api_key"):
            token = ring.read(("WATSONX_TOKEN",))
        if not token:
            ring.kept = yield from super().fetch(exchange)
            token = yield from _exchanged(exchange, _request(exchange.settings["iam_url"], ring.kept))
        return checked_key(ring, token)


def _request(iam_url: str, key: Secret) -> Request:
    headers = Hidden({"accept": "application/json", "content-type": "application/x-www-form-urlencoded"})
    form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": key.reveal()}
    return Request("POST", iam_url, headers, urlencode(form).encode())


def _exchanged(exchange: "Exchange", request: Request) -> "Rounds[Any, Secret]":
    """Return the token that the identity service gives. Its errors say that they are its own."""
    try:
        reply = yield from exchange.send(request, sign=False)
        return _token_in(exchange, reply)
    except ProviderError as error:
        failure = error
    if failure.status == 400:  # what it says to a key that it does not know
        failure = AuthenticationError(f"{failure}{exchange.about_the_key()}", **vars(failure))
    failure.add_note(f"that was {request.url}, asked for a token")
    raise failure


def _token_in(exchange: "Exchange", reply: Reply) -> Secret:
    try:
        token = dig(payload_of(reply), "access_token")
    except ValueError:
        token = None
    if not isinstance(token, str):
        raise exchange.error(ReplyError, f"answered {reply.status} without a token", reply)
    return Secret(token)


scorer = Endpoint(
    name="watsonx",
    url="https://{region}.ml.cloud.ibm.com/ml/v1/text/rerank?version={version}",
    settings=(
        Option("region", default="us-south"),
        Option("version", default="2025-02-11"),
        Option("iam_url", default="https://iam.cloud.ibm.com/identity/token"),
    ),
    base_env=("WATSONX_URL", "WATSONX_API_BASE"),
    auth=IamAuth(env=("WATSONX_APIKEY", "WATSONX_API_KEY")),
    body={
        "model_id": MODEL,
        "query": QUERY,
        "inputs": Each({"text": TEXT}),
        "parameters": {
            # Without it, one text that is longer than the model takes, 512 tokens, fails them all.
            "truncate_input_tokens": Option("truncate_input_tokens", int, default=512),
            "return_options": {"top_n": COUNT, "inputs": False, "query": False},
        },
        "project_id": Option("project_id", env=("WATSONX_PROJECT_ID",), required=True, unless="space_id"),
        "space_id": Option("space_id", env=("WATSONX_SPACE_ID", "WATSONX_DEPLOYMENT_SPACE_ID"), unless="project_id"),
    },
    results=Results(score="score"),
    model="cross-encoder/ms-marco-minilm-l-12-v2",
    models={"cross-encoder/ms-marco-minilm-l-12-v2": {}},
    checked="2026-11-20",
    score_kind="logit",
    usage={"tokens": "input_token_count"},
)
