"""A Haystack joiner that fuses named lists of documents."""

from .joiner import FusionJoiner

__all__ = ["FusionJoiner"]
