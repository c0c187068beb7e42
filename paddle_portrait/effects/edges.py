"""Refiners of a mask's edge that look at the probability alone."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from paddle_portrait.effects.options import Range
from paddle_portrait.effects.refiner import refiner
from paddle_portrait.errors import UserError

StepForm = Literal["hermite", "android"]


@refiner("smooth_step")
def smooth_step(
    image: np.ndarray,
    person: np.ndarray,
    *,
    low: Annotated[float, Range(0, 1), "probability that becomes 0 (form hermite)"] = 0.3,
    high: Annotated[float, Range(0, 1), "probability that becomes 1 (form hermite)"] = 0.5,
    form: Annotated[
        StepForm, "t²(3 - 2t) between low and high, or min(1, 2p)² as in Portrait-Segmentation's Android app"
    ] = "hermite",
) -> np.ndarray:
    """Steeper edge: what is unsure becomes background or person along a smooth curve."""
    if form == "android":
        return np.square(np.minimum(np.float32(1), person * np.float32(2)))
    if not low < high:
        raise UserError(f"refiner 'smooth_step': low is {low:g} and high is {high:g}; low must be the smaller one.")
    t = np.clip((person - np.float32(low)) * np.float32(1 / (high - low)), 0.0, 1.0)
    return t * t * (np.float32(3) - np.float32(2) * t)
