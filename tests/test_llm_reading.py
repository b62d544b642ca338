"""From answers to rankings: thousands of malformed ones, each made by a rule that knows what it is."""

# ruff: noqa: RUF001 - characters that look like others are what is tested

import json
import random
import re
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyrank.llm import ChatReply
from anyrank.llm._reading import read_choice, read_ranking

ANSWERS = 4_000
COVERAGE = 0.5
SENTENCE = "Here are the 5 most relevant of the 20 passages, as [2] and the others show."
TEXTS = ["Berlin is in Germany [12].", "Paris, in 1 of 3 guides", "4096 bananas"]


def arrows(numbers):
    """Write numbers as RankGPT does."""
    return " > ".join(f"[{number}]" for number in numbers)


def as_object(numbers):
    """Write numbers as the prompt asks for."""
    return json.dumps({"ranking": numbers})


FORMS = {
    "object": as_object,
    "list": json.dumps,
    "arrows": arrows,
    "no spaces": lambda numbers: arrows(numbers).replace(" ", ""),
    "bare": lambda numbers: ", ".join(map(str, numbers)),
    "bare arrows": lambda numbers: " > ".join(map(str, numbers)) + ".",
    "lines": lambda numbers: "\n".join(f"[{number}]" for number in numbers),
    "numbered lines": lambda numbers: "\n".join(f"{rank}. [{number}]" for rank, number in enumerate(numbers, 1)),
    "bullets": lambda numbers: "\n".join(f"* [{number}]" for number in numbers),
    "nouns": lambda numbers: " > ".join(f"PASSAGE{number}" for number in numbers),
    "bold": lambda numbers: " > ".join(f"**[{number}]**" for number in numbers),
    "full width": lambda numbers: arrows(numbers).translate(
        str.maketrans("[]>0123456789", "［］＞０１２３４５６７８９")
    ),
    "Chinese brackets": lambda numbers: "".join(f"【{number}】" for number in numbers),
    "HTML": lambda numbers: arrows(numbers).replace(">", "&gt;"),
    "strings": lambda numbers: json.dumps([f"[{number}]" for number in numbers]),
    "named strings": lambda numbers: json.dumps({"order": [f"passage {number}" for number in numbers]}),
    "with scores": lambda numbers: json.dumps(
        [{"id": number, "score": 1 / rank} for rank, number in enumerate(numbers, 1)]
    ),
    "scores first": lambda numbers: json.dumps({"results": [{"score": 3, "passage": f"[{n}]"} for n in numbers]}),
    "nested": lambda numbers: json.dumps({"result": {"ranking": numbers}}),
    "lists of one": lambda numbers: json.dumps([[number] for number in numbers]),
    "a string": lambda numbers: json.dumps({"ranking": arrows(numbers)}),
    "quoted": lambda numbers: json.dumps(arrows(numbers)),
    "label": lambda numbers: f"Final ranking: {' > '.join(map(str, numbers))}",
    "white space": lambda numbers: as_object(numbers).replace(",", "," + "\n" * 200),
}
"""Ways to write a ranking down that mean it."""


def plain(text):
    """Write nothing around a text."""
    return text


WRAPS = {
    "nothing": plain,
    "fence": lambda text: f"```json\n{text}\n```",
    "thought": lambda text: f"<think>Maybe [3] > [1]? {TEXTS[0]}</think>\n\n{text}",
    "thought, not opened": lambda text: f"[1] > [2] > [3] > [4] comes to mind.</think>{text}",
    "space": lambda text: f"\n\n  {text}  \n",
}
PROSE = {
    "sentence before": lambda text: f"{SENTENCE}\n\n{text}",
    "sentence after": lambda text: f"{text}\n\nI put [2] first since it has 3 of the 4 facts.",
    "draft": lambda text: f"[1] > [2] at first sight. But no:\n{text}",
    "page": lambda text: f"<html><body><p>{text}</p></body></html>",
    "echo": lambda text: "\n".join(f"[{n}] {quoted}" for n, quoted in enumerate(TEXTS, 1)) + f"\n\n{text}",
}
"""What may stand around a ranking; prose only around one that is told from it by its brackets."""

TOLD = ("object", "list", "arrows", "no spaces", "bold", "full width", "with scores", "nested", "lists of one")

