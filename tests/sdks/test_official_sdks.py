"""The fakes proved honest: the services' own clients are asked what our scorers are asked, of the same fakes.

A client must be able to read what a fake answers, must know a fake's refusals as its own errors, and must have sent
what our scorer sends, but for the `DIFFERENCES` it cannot help. Clients that are not installed are skipped;
``requirements.txt`` has them.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fake_service import KEY, Contract, running, service_file

from anyrank import load

pytestmark = [pytest.mark.sdks, pytest.mark.filterwarnings("ignore")]  # the clients' warnings are their own business

QUERY = "What is the capital of France?"
TEXTS = ("Berlin is in Germany.", "Paris is the capital of France.", 'Zürich, "東京"\n\tand {braces}\\ \U0001f600')

WRONG_KEY, NO_DOCUMENTS, TOO_MANY, UNKNOWN_FIELD = "wrong key", "no documents", "too many documents", "unknown field"

ABSENT = "(absent)"
DIFFERENCES = {
    "voyage": {
        "truncation": (True, ABSENT),  # its default, always sent
        "return_documents": (ABSENT, False),  # it cannot send that
    },
    "pinecone": {
        "x-pinecone-api-version": ("2026-07", "2025-10"),  # that of the client's release; ours is the documents'
        "rank_fields": (["text"], ABSENT),  # its default, always sent
    },
    "xinference": {  # sends every argument, given or not
        "max_chunks_per_doc": (None, ABSENT),
        "return_len": (None, ABSENT),
        "kwargs": ("{}", ABSENT),
    },
    "infinity": {"raw_scores": (False, ABSENT)},  # its default, always sent
    "vertex": {"?$alt": ("json;enum-encoding=int", ABSENT)},  # how Google's clients want enumerations written
    "watsonx": {"?version": ("2026-10-14", "2025-02-11")},  # that of the client's release; ours is the documents'
}
"""What a client sends and what our scorer sends instead: parameters of the URL, headers, fields of the body."""


@dataclass(frozen=True)
class Call:
    """What a client is asked.

    ``settings`` are what the service's scorer cannot do without, ``options`` are fields beside the usual ones, and
    ``extra`` are fields that no service knows.
    """

    url: str
    model: str
    settings: Mapping[str, Any]
    key: str = KEY
    query: str = QUERY
    texts: tuple[str, ...] = TEXTS
    options: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many results are wanted: all."""
        return len(self.texts)

    @property
    def common(self) -> dict[str, Any]:
        """The arguments that most clients call the same."""
        return {"model": self.model, "query": self.query, **self.options}


@dataclass(frozen=True, kw_only=True)
class Client:
    """A service's own client.

    ``ask`` makes a call, without retries, and returns the reply as the client gives it; ``items`` is the path to the
    results in it, ``index`` and ``score`` are those in a result. ``errors`` are the names of its errors by HTTP status,
    ``status`` is the path to the status in one, empty where there is none. ``options`` are what else it can send and
    our scorer too, ``beyond`` what only the client can, ``cannot`` the wrong calls that it does not make.
    """

    ask: Callable[[Call], Any]
    package: str
    errors: Mapping[int, str]
    status: str = "status_code"
    items: str = "results"
    index: str = "index"
    score: str = "relevance_score"
    options: Mapping[str, Any] = field(default_factory=dict)
    beyond: Mapping[str, Any] = field(default_factory=dict)
    cannot: tuple[str, ...] = ()

    def scores(self, reply: Any) -> list[tuple[int, float]]:
        """Return index and score of each result."""
        return [(int(reach(item, self.index)), reach(item, self.score)) for item in reach(reply, self.items)]


CLIENTS: dict[str, Client] = {}
"""The clients by the name of their service."""


def client_of(service: str, package: str, **says: Any) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Make a function the ``ask`` of a service's client."""

    def register(ask: Callable[[Call], Any]) -> Callable[[Call], Any]:
        CLIENTS[service] = Client(ask=ask, package=package, **says)
        return ask

    return register


def reach(value: Any, path: str) -> Any:
    """Return what lies at a dotted path of keys and attributes."""
    for step in path.split(".") if path else ():
        value = value[step] if isinstance(value, dict) else getattr(value, step)
    return value


