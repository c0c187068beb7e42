"""Weights of other frameworks: read, matched with our networks, checked, and written as ``.pdparams``."""

from paddle_portrait.convert.matching import MatchError, match_by_execution, match_by_name
from paddle_portrait.convert.source import SourceError, SourceLayer, SourceModel, read_source

__all__ = [
    "MatchError",
    "SourceError",
    "SourceLayer",
    "SourceModel",
    "match_by_execution",
    "match_by_name",
    "read_source",
]
