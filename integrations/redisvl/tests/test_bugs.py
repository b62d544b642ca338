"""What RedisVL's own rerankers get wrong, each shown on them and then on ours (the numbers are those of our notes).

The clients of Cohere and Voyage are stand-ins, for RedisVL's side only; ours talks to the fakes of the services.
"""

import asyncio
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from redisvl.utils import rerank as upstream

import anyrank_redisvl as ours
from anyrank.errors import ArgumentError, ModelError, ReplyError, ScoresError, TextError

QUERY = "What is the capital of the United States?"
CITY, FRUIT = "Washington is the capital of the United States.", "bananas"
ROWS = [{"passage": FRUIT}, {"passage": CITY}]


@pytest.fixture
def hf(cross_encoder):
    """Give RedisVL's cross-encoder and ours, over the same model."""
    own = ours.HFCrossEncoderReranker(cross_encoder, backend="torch")
    yield SimpleNamespace(theirs=upstream.HFCrossEncoderReranker(cross_encoder), ours=own)
    own.close()


@pytest.fixture
def sdk(monkeypatch):
    """Stand in for both services' clients: ``asked`` is what they were asked, ``answer`` what they reply."""
    told = SimpleNamespace(asked=[], answer=[(0, 0.9)])

    class Client:
        def __init__(self, **settings):
            self.settings = settings

        def rerank(self, **asked):
            told.asked.append(asked)
            return SimpleNamespace(results=[SimpleNamespace(index=i, relevance_score=s) for i, s in told.answer])

    for name in ("cohere", "voyageai"):
        module = ModuleType(name)
        module.Client = module.AsyncClient = Client
        monkeypatch.setitem(sys.modules, name, module)
    return told


def test_r1_no_usable_document(hf):
    """RedisVL unpacks nothing; ours says which field is missing, and that 0 is no limit."""
    for docs, options in ((ROWS, {}), ([CITY], {"limit": 0})):
        with pytest.raises(ValueError, match="not enough values to unpack"):
            hf.theirs.rank(QUERY, docs, **options)
    with pytest.raises(TextError, match="fields there are: passage"):
        hf.ours.rank(QUERY, ROWS)
    with pytest.raises(ArgumentError, match="limit must be"):
        hf.ours.rank(QUERY, [CITY], limit=0)


def test_r2_documents_without_content(hf):
    """RedisVL drops them."""
    docs = [{"content": CITY}, {"id": 2}]
    assert len(hf.theirs.rank(QUERY, docs, return_score=False)) == 1
    assert len(hf.ours.rank(QUERY, docs, return_score=False)) == 2


def test_r3_rank_by_of_a_cross_encoder(hf, cross_encoder):
    """RedisVL knows it neither at construction nor in a call."""
    with pytest.raises(TypeError, match="rank_by"):
        upstream.HFCrossEncoderReranker(cross_encoder, rank_by=["passage"])
    with pytest.raises(ValueError, match="unpack"):
        hf.theirs.rank(QUERY, ROWS, rank_by=["passage"])
    expected = hf.ours.rank(QUERY, [row["passage"] for row in ROWS])[1]
    assert hf.ours.rank(QUERY, ROWS, rank_by=["passage"])[1] == expected
    by_default = ours.HFCrossEncoderReranker(cross_encoder, rank_by="passage", backend="torch")
    assert by_default.rank(QUERY, ROWS)[1] == expected
    by_default.close()


def test_r4_model_name(cross_encoder):
    """RedisVL's own example does not run."""
    with pytest.raises(TypeError, match="multiple values"):
        upstream.HFCrossEncoderReranker(model_name=cross_encoder)
    assert ours.HFCrossEncoderReranker(model_name=cross_encoder).model == cross_encoder
    with pytest.raises(ArgumentError, match="give one"):
        ours.HFCrossEncoderReranker("a", model_name="b")


