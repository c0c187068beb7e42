"""The background without the person: what effects may blur, so that the person's colours cannot run into it."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.effects.composite import to_alpha
from paddle_portrait.effects.fill import average, fill_unknown

# A pixel counts as background up to this opacity (5 %), and only so far from the rest as this share of the shorter
# side: masks err by pixels, and lenses mix colours at an outline.
_SURE_ALPHA = 12
_MARGIN_SHARE = 0.004


def background_plate(image: np.ndarray, person: np.ndarray, cell: int = 1) -> np.ndarray:
    """Return the image's background with the person filled from around, one value a cell.

    A blur of the photo itself carries the person's colours over the outline, and a halo stays around. Here only pixels
    that are surely background count.

    Args:
        image: uint8 H×W×3.
        person: float32 H×W in [0, 1].
        cell: side of a cell in pixels; those of the last row and column may reach out of the image.

    Returns:
        float32 ceil(H / cell)×ceil(W / cell)×3, from 0 to 255. Where nothing is background, the image's own averages.
    """
    known = _surely_background(person)
    if not known.any():
        known[:] = 1
    bottom, right = -image.shape[0] % cell, -image.shape[1] % cell
    if bottom or right:
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        known = cv2.copyMakeBorder(known, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
    values, share = average(image, known, (known.shape[0] // cell, known.shape[1] // cell))
    return fill_unknown(values, share > 0)


def _surely_background(person: np.ndarray) -> np.ndarray:
    """Return 1 where a pixel and its neighbourhood are background, float32 H×W."""
    known = (to_alpha(person) <= _SURE_ALPHA).astype(np.uint8)
    margin = max(1, round(_MARGIN_SHARE * min(person.shape)))
    return cv2.erode(known, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)).astype(np.float32)
