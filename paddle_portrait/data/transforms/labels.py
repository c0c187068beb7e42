"""Moving labels: class indices by the nearest pixel, soft labels linearly, ignored pixels never mixed in."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from paddle_portrait.preprocess.geometry import Padded, Size, pad, resize


def resize_label(label: np.ndarray, size_hw: Size) -> np.ndarray:
    """Scale a label: nearest pixel centre for class indices, linear for soft labels.

    ``INTER_NEAREST_EXACT`` keeps label and image aligned; plain nearest shifts by up to half a source pixel.
    """
    if label.dtype == np.uint8:
        return resize(label, size_hw, cv2.INTER_NEAREST_EXACT)
    return on_soft_label(
        label,
        lambda values: resize(values, size_hw, cv2.INTER_LINEAR),
        lambda values: resize(values, size_hw, cv2.INTER_NEAREST_EXACT),
    )


def pad_label(label: np.ndarray, operation: Padded, value: float) -> np.ndarray:
    """Add a border of ``value`` to a label."""
    return pad(label, operation.after, operation.offset, value)


def warp_label(label: np.ndarray, matrix: np.ndarray, size_wh: tuple[int, int], value: float) -> np.ndarray:
    """Move a label by an affine matrix (image to result); pixels from outside get ``value``."""

    def warp(values: np.ndarray, flags: int, border: int, fill: float) -> np.ndarray:
        return cv2.warpAffine(values, matrix, size_wh, flags=flags, borderMode=border, borderValue=(fill,) * 4)

    if label.dtype == np.uint8:
        return warp(label, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, value)
    return on_soft_label(
        label,
        lambda values: warp(values, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE, 0),
        lambda values: warp(values, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, value),
        always_nearest=True,
    )


def on_soft_label(
    label: np.ndarray,
    linear: Callable[[np.ndarray], np.ndarray],
    nearest: Callable[[np.ndarray], np.ndarray],
    always_nearest: bool = False,
) -> np.ndarray:
    """Interpolate soft labels without mixing the value of ignored pixels into probabilities.

    ``nearest`` decides which pixels of the result are ignored (value above 1).
    """
    ignored = label > 1
    any_ignored = bool(ignored.any())
    values = linear(np.where(ignored, np.float32(0), label) if any_ignored else label)
    if not any_ignored and not always_nearest:
        return values
    where = nearest(label)
    # A pixel beside an ignored one has no neighbours to mix with: take the nearest value.
    touched = linear(ignored.astype(np.float32)) > 0 if any_ignored else np.zeros(values.shape, bool)
    return np.where(touched | (where > 1), where, values).astype(np.float32)