def test_r5_arank_lets_others_run(hf):
    """While RedisVL's model computes, nothing else on the event loop gets a turn."""

    async def turns(reranker):
        taken = 0

        async def take():
            nonlocal taken
            while True:
                taken += 1
                await asyncio.sleep(0)

        other = asyncio.ensure_future(take())
        await reranker.arank(QUERY, [CITY] * 20)
        other.cancel()
        return taken

    assert asyncio.run(turns(hf.theirs)) == 0
    assert asyncio.run(turns(hf.ours)) > 0


def test_r6_strings_beside_dicts(hf):
    """RedisVL puts the dict into another one."""
    docs = [FRUIT, {"content": CITY}]
    assert {"content": {"content": CITY}} in hf.theirs.rank(QUERY, docs, return_score=False)
    assert {"content": CITY} in hf.ours.rank(QUERY, docs, return_score=False)


def test_r7_rank_by_of_voyage(sdk, voyage):
    """RedisVL ignores it and sends what ``repr`` makes of dicts, of all if one has no content."""
    theirs = upstream.VoyageAIReranker("rerank-2.5", rank_by=["passage"])
    theirs.rank(QUERY, ROWS)
    theirs.rank(QUERY, [{"content": CITY}, *ROWS])
    assert [asked["documents"][0] for asked in sdk.asked] == [str(ROWS[0]), str({"content": CITY})]
    mine = ours.VoyageAIReranker("rerank-2.5", rank_by=["passage"])
    mine.rank(QUERY, ROWS)
    mine.model_copy(update={"rank_by": None}).rank(QUERY, [{"content": CITY}, *ROWS, {"n": 1, "vector": b"\0"}])
    assert [body["documents"] for body in voyage.bodies] == [
        [FRUIT, CITY],
        [CITY, f"passage: {FRUIT}", f"passage: {CITY}", "n: 1"],
    ]
    mine.close()


def test_r8_no_documents(sdk, cohere, voyage):
    """RedisVL complains of ``rank_by``, or asks the service."""
    with pytest.raises(ValueError, match="rank_by"):
        upstream.CohereReranker().rank(QUERY, [])
    sdk.answer = []
    upstream.VoyageAIReranker("rerank-2.5").rank(QUERY, [])
    assert [asked["documents"] for asked in sdk.asked] == [[]]
    for mine in (ours.CohereReranker(), ours.VoyageAIReranker()):
        assert mine.rank(QUERY, []) == ([], [])
    assert cohere.requests == voyage.requests == []


def test_r9_a_limit_that_is_none(hf, sdk, cohere):
    """RedisVL drops the last document for -1, or sends 0 to the service."""
    assert len(hf.theirs.rank(QUERY, [CITY, FRUIT], limit=-1, return_score=False)) == 1
    upstream.CohereReranker().rank(QUERY, [CITY], limit=0)
    assert sdk.asked[0]["top_n"] == 0
    mine = ours.CohereReranker()
    for reranker, limit in ((hf.ours, -1), (mine, 0)):
        with pytest.raises(ArgumentError, match="limit must be"):
            reranker.rank(QUERY, [CITY], limit=limit)
    assert cohere.requests == []


@pytest.mark.parametrize(("name", "variable"), [("CohereReranker", "COHERE"), ("VoyageAIReranker", "VOYAGE")])
def test_r10_other_settings_in_api_config(name, variable, sdk, monkeypatch, request):
    """With one, RedisVL no longer looks for the key in the environment, and forgets the setting."""
    service = request.getfixturevalue(variable.lower())
    settings = {"base_url": service.url}
    with pytest.raises(ValueError, match="API key is required"):
        getattr(upstream, name)("a-model", api_config=settings)
    assert getattr(upstream, name)("a-model", api_config={**settings, "api_key": "k"})._client.settings.keys() <= {
        "api_key",
        "client_name",
    }
    monkeypatch.delenv(f"ANYRANK_{service.contract.name.upper()}_BASE_URL")
    mine = getattr(ours, name)(api_config=settings)
    assert mine.rank(QUERY, [FRUIT, CITY], return_score=False)[0] == CITY
    assert settings == {"base_url": service.url}
    mine.close()
    assert sdk.asked == []


