"""Boundary IoU: how well the outlines agree, which the areas of large masks hide.

Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021.
"""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.metrics.accumulator import (
    IGNORE_INDEX,
    Accumulator,
    check_same_shape,
    counter,
    hard_label,
    mean_of,
    total,
    valid_pixels,
)
from paddle_portrait.registry import METRICS

DILATION_RATIO = 0.02


def band_width(height: int, width: int, dilation_ratio: float = DILATION_RATIO) -> int:
    """Return the width in pixels of the boundary band: a share of the diagonal, at least 1."""
    return max(1, round(dilation_ratio * float(np.hypot(height, width))))


def boundary_band(mask: np.ndarray, band_px: int, ignored: np.ndarray | None = None) -> np.ndarray:
    """Return the mask's pixels within ``band_px`` of a pixel outside of it.

    The distance is the larger of |dx| and |dy|, as in the authors' code (repeated 3×3 erosion). What
    lies beyond the image counts as outside, so the cut of a body at the image's edge belongs to the band.

    Args:
        mask: bool H×W.
        band_px: width of the band in pixels.
        ignored: bool H×W or None; pixels in it are never in the band, nor do they make one around them.
    """
    side = 2 * band_px + 1
    solid = mask if ignored is None else mask | ignored
    core = cv2.erode(
        solid.view(np.uint8), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    band = mask & (core == 0)
    return band if ignored is None else band & ~ignored


def boundary_iou(
    pred: np.ndarray,
    label: np.ndarray,
    dilation_ratio: float = DILATION_RATIO,
    ignore_index: int = IGNORE_INDEX,
) -> float:
    """Return the IoU of the two masks' boundary bands, in [0, 1].

    Conventions: both masks empty give 1, one of them empty gives 0.

    Args:
        pred: H×W, integer or bool; everything but 0 is person.
        label: H×W, the same; or soft, float in [0, 1], cut at 0.5.
        dilation_ratio: width of the band as a share of the image's diagonal.
        ignore_index: label of pixels that are left out.

    Raises:
        ValueError: the shapes differ, or are not H×W.
    """
    check_same_shape(pred, label)
    if np.ndim(pred) != 2:
        raise ValueError(f"boundary IoU judges one H×W mask at a time, not the shape {np.shape(pred)}")
    truth = hard_label(label, ignore_index)
    invalid = ~valid_pixels(truth, ignore_index)
    ignored = invalid if invalid.any() else None
    band_px = band_width(truth.shape[0], truth.shape[1], dilation_ratio)
    truth_mask = (truth != 0) & ~invalid
    guess_mask = (np.asarray(pred) != 0) & ~invalid
    truth_band = boundary_band(truth_mask, band_px, ignored)
    guess_band = boundary_band(guess_mask, band_px, ignored)
    union = np.count_nonzero(truth_band | guess_band)
    return np.count_nonzero(truth_band & guess_band) / union if union else 1.0


@METRICS.register()
class BoundaryMetrics(Accumulator):
    """``boundary_iou``: mean over images of :func:`boundary_iou`, each image weighing the same."""

    takes = "classes"

    def __init__(self, dilation_ratio: float = DILATION_RATIO, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(boundary_iou=total(), images=counter())
        self.dilation_ratio = dilation_ratio
        self.ignore_index = ignore_index

    def update(self, pred: np.ndarray, label: np.ndarray) -> dict[str, float]:
        """Add one H×W image; returns its own value."""
        value = boundary_iou(pred, label, self.dilation_ratio, self.ignore_index)
        self._sums["boundary_iou"] += value
        self._sums["images"] += 1
        return {"boundary_iou": value}

    def result(self) -> dict[str, float]:
        """Return ``boundary_iou``, NaN where nothing was seen."""
        return {"boundary_iou": mean_of(self._sums["boundary_iou"], self._sums["images"])}
