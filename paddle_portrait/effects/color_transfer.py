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
_SAMPLED_SIDE = 180


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
    to_values, from_values = (_to_lab_bytes, _from_lab_bytes) if form == "legacy" else (to_lab, from_lab)
    values, wanted = to_values(image), to_values(sampled(reference))
    (mean, spread), (wanted_mean, wanted_spread) = _statistics(sampled(values)), _statistics(wanted)
    top, bottom = (spread, wanted_spread) if form == "legacy" else (wanted_spread, spread)
    ratio = np.where((top > _FLAT) & (bottom > _FLAT), top / np.maximum(bottom, _FLAT), 1.0)
    return from_values(values, 1 + strength * (ratio - 1), strength * (wanted_mean - mean * ratio))


def sampled(values: np.ndarray) -> np.ndarray:
    """Return every k-th pixel of every k-th row: statistics do not need more, and means would narrow their spread."""
    step = max(1, min(values.shape[:2]) // _SAMPLED_SIDE)
    return np.ascontiguousarray(values[::step, ::step])


def to_lab(image: np.ndarray) -> np.ndarray:
    """Return CIELAB (D65) of uint8 RGB as float32: L from 0 to 100, a and b about 0."""
    return cv2.cvtColor(image.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)


def from_lab(values: np.ndarray, gain: np.ndarray | float = 1.0, offset: np.ndarray | float = 0.0) -> np.ndarray:
    """Return uint8 RGB of ``values * gain + offset`` in CIELAB, a number a channel; what sRGB lacks is clipped."""
    affine = np.column_stack([np.diag(np.broadcast_to(gain, 3)), np.broadcast_to(offset, 3)]).astype(np.float32)
    moved = cv2.transform(values, affine)
    cv2.insertChannel(np.clip(cv2.extractChannel(moved, 0), 0, 100), moved, 0)
    return cv2.multiply(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), (255.0,) * 4, dtype=cv2.CV_8U)


def _to_lab_bytes(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)


def _from_lab_bytes(values: np.ndarray, gain: np.ndarray, offset: np.ndarray) -> np.ndarray:
    table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
    return cv2.cvtColor(cv2.LUT(values, table[None]), cv2.COLOR_LAB2RGB)


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = cv2.meanStdDev(values)
    return mean.ravel(), spread.ravel()
