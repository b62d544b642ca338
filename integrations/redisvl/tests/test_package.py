"""What the distribution promises."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "sentence_transformers", "numpy", "redis", "requests", "langchain_core", "haystack"}
BUILDING = (
    "ours.AnyRankReranker('lexical'), ours.HFCrossEncoderReranker(), ours.CohereReranker(), ours.VoyageAIReranker()"
)


@pytest.mark.parametrize("code", ["ours", BUILDING])
def test_it_is_light(code):
    """Importing it, and building all four, brings no model library, client or other framework."""
    script = f"import sys, anyrank_redisvl as ours; {code}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(shown.stdout.split())