COHERE = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    422: "UnprocessableEntityError",
    424: "ApiError",
}


@client_of(
    "cohere",
    "cohere",
    errors=COHERE,
    options={"max_tokens_per_doc": 512, "priority": 3},
    beyond={"relevant_spans": {"mode": "enabled"}},
)
def cohere(call):
    """Cohere's client, in version 2."""
    from cohere import ClientV2

    with ClientV2(call.key, base_url=call.url, max_retries=0) as client:
        return client.rerank(
            **call.common,
            documents=call.texts,
            top_n=call.count,
            request_options={"additional_body_parameters": call.extra},
        )


@client_of("azure_cohere", "cohere", errors=COHERE, options={"max_tokens_per_doc": 512, "priority": 3})
def azure_cohere(call):
    """Cohere's client, pointed at Azure."""
    return cohere(replace(call, url=f"{call.url}/providers/cohere"))


@client_of("cohere_v1", "cohere", errors=COHERE, options={"max_chunks_per_doc": 3}, beyond={"rank_fields": ["text"]})
def cohere_v1(call):
    """Cohere's client, in version 1."""
    from cohere import Client

    with Client(call.key, base_url=call.url, max_retries=0) as client:
        return client.rerank(
            **call.common,
            documents=call.texts,
            top_n=call.count,
            return_documents=False,
            request_options={"additional_body_parameters": call.extra},
        )


@client_of("sagemaker", "cohere", errors=COHERE)
def sagemaker(call):
    """Cohere's client for SageMaker, where the endpoint's name is the model."""
    from cohere import SagemakerClientV2

    access_key = os.environ["AWS_ACCESS_KEY_ID"]
    client = SagemakerClientV2(aws_access_key=access_key, aws_secret_key=call.key, aws_region=call.settings["region"])
    client._client_wrapper.httpx_client.httpx_client._transport = leading_to(call.url)
    with client:
        return client.rerank(
            model=call.settings["endpoint"],
            query=call.query,
            documents=call.texts,
            top_n=call.count,
            request_options={"max_retries": 0, "additional_body_parameters": call.extra},
        )


BOTOCORE = {
    "errors": {400: "ValidationException", 403: "ClientError"},
    "status": "response.ResponseMetadata.HTTPStatusCode",
}


@client_of(
    "bedrock",
    "botocore",
    score="relevanceScore",
    **BOTOCORE,
    options={"additional_model_request_fields": {"max_tokens_per_doc": 512}},
    cannot=(NO_DOCUMENTS, UNKNOWN_FIELD),
)
def bedrock(call):
    """AWS's client."""
    model = {"modelArn": f"arn:aws:bedrock:{call.settings['region']}::foundation-model/{call.model}"}
    if call.options:
        model["additionalModelRequestFields"] = call.options["additional_model_request_fields"]
    with aws("bedrock-agent-runtime", call) as client:
        return client.rerank(
            queries=[{"type": "TEXT", "textQuery": {"text": call.query}}],
            sources=[
                {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}}
                for text in call.texts
            ],
            rerankingConfiguration={
                "type": "BEDROCK_RERANKING_MODEL",
                "bedrockRerankingConfiguration": {"modelConfiguration": model, "numberOfResults": call.count},
            },
        )


@client_of("bedrock_cohere", "botocore", **BOTOCORE, options={"max_tokens_per_doc": 512})
def bedrock_cohere(call):
    """AWS's client, which leaves the body to the caller; Cohere's builds the one of `sagemaker`."""
    body = {"api_version": 2, "query": call.query, "documents": call.texts, "top_n": call.count}
    with aws("bedrock-runtime", call) as client:
        reply = client.invoke_model(
            modelId=call.model,
            contentType="application/json",
            body=json.dumps({**body, **call.options, **call.extra}),
        )
        return json.load(reply["body"])


