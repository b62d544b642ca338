"""Services whose keys are tokens that expire: got once, kept until they are refused, got once more, by one caller."""

import asyncio
import json
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from asking import BOTH, QUERY, TEXTS, awaited, sync
from fake_faults import PASSING
from fake_service import KEY, Contract, running, service_file
from leaks import everything_said

from anyrank import Reranker, _retry, load
from anyrank.errors import AuthenticationError, DeadlineError, ProviderError, ReplyError, SettingError

WAIT = 20.0
IAM = "/identity/token"
WRONG = "wrong-key-0123456789"


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    for name in ("WATSONX_TOKEN", "WATSONX_API_KEY", "WATSONX_URL", "WATSONX_PROJECT_ID", "WATSONX_SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WATSONX_APIKEY", KEY)
    monkeypatch.setattr(_retry, "FIRST", 0.001)


class Expiring(Contract):
    """A service that accepts the token that ``issue`` gave last, until it is told to ``expire``."""

    def __init__(self, name):
        super().__init__(name)
        self.issued = self.expired = 0
        self.lock = threading.Lock()

    def issue(self):
        """Return a new token."""
        with self.lock:
            self.issued += 1
            return f"token-with-number-{self.issued}"

    def expire(self):
        """Accept no token that was issued so far."""
        self.expired = self.issued

    def answer(self, method, path, headers, body):
        """Refuse every other token."""
        right = headers.get("authorization") == f"Bearer token-with-number-{self.issued}" and self.issued > self.expired
        return super().answer(method, path, {**headers, "authorization": f"Bearer {KEY if right else 'wrong'}"}, body)


class Watsonx(Expiring):
    """watsonx, with IBM's identity service beside it."""

    def __init__(self):
        super().__init__("watsonx")
        self.reply_of_iam = None

    def answer(self, method, path, headers, body):
        return self.exchange(method, headers, body) if path == IAM else super().answer(method, path, headers, body)

    def exchange(self, method, headers, body):
        """Give a token for the key, as https://cloud.ibm.com/apidocs/iam-identity-token-api says."""
        assert method == "POST"
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        assert "authorization" not in headers
        form = parse_qs(body.decode(), strict_parsing=True)
        assert form.pop("grant_type") == ["urn:ibm:params:oauth:grant-type:apikey"]
        if form != {"apikey": [KEY]}:
            return 400, {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
        good = {"access_token": self.issue(), "token_type": "Bearer", "expires_in": 3600, "scope": "ibm openid"}
        return self.reply_of_iam or (200, good)


@pytest.fixture
def watsonx():
    """Run a fake of watsonx."""
    with running(Watsonx()) as service:
        yield service


def built(service, **options):
    """Return a scorer that goes to the fake for its tokens, too."""
    name = service.contract.name
    iam = {"iam_url": service.url + IAM} if name == "watsonx" else {}
    return load(name, base_url=service.url, **{**iam, **service_file(name)["options"], **options})


def asked_of_iam(service):
    """Return the requests for tokens."""
    return [request for request in service.requests if request["path"] == IAM]


def many(scorer):
    """Rerank from several threads at once, and return one of the rankings."""
    with ThreadPoolExecutor(8) as pool, scorer:
        ranking, *_ = pool.map(lambda _: Reranker(scorer).rerank(QUERY, TEXTS), range(8))
        return ranking


def many_awaited(scorer):
    """Rerank several times at once on an event loop, and return one of the rankings."""

    async def asked():
        async with scorer:
            ranking, *_ = await asyncio.gather(*(Reranker(scorer).arerank(QUERY, TEXTS) for _ in range(8)))
            return ranking

    return asyncio.run(asked())


ALL = pytest.mark.parametrize("ask", [sync, awaited, many, many_awaited])


# A key that is exchanged for a token


@ALL
def test_a_token_is_got_once_and_once_more_when_it_has_expired(watsonx, ask):
    """However many callers there are: one of them exchanges the key, and the others wait for its token."""
    scorer = built(watsonx)
    assert ask(scorer)[0].index == ask(scorer)[0].index == 1
    assert len(asked_of_iam(watsonx)) == 1
    watsonx.contract.expire()
    ranking = ask(scorer)
    assert ranking[0].index == 1
    assert ranking.report.retries == 0
    assert len(asked_of_iam(watsonx)) == 2


@BOTH
def test_a_new_token_that_is_refused_as_well_is_the_last(watsonx, ask):
    """One renewal a request: the second 401 is the answer."""
    watsonx.contract.expired = 9
    with pytest.raises(AuthenticationError, match="the key came from WATSONX_APIKEY"):
        ask(built(watsonx))
    assert len(asked_of_iam(watsonx)) == 2
    assert len(watsonx.requests) == 4


@BOTH
def test_a_wrong_key_fails_once(watsonx, ask, monkeypatch):
    """IBM's identity service says 400 to one; the error says where the key came from, and whom it was shown."""
    monkeypatch.setenv("WATSONX_APIKEY", WRONG)
    with pytest.raises(AuthenticationError, match="WATSONX_APIKEY; check it") as caught:
        ask(built(watsonx))
    assert len(watsonx.requests) == 1
    assert caught.value.status == 400
    assert caught.value.__notes__ == [f"that was {watsonx.url}{IAM}, asked for a token"]
    shown = everything_said(caught.value)
    assert WRONG not in shown


@BOTH
@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_of_the_identity_service_is_survived(watsonx, ask, fault):
    """It is asked again, as any service is."""
    watsonx.faults = [PASSING[fault]]
    ranking = ask(built(watsonx))
    assert ranking[0].index == 1
    assert (ranking.report.requests, ranking.report.retries) == (3, 1)


@BOTH
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ((200, {}), ReplyError),
        ((200, {"access_token": 7}), ReplyError),
        ((200, "not what it should be"), ReplyError),
        ((401, {"errorMessage": "no"}), AuthenticationError),
        ((404, {"errorMessage": "no"}), ProviderError),
    ],
)
def test_an_identity_service_without_a_token_is_named(watsonx, ask, reply, kind):
    """It is not watsonx that failed."""
    watsonx.contract.reply_of_iam = reply
    with pytest.raises(kind) as caught:
        ask(built(watsonx))
    assert type(caught.value) is kind
    assert caught.value.__notes__ == [f"that was {watsonx.url}{IAM}, asked for a token"]
    assert len(watsonx.requests) == 1
    shown = everything_said(caught.value)
    assert KEY not in shown