LIST_FAULTS = {
    "none": (lambda numbers, _: numbers, "ok"),
    "one repeated": (lambda numbers, draw: [*numbers, draw.choice(numbers)], "repaired"),
    "one unknown": (lambda numbers, draw: [*numbers, draw.choice([0, len(numbers) + 1, 99, 4096, 10**30])], "repaired"),
    "one dropped": (lambda numbers, draw: dropped(numbers, 1, draw), "repaired"),
    "half dropped": (lambda numbers, draw: dropped(numbers, len(numbers) // 2, draw), "repaired"),
    "all repeated": (lambda numbers, _: numbers * 2, "repaired"),
    "most dropped": (lambda numbers, draw: dropped(numbers, len(numbers) // 2 + 1, draw), "unparsable"),
    "one over and over": (lambda numbers, _: numbers[:1] * len(numbers), "unparsable"),
    "all unknown": (lambda numbers, _: [number + 500 for number in numbers], "unparsable"),
}
"""What may be wrong with the numbers, and what the answer is then."""


def dropped(numbers, count, draw):
    """Leave out so many numbers."""
    gone = draw.sample(numbers, count)
    return [number for number in numbers if number not in gone]


NO_ANSWERS = {
    "nothing": lambda _: "",
    "error": lambda _: (
        "This model's maximum context length is 4096 tokens. However, your 7 messages hold 5000 (port 3)."
    ),
    "error as JSON": lambda numbers: json.dumps({"error": {"message": "bad request", "code": 3, "passages": numbers}}),
    "error of a gateway": lambda _: "Error code: 429 - {'error': {'message': 'limit 3, 2, 1', 'code': 2}}",
    "validation error": lambda _: json.dumps({"detail": [{"loc": ["body", 1], "msg": "wrong", "type": "int"}] * 4}),
    "refusal": lambda _: "I'm sorry, but I can't help with ranking 20 passages.",
    "words": lambda numbers: json.dumps(["one", "two", "three", "four", "five", "six"] * len(numbers)),
    "echo": lambda numbers: "\n".join(f"[{number}] {TEXTS[number % 3]}" for number in numbers),
    "mentions": lambda numbers: " ".join(f"Passage [{number}] says nothing." for number in numbers),
    "scores by id": lambda numbers: json.dumps({str(number): 0.5 for number in numbers}),
    "cut JSON": lambda numbers: as_object(numbers)[:-3],
    "brackets": lambda numbers: "[" * 50 * len(numbers),
    "booleans": lambda numbers: json.dumps([True] * len(numbers)),
    "worst first": lambda numbers: " < ".join(f"[{number}]" for number in numbers),
    "digits": lambda numbers: "".join(map(str, numbers)) * 1000,
    "garbage": lambda numbers: "".join(random.Random(len(numbers)).choices("ab c,.>{}\"'\n\\", k=2000)),
}
"""What names no ranking, whatever digits it holds."""


def fuzz():
    """Give answers by the rules: the reply, how many passages there are, the status, and the order if one is meant."""
    draw = random.Random(20)
    rules = [(form, wrap, fault) for form in FORMS for wrap in WRAPS for fault in LIST_FAULTS]
    rules += [(form, wrap, fault) for form in TOLD for wrap in PROSE for fault in LIST_FAULTS]
    draw.shuffle(rules)
    for number, (form, wrap, fault) in enumerate(islice(cycle(rules), ANSWERS)):
        numbers = draw.sample(range(1, 1 + (count := draw.randint(8, 30))), count)
        spoil, status = LIST_FAULTS[fault]
        spoilt = spoil(numbers, draw)
        text = (WRAPS | PROSE)[wrap](FORMS[form](spoilt))
        yield f"{form}, {wrap}, {fault}", ChatReply(text), count, status, spoilt
        if number % 5 == 0:
            yield "cut", ChatReply(text[: draw.randint(0, len(text))], cut=True), count, "truncated", None
            yield "unclosed thought", ChatReply(f"<think>{text.replace('think>', 'b>')}"), count, "truncated", None
            yield "refused", ChatReply(text, refused=True), count, "refused", None
            name, said = draw.choice(list(NO_ANSWERS.items()))
            yield name, ChatReply(said(numbers)), count, "unparsable", None


def test_thousands_of_malformed_answers():
    """Each has the status of its rule; what is read is a permutation that begins with the numbers that were meant."""
    wrong, seen = [], 0
    for rule, reply, count, status, numbers in fuzz():
        reading = read_ranking(reply, count, COVERAGE)
        meant = list(dict.fromkeys(number - 1 for number in numbers or () if 1 <= number <= count))
        usable = status in ("ok", "repaired")
        right = reading.status == status and (reading.answer is not None) == usable
        if right and usable:
            rest = [place for place in range(count) if place not in meant]
            right = list(reading.answer) == meant + rest
        if not right:
            wrong.append((rule, reading.status, status, reply.text[:80]))
        seen += 1
    assert not wrong, f"{len(wrong)}: {wrong[:10]}"
    assert seen >= 5_000


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_no_answer_is_read_into_a_ranking(name):
    """Errors, refusals and fragments name no ranking, for any number of passages, and even where coverage is 0."""
    for count in (2, 3, 5, 20):
        said = NO_ANSWERS[name](list(range(count, 0, -1)))
        if not (name == "cut JSON" or len(re.findall(r"\[\d", said)) == 1):
            assert read_ranking(ChatReply(said), count).answer is None, (count, said)


@given(
    text=st.text(alphabet=st.sampled_from("[]{}>,:.\"'123 45\nab<think/>\\`*％１①"), max_size=60),
    count=st.integers(2, 9),
)
def test_any_text_is_a_permutation_or_nothing(text, count):
    """Whatever a model writes, no passage is lost or repeated, and nothing raises."""
    reading = read_ranking(ChatReply(text), count)
    assert reading.answer is None or sorted(reading.answer) == list(range(count))
    assert (reading.answer is None) == bool(reading.why)
    choice = read_choice(ChatReply(text), ["1", "2"])
    assert choice.answer in {None, "1", "2"}


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "[1]" + " " * 100_000 + "[2]",
        "[1] > " * 30_000,
        "[" * 100_000,
        "[1,[1," * 20_000,
        '{"a":' * 20_000,
        "<think>" * 20_000,
        '["' * 50_000,
        '["\\"' * 30_000,
        "[9" * 50_000,
        "9" * 1_000_000,
        "passage " * 100_000,
        "rank " * 20_000,
        "[1]\n \n" * 30_000,
        "the " * 50_000,
    ],
    ids=lambda text: f"{text[:8]!r} {len(text)}",
)
def test_long_garbage_is_read_and_dropped(text):
    """Up to a megabyte of nonsense is no ranking; a reader that goes back over it would not come to an end."""
    assert read_ranking(ChatReply(text), 20, COVERAGE).answer is None


def test_the_fullest_ranking_counts_and_of_equal_ones_the_last():
    """A draft, a list of years and a mention do not win over the answer."""
    said = "In [1999, 2000, 2001, 2002, 2003]: [1] > [2] > [3] > [4], or rather [4] > [3] > [2] > [1]. So not [1]!"
    assert read_ranking(ChatReply(said), 4).answer == (3, 2, 1, 0)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1", "1"),
        ("[2]", "2"),
        ('{"better": 2}', "2"),
        ('```json\n{"better": 1}\n```', "1"),
        ('{"reason": "2 is worse", "better": 1}', "1"),
        ('{"best": "passage 2"}', "2"),
        ("Passage 2.", "2"),
        ("**Answer:** 1", "1"),
        ("The better one is 2", "2"),
        ("1, because 2 does not say", "1"),
        ("<think>1 or 2?</think>2", "2"),
        ("Passage 1 is better than passage 2", None),
        ("1 or 2", None),
        ("[1, 2]", None),
        ("12", None),
        ("maximum context length is 2", None),
        ("Error code: 1", None),
        ('{"error": 1}', None),
        ("", None),
        ("<think>2", None),
    ],
)
def test_choices(text, answer):
    """A choice is read where it is one, and nothing is guessed where two are named."""
    assert read_choice(ChatReply(text), ["1", "2"]).answer == answer


def test_an_answer_cut_off_or_refused_is_no_choice():
    """What the server says of an answer counts more than its text."""
    assert read_choice(ChatReply("1", cut=True), ["1", "2"]).status == "truncated"
    assert read_choice(ChatReply("1", refused=True), ["1", "2"]).status == "refused"
