"""Figures of a data set: sizes, shapes, how much of it is person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from paddle_portrait.data.checks.facts import PairFacts

_ASPECTS = (("tall (under 0.6)", 0.6), ("portrait (0.6-0.9)", 0.9), ("square (0.9-1.1)", 1.1), ("wide (1.1-1.6)", 1.6))
_WIDEST = "very wide (over 1.6)"
_COMMON_SIZES = 5


def describe_pairs(pairs: Sequence[PairFacts]) -> dict[str, Any]:
    """Return the figures of pairs that were decoded, as plain types; parts without any pair are left out."""
    figures: dict[str, Any] = {}
    sizes = [pair.image_hw for pair in pairs if pair.image_hw]
    if sizes:
        figures["height"] = _spread_of([h for h, _ in sizes], whole=True)
        figures["width"] = _spread_of([w for _, w in sizes], whole=True)
        common = Counter(f"{w}x{h}" for h, w in sizes).most_common(_COMMON_SIZES)
        figures["sizes_wxh"] = dict(common)
        figures["aspect_w_to_h"] = dict(Counter(_aspect(w / h) for h, w in sizes))
    masks = [pair.mask for pair in pairs if pair.mask is not None and not pair.mask.rejected]
    if masks:
        shares = [mask.person for mask in masks]
        figures["person_share"] = _spread_of(shares)
        figures["person_share_histogram"] = np.histogram(shares, bins=10, range=(0.0, 1.0))[0].tolist()
        figures["ignored_share"] = round(float(np.mean([mask.ignored for mask in masks])), 6)
        figures["without_person"] = sum(share == 0 for share in shares)
    return figures


def _spread_of(values: Sequence[float], whole: bool = False) -> dict[str, float]:
    kind = int if whole else float
    return {
        "min": kind(min(values)),
        "median": kind(np.median(values)),
        "mean": round(float(np.mean(values)), 6),
        "max": kind(max(values)),
    }


def _aspect(ratio: float) -> str:
    return next((name for name, limit in _ASPECTS if ratio < limit), _WIDEST)
