"""Our LLM rerankers against a real vLLM on this machine, with the same model in local torch as the judge.

The model is random, so that its rankings mean nothing: what is looked at is what it was asked and how it was read.
How to run this: see ``test_real_servers.py``.
"""

import json

import pytest
from asking import in_colour

from anyrank import errors, load
from anyrank.llm import ChatRequest, Message, OpenAIChat
from anyrank.llm._passages import passage
from anyrank.llm.prompts import YES_NO

pytestmark = pytest.mark.servers

MODEL = "tiny-chat"
QUERY = "capital of france"
TEXTS = ["the dog", "paris is the capital of france", "berlin", "x", "Die Hauptstadt heißt Paris.", "a <|end|> b"]


def ranked(kind, server, texts, colour, **options):
    """Rerank in one of the two colours, and close."""
    options = {"base_url": f"{server.url}/v1", "api_key": server.key, "context_tokens": 2048, **options}
    scorer = load(f"{kind}:openai:{options.pop('model', MODEL)}", **options)
    return in_colour(colour, scorer, QUERY, texts)


@pytest.fixture(scope="session")
def judge(chat_folder):
    """Give the function that scores a prompt with local torch: the probability of "Yes" among "Yes" and "No"."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(chat_folder)
    network = AutoModelForCausalLM.from_pretrained(chat_folder, dtype=torch.float32).eval()
    yes_no = words.convert_tokens_to_ids(["Yes", "No"])

    def probability(messages):
        turns = [message.to_dict() for message in messages]
        prompt = words.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        with torch.inference_mode():
            logits = network(**words(prompt, return_tensors="pt")).logits[0, -1, yes_no]
        return logits.softmax(0)[0].item()

    return probability


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_probabilities_are_those_of_local_torch(vllm_chat, judge, colour):
    """From the log-probabilities of the first token, five of them: this server gives no more, and says so once."""
    ranking = ranked("pointwise", vllm_chat, TEXTS, colour, max_concurrency=1)
    for hit in ranking:
        assert hit.score == pytest.approx(judge(YES_NO.messages(QUERY, [passage(hit.document)])), abs=1e-5)
    assert 0.0 < ranking[-1].score < ranking[0].score < 1.0
    assert (ranking.report.requests, ranking.report.answers) == (len(TEXTS) + 1, {"ok": len(TEXTS)})


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("kind", ["pairwise", "setwise"])
def test_constrained_choices_are_always_readable(vllm_chat, kind, colour):
    """A random model held to a schema can but answer in it."""
    report = ranked(kind, vllm_chat, TEXTS, colour).report
    assert list(report.answers) == ["ok"]
    assert report.requests == sum(report.answers.values())
    assert not report.degraded
    assert report.usage["completion_tokens"] > 0


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_constrained_ranking_loses_no_document(vllm_chat, colour):
    """Identifiers repeat and are missing, since no server counts a list's items; the order is whole nevertheless."""
    ranking = ranked("listwise", vllm_chat, TEXTS, colour)
    assert sorted(ranking.indices) == list(range(len(TEXTS)))
    assert ranking.report.answers.keys() <= {"ok", "repaired", "truncated", "unparsable"}


def test_a_schema_is_kept_to(vllm_chat):
    """What comes back is the schema's JSON, or the beginning of it where the limit cut it off."""
    numbers = {"type": "array", "items": {"type": "integer", "enum": [1, 2, 3]}}
    schema = {
        "type": "object",
        "properties": {"ranking": numbers},
        "required": ["ranking"],
        "additionalProperties": False,
    }
    messages = (Message("user", "Rank [1] a [2] b [3] c as JSON."),)
    with OpenAIChat(MODEL, base_url=vllm_chat.url, api_key=vllm_chat.key) as chat:
        answer = chat.chat(ChatRequest(messages, max_tokens=200, schema=schema))
        short = chat.chat(ChatRequest(messages, max_tokens=5, schema=schema))
    assert set(json.loads(answer.text)["ranking"]) <= {1, 2, 3}
    assert not answer.cut
    assert (short.text, short.cut) == ('{"ran', True)
    assert answer.request_ids[0].startswith("chatcmpl-")


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_prompt_that_is_too_long_is_refused_at_once(vllm_chat, colour):
    """And not taken for a refusal of the schema; the error says what to lower, and quotes nothing."""
    with pytest.raises(errors.ProviderError, match="context length") as caught:
        ranked("listwise", vllm_chat, ["paris " * 2000] * 2, colour, context_tokens=20_000)
    assert caught.value.status == 400
    assert "context_tokens" in caught.value.__notes__[0]
    assert "paris paris" not in str(caught.value)


@pytest.mark.parametrize(("wrong", "status"), [({"api_key": "sk-wrong"}, 401), ({"model": "another"}, 404)])
def test_a_wrong_key_and_an_unknown_model_are_named(vllm_chat, wrong, status):
    """By their status."""
    with pytest.raises(errors.ProviderError) as caught:
        ranked("listwise", vllm_chat, TEXTS, "sync", **wrong)
    assert caught.value.status == status
