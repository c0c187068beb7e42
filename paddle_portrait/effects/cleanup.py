"""Refiners that mend the shape of a mask: specks, holes, and what PP-HumanSeg does after its network."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np

from paddle_portrait.effects.options import Range
from paddle_portrait.effects.refiner import refiner
from paddle_portrait.errors import UserError

MaskSize = Annotated[int, Range(16, 4096), "side of the square that the mask is smoothed in"]
Kernel = Annotated[int, Range(3, 31), "side of the Gaussian filter of sigma 1, odd: 7, or 5 for webcams"]

# From the first on a pixel may belong to a speck, up to the second to a hole; around them, as far as this share of the
# shorter side, what is nearly 0 or nearly 1 goes with them.
_FAINT, _FULL, _REACH = 0.1, 0.9, 0.02
_SURE = 240


@refiner("soft_edge")
def soft_edge(
    image: np.ndarray,
    person: np.ndarray,
    *,
    mask_size: MaskSize = 256,
    kernel: Kernel = 7,
) -> np.ndarray:
    """Edge of one width everywhere: a hard mask, blurred at the size of the network, enlarged.

    This is how anilsathyan7/Portrait-Segmentation blends its masks.
    """
    if kernel % 2 == 0:
        raise UserError(f"soft_edge: kernel is {kernel}; it must be odd.")
    small = cv2.resize(person, (mask_size, mask_size), interpolation=cv2.INTER_LINEAR)
    hard = (small > 0.5).astype(np.float32)
    soft = cv2.GaussianBlur(hard, (kernel, kernel), 1.0)
    return np.clip(cv2.resize(soft, person.shape[::-1], interpolation=cv2.INTER_LINEAR), 0, 1)


@refiner("clean")
def clean(
    image: np.ndarray,
    person: np.ndarray,
    *,
    speck: Annotated[float, Range(0, 1), "parts smaller than this share of the largest are removed"] = 0.1,
    hole: Annotated[float, Range(0, 1), "holes smaller than this share of the largest part are filled"] = 0.02,
) -> np.ndarray:
    """Specks of person in the background removed, and small holes in the person filled."""
    support = (person >= _FAINT).astype(np.uint8)
    labels, areas, largest = _components(support)
    if not largest:
        return np.zeros_like(person)
    specks = areas < speck * largest
    specks[0] = False
    cleaned = np.where(_widened(specks[labels]) & ((person < _FAINT) | specks[labels]), np.float32(0), person)
    labels, areas, _ = _components((cleaned < _FULL).astype(np.uint8))
    fills = areas < hole * largest
    fills[0] = False
    fills[_labels_on_border(labels)] = False
    return np.where(_widened(fills[labels]) & ((cleaned >= _FULL) | fills[labels]), np.float32(1), cleaned)


@refiner("pp_humanseg")
def pp_humanseg(image: np.ndarray, person: np.ndarray) -> np.ndarray:
    """PP-HumanSeg's post-process: only what surrounds a sure and solid piece of person stays.

    Probabilities above 240 of 255, eroded by a cross of 5 pixels, dilated by one of 25, keep what they cover.
    """
    levels = (person * np.float32(255)).astype(np.uint8)
    sure = (levels > _SURE).astype(np.uint8)
    core = cv2.erode(sure, cv2.getStructuringElement(cv2.MORPH_CROSS, (5, 5)))
    return person * cv2.dilate(core, cv2.getStructuringElement(cv2.MORPH_CROSS, (25, 25)))


def _components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return label picture, area of each label (of label 0, the rest: 0), and the largest area."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = facts[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return labels, areas, int(areas.max())


def _widened(mask: np.ndarray) -> np.ndarray:
    reach = max(1, round(_REACH * min(mask.shape)))
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0


def _labels_on_border(labels: np.ndarray) -> np.ndarray:
    return np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