def test_r11_the_services_order_is_not_trusted(sdk, cohere):
    """RedisVL returns worst first what comes worst first, and a document twice that comes twice."""
    sdk.answer = [(0, 0.1), (1, 0.9)]
    assert upstream.CohereReranker().rank(QUERY, [FRUIT, CITY]) == ([FRUIT, CITY], [0.1, 0.9])
    sdk.answer = [(1, 0.9), (1, 0.9)]
    assert upstream.CohereReranker().rank(QUERY, [FRUIT, CITY])[0] == [CITY, CITY]
    mine = ours.CohereReranker()
    cohere.replay = {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 0.9}]}
    assert mine.rank(QUERY, [FRUIT, CITY]) == ([CITY, FRUIT], [0.9, 0.1])
    cohere.replay = {"results": [{"index": 1, "relevance_score": 0.9}] * 2}
    with pytest.raises(ReplyError, match="index 1"):
        mine.rank(QUERY, [FRUIT, CITY])
    mine.close()


def test_r12_voyage_without_a_model(sdk):
    """RedisVL's own example leaves out what is required."""
    with pytest.raises(TypeError, match="model"):
        upstream.VoyageAIReranker(rank_by=["content"])
    assert ours.VoyageAIReranker(rank_by=["content"]).model == "rerank-2.5"
    assert sdk.asked == []


def test_r13_a_score_that_is_no_number(hf):
    """RedisVL ranks it first."""
    scores = [float("nan"), 0.9]
    hf.theirs._client = SimpleNamespace(predict=lambda _pairs: scores)
    assert hf.theirs.rank(QUERY, [FRUIT, CITY], return_score=False)[0] == {"content": FRUIT}
    with pytest.raises(ScoresError, match="nan"):
        ours.AnyRankReranker(lambda _query, _texts: scores).rank(QUERY, [FRUIT, CITY])


def test_r14_a_misspelt_argument(hf, sdk, cohere, voyage):
    """RedisVL does not notice."""
    upstream_ones = (hf.theirs, upstream.CohereReranker(), upstream.VoyageAIReranker("rerank-2.5"))
    for theirs in upstream_ones:
        theirs.rank(QUERY, [CITY], lmit=1)
    for mine in (hf.ours, ours.CohereReranker(), ours.VoyageAIReranker()):
        with pytest.raises(TypeError, match="no argument 'lmit'; known: limit"):
            mine.rank(QUERY, [CITY], lmit=1)
    assert len(sdk.asked) == 2
    assert cohere.requests == voyage.requests == []


@pytest.mark.parametrize("labels", [2, 3])
def test_r15_models_of_several_labels(labels, save_cross_encoder, tmp_path):
    """RedisVL fails on both; two labels are (no, yes), and three are no reranker's."""
    folder = save_cross_encoder(tmp_path, num_labels=labels)
    with pytest.raises(TypeError):
        upstream.HFCrossEncoderReranker(folder).rank(QUERY, [CITY])
    mine = ours.HFCrossEncoderReranker(folder, backend="torch")
    if labels == 2:
        _, scores = mine.rank(QUERY, [FRUIT, CITY])
        assert scores == sorted(scores, reverse=True)
    else:
        with pytest.raises(ModelError, match="3 labels"):
            mine.rank(QUERY, [CITY])
    mine.close()


def test_r16_scores_beside_their_documents(hf):
    """Older RedisVL sorted the one and not the other (redis-vl-python#693), as its guide still shows."""
    docs = [FRUIT, CITY, "", "the capital", "united states"]
    documents, scores = hf.ours.rank(QUERY, docs, limit=None)
    assert scores == sorted(scores, reverse=True)
    for document, score in zip(documents, scores, strict=True):
        alone = hf.ours.rank(QUERY, [document["content"]])[1]
        assert alone == pytest.approx([score], abs=1e-5)


def test_r17_versions_of_sentence_transformers():
    """RedisVL's extra refuses newer ones; ours asks for none."""
    extra = [line for line in requires("redisvl") if "extra == 'sentence-transformers'" in line.replace('"', "'")]
    assert "<" in extra[0]
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))["project"]
    assert not [line for line in project["dependencies"] if "sentence" in line]
