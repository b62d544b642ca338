"""RedisVL's three names: its arguments, its defaults, the form of its answers, and what a call may change."""

import asyncio
import inspect
import pickle

import pytest
from fake_service import KEY
from redisvl.utils import rerank as upstream

import anyrank_redisvl as ours
from anyrank.errors import ArgumentError, SettingError, SpecError

QUERY = "What is the capital of the United States?"
CITY, STATE, FRUIT = "Washington is the capital of the United States.", "The United States.", "bananas"
DOCS = [FRUIT, CITY, STATE]
NAMES = ("HFCrossEncoderReranker", "CohereReranker", "VoyageAIReranker")


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_redisvls(name):
    """Every argument is there, at its place, with its default."""
    theirs = inspect.signature(getattr(upstream, name)).parameters
    mine = inspect.signature(getattr(ours, name)).parameters
    built = getattr(ours, name)()
    for place, (argument, parameter) in enumerate(theirs.items()):
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        assert list(mine)[place] == argument
        assert mine[argument].kind == parameter.kind
        assert parameter.default in (getattr(built, argument, None), parameter.empty)


@pytest.mark.parametrize("name", NAMES)
def test_the_fields_of_the_object_are_redisvls(name):
    """They can be read, and a dump or a pickle builds it again."""
    kind = getattr(ours, name)
    fields = {"model": "some-model", "rank_by": ["title"], "limit": 2, "return_score": False}
    option = {"device": "cpu"} if name == "HFCrossEncoderReranker" else {"max_retries": 0}
    reranker = kind(**fields, **option)
    assert isinstance(reranker, upstream.BaseReranker)
    assert {field: getattr(reranker, field) for field in fields} == fields
    dump = reranker.model_dump()
    assert dump == {**fields, **option}
    copies = [kind(**dump), kind.model_validate_json(reranker.model_dump_json()), pickle.loads(pickle.dumps(reranker))]
    assert [one.model_dump() for one in copies] == [dump] * 3


@pytest.mark.parametrize(("name", "environment"), [("CohereReranker", "cohere"), ("VoyageAIReranker", "voyage")])
def test_a_service_returns_what_was_given(name, environment, request):
    """Strings come back as strings, dicts as the same dicts, best first with their scores, in both colours."""
    service = request.getfixturevalue(environment)
    reranker = getattr(ours, name)(limit=2)
    documents, scores = reranker.rank(QUERY, DOCS)
    assert documents == [CITY, STATE]
    assert scores == [service.contract.score(QUERY, text) for text in documents]
    assert asyncio.run(reranker.arank(QUERY, DOCS)) == (documents, scores)
    rows = [{"id": place, "content": text} for place, text in enumerate(DOCS)]
    assert reranker.rank(QUERY, rows, return_score=False)[0] is rows[1]
    assert {body["model"] for body in service.bodies} == {reranker.model}
    assert service.requests[0]["path"] == "/v1/rerank"
    reranker.close()


@pytest.mark.parametrize(
    ("name", "environment", "option", "value"),
    [("CohereReranker", "cohere", "max_chunks_per_doc", 3), ("VoyageAIReranker", "voyage", "truncation", False)],
)
def test_what_a_service_takes_by_call(name, environment, option, value, request):
    """It is sent for that call only, whichever way it was set before; connections are kept, and closed."""
    service = request.getfixturevalue(environment)
    reranker = getattr(ours, name)(**{option: value})
    plain = getattr(ours, name)()
    other = 5 if option == "max_chunks_per_doc" else True
    for asked, options in ((plain, {option: value}), (plain, {}), (reranker, {}), (reranker, {option: other})):
        asked.rank(QUERY, DOCS, **options)
    asyncio.run(plain.arank(QUERY, DOCS, **{option: value}))
    plain.rank(QUERY, DOCS, **{option: None})
    assert [body.get(option) for body in service.bodies] == [value, None, value, other, value, None]
    for asked in (plain, reranker):
        asyncio.run(asked.aclose())
        asked.close()
    bad = {"max_chunks_per_doc": [0, True, "3"], "truncation": [0, 1, "no"]}[option]
    for wrong in bad:
        with pytest.raises(ArgumentError, match=option):
            plain.rank(QUERY, [], **{option: wrong})


