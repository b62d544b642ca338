"""The services that want AWS signatures: botocore computes every one anew, and knows what a request may hold."""

import json
import pickle
import sys
from time import gmtime
from urllib.parse import quote, urlencode

import pytest
from asking import BOTH, QUERY, TEXTS, sync
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.serialize import create_serializer
from botocore.session import Session
from botocore.validate import ParamValidator
from fake_aws import ACCESS_KEY, signature_of
from fake_faults import refusal
from fake_service import KEY, Contract, running, service_file
from hypothesis import given
from hypothesis import strategies as st
from leaks import everything_said

from anyrank import _aws, _retry, load
from anyrank._aws import Credentials, signed
from anyrank._http import Request
from anyrank.errors import AuthenticationError, ReplyError, SettingError

SERVICES = ["bedrock", "bedrock_cohere", "sagemaker"]
MOMENT = "20150830T123600Z"
TOKEN = "a-temporary-token-" + "".join(map(str, range(500)))
PIECES = {TOKEN[start : start + 16] for start in range(0, len(TOKEN), 16)}
GIVEN = {"aws_access_key_id": "AKIDGIVEN", "aws_secret_access_key": "hidden-1", "aws_session_token": "hidden-2"}


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setattr(_retry, "FIRST", 0.001)


@pytest.fixture
def bedrock():
    """Run a fake of Bedrock."""
    with running("bedrock") as service:
        yield service


def built(name, service, **options):
    """Return a service's scorer, pointed at its fake."""
    return load(name, base_url=service.url, **{**service_file(name)["options"], **options})


# Signatures


def test_the_example_of_the_documents():
    """The request that AWS's own documents sign, with their result."""
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = Request("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", headers)
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    assert signed(request, credentials, "us-east-1", "iam", MOMENT).headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=12)
STEPS = st.one_of(
    WORDS.map(lambda word: quote(word, safe="")), st.sampled_from(["", ".", "..", "a:b", "~", "a+b", "%2f"])
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
URLS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["example.com", "Example.COM", "127.0.0.1", "[::1]"]),
    st.sampled_from(["", ":80", ":443", ":8080"]),
    st.lists(STEPS, max_size=5).map(lambda steps: "".join(f"/{step}" for step in steps)),
    st.lists(st.tuples(WORDS, WORDS), max_size=4).map(lambda pairs: f"?{urlencode(pairs)}" if pairs else ""),
)


@given(
    url=URLS,
    body=st.binary(max_size=64),
    own=st.dictionaries(st.sampled_from(["content-type", "x-amz-target", "x-amz-meta"]), VALUES),
    token=st.none() | st.text("abcXYZ019+/=", min_size=1),
    secret=st.text("abcXYZ019+/=", min_size=1),
)
def test_every_signature_is_botocores(url, body, own, token, secret):
    """Whatever the URL, the headers and the body, with a session token or without."""
    request = Request("POST", url, {"accept": "application/json", "user-agent": "anyrank", **own}, body)
    headers = signed(request, Credentials(ACCESS_KEY, secret, token), "eu-west-1", "bedrock", MOMENT).headers
    shown = {name: value for name, value in headers.items() if name == "content-type" or name.startswith("x-amz-")}
    assert headers.get("x-amz-security-token") == token
    anew = AWSRequest("POST", url, shown, body)  # without a host: botocore writes its own
    wanted = signature_of(anew, BotocoreCredentials(ACCESS_KEY, secret, token), "eu-west-1", "bedrock")
    assert headers["authorization"] == wanted


@BOTH
@pytest.mark.parametrize("name", SERVICES)
def test_what_arrives_is_signed(name, ask, monkeypatch):
    """Host, port, path and token as the server sees them, whichever client sent them."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    with running(name) as service:
        assert ask(built(name, service))[0].index == 1
    [request] = service.requests
    assert request["headers"]["x-amz-security-token"] == TOKEN
    assert request["headers"]["host"] == service.url.removeprefix("http://")


def test_the_fake_refuses_what_botocore_would_sign_otherwise(bedrock):
    """A wrong secret, region, service, path or body, or a header that came on the way, is refused."""
    sync(built("bedrock", bedrock))
    [sent] = bedrock.requests
    contract, headers, body = Contract("bedrock"), sent["headers"], sent["body"]
    right = [sent["method"], sent["path"], headers, body]
    assert contract.signed(*right)
    for place, wrong in [
        (1, "/rerank/"),
        (2, {**headers, "x-amz-date": MOMENT}),
        (2, {**headers, "x-amz-target": "unsigned"}),
        (2, {name: value for name, value in headers.items() if name != "authorization"}),
        (3, body + b" "),
    ]:
        assert not contract.signed(*right[:place], wrong, *right[place + 1 :])
    for key, wrong in [("region", "eu-central-1"), ("service", "sagemaker")]:
        contract.says = {**contract.says, "signature": {**contract.says["signature"], key: wrong}}
        assert not contract.signed(*right)


@BOTH
def test_every_attempt_is_signed_anew(bedrock, ask, monkeypatch):
    """A signature is good for minutes only, so that a retry has one of its own."""
    seconds = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(_aws, "gmtime", lambda: gmtime(next(seconds)))
    bedrock.faults = [refusal(429), refusal(424, {"message": "dependency failed"})]
    assert ask(built("bedrock", bedrock)).report.retries == 2
    dates = [request["headers"]["x-amz-date"] for request in bedrock.requests]
    assert dates == ["19700101T000000Z", "19700101T001640Z", "19700101T003320Z"]


def test_the_region_that_is_signed_is_the_option(bedrock, monkeypatch):
    """Not what the host of a base URL may look like; an argument beats the environment."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    sync(built("bedrock", bedrock))
    with pytest.raises(AuthenticationError):
        sync(load("bedrock", base_url=bedrock.url))
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(SettingError, match="needs region: set AWS_REGION or AWS_DEFAULT_REGION or region="):
        sync(load("bedrock", base_url=bedrock.url))


