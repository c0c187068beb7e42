"""Bands along a person's outline, drawn from masks with OpenCV."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

UNKNOWN = 255


def contour_band(mask: np.ndarray, thickness: int) -> np.ndarray:
    """Return uint8 H×W, 1 on lines of ``thickness`` pixels along the contours of a uint8 {0, 1} mask.

    Where the person leaves the picture the contour closes along the frame, as in PortraitNet's training.
    """
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.drawContours(np.zeros_like(mask), contours, -1, (1,), thickness)


def canny_band(mask: np.ndarray, thickness: int) -> np.ndarray:
    """Return uint8 H×W, 1 on Canny's edges of the mask, widened to ``thickness`` pixels."""
    return _widen((cv2.Canny(mask * np.uint8(255), 100, 200) > 0).astype(np.uint8), thickness)


def sobel_band(mask: np.ndarray, thickness: int) -> np.ndarray:
    """Return uint8 H×W, 1 where the mask's Sobel gradient is not 0 (two pixels), widened to ``thickness`` pixels."""
    across, down = (cv2.Sobel(mask, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
    return _widen(((across != 0) | (down != 0)).astype(np.uint8), thickness - 1)


def morphology_band(mask: np.ndarray, thickness: int) -> np.ndarray:
    """Return uint8 H×W, 1 where a square's dilation and erosion of the mask differ: ``thickness`` rounded to even."""
    return square_band(mask, 2 * max(1, thickness // 2) + 1)


def square_band(label: np.ndarray, kernel_size: int) -> np.ndarray:
    """Return uint8 H×W, 1 where the greatest and the least label in a square differ by more than 0.5.

    Args:
        label: uint8 or float32 H×W.
        kernel_size: odd side of the square, in pixels; what it covers beyond the picture does not count.
    """
    square = np.ones((kernel_size, kernel_size), np.uint8)
    return (cv2.dilate(label, square) - cv2.erode(label, square) > 0.5).astype(np.uint8)


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "contour": contour_band,
    "canny": canny_band,
    "sobel": sobel_band,
    "morphology": morphology_band,
}


def outline_labels(person: np.ndarray, valid: np.ndarray, method: str, thickness: int) -> np.ndarray:
    """Draw the outlines of a batch of masks.

    Args:
        person: bool N×H×W.
        valid: bool N×H×W, false where the label is not known.
        method: one of :data:`METHODS`.
        thickness: width of the band in pixels, at least 1.

    Returns:
        uint8 N×H×W: 1 in the band, 0 elsewhere, 255 where the label is not known or where the unknown pixels
        decide whether the outline passes: it runs nowhere along the border of padding.
    """
    draw = METHODS[method]
    bands = np.empty(person.shape, np.uint8)
    for mask, known, band in zip(person, valid, bands, strict=True):
        band[:] = draw(mask.astype(np.uint8), thickness)
        if not known.all():
            other = draw((mask | ~known).astype(np.uint8), thickness)
            band[(band != other) | ~known] = UNKNOWN
    return bands


def _widen(line: np.ndarray, thickness: int) -> np.ndarray:
    return cv2.dilate(line, np.ones((thickness, thickness), np.uint8)) if thickness > 1 else line
