"""Fuses runs with ranx, in a process of its own: reads JSON cases from standard input, writes JSON totals.

ranx compiles its methods when first called, which takes most of a minute; switched off, it computes the same numbers
in plain Python at once.
"""

import json
import os
import sys
import warnings


def totals(case):
    """Return one case's fused scores by document."""
    from ranx import Run, fuse  # after the switch below

    runs = [Run({"q": run}) for run in case["runs"]]
    fused = fuse(runs, norm=case["norm"], method=case["method"], params=case["params"] or None)
    return {document: float(score) for document, score in fused.run["q"].items()}


if __name__ == "__main__":
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    warnings.simplefilter("ignore")
    json.dump([totals(case) for case in json.load(sys.stdin)], sys.stdout)