def aws(service, call):
    """Return AWS's client of a service."""
    from botocore.config import Config
    from botocore.session import Session

    client = Session().create_client(
        service,
        region_name=call.settings["region"],
        endpoint_url=call.url,
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=call.key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    return closing(client)


@client_of(
    "voyage",
    "voyageai",
    errors={400: "InvalidRequestError", 401: "AuthenticationError"},
    status="http_status",
    options={"truncation": False},
    cannot=(UNKNOWN_FIELD,),
)
def voyage(call):
    """Voyage's client."""
    from voyageai import Client

    client = Client(call.key, base_url=f"{call.url}/v1", max_retries=0)
    return client.rerank(**call.common, documents=list(call.texts), top_k=call.count)


STAINLESS = {400: "BadRequestError", 401: "AuthenticationError", 422: "UnprocessableEntityError"}
STRICT = {"max_retries": 0, "_strict_response_validation": True}


@client_of(
    "mixedbread",
    "mixedbread",
    items="data",
    score="score",
    errors=STAINLESS,
    options={"rewrite_query": True},
    beyond={"rank_fields": ["text"]},
)
def mixedbread(call):
    """Mixedbread's client."""
    from mixedbread import Mixedbread

    with Mixedbread(api_key=call.key, base_url=call.url, **STRICT) as client:
        return client.rerank(
            **call.common, input=call.texts, top_k=call.count, return_input=False, extra_body=call.extra
        )


@client_of("together", "together", errors=STAINLESS, beyond={"rank_fields": ["text"]})
def together(call):
    """Together's client."""
    from together import Together

    with Together(api_key=call.key, base_url=call.url, **STRICT) as client:
        return client.rerank.create(
            **call.common, documents=call.texts, top_n=call.count, return_documents=False, extra_body=call.extra
        )


@client_of(
    "contextual",
    "contextual",
    errors=STAINLESS,
    options={"instruction": "Prefer the newest."},
    beyond={"metadata": ["", "2026", ""]},
)
def contextual(call):
    """Contextual AI's client."""
    from contextual import ContextualAI

    with ContextualAI(api_key=call.key, base_url=f"{call.url}/v1", **STRICT) as client:
        return client.rerank.create(**call.common, documents=call.texts, top_n=call.count, extra_body=call.extra)


@client_of(
    "isaacus",
    "isaacus",
    score="score",
    errors=STAINLESS,
    options={"is_iql": False, "scoring_method": "chunk_max", "chunking_options": {"size": 256}},
)
def isaacus(call):
    """Isaacus's client."""
    from isaacus import Isaacus

    with Isaacus(api_key=call.key, base_url=f"{call.url}/v1", **STRICT) as client:
        return client.rerankings.create(**call.common, texts=call.texts, top_n=call.count, extra_body=call.extra)


@client_of("zeroentropy", "zeroentropy", errors=STAINLESS, options={"latency": "fast"})
def zeroentropy(call):
    """ZeroEntropy's client."""
    from zeroentropy import ZeroEntropy

    with ZeroEntropy(api_key=call.key, base_url=f"{call.url}/v1", **STRICT) as client:
        return client.models.rerank(**call.common, documents=call.texts, top_n=call.count, extra_body=call.extra)


@client_of(
    "pinecone",
    "pinecone",
    items="data",
    score="score",
    errors={400: "ApiError", 401: "UnauthorizedError"},
    cannot=(NO_DOCUMENTS, UNKNOWN_FIELD),
)
def pinecone(call):
    """Pinecone's client."""
    from pinecone import Pinecone, RetryConfig

    client = Pinecone(call.key, host=call.url, retry_config=RetryConfig(max_retries=0))
    return client.inference.rerank(
        **call.common,
        documents=call.texts,
        top_n=call.count,
        return_documents=False,
        parameters={"truncate": "END"},
    )


@client_of(
    "openrouter",
    "openrouter",
    errors={400: "BadRequestResponseError", 401: "UnauthorizedResponseError"},
    options={"provider": {"order": ["cohere"], "allow_fallbacks": False}},
    beyond={"session_id": "s-1", "user": "u-1", "trace": {"trace_id": "t-1"}},
    cannot=(UNKNOWN_FIELD,),
)
def openrouter(call):
    """OpenRouter's client."""
    from openrouter import OpenRouter

    with OpenRouter(call.key, server_url=f"{call.url}/api/v1", retry_config=None) as client:
        return client.rerank.rerank(**call.common, documents=call.texts, top_n=call.count)


NVIDIA = {
    "items": "",
    "index": "metadata.index",
    "score": "metadata.relevance_score",
    "errors": {401: "Exception", 422: "Exception"},
    "status": "",
    "cannot": (NO_DOCUMENTS, UNKNOWN_FIELD),
}


@client_of("nim", "langchain_nvidia_ai_endpoints", **NVIDIA)
def nim(call):
    """NVIDIA's own adapter for LangChain, pointed at a server."""
    return ranked_by_nvidia(call, base_url=f"{call.url}/v1")


@client_of("nvidia", "langchain_nvidia_ai_endpoints", **NVIDIA)
def nvidia(call):
    """NVIDIA's own adapter for LangChain, with a hosted model at an address of its own."""
    from langchain_nvidia_ai_endpoints import Model, register_model

    url = f"{call.url}{Contract('nvidia').says['path']}"
    register_model(Model(id=call.model, client="NVIDIARerank", model_type="ranking", endpoint=url))
    return ranked_by_nvidia(call)


def ranked_by_nvidia(call, **where):
    """Return the documents as NVIDIA's adapter orders them."""
    from langchain_core.documents import Document
    from langchain_nvidia_ai_endpoints import NVIDIARerank

    client = NVIDIARerank(
        **where,
        model=call.model,
        api_key=call.key,
        truncate="END",
        top_n=call.count,
        max_batch_size=call.count + 1,
        usage_telemetry_enabled=False,
    )
    documents = [Document(text, metadata={"index": index}) for index, text in enumerate(call.texts)]
    return client.compress_documents(documents, call.query)


@client_of(
    "xinference",
    "xinference_client",
    errors={401: "RuntimeError", 422: "RuntimeError"},
    status="",
    cannot=(UNKNOWN_FIELD,),
)
def xinference(call):
    """Xinference's client."""
    from xinference_client.client.restful.restful_client import RESTfulRerankModelHandle

    handle = RESTfulRerankModelHandle(call.model, call.url, auth_headers={"Authorization": f"Bearer {call.key}"})
    return handle.rerank(list(call.texts), call.query, top_n=call.count, return_documents=False)


@client_of(
    "infinity",
    "infinity_client",
    errors={401: "UnexpectedStatus", 422: "UnexpectedStatus"},
    options={"raw_scores": True},
    cannot=(UNKNOWN_FIELD,),
)
def infinity(call):
    """Infinity's client."""
    from infinity_client import AuthenticatedClient
    from infinity_client.api.default import rerank
    from infinity_client.errors import UnexpectedStatus
    from infinity_client.models import HTTPValidationError, RerankInput

    body = RerankInput(**call.common, documents=list(call.texts), top_n=call.count, return_documents=False)
    with AuthenticatedClient(call.url, call.key, raise_on_unexpected_status=True) as client:
        reply = rerank.sync(client=client, body=body)
    if isinstance(reply, HTTPValidationError):  # returned, where other clients raise
        raise UnexpectedStatus(422, reply.detail[0].msg.encode())
    return reply


@client_of(
    "vertex",
    "google.cloud.discoveryengine_v1",
    items="records",
    index="id",
    score="score",
    errors={400: "BadRequest", 401: "Unauthorized"},
    status="code",
    options={"user_labels": {"team": "search"}},
    cannot=(UNKNOWN_FIELD,),
)
def vertex(call):
    """Google's client."""
    from google.cloud.discoveryengine_v1 import RankingRecord, RankRequest, RankServiceClient
    from google.cloud.discoveryengine_v1.services.rank_service.transports import RankServiceRestTransport
    from google.oauth2.credentials import Credentials

    project = call.settings["project"]
    credentials = Credentials(call.key, quota_project_id=project)
    host = call.url.removeprefix("http://")
    transport = RankServiceRestTransport(host=host, url_scheme="http", credentials=credentials)
    transport._session._refresh_status_codes = ()  # this token cannot be refreshed, and saying so hides the refusal
    request = RankRequest(
        **call.common,
        ranking_config=f"projects/{project}/locations/global/rankingConfigs/default_ranking_config",
        records=[RankingRecord(id=str(index), content=text) for index, text in enumerate(call.texts)],
        top_n=call.count,
        ignore_record_details_in_response=True,
    )
    with RankServiceClient(transport=transport) as client:
        return client.rank(request, retry=None)


@client_of(
    "watsonx",
    "ibm_watsonx_ai",
    score="score",
    errors={400: "ApiRequestFailure", 401: "ApiRequestFailure"},
    status="response.status_code",
    cannot=(UNKNOWN_FIELD,),
)
def watsonx(call):
    """IBM's client."""
    import httpx
    from ibm_watsonx_ai import APIClient, Credentials
    from ibm_watsonx_ai.foundation_models import Rerank
    from ibm_watsonx_ai.foundation_models.schema import RerankParameters, RerankReturnOptions

    options = RerankReturnOptions(top_n=call.count, inputs=False, query=False)
    parameters = RerankParameters(truncate_input_tokens=512, return_options=options)
    credentials = Credentials(url="https://us-south.ml.cloud.ibm.com", token=call.key)
    with httpx.Client(transport=leading_to(call.url)) as http:
        client = APIClient(credentials, httpx_client=http)
        client.set_headers({"Authorization": f"Bearer {call.key}"})  # what it sends if a token looks like one of IBM's
        client.default_project_id = call.settings["project_id"]
        return Rerank(call.model, parameters, api_client=client).generate(call.query, list(call.texts))


def leading_to(url):
    """Return a transport for clients that insist on https and on their own host: it leads to a URL instead."""
    import httpx

    here = httpx.URL(url)

    class Transport(httpx.HTTPTransport):
        def handle_request(self, request):
            request.url = request.url.copy_with(scheme=here.scheme, host=here.host, port=here.port)
            return super().handle_request(request)

    return Transport()


def documents_in(contract):
    """Return the schema of the documents."""
    return contract.says["schema"]["properties"][contract.says.get("documents", "documents")]


def too_many(call, contract):
    """Return the call with one document more than the service takes."""
    return replace(call, texts=("x",) * (documents_in(contract)["maxItems"] + 1))


WRONG = {
    WRONG_KEY: lambda call, _contract: replace(call, key="sk-wrong"),
    NO_DOCUMENTS: lambda call, _contract: replace(call, texts=()),
    TOO_MANY: too_many,
    UNKNOWN_FIELD: lambda call, _contract: replace(call, extra={"colour": "red"}),
}
"""What may be wrong with a call, and how it becomes so."""


def refused():
    """Give each service with each wrong call that its contract refuses and its client can make."""
    for name, client in CLIENTS.items():
        contract = Contract(name)
        wrong = {
            WRONG_KEY: True,
            NO_DOCUMENTS: "minItems" in documents_in(contract),
            TOO_MANY: "maxItems" in documents_in(contract),
            UNKNOWN_FIELD: contract.says["schema"].get("additionalProperties") is False,
        }
        yield from ((name, what) for what in WRONG if wrong[what] and what not in client.cannot)


PLAIN = [pytest.param(name, {}, id=name) for name in CLIENTS]
WITH_OPTIONS = [
    pytest.param(name, client.options, id=f"{name}, with options") for name, client in CLIENTS.items() if client.options
]


@pytest.fixture(params=CLIENTS)
def name(request):
    """Give each service in turn, if its client is installed."""
    pytest.importorskip(CLIENTS[request.param].package)
    return request.param


@pytest.fixture(autouse=True)
def _settings(name, monkeypatch):
    """Put the test's keys in place of the machine's own."""
    for variable in [name for name in os.environ if name.endswith(("_KEY", "_TOKEN", "_URL", "_REGION", "_ID"))]:
        monkeypatch.delenv(variable)
    for variable, value in service_file(name).get("env", {}).items():
        monkeypatch.setenv(variable, KEY if value == "$key" else value)


@pytest.fixture
def service(name):
    """Run the fake service."""
    with running(name) as service:
        yield service


@pytest.mark.parametrize(("name", "options"), [*PLAIN, *WITH_OPTIONS], indirect=["name"])
def test_a_client_reads_the_fake_and_sends_what_our_scorer_sends(name, service, options):
    """The scores are the same, and so are path, key and body."""
    client = CLIENTS[name]
    scorer = built(name, service.url, **options)
    reply = client.ask(call_of(name, service, options=options))
    with scorer:
        scores = dict(enumerate(scorer.score(QUERY, TEXTS)))
    found = client.scores(reply)
    assert [index for index, _ in found] == sorted(scores, key=lambda index: -scores[index])
    assert dict(found) == pytest.approx(scores, abs=1e-6)  # Google's are of single precision
    theirs, ours = (sent(request, service.contract) for request in service.requests)
    pairs = {part: (theirs.get(part, ABSENT), ours.get(part, ABSENT)) for part in theirs | ours}
    allowed = DIFFERENCES.get(name, {})
    assert {part: pair for part, pair in pairs.items() if pair[0] != pair[1] and pair != allowed.get(part)} == {}


def test_the_reply_is_the_clients_own_model(name, service):
    """The fake's reply validates strictly against the client's model, which knows every field in it."""
    reply = CLIENTS[name].ask(call_of(name, service))
    replied = service.contract.reply(service.bodies[0])
    if hasattr(reply, "model_validate"):
        assert list(unknown(type(reply).model_validate(replied, strict=True))) == []
    elif hasattr(reply, "_pb"):
        from google.protobuf.json_format import ParseDict

        ParseDict(replied, type(reply._pb)())
    else:
        pytest.skip("its replies have no model that could be strict")


@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if client.beyond], indirect=True)
def test_the_fake_knows_every_field_that_a_client_sends(name, service):
    """What a client can send is in the contract, even where our scorer has no option for it."""
    client = CLIENTS[name]
    client.ask(call_of(name, service, options=client.beyond))
    assert service.bodies[0].keys() >= client.beyond.keys()


