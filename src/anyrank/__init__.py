"""One reranking core for LangChain, LlamaIndex, Haystack, LanceDB and RedisVL.

A scorer says how relevant each text is to a query; `Reranker` alone sorts, cuts and re-attaches; `fuse` makes one
ranking of several; an adapter is a rename.
"""

from ._registry import load, names, spec_of
from .cached import Cached
from .cascade import Cascade
from .chunked import Chunked
from .ensemble import Ensemble
from .errors import AnyRankError
from .fallback import Fallback
from .first_stage import FirstStage
from .fusion import fuse
from .ranking import Hit, Ranking, Report
from .reranker import Reranker
from .scorer import Candidates, Image, Scorer, Scores
from .text import fields

__all__ = [
    "AnyRankError",
    "Cached",
    "Candidates",
    "Cascade",
    "Chunked",
    "Ensemble",
    "Fallback",
    "FirstStage",
    "Hit",
    "Image",
    "Ranking",
    "Report",
    "Reranker",
    "Scorer",
    "Scores",
    "fields",
    "fuse",
    "load",
    "names",
    "spec_of",
]

__version__ = "0.1.0"
