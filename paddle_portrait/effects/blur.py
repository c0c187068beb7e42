"""Backgrounds out of focus or in coarse blocks, without a halo around the person."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np

from paddle_portrait.effects.composite import alpha_blend
from paddle_portrait.effects.effect import effect
from paddle_portrait.effects.options import Range
from paddle_portrait.effects.plate import background_plate

Part = Literal["background", "person"]

# A blur is worked out on cells this many times finer than its radius.
_BLUR_CELLS = 3
_BOKEH_CELLS = 6
_GAMMA = 2.2


@effect("blur")
def blur_background(
    image: np.ndarray,
    person: np.ndarray,
    *,
    radius: Annotated[float, Range(0, 0.25), "standard deviation of the blur, as share of the shorter side"] = 0.02,
) -> np.ndarray:
    """The background blurred softly."""
    pixels = radius * min(person.shape)
    cell = max(1, int(pixels / _BLUR_CELLS))
    plate = background_plate(image, person, cell)
    if pixels > 0:
        plate = cv2.GaussianBlur(plate, (0, 0), pixels / cell, borderType=cv2.BORDER_REFLECT)
    return alpha_blend(image, person, _enlarged(plate, person.shape, cell))


@effect("bokeh")
def bokeh_background(
    image: np.ndarray,
    person: np.ndarray,
    *,
    radius: Annotated[float, Range(0, 0.25), "radius of the disc, as share of the shorter side"] = 0.03,
    highlights: Annotated[float, Range(0, 20), "how much more lamps and reflections shine"] = 4.0,
) -> np.ndarray:
    """The background out of focus as a wide lens draws it: points of light become discs."""
    pixels = radius * min(person.shape)
    cell = max(1, int(pixels / _BOKEH_CELLS))
    light = np.power(background_plate(image, person, cell) * np.float32(1 / 255), np.float32(_GAMMA))
    # Clipped highlights were brighter than the picture says: they weigh more in the discs that they spread into.
    weight = 1 + np.float32(highlights) * np.power(light.max(axis=2), np.float32(4))
    disc = _disc(pixels / cell)
    spread = cv2.filter2D(light * weight[..., None], -1, disc, borderType=cv2.BORDER_REFLECT)
    spread /= cv2.filter2D(weight, -1, disc, borderType=cv2.BORDER_REFLECT)[..., None]
    plate = np.power(np.clip(spread, 0, 1), np.float32(1 / _GAMMA)) * np.float32(255)
    return alpha_blend(image, person, _enlarged(plate, person.shape, cell))


@effect("pixelate")
def pixelate(
    image: np.ndarray,
    person: np.ndarray,
    *,
    block: Annotated[int, Range(1, 512), "side of a block in pixels"] = 24,
    part: Annotated[Part, "what is shown in blocks"] = "background",
) -> np.ndarray:
    """The background, or the person, in coarse blocks."""
    hidden = person if part == "background" else 1 - person
    plate = np.rint(background_plate(image, hidden, block)).astype(np.uint8)
    blocks = plate.repeat(block, axis=0)[: person.shape[0]].repeat(block, axis=1)[:, : person.shape[1]]
    return alpha_blend(image, hidden, np.ascontiguousarray(blocks))


def _enlarged(plate: np.ndarray, size_hw: tuple[int, ...], cell: int) -> np.ndarray:
    """Return a plate of cells as uint8 H×W×3."""
    rounded = np.rint(np.clip(plate, 0, 255)).astype(np.uint8)
    if cell == 1:
        return rounded
    full = cv2.resize(rounded, (plate.shape[1] * cell, plate.shape[0] * cell), interpolation=cv2.INTER_LINEAR)
    return full[: size_hw[0], : size_hw[1]]


def _disc(radius: float) -> np.ndarray:
    """Return a filter of equal weights inside ``radius``, its rim weighted by the part of a pixel inside; sum 1."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1).astype(np.float32)
    return disc / disc.sum()
