"""The person alone: on nothing, on a colour, on another picture."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from paddle_portrait.effects.composite import alpha_blend, to_alpha
from paddle_portrait.effects.effect import effect
from paddle_portrait.effects.options import Color


@effect("cutout", channels=4)
def cut_out(image: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The person with transparency around, for PNG and WebP files."""
    return np.dstack([image, to_alpha(person)])


@effect("color")
def fill_color(
    image: np.ndarray, person: np.ndarray, *, color: Annotated[Color, "R,G,B of the background"] = (0, 177, 64)
) -> np.ndarray:
    """The person before one colour; the default is the green of green screens."""
    plate = np.empty_like(image)
    plate[:] = color
    return alpha_blend(image, person, plate)


@effect("replace", needs_background=True)
def replace_background(image: np.ndarray, person: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The person before another picture."""
    return alpha_blend(image, person, background)
