"""Matte metrics: the distance between the probability and a soft (or hard) label.

Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009 (SAD, MSE). All
are taken over the whole image, without a trimap; a hard label is compared as 0 and 1.
"""

from __future__ import annotations

import numpy as np

from paddle_portrait.metrics.accumulator import (
    IGNORE_INDEX,
    Accumulator,
    check_same_shape,
    counter,
    mean_of,
    total,
    valid_pixels,
)
from paddle_portrait.registry import METRICS


def matte_errors(prob: np.ndarray, label: np.ndarray, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """Return ``prob - label`` at the pixels that count, one float32 vector.

    Args:
        prob: person probability, float in [0, 1], any shape.
        label: the same shape: soft, float in [0, 1]; or classes, everything but 0 being person.
        ignore_index: label of pixels that are left out.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape(prob, label, "probability and label")
    label = np.asarray(label)
    valid = valid_pixels(label, ignore_index)
    truth = label if label.dtype.kind == "f" else label != 0
    return np.asarray(prob, np.float32)[valid] - truth[valid].astype(np.float32)


def mae(prob: np.ndarray, label: np.ndarray, ignore_index: int = IGNORE_INDEX) -> float:
    """Return the mean absolute difference (also called MAD), in [0, 1]; NaN where no pixel counts."""
    return _mean(np.abs(matte_errors(prob, label, ignore_index)))


def mse(prob: np.ndarray, label: np.ndarray, ignore_index: int = IGNORE_INDEX) -> float:
    """Return the mean squared difference, in [0, 1]; NaN where no pixel counts."""
    return _mean(matte_errors(prob, label, ignore_index) ** 2)


def sad(prob: np.ndarray, label: np.ndarray, ignore_index: int = IGNORE_INDEX) -> float:
    """Return the sum of absolute differences, in thousands of pixels as matting papers give it."""
    return float(np.abs(matte_errors(prob, label, ignore_index)).sum(dtype=np.float64)) / 1000


@METRICS.register()
class MatteMetrics(Accumulator):
    """``mae``, ``mse``, ``sad``: means over images, each image weighing the same."""

    takes = "probability"

    def __init__(self, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(mae=total(), mse=total(), sad=total(), images=counter())
        self.ignore_index = ignore_index

    def update(self, prob: np.ndarray, label: np.ndarray) -> dict[str, float]:
        """Add one H×W image; returns its own ``mae, mse, sad``. One without a pixel that counts adds nothing."""
        errors = matte_errors(prob, label, self.ignore_index)
        if not errors.size:
            return {"mae": float("nan"), "mse": float("nan"), "sad": 0.0}
        absolute = float(np.abs(errors).sum(dtype=np.float64))
        values = {"mae": absolute / errors.size, "mse": _mean(errors**2), "sad": absolute / 1000}
        for name, value in values.items():
            self._sums[name] += value
        self._sums["images"] += 1
        return values

    def result(self) -> dict[str, float]:
        """Return ``mae, mse, sad``; NaN where nothing was seen."""
        return {name: mean_of(self._sums[name], self._sums["images"]) for name in ("mae", "mse", "sad")}


def _mean(values: np.ndarray) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else float("nan")
