"""Does reranking help your data, which reranker, and at what latency and price?

`evaluate` measures one reranker, `compare` a grid of first stages, fusions and rerankers; `differences` and `verdicts`
say what is more than chance. Needs ``anyrank[eval]``.
"""

from .asking import Progress
from .calibration import Calibrated, Calibration, calibrate, calibration_error
from .collection import Collection, Document, Run, read_collection
from .files import write_run
from .metrics import METRICS, Judge, trec_eval_order
from .page import to_html
from .plots import to_svg
from .report import rows_of, to_csv, to_json, to_markdown, to_rich
from .results import Answer, Comparison, Evaluation
from .retrievers import document_id, retrieve
from .runner import Options, compare, evaluate
from .significance import Difference, difference, differences, verdicts
from .slices import Slices, slice_by, slice_by_length, slice_by_overlap
from .store import Folder
from .tables import Qrels, read_qrels, read_queries, read_run
from .tuning import Tuned, tune

__all__ = [
    "METRICS",
    "Answer",
    "Calibrated",
    "Calibration",
    "Collection",
    "Comparison",
    "Difference",
    "Document",
    "Evaluation",
    "Folder",
    "Judge",
    "Options",
    "Progress",
    "Qrels",
    "Run",
    "Slices",
    "Tuned",
    "calibrate",
    "calibration_error",
    "compare",
    "difference",
    "differences",
    "document_id",
    "evaluate",
    "read_collection",
    "read_qrels",
    "read_queries",
    "read_run",
    "retrieve",
    "rows_of",
    "slice_by",
    "slice_by_length",
    "slice_by_overlap",
    "to_csv",
    "to_html",
    "to_json",
    "to_markdown",
    "to_rich",
    "to_svg",
    "trec_eval_order",
    "tune",
    "verdicts",
    "write_run",
]