@pytest.mark.parametrize(("name", "wrong"), list(refused()), indirect=["name"])
def test_a_refusal_is_one_of_the_clients_own_errors(name, service, wrong):
    """What the contract refuses, the client raises as its own error, with the status and the words of the refusal."""
    client = CLIENTS[name]
    call = WRONG[wrong](call_of(name, service), service.contract)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its type is what is tested
        client.ask(call)
    [request] = service.requests
    status, body = service.contract.refusal(**{part: request[part] for part in ("method", "path", "headers", "body")})
    assert type(caught.value).__name__ == client.errors[status]
    assert not client.status or reach(caught.value, client.status) == status
    assert any(text in str(caught.value) for text in strings(body))


def built(name, url, **options):
    """Return a service's scorer with what its recorded exchange needs, pointed at a URL."""
    file = service_file(name)
    needed = {**file.get("options", {}), **file["exchange"].get("options", {})}
    return load(name, **{**needed, "base_url": url, **options})


def call_of(name, service, **more):
    """Return the call that is right for a service's client."""
    settings = service_file(name).get("options", {})
    return Call(service.url, built(name, service.url).model, settings, **more)


def sent(request, contract):
    """Return what counts in a request as one mapping: path, parameters of the URL, headers, fields of the body."""
    url = urlsplit(request["path"])
    parameters = {f"?{name}": value for name, value in parse_qsl(url.query)}
    headers = {name: request["headers"].get(name, ABSENT) for name in contract.says["headers"]}
    if "signature" in contract.says:  # the contract has recomputed it; which headers are in it may differ
        headers["authorization"] = headers["authorization"].partition(", SignedHeaders")[0]
    return {"path": url.path, **parameters, **headers, **json.loads(request["body"])}


def unknown(model):
    """Give the fields of a reply that a pydantic model does not know."""
    yield from model.model_extra or ()
    for value in vars(model).values():
        for part in value if isinstance(value, list) else [value]:
            if hasattr(part, "model_extra"):
                yield from unknown(part)


def strings(body):
    """Give every text in a body."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, (dict, list)):
        for part in body.values() if isinstance(body, dict) else body:
            yield from strings(part)
