"""Bringing a background picture to the size of the image it goes behind."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np

from paddle_portrait.effects.arrays import checked_image
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.pictures import cover
from paddle_portrait.preprocess.geometry import resize

FitMode = Literal["fit", "fill", "mirror", "stretch"]


def fit_background(background: np.ndarray, size_hw: tuple[int, ...], mode: FitMode = "fit") -> np.ndarray:
    """Bring a background to the size of an image.

    Args:
        background: uint8 h×w×3 RGB.
        size_hw: height and width wanted.
        mode: ``"fit"`` shows all of it, with black bars; ``"fill"`` covers the frame and cuts off what is outside;
            ``"mirror"`` shows all of it, its mirror images in place of bars; ``"stretch"`` distorts it.

    Returns:
        uint8 H×W×3; the background itself where it has that size.

    Raises:
        UserError: no picture, no size, or an unknown mode.
    """
    background = checked_image(background, "the background")
    height, width = size_hw
    if height < 1 or width < 1:
        raise UserError(f"a background cannot be fitted to {width}x{height} pixels.")
    if mode not in get_args(FitMode):
        raise UserError(describe_unknown("way to fit a background", mode, get_args(FitMode)))
    if background.shape[:2] == (height, width):
        return background
    if mode == "fill":
        return cover(background, height, width)
    if mode == "stretch":
        return _scaled(background, (height, width))
    scale = min(height / background.shape[0], width / background.shape[1])
    border = cv2.BORDER_REFLECT if mode == "mirror" else cv2.BORDER_CONSTANT
    return _framed(_scaled(background, scaled_size(background.shape, scale)), (height, width), border)


def scaled_size(shape: tuple[int, ...], scale: float) -> tuple[int, int]:
    """Return height and width of an array times ``scale``, at least one pixel each."""
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _scaled(picture: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    smaller = size_hw[0] < picture.shape[0]
    return resize(picture, size_hw, cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _framed(picture: np.ndarray, size_hw: tuple[int, int], border: int) -> np.ndarray:
    spare_h, spare_w = size_hw[0] - picture.shape[0], size_hw[1] - picture.shape[1]
    top, left = spare_h // 2, spare_w // 2
    return cv2.copyMakeBorder(picture, top, spare_h - top, left, spare_w - left, border)
