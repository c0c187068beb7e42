"""Masks that follow the edges of the photo: the guided filter (He, Sun, Tang 2010; the fast form of He, Sun 2015).

In every window the probability is written as a linear function of the photo's colour, so that its edges come to lie
where the photo has them. All sums are box filters, whose cost does not grow with the window.
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np

from paddle_portrait.effects.arrays import checked_image, checked_person
from paddle_portrait.effects.background import scaled_size
from paddle_portrait.effects.options import Range
from paddle_portrait.effects.refiner import refiner
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import resize

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@refiner("guided")
def guided(
    image: np.ndarray,
    person: np.ndarray,
    *,
    mask_side: Annotated[int, Range(8, 4096), "shorter side that the mask had before it was enlarged"] = 144,
    radius: Annotated[float, Range(0.001, 0.2), "half a window's side, as share of the shorter side"] = 0.01,
    epsilon: Annotated[float, Range(1e-6, 1), "variance of colours (of 0 to 1) below which no edge is seen"] = 1e-4,
) -> np.ndarray:
    """Edges of an enlarged mask drawn to the edges of the photo."""
    scale = min(1.0, mask_side / min(person.shape))
    # Points of the enlarged mask, not means: they are what it was enlarged from.
    small = resize(person, scaled_size(person.shape, scale), cv2.INTER_LINEAR)
    return _upsampled(image, small, max(1, round(radius * min(small.shape))), epsilon)


def guided_upsample(
    image_rgb: np.ndarray, person_small: np.ndarray, radius: int = 4, epsilon: float = 1e-4
) -> np.ndarray:
    """Bring a small mask to the size of its photo, along the photo's edges.

    Args:
        image_rgb: uint8 H×W×3.
        person_small: floating point h×w, no larger than the photo.
        radius: half a window's side less the middle, in pixels of the small mask.
        epsilon: variance of colours (of 0 to 1) below which no edge is seen.

    Returns:
        float32 H×W in [0, 1].

    Raises:
        UserError: a wrong type or size, ``radius`` below 1 or ``epsilon`` not above 0.
    """
    image = checked_image(image_rgb, "the image")
    shape = np.shape(person_small)
    if len(shape) != 2 or not all(0 < side <= most for side, most in zip(shape, image.shape, strict=False)):
        raise UserError(f"the small mask has shape {shape}; it must fit into the image, {image.shape[:2]}.")
    small = checked_person(person_small, shape)
    if radius < 1 or not epsilon > 0:
        raise UserError(
            f"a guided filter of radius {radius} and epsilon {epsilon}: at least 1, and above 0, are allowed."
        )
    return _upsampled(image, small, radius, epsilon)


def _upsampled(image: np.ndarray, small: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    guide = resize(image, small.shape, cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)
    slopes, offset = linear_model(guide, small, radius, epsilon)
    # One enlargement for all four, and the photo's colours as they are: the slopes are for colours from 0 to 1.
    model = resize(np.dstack([slopes * np.float32(1 / 255), offset]), image.shape[:2])
    red, green, blue, rest = cv2.split(model)
    for slope, channel in zip((red, green, blue), cv2.split(image), strict=True):
        rest += slope * channel
    return np.clip(rest, 0, 1, out=rest)


def linear_model(guide: np.ndarray, target: np.ndarray, radius: int, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's linear function from colour to target, averaged over the windows that hold the pixel.

    Args:
        guide: float32 H×W×3 from 0 to 1.
        target: float32 H×W.
        radius: a window has 2·radius + 1 pixels a side; windows are cut off at the picture's border.
        epsilon: penalty on squared slopes.

    Returns:
        slopes float32 H×W×3 and offset float32 H×W: ``target ≈ (slopes * guide).sum(-1) + offset``.
    """
    side = (2 * radius + 1, 2 * radius + 1)
    count = cv2.boxFilter(np.ones_like(target), -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT)

    def mean(values: np.ndarray) -> np.ndarray:
        total = cv2.boxFilter(values, -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
        return total / (count if values.ndim == 2 else count[..., None])

    mean_guide, mean_target = mean(guide), mean(target)
    covariance = mean(guide * target[..., None]) - mean_guide * mean_target[..., None]
    products = mean(np.dstack([guide[..., i] * guide[..., j] for i, j in _PAIRS]))
    variance = [products[..., k] - mean_guide[..., i] * mean_guide[..., j] for k, (i, j) in enumerate(_PAIRS)]
    slopes = _solve_symmetric(variance, epsilon, covariance)
    offset = mean_target - (slopes * mean_guide).sum(axis=2)
    return mean(slopes), mean(offset)


def _solve_symmetric(matrix: list[np.ndarray], epsilon: float, right: np.ndarray) -> np.ndarray:
    """Solve a symmetric 3×3 system at every pixel by its adjugate; ``epsilon`` is added to the diagonal."""
    rr, rg, rb, gg, gb, bb = matrix
    rr, gg, bb = rr + epsilon, gg + epsilon, bb + epsilon
    adjugate = [gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb]
    adjugate += [rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg]
    determinant = rr * adjugate[0] + rg * adjugate[1] + rb * adjugate[2]
    r, g, b = right[..., 0], right[..., 1], right[..., 2]
    rows = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
    return np.dstack([(adjugate[i] * r + adjugate[j] * g + adjugate[k] * b) / determinant for i, j, k in rows])