# Credentials


def test_credentials_given_beat_the_environment_and_are_not_mixed_with_it(bedrock, monkeypatch):
    """The environment's session token does not belong to keys that were given."""
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": f"{KEY}\n"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "other")
    sync(built("bedrock", bedrock, **keys))
    assert "x-amz-security-token" not in bedrock.requests[0]["headers"]
    sync(built("bedrock", bedrock, **keys, aws_session_token=TOKEN))
    assert bedrock.requests[1]["headers"]["x-amz-security-token"] == TOKEN


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"aws_access_key_id": "AKID"}, "aws_secret_access_key= is missing, and needed beside aws_access_key_id="),
        (
            {"aws_secret_access_key": "hidden"},
            "aws_access_key_id= is missing, and needed beside aws_secret_access_key=",
        ),
        ({"aws_session_token": "hidden"}, "aws_access_key_id= is missing"),
        (
            {"aws_access_key_id": "AK ID", "aws_secret_access_key": "hidden"},
            "holds a space.*came from aws_access_key_id=",
        ),
    ],
)
def test_half_of_the_credentials_is_an_error(bedrock, given_, said):
    """What is missing is named."""
    with pytest.raises(SettingError, match=said):
        sync(built("bedrock", bedrock, **given_))
    assert not bedrock.requests


