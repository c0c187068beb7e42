"""Poisson image editing (Pérez, Gangnet, Blake 2003): a person's gradients, the background's outline."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np

from paddle_portrait.effects.effect import effect
from paddle_portrait.effects.fill import average, fill_unknown
from paddle_portrait.effects.options import Range

_ROUNDS = 16


@effect("seamless_clone", needs_background=True)
def seamless_clone(
    image: np.ndarray,
    person: np.ndarray,
    background: np.ndarray,
    *,
    widen: Annotated[int, Range(0, 100), "pixels by which the mask grows, to leave no hard outline"] = 3,
    side: Annotated[int, Range(16, 4096), "shorter side of the grid on which the correction is solved"] = 180,
) -> np.ndarray:
    """The person cloned into the background, so that no seam is seen; its colours change.

    What is added to the image is the membrane that equals background minus image at the outline. It is smooth, so a
    coarse grid holds it; where the frame cuts the person off, nothing holds it (OpenCV's ``seamlessClone`` ties it to
    the background there, too).
    """
    inside = cv2.dilate((person > 0.5).astype(np.uint8), np.ones((2 * widen + 1, 2 * widen + 1), np.uint8))
    cell = max(1, min(person.shape) // side)
    outside_rim = cv2.dilate(inside, np.ones((2 * cell + 1, 2 * cell + 1), np.uint8)) - inside
    if not outside_rim.any():
        return image.copy() if inside.all() else background.copy()
    difference = cv2.subtract(background, image, dtype=cv2.CV_32F)
    grid = max(1, person.shape[0] // cell), max(1, person.shape[1] // cell)
    values, share = average(difference, outside_rim.astype(np.float32), grid)
    membrane = cv2.resize(fill_unknown(values, share > 0, _ROUNDS), person.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(inside[..., None] == 1, cv2.add(image, membrane, dtype=cv2.CV_8U), background)