def test_a_key_goes_to_no_identity_service_over_plain_http(watsonx):
    """It is in the body there, not in a header."""
    with pytest.raises(SettingError, match=r"would send its key unencrypted to iam\.invalid"):
        sync(built(watsonx, iam_url="http://iam.invalid/identity/token"))


@pytest.mark.parametrize(
    ("env", "given", "exchanged"),
    [
        ({"WATSONX_TOKEN": "token-with-number-1"}, {}, False),
        ({}, {"token": "token-with-number-1"}, False),
        ({"WATSONX_APIKEY": "wrong"}, {"api_key": "wrong", "token": "token-with-number-1"}, False),
        ({"WATSONX_TOKEN": "wrong"}, {"api_key": KEY}, True),
        ({"WATSONX_TOKEN": "wrong"}, {"api_key": lambda: KEY}, True),
    ],
)
def test_a_token_stands_in_for_a_key(watsonx, monkeypatch, env, given, exchanged):
    """What is given beats the environment, and a token of the same origin a key."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    watsonx.contract.issued = 0 if exchanged else 1
    assert sync(built(watsonx, **given))[0].index == 1
    assert bool(asked_of_iam(watsonx)) is exchanged


@pytest.mark.parametrize(
    ("env", "given", "sent"),
    [
        ({"WATSONX_PROJECT_ID": "p", "WATSONX_SPACE_ID": "s"}, {}, {"project_id": "p"}),
        ({"WATSONX_SPACE_ID": "s"}, {}, {"space_id": "s"}),
        ({"WATSONX_PROJECT_ID": "p"}, {"space_id": "s"}, {"space_id": "s"}),
        ({"WATSONX_SPACE_ID": "s"}, {"project_id": "p"}, {"project_id": "p"}),
    ],
)
def test_either_a_project_or_a_space(monkeypatch, env, given, sent):
    """One of them is sent: the one given, else the environment's."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    values = load("watsonx", **given)._values()
    assert {name: values[name] for name in ("project_id", "space_id") if values[name]} == sent


def test_neither_a_project_nor_a_space():
    """The ways to give one are named."""
    with pytest.raises(SettingError, match=r"WATSONX_PROJECT_ID or project_id= or WATSONX_SPACE_ID or .*space_id="):
        load("watsonx").score("q", ["a"])


# A function that gives tokens


@pytest.fixture
def vertex():
    """Run a fake of Vertex."""
    with running(Expiring("vertex")) as service:
        yield service


@ALL
def test_a_function_is_asked_once_and_once_more_when_its_token_has_expired(vertex, ask):
    """However many callers there are."""
    scorer = built(vertex, api_key=vertex.contract.issue)
    assert ask(scorer)[0].index == ask(scorer)[0].index == 1
    assert vertex.contract.issued == 1
    vertex.contract.expire()
    assert ask(scorer)[0].index == 1
    assert vertex.contract.issued == 2


def test_the_event_loop_goes_on_while_a_token_is_got(vertex):
    """The function waits for what only the loop can do."""
    going = threading.Event()

    def token():
        assert going.wait(WAIT)
        return vertex.contract.issue()

    async def asked():
        async with built(vertex, api_key=token) as scorer:
            calls = [asyncio.ensure_future(scorer.ascore(QUERY, TEXTS)) for _ in range(4)]
            await asyncio.sleep(0)
            going.set()
            return await asyncio.gather(*calls)

    assert len(asyncio.run(asked())) == 4
    assert vertex.contract.issued == 1


