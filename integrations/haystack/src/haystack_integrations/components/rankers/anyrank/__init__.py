"""A Haystack ranker over any anyrank scorer."""

from .ranker import AnyRankRanker

__all__ = ["AnyRankRanker"]
