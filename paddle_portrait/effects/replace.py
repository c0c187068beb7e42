"""The person alone: on nothing, on a colour, on another picture."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np

from paddle_portrait.effects.cleanup import Kernel, MaskSize, soft_edge
from paddle_portrait.effects.composite import alpha_blend, to_alpha
from paddle_portrait.effects.effect import effect
from paddle_portrait.effects.foreground import Defringe, defringed
from paddle_portrait.effects.options import Color


@effect("cutout", channels=4)
def cut_out(image: np.ndarray, person: np.ndarray, *, defringe: Defringe = "none") -> np.ndarray:
    """The person with transparency around, for PNG and WebP files."""
    alpha = to_alpha(person)
    # What nobody is to see must not be in the file, hidden behind opacity 0.
    picture = cv2.cvtColor(cv2.copyTo(defringed(image, person, defringe), alpha), cv2.COLOR_RGB2RGBA)
    return cv2.insertChannel(alpha, picture, 3)


@effect("color")
def fill_color(
    image: np.ndarray,
    person: np.ndarray,
    *,
    color: Annotated[Color, "R,G,B of the background"] = (0, 177, 64),
    defringe: Defringe = "none",
) -> np.ndarray:
    """The person before one colour; the default is the green of green screens."""
    plate = cv2.resize(np.array([[color]], np.uint8), person.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return alpha_blend(defringed(image, person, defringe), person, plate)


@effect("replace", needs_background=True)
def replace_background(
    image: np.ndarray, person: np.ndarray, background: np.ndarray, *, defringe: Defringe = "none"
) -> np.ndarray:
    """The person before another picture."""
    return alpha_blend(defringed(image, person, defringe), person, background)


@effect("alpha_blend", needs_background=True)
def blend_soft_edge(
    image: np.ndarray, person: np.ndarray, background: np.ndarray, *, mask_size: MaskSize = 256, kernel: Kernel = 7
) -> np.ndarray:
    """The person before another picture, with an edge of one width: the refiner soft_edge, then a blend."""
    return alpha_blend(image, soft_edge(image, person, mask_size=mask_size, kernel=kernel), background)
