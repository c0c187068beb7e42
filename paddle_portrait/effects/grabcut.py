"""GrabCut (Rother, Kolmogorov, Blake 2004) where the network is unsure."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np

from paddle_portrait.effects.background import scaled_size
from paddle_portrait.effects.options import Range
from paddle_portrait.effects.refiner import refiner
from paddle_portrait.preprocess.geometry import resize

_SEED = 0
_EDGE_SIGMA = 0.8


@refiner("grabcut")
def grabcut(
    image: np.ndarray,
    person: np.ndarray,
    *,
    low: Annotated[float, Range(0, 0.5), "below this probability a pixel is background for sure"] = 0.05,
    high: Annotated[float, Range(0.5, 1), "above this probability a pixel is person for sure"] = 0.95,
    band: Annotated[float, Range(0, 0.2), "what lies this near to the outline is unsure, too (share of a side)"] = 0.01,
    rounds: Annotated[int, Range(1, 20), "rounds of fitting colours and cutting"] = 3,
    side: Annotated[int, Range(32, 4096), "shorter side that is worked at"] = 360,
) -> np.ndarray:
    """Unsure pixels decided by the colours of the sure ones; slow, for single pictures."""
    scale = min(1.0, side / min(person.shape))
    size = scaled_size(person.shape, scale)
    small = resize(person, size, cv2.INTER_AREA)
    trimap = _trimap(small, low, high, round(band * min(size)))
    if not all((trimap == value).any() for value in (cv2.GC_BGD, cv2.GC_FGD)):
        return person.copy()
    cv2.setRNGSeed(_SEED)  # its k-means draws numbers: the same picture is to give the same mask
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cut, _, _ = cv2.grabCut(resize(image, size, cv2.INTER_AREA), trimap, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    hard = ((cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD)).astype(np.float32)
    return np.clip(resize(cv2.GaussianBlur(hard, (0, 0), _EDGE_SIGMA), person.shape), 0, 1)


def _trimap(person: np.ndarray, low: float, high: float, reach: int) -> np.ndarray:
    """Return sure and probable background and person as OpenCV numbers them."""
    likely = (person > 0.5).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    trimap = np.where(likely == 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[(person < low) & (cv2.dilate(likely, kernel) == 0)] = cv2.GC_BGD
    trimap[(person > high) & (cv2.erode(likely, kernel) == 1)] = cv2.GC_FGD
    return trimap
