"""Interpolating what is not known from what is, on grids from coarse to fine."""

from __future__ import annotations

import cv2
import numpy as np

_CROSS = np.array([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]], np.float32)


def fill_unknown(values: np.ndarray, known: np.ndarray, rounds: int = 0) -> np.ndarray:
    """Fill unknown values by push-pull interpolation (Gortler et al. 1996, "The Lumigraph").

    Averages of ever coarser grids, taken where a finer one knows nothing.

    Args:
        values: float32 h×w×3.
        known: bool h×w, at least one True.
        rounds: at each grid, so many rounds of averaging neighbours, which lead to the membrane of least tension.

    Returns:
        float32 h×w×3, equal to ``values`` where they are known.
    """
    if known.all():
        return values
    coarse_hw = (known.shape[0] + 1) // 2, (known.shape[1] + 1) // 2
    coarse, share = average(values, known.astype(np.float32), coarse_hw)
    around = cv2.resize(fill_unknown(coarse, share > 0, rounds), known.shape[::-1], interpolation=cv2.INTER_LINEAR)
    filled = np.where(known[..., None], values, around)
    for _ in range(rounds):
        filled = np.where(known[..., None], values, cv2.filter2D(filled, -1, _CROSS, borderType=cv2.BORDER_REPLICATE))
    return filled


def average(values: np.ndarray, weight: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted means of the cells of a coarser grid, float32 h×w×3, and the cells' mean weights, h×w."""
    share = cv2.resize(weight, size_hw[::-1], interpolation=cv2.INTER_AREA)
    sums = cv2.resize(values * weight[..., None], size_hw[::-1], interpolation=cv2.INTER_AREA)
    return sums / np.maximum(share, np.float32(1e-6))[..., None], share