@pytest.mark.parametrize(
    ("name", "variable"), [("CohereReranker", "COHERE_API_KEY"), ("VoyageAIReranker", "VOYAGE_API_KEY")]
)
def test_a_missing_key_is_an_error_of_the_first_call(name, variable):
    """Building works without a key, and so do empty lists; then the error says which variable to set."""
    reranker = getattr(ours, name)()
    assert reranker.rank(QUERY, []) == ([], [])
    with pytest.raises(SettingError, match=variable):
        reranker.rank(QUERY, DOCS)


def test_an_explicit_key_goes_before_the_environments(cohere, monkeypatch):
    """Nobody is asked with another key than the one in ``api_config``, and it is written down nowhere."""
    monkeypatch.setenv("COHERE_API_KEY", "another")
    reranker = ours.CohereReranker(api_config={"api_key": KEY})
    assert reranker.rank(QUERY, DOCS, return_score=False)[0] == CITY
    assert cohere.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(reranker) + reranker.model_dump_json() + str(vars(reranker))
    assert KEY.encode() not in pickle.dumps(reranker)
    reranker.close()


@pytest.mark.parametrize("name", NAMES)
def test_misspelt_arguments_are_refused(name):
    """The error says what is known."""
    with pytest.raises(SpecError, match="has no option 'tiemout'"):
        getattr(ours, name)(tiemout=3)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_key_alone_is_no_api_config(name):
    """It is refused without being shown."""
    with pytest.raises(ArgumentError, match=r"api_config must be a dict.*got a str$"):
        getattr(ours, name)("a-model", api_config=KEY)


def test_redisvls_variable_goes_first(cohere, monkeypatch):
    """Cohere's own client reads another one, which counts where RedisVL's is not set."""
    reranker = ours.CohereReranker()
    monkeypatch.setenv("CO_API_KEY", "another")
    assert reranker.rank(QUERY, DOCS, return_score=False)[0] == CITY
    reranker.close()
    monkeypatch.delenv("COHERE_API_KEY")
    monkeypatch.setenv("CO_API_KEY", KEY)
    other = ours.CohereReranker()
    assert other.rank(QUERY, DOCS, return_score=False)[0] == CITY
    other.close()
    assert len(cohere.requests) == 2


def test_reports_are_delivered(cohere):
    """What the service says it used is there for who asks."""
    reports = []
    reranker = ours.CohereReranker(on_report=reports.append)
    reranker.rank(QUERY, DOCS)
    assert reports[0].usage == {"search_units": 1}
    assert len(cohere.requests) == reports[0].requests == 1
    reranker.close()


def test_a_cross_encoder_shows_what_upstreams_does(cross_encoder):
    """The same dicts with the same scores, here behind a sigmoid; strings become dicts, dicts stay."""
    rows = ["washington", {"id": "d:1", "content": CITY}]
    for docs in (DOCS, rows[1:] * 2):
        theirs = upstream.HFCrossEncoderReranker(cross_encoder).rank(QUERY, docs)
        reranker = ours.HFCrossEncoderReranker(cross_encoder, backend="torch", dtype="float32")
        reranker.warm_up()
        documents, scores = reranker.rank(QUERY, docs)
        assert documents == theirs[0]
        assert scores == pytest.approx(theirs[1], abs=1e-6)
        assert asyncio.run(reranker.arank(QUERY, docs)) == (documents, scores)
        reranker.close()
    mixed = ours.HFCrossEncoderReranker(cross_encoder, backend="torch").rank(QUERY, rows, return_score=False)
    assert sorted(map(str, mixed)) == sorted(map(str, [{"content": "washington"}, rows[1]]))


def test_a_models_own_activation_counts(save_cross_encoder, tmp_path):
    """One that was saved with none, such as the default model, shows logits, as upstream."""
    identity = {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "6"}}
    folder = save_cross_encoder(tmp_path, **identity)
    theirs = upstream.HFCrossEncoderReranker(folder).rank(QUERY, DOCS)
    reranker = ours.HFCrossEncoderReranker(folder, backend="torch", dtype="float32")
    assert reranker.rank(QUERY, DOCS) == (theirs[0], pytest.approx(theirs[1], abs=1e-6))
    assert max(map(abs, theirs[1])) > 1
    reranker.close()
    chosen = ours.HFCrossEncoderReranker(folder, backend="torch", activation="sigmoid")
    assert all(0 < score < 1 for score in chosen.rank(QUERY, DOCS)[1])
    asyncio.run(chosen.aclose())