def test_a_caller_that_is_cancelled_leaves_the_turn_to_the_next(vertex):
    """Who waited for its token gets one."""
    began, end = threading.Event(), threading.Event()

    def token():
        if not began.is_set():
            began.set()
            end.wait(WAIT)
        return vertex.contract.issue()

    async def asked():
        async with built(vertex, api_key=token) as scorer:
            first = asyncio.ensure_future(scorer.ascore(QUERY, TEXTS))
            await asyncio.to_thread(began.wait, WAIT)
            second = asyncio.ensure_future(scorer.ascore(QUERY, TEXTS))
            await asyncio.sleep(0)
            first.cancel()
            try:
                return first, await second
            finally:
                end.set()

    first, scores = asyncio.run(asked())
    assert first.cancelled()
    assert len(scores) == 3


def test_waiting_for_a_token_ends_at_the_deadline(vertex):
    """Another caller that gets one may take too long."""
    began, end = threading.Event(), threading.Event()

    def token():
        began.set()
        end.wait(WAIT)
        return vertex.contract.issue()

    async def asked():
        async with built(vertex, api_key=token, deadline=0.2) as scorer:
            first = asyncio.ensure_future(scorer.ascore(QUERY, TEXTS))
            await asyncio.to_thread(began.wait, WAIT)
            try:
                with pytest.raises(DeadlineError, match=r"deadline=0\.2 seconds"):
                    await scorer.ascore(QUERY, TEXTS)
            finally:
                end.set()
            with pytest.raises(DeadlineError):
                await first

    asyncio.run(asked())
    assert not vertex.requests


def test_what_a_function_raises_reaches_the_caller(vertex):
    """As the same object."""
    failure = OSError("no agent")

    def token():
        raise failure

    with pytest.raises(OSError, match="no agent") as caught:
        sync(built(vertex, api_key=token))
    assert caught.value is failure


@BOTH
def test_a_header_of_ones_own_stands_in_the_keys_place(vertex, ask, monkeypatch):
    """It is sent once, and no key is looked for, nor got anew when it is refused."""
    vertex.contract.issue()
    headers = {"Authorization": "Bearer token-with-number-1"}
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "another")
    assert ask(built(vertex, headers=headers))[0].index == 1
    vertex.contract.expire()
    with pytest.raises(AuthenticationError):
        ask(built(vertex, headers=headers))
    assert [request["headers"]["authorization"] for request in vertex.requests] == [*headers.values()] * 2


def test_without_google_auth_the_ways_are_named(vertex, monkeypatch):
    """A token, or a package and a command."""
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(SettingError, match="GOOGLE_OAUTH_ACCESS_TOKEN or api_key=, or install google-auth and run"):
        sync(built(vertex))
    assert not vertex.requests


@BOTH
def test_google_auth_gets_tokens_where_it_is_installed(vertex, ask, monkeypatch, tmp_path):
    """The default credentials, here a service account's, are exchanged for a token, once, and once more on expiry."""
    pytest.importorskip("google.auth")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    with pytest.raises(SettingError, match=r"got no token from google-auth: .*default credentials"):
        ask(built(vertex))
    key = rsa.generate_private_key(65537, 2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    account = {
        "type": "service_account",
        "client_email": "reranker@my-project.iam.gserviceaccount.com",
        "private_key": key.private_bytes(encoding, form, serialization.NoEncryption()).decode(),
        "token_uri": f"{vertex.url}{IAM}",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    answer = vertex.contract.answer
    vertex.contract.answer = lambda method, path, headers, body: (
        (200, {"access_token": vertex.contract.issue(), "expires_in": 3600})
        if path == IAM
        else answer(method, path, headers, body)
    )
    scorer = built(vertex)
    assert ask(scorer)[0].index == ask(scorer)[0].index == 1
    vertex.contract.expire()
    assert ask(scorer)[0].index == 1
    assert len(asked_of_iam(vertex)) == 2


# Secrets


@BOTH
@pytest.mark.parametrize("name", ["watsonx", "vertex"])
def test_neither_key_nor_token_is_shown(ask, name):
    """Not by an error that quotes them, nor its traceback, nor by ``repr`` and pickles."""
    with running(Watsonx() if name == "watsonx" else Expiring(name)) as service:
        scorer = built(service) if name == "watsonx" else built(service, api_key=service.contract.issue)
        ask(scorer)
        service.always = echo
        with pytest.raises(AuthenticationError, match=r"'Bearer \*{3}") as caught:
            ask(scorer)
    shown = everything_said(caught.value) + repr(scorer) + repr(vars(scorer))
    shown += repr(pickle.dumps(scorer)) if name == "watsonx" else ""  # a function in a test has no pickle
    assert not any(secret in shown for secret in SECRETS[name])


SECRETS = {"watsonx": (KEY, "token-with-number"), "vertex": ("token-with-number",)}


def echo(handler, _):
    """Refuse, and say what was shown."""
    key = KEY if handler.service.contract.name == "watsonx" else ""
    handler.send(403, {"message": f"{handler.headers['authorization']} {key}"})
