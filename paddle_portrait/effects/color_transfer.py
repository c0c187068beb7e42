"""The photo's colours made like those of its new background (Reinhard et al. 2001, "Color Transfer between Images")."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np

from paddle_portrait.effects.composite import alpha_blend
from paddle_portrait.effects.effect import effect
from paddle_portrait.effects.options import Range

TransferForm = Literal["reinhard", "legacy"]

_FLAT = 1e-3


@effect("color_transfer", needs_background=True)
def color_transfer(
    image: np.ndarray,
    person: np.ndarray,
    background: np.ndarray,
    *,
    form: Annotated[
        TransferForm,
        "as published, or as Portrait-Segmentation and pyimagesearch have it: 8 bits, spread ratio inverted",
    ] = "reinhard",
    strength: Annotated[float, Range(0, 1), "0 leaves the photo's colours, 1 takes the background's"] = 1.0,
) -> np.ndarray:
    """The person, in the background's colours, before the background."""
    return alpha_blend(transfer_colors(image, background, form, strength), person, background)


def transfer_colors(
    image: np.ndarray, reference: np.ndarray, form: TransferForm = "reinhard", strength: float = 1.0
) -> np.ndarray:
    """Give an image the mean and the spread of a reference in each channel of CIELAB.

    ``(value - mean) * spread_of_reference / spread + mean_of_reference``; the form ``"legacy"`` multiplies by the
    inverse ratio and rounds to OpenCV's 8-bit CIELAB. A channel without spread is only moved.

    Args:
        image: uint8 H×W×3.
        reference: uint8 h×w×3.
        form: ``"reinhard"`` or ``"legacy"``.
        strength: 1 replaces the colours, less mixes them with the image's own.

    Returns:
        uint8 H×W×3.
    """
    legacy = form == "legacy"
    values, wanted = (to_lab(picture, eight_bit=legacy) for picture in (image, reference))
    (mean, spread), (wanted_mean, wanted_spread) = _statistics(values), _statistics(wanted)
    top, bottom = (spread, wanted_spread) if legacy else (wanted_spread, spread)
    ratio = np.where((top > _FLAT) & (bottom > _FLAT), top / np.maximum(bottom, _FLAT), 1.0)
    moved = (values - mean) * ratio.astype(np.float32) + wanted_mean
    return from_lab(values + np.float32(strength) * (moved - values), eight_bit=legacy)


def to_lab(image: np.ndarray, eight_bit: bool = False) -> np.ndarray:
    """Return CIELAB (D65) as float32: L from 0 to 100 and a, b about 0; or OpenCV's values from 0 to 255."""
    if eight_bit:
        return cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    return cv2.cvtColor(image.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)


def from_lab(values: np.ndarray, eight_bit: bool = False) -> np.ndarray:
    """Return uint8 RGB of what :func:`to_lab` gives; colours outside sRGB are clipped."""
    if eight_bit:
        return cv2.cvtColor(np.clip(values, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    values[..., 0] = np.clip(values[..., 0], 0, 100)
    colors = cv2.cvtColor(values, cv2.COLOR_LAB2RGB)
    return np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8)


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = cv2.meanStdDev(values)
    return mean.ravel().astype(np.float32), spread.ravel()
