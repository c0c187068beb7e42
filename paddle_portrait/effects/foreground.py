"""The person's own colours where an outline mixes them with the old background: the cure against coloured fringes.

A pixel of an outline shows alpha·F + (1 - alpha)·B. Laid over another background as it is, it keeps a rim of the old.
"""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np

Defringe = Annotated[
    Literal["none", "fast", "best"],
    "take the old background's colour out of the outline: not at all, by blur fusion, or by the multi-level method",
]

_REGULARIZATION, _GRADIENT_WEIGHT = 1e-5, 1.0
_SMALL_SIDE, _SMALL_ROUNDS, _BIG_ROUNDS = 32, 10, 2
_FUSION_WINDOWS = (90, 6)


def defringed(image: np.ndarray, person: np.ndarray, method: str) -> np.ndarray:
    """Return the picture to composite from: the image, or its estimated foreground."""
    if method == "none":
        return image
    return estimate_foreground(image, person, method)


def estimate_foreground(image: np.ndarray, person: np.ndarray, method: str = "best") -> np.ndarray:
    """Estimate the person's colours.

    ``"best"``: Germer et al. 2020, "Fast Multi-Level Foreground Estimation" (arXiv:2006.14970): smooth foreground and
    background that explain the image, found from coarse to fine. ``"fast"``: Forte 2021, "Approximate Fast Foreground
    Colour Estimation": weighted means of the surroundings, corrected once at each pixel.

    Args:
        image: uint8 H×W×3.
        person: float32 H×W in [0, 1].
        method: ``"best"`` or ``"fast"``.

    Returns:
        uint8 H×W×3. Where the person is sure it is the image; where there is none, colours of the nearest person.
    """
    values = image.astype(np.float32) * np.float32(1 / 255)
    foreground = _multi_level(values, person) if method == "best" else _blur_fusion(values, person)
    return np.where(person[..., None] >= 1, image, np.rint(np.clip(foreground, 0, 1) * 255).astype(np.uint8))


def _blur_fusion(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    foreground = background = image
    for side in _FUSION_WINDOWS:
        foreground = _weighted_mean(foreground, alpha, side)
        background = _weighted_mean(background, 1 - alpha, side)
        part = alpha[..., None]
        foreground = np.clip(foreground + part * (image - part * foreground - (1 - part) * background), 0, 1)
    return foreground


def _weighted_mean(values: np.ndarray, weight: np.ndarray, side: int) -> np.ndarray:
    total = cv2.blur(weight, (side, side))
    return cv2.blur(values * weight[..., None], (side, side)) / (total + np.float32(1e-5))[..., None]


def _multi_level(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return the foreground, float32 H×W×3: solved on pyramids from a few pixels to all of them."""
    sizes = [alpha.shape]
    while max(sizes[-1]) > 1:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    pyramid = [(image, alpha)]
    for size in sizes[1:]:
        pyramid.append((_shrunk(pyramid[-1][0], size), _shrunk(pyramid[-1][1], size)))
    coarsest = pyramid[-1][0]
    foreground, background = coarsest, coarsest
    for size, (level_image, level_alpha) in zip(reversed(sizes), reversed(pyramid), strict=True):
        foreground, background = (_grown(part, size) for part in (foreground, background))
        rounds = _SMALL_ROUNDS if max(size) <= _SMALL_SIDE else _BIG_ROUNDS
        foreground, background = _solved(level_image, level_alpha, foreground, background, rounds)
    return foreground


def _solved(
    image: np.ndarray, alpha: np.ndarray, foreground: np.ndarray, background: np.ndarray, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return better estimates: each round solves every pixel's 2×2 system with its neighbours held fixed.

    A pixel's cost is (alpha·F + (1 - alpha)·B - I)², and for each of its four neighbours the weighted squared
    differences of F and of B; the weight grows with the step of alpha, across which colours have to be carried.
    """
    weights = _neighbour_weights(alpha)
    total = np.sum(weights, axis=0)
    part, rest = alpha[..., None], 1 - alpha[..., None]
    scale = 1 / (total * (total + alpha * alpha + (1 - alpha) ** 2))[..., None]
    own_f, own_b, cross = part * part + total[..., None], rest * rest + total[..., None], part * rest
    for _ in range(rounds):
        wanted_f = part * image + _weighted_neighbours(foreground, weights)
        wanted_b = rest * image + _weighted_neighbours(background, weights)
        foreground = np.clip((own_b * wanted_f - cross * wanted_b) * scale, 0, 1)
        background = np.clip((own_f * wanted_b - cross * wanted_f) * scale, 0, 1)
    return foreground, background


def _neighbour_weights(alpha: np.ndarray) -> list[np.ndarray]:
    """Return the weights of the neighbours above, below, left and right; outside the picture lies a copy of its rim."""
    return [_REGULARIZATION + _GRADIENT_WEIGHT * np.abs(alpha - neighbour) for neighbour in _neighbours(alpha)]


def _weighted_neighbours(values: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    total = np.zeros_like(values)
    for weight, neighbour in zip(weights, _neighbours(values), strict=True):
        total += weight[..., None] * neighbour
    return total


def _neighbours(values: np.ndarray) -> list[np.ndarray]:
    framed = cv2.copyMakeBorder(values, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return [framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]]


def _shrunk(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    return cv2.resize(values, size_hw[::-1], interpolation=cv2.INTER_AREA)


def _grown(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    return cv2.resize(values, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