def test_half_of_the_environments_credentials_is_an_error(bedrock, monkeypatch):
    """Nor are they looked for elsewhere then."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SettingError, match="AWS_SECRET_ACCESS_KEY is missing, and needed beside AWS_ACCESS_KEY_ID"):
        sync(built("bedrock", bedrock))


@BOTH
def test_expiring_credentials_of_a_profile_are_renewed(bedrock, ask, tmp_path, monkeypatch):
    """Without keys, botocore's chain is asked at every call, in a thread: here, for a profile's own program."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "count").write_text("0")
    (tmp_path / "keys.py").write_text(
        "import datetime, json, pathlib\n"
        f"path = pathlib.Path({str(tmp_path / 'count')!r})\n"
        "number = int(path.read_text()) + 1\n"
        "path.write_text(str(number))\n"
        "soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)\n"
        f"print(json.dumps(dict(Version=1, AccessKeyId={ACCESS_KEY!r}, SecretAccessKey={KEY!r},"
        " SessionToken=f'token-{number}', Expiration=soon.isoformat())))\n"
    )
    (tmp_path / "config").write_text(f"[profile work]\ncredential_process = {sys.executable} {tmp_path / 'keys.py'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    scorer = built("bedrock", bedrock)
    assert [ask(scorer)[0].index for _ in range(2)] == [1, 1]
    first, second = (request["headers"]["x-amz-security-token"] for request in bedrock.requests)
    assert first != second
    bedrock.always = lambda handler, _: handler.send(
        403, {"message": f"expired: {handler.headers['x-amz-security-token']} of {ACCESS_KEY}"}
    )
    with pytest.raises(
        AuthenticationError, match=r"'expired: \*{3} of \*{3}': .* came from botocore \(custom-process\)"
    ):
        ask(scorer)


def test_no_credentials_anywhere(bedrock, monkeypatch):
    """With botocore and without it, the ways to give them are named; what botocore complains about is quoted."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ways = "needs AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY .*package botocore"
    with pytest.raises(SettingError, match=ways):
        sync(built("bedrock", bedrock))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "botocore.session", None)
        with pytest.raises(SettingError, match=ways):
            sync(built("bedrock", bedrock))
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(SettingError, match=r"no AWS credentials from botocore: .*nowhere.* could not be found"):
        sync(built("bedrock", bedrock))
    assert not bedrock.requests


def test_a_header_of_ones_own_stands_in_the_signatures_place(bedrock, monkeypatch):
    """Such as a Bedrock API key's; then no credentials are needed."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AuthenticationError):
        sync(built("bedrock", bedrock, headers={"Authorization": "Bearer bedrock-api-key"}))
    [request] = bedrock.requests
    assert request["headers"]["authorization"] == "Bearer bedrock-api-key"
    assert "x-amz-date" not in request["headers"]


class Telling(Contract):
    """Refuses as AWS does a wrong signature: with all that should have been signed, the token included."""

    def answer(self, _method, _path, headers, _body):
        told = "\n".join(f"{name}:{headers[name]}" for name in ("host", "x-amz-date", "x-amz-security-token"))
        return 403, {"message": f"The Canonical String for this request should have been '{told}'"}


@BOTH
@pytest.mark.parametrize("explicit", [False, True])
def test_nothing_secret_is_shown(ask, explicit, monkeypatch):
    """Not by errors and their tracebacks, nor by ``repr`` and pickles."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    with running(Telling("bedrock")) as service:
        scorer = built("bedrock", service, **(GIVEN if explicit else {}))
        with pytest.raises(AuthenticationError, match="Canonical String") as caught:
            ask(scorer)
    shown = everything_said(caught.value) + repr(scorer) + repr(vars(scorer)) + repr(pickle.dumps(scorer))
    assert not any(secret in shown for secret in (KEY, *PIECES, *GIVEN.values()))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SettingError, match="aws_session_token= was left out of the pickle"):
        sync(pickle.loads(pickle.dumps(built("bedrock", service, **GIVEN))))


# Bodies


def serialised(service, operation, sent, **parameters):
    """Return what botocore makes of an operation's parameters, which its service model accepts."""
    model = Session().get_service_model(service).operation_model(operation)
    report = ParamValidator().validate(parameters, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    request = create_serializer("rest-json").serialize_to_request(parameters, model)
    assert request["method"] == sent["method"]
    assert request["url_path"] == sent["path"]
    return json.loads(request["body"])


@pytest.mark.parametrize(
    "options", [{}, {"model": "cohere.rerank-v3-5:0"}, {"additional_model_request_fields": {"max_tokens_per_doc": 512}}]
)
def test_a_bedrock_request_is_botocores(bedrock, options):
    """Right by AWS's own service model, and the very JSON that botocore sends."""
    sync(built("bedrock", bedrock, **options))
    [sent], [body] = bedrock.requests, bedrock.bodies
    assert serialised("bedrock-agent-runtime", "Rerank", sent, **body) == body


@pytest.mark.parametrize(
    ("name", "service", "operation", "where"),
    [
        ("bedrock_cohere", "bedrock-runtime", "InvokeModel", {"modelId": "cohere.rerank-v3-5:0"}),
        ("sagemaker", "sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "my-reranker"}),
    ],
)
def test_what_is_passed_on_to_a_model_goes_where_botocore_sends_it(name, service, operation, where):
    """Its path, with the model's colon encoded; the body is the model's own."""
    with running(name) as fake:
        sync(built(name, fake))
    [sent], [body] = fake.requests, fake.bodies
    given_ = {"Body" if name == "sagemaker" else "body": sent["body"]}
    assert serialised(service, operation, sent, **where, **given_) == body


@pytest.mark.parametrize(
    ("model", "arn"),
    [
        ("cohere.rerank-v3-5:0", "arn:aws:bedrock:us-west-2::foundation-model/cohere.rerank-v3-5:0"),
        ("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/x.y", None),
    ],
)
def test_a_model_is_an_id_or_an_arn(bedrock, model, arn):
    """An id is one of this region; an ARN is sent as it is."""
    sync(built("bedrock", bedrock, model=model))
    configuration = bedrock.bodies[0]["rerankingConfiguration"]["bedrockRerankingConfiguration"]
    assert configuration["modelConfiguration"] == {"modelArn": arn or model}


class Paged(Contract):
    """Gives two results a page, or, with ``empty``, pages of nothing."""

    empty = False

    def reply(self, payload):
        results = super().reply(payload)["results"]
        start = int(payload.get("nextToken", 0))
        page = results[start : 0 if self.empty else start + 2]
        more = {"nextToken": str(start + 2)} if self.empty or start + 2 < len(results) else {}
        return {"results": page, **more}


@BOTH
def test_results_come_in_pages(ask):
    """They are asked for with the token of the page before, to the last one."""
    with running(Paged("bedrock")) as service:
        ranking = ask(built("bedrock", service))
    assert ranking[0].index == 1
    assert len(ranking) == 3
    assert ranking.report.requests == 2
    first, second = service.bodies
    assert second == {**first, "nextToken": "2"}


def test_pages_without_results_come_to_an_end():
    """A service that promises more and gives nothing is not asked for ever."""
    paged = Paged("bedrock")
    paged.empty = True
    with running(paged) as service, pytest.raises(ReplyError, match="0 results for 3 documents"):
        sync(built("bedrock", service))
    assert len(service.requests) == 1


class TeiContainer(Contract):
    """A SageMaker endpoint with text-embeddings-inference in it."""

    def unreadable(self, body):
        return Contract("tei").unreadable(body)

    def reply(self, payload):
        return Contract("tei").reply(payload)


@BOTH
def test_a_sagemaker_endpoint_with_another_container(ask):
    """Its body and its bare list are those of the container."""
    with running(TeiContainer("sagemaker")) as service:
        assert ask(built("sagemaker", service, container="tei"))[0].index == 1
    assert service.bodies == [{"query": QUERY, "texts": TEXTS, "truncate": True}]
    assert load("sagemaker:my-reranker").spec == "sagemaker:my-reranker"
