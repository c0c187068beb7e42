"""Checkerboard: a regular grid in the probability, which a threshold and so mIoU do not see.

Transposed convolutions whose kernel is no multiple of their stride leave such a grid (Odena et al.,
"Deconvolution and Checkerboard Artifacts", Distill 2016); soft blending shows it to the viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from paddle_portrait.metrics.accumulator import Accumulator, counter, mean_of, total
from paddle_portrait.registry import METRICS

STRIDES = (2, 4)
# A Hann window spreads a pure frequency over its two next bins; neighbours lie beyond them.
_NEIGHBOUR_OFFSETS = (-4, -3, 3, 4)
_LINES = ((0, 1), (1, 0), (1, 1), (1, -1))
_SMALLEST_SIDE = 16


def checkerboard(prob: np.ndarray, strides: Sequence[int] = STRIDES) -> float:
    """Return the strength of a grid in ``prob``: the root mean square, in probability, of its periodic part.

    The periodic part with period s is made of the frequencies (i/s, j/s) cycles a pixel, for s = 2 those
    at Nyquist. The amplitude of each is read from a Fourier transform under a Hann window. A mask's own
    edges reach these frequencies too, but as lines through the spectrum: what the neighbouring
    frequencies have, along the strongest of four directions, is subtracted, and only the excess counts.
    ``0.5 + a * (-1)**(x + y)`` gives ``a``; a smooth mask gives about 0. The strongest stride is returned.

    Args:
        prob: float (h, w) in [0, 1] at the size of the network's output. Resizing moves or hides the grid, so
            the map must not have been resized since.
        strides: periods in pixels to look for.

    Returns:
        A value in [0, 1]; NaN where the map is smaller than 16 pixels on a side.

    Raises:
        ValueError: ``prob`` is not (h, w).
    """
    if prob.ndim != 2:
        raise ValueError(f"the probability must be (h, w), not {prob.shape}")
    step = int(np.lcm.reduce(strides))
    height, width = (side // step * step for side in prob.shape)
    if min(height, width) < _SMALLEST_SIDE:
        return float("nan")
    window = _hann(height, width)
    cropped = prob[:height, :width].astype(np.float64)
    weight = float(window.sum())
    spectrum = np.fft.fft2((cropped - (cropped * window).sum() / weight) * window) / weight
    power = spectrum.real**2 + spectrum.imag**2
    return max(float(np.sqrt(_excess_power(power, stride))) for stride in strides)


def _excess_power(power: np.ndarray, stride: int) -> float:
    """Sum, over the frequencies of a grid of period ``stride``, what they have beyond their neighbours."""
    height, width = power.shape
    rows = np.arange(stride) * (height // stride)
    columns = np.arange(stride) * (width // stride)
    y, x = (axis.ravel()[1:] for axis in np.meshgrid(rows, columns, indexing="ij"))  # (0, 0) is the mean
    offsets = np.array(_NEIGHBOUR_OFFSETS)
    natural = np.zeros(len(y))
    for dy, dx in _LINES:
        line = power[(y[:, None] + dy * offsets) % height, (x[:, None] + dx * offsets) % width]
        natural = np.maximum(natural, line.mean(axis=1))
    return float(np.maximum(power[y, x] - natural, 0.0).sum())


@lru_cache(maxsize=8)
def _hann(height: int, width: int) -> np.ndarray:
    """Return the periodic Hann window, whose spectrum is exactly three bins wide."""
    first, second = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n) for n in (height, width))
    return np.outer(first, second)


@METRICS.register()
class CheckerboardMetrics(Accumulator):
    """``checkerboard``: mean over images of :func:`checkerboard`; maps that are too small are left out."""

    takes = "network_probability"

    def __init__(self, strides: Sequence[int] = STRIDES) -> None:
        super().__init__(checkerboard=total(), images=counter())
        self.strides = tuple(strides)

    def update(self, prob: np.ndarray, label: np.ndarray | None = None) -> dict[str, float]:
        """Add one (h, w) probability of the network's own size; the label plays no part."""
        value = checkerboard(prob, self.strides)
        if not np.isnan(value):
            self._sums["checkerboard"] += value
            self._sums["images"] += 1
        return {"checkerboard": value}

    def result(self) -> dict[str, float]:
        """Return ``checkerboard``, NaN where nothing was seen."""
        return {"checkerboard": mean_of(self._sums["checkerboard"], self._sums["images"])}
