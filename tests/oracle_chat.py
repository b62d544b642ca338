"""Chat models by hand: plain functions that read the numbered passages of a prompt, and know how good each is."""

import json
import random
import re
import threading
import time

WORTH = re.compile(r"worth (-?\d+)")


def documents(count, seed=0):
    """Return documents whose worth, 0 to count - 1, stands in their text, shuffled."""
    worths = random.Random(seed).sample(range(count), count)
    return [f"A text that is worth {worth} points." for worth in worths]


def worth(text):
    """Return what a text says it is worth."""
    return int(WORTH.search(text)[1])


def best_first(texts):
    """Return the places of texts, the best first."""
    return sorted(range(len(texts)), key=lambda place: (-worth(texts[place]), place))


def passages(messages):
    """Return the passages of a question, by their numbers."""
    numbered = re.findall(r"^\[(\d+)\] (.*)$", messages[-1]["content"], re.MULTILINE)
    assert [int(number) for number, _ in numbered] == list(range(1, len(numbered) + 1))
    return [text for _, text in numbered]


def ranking(messages):
    """Answer a listwise question."""
    return json.dumps({"ranking": [place + 1 for place in best_first(passages(messages))]})


def better(messages):
    """Answer a pairwise question."""
    return json.dumps({"better": best_first(passages(messages))[0] + 1})


def best(messages):
    """Answer a setwise question."""
    return json.dumps({"best": best_first(passages(messages))[0] + 1})


def grade(messages):
    """Answer a pointwise question in one word."""
    return "Yes" if worth(messages[-1]["content"]) > 0 else "No"


class Asked:
    """A chat function that notes the passages of each question, and how many were under way at a time.

    ``answer`` is a function of the messages; ``pause`` are the seconds that each answer takes.
    """

    def __init__(self, answer=ranking, pause=0.0):
        self.answer = answer
        self.pause = pause
        self.windows = []
        self.most = self._now = 0
        self._lock = threading.Lock()

    def __call__(self, messages):
        with self._lock:
            self.windows.append(tuple(re.findall(r"^\[\d+\] (.*)$", messages[-1]["content"], re.MULTILINE)))
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            time.sleep(self.pause)
            return self.answer(messages)
        finally:
            with self._lock:
                self._now -= 1
