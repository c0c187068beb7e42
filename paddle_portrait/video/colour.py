"""How the numbers of a video's planes relate to RGB: which matrix, which range."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import av
import cv2
import numpy as np

_LUMA_WEIGHTS = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593), 7: (0.212, 0.087)}
_BT601 = (0.299, 0.114)
_FULL_RANGE = 2


class Colour(NamedTuple):
    """FFmpeg's numbers for matrix, range, primaries and transfer curve (ITU-T H.273)."""

    matrix: int
    range: int
    primaries: int
    curve: int

    @classmethod
    def of(cls, picture: av.VideoFrame) -> Colour:
        """Return what a decoded picture says of itself."""
        return cls(picture.colorspace, picture.color_range, picture.color_primaries, picture.color_trc)

    def tag(self, target: av.VideoFrame | av.VideoCodecContext) -> None:
        """Write these numbers onto a picture or an encoder."""
        target.colorspace, target.color_range = self.matrix, self.range
        target.color_primaries, target.color_trc = self.primaries, self.curve


def yuv_to_rgb(yuv: np.ndarray, colour: Colour) -> np.ndarray:
    """Convert uint8 H×W×3 Y, U, V of equal size to RGB. A matrix that is not named is BT.601, as players assume."""
    return cv2.transform(yuv, _to_rgb(colour.matrix, colour.range == _FULL_RANGE))


def rgb_to_yuv(rgb: np.ndarray, colour: Colour) -> np.ndarray:
    """Convert uint8 H×W×3 RGB to Y, U, V of equal size."""
    return cv2.transform(rgb, _to_yuv(colour.matrix, colour.range == _FULL_RANGE))


@cache
def _to_yuv(matrix: int, full_range: bool) -> np.ndarray:
    """Return the 3×4 affine map from RGB to YUV, both 0..255."""
    red, blue = _LUMA_WEIGHTS.get(matrix, _BT601)
    luma = np.array([red, 1 - red - blue, blue])
    rows = np.stack([luma, (np.eye(3)[2] - luma) / (2 * (1 - blue)), (np.eye(3)[0] - luma) / (2 * (1 - red))])
    scale = np.array([1.0, 1.0, 1.0] if full_range else [219 / 255, 224 / 255, 224 / 255])
    offset = np.array([0.0 if full_range else 16.0, 128.0, 128.0])
    return np.column_stack([rows * scale[:, None], offset]).astype(np.float32)


@cache
def _to_rgb(matrix: int, full_range: bool) -> np.ndarray:
    forth = _to_yuv(matrix, full_range).astype(np.float64)
    back = np.linalg.inv(forth[:, :3])
    return np.column_stack([back, -back @ forth[:, 3]]).astype(np.float32)
