"""Where each pixel of a frame was in the frame before: DIS optical flow, and which pixels it can be trusted for."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from paddle_portrait.preprocess.geometry import Size

_MOST_GAP = 8.0  # squared pixels between a pixel and where the way there and back leads: PP-HumanSeg's bound
_STILL = 0.5  # pixels; PP-HumanSeg rounds its flow, so that less than this is no motion


class Motion(NamedTuple):
    """The motion between two frames.

    Attributes:
        back: float32 h×w×2 (dx, dy): what is at p now was at p + back(p) before.
        trusted: bool h×w, pixels that were inside the picture before and that the flow leads there and back.
        still: bool h×w, pixels that move in neither direction.
    """

    back: np.ndarray
    trusted: np.ndarray
    still: np.ndarray


def carry(values: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Bring ``values`` of the frame before, float32 h×w or h×w×2, to where their pixels are now."""
    x, y = _targets(back)
    return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class MotionFinder:
    """Finds the motion between frames (DIS: Kroeger et al., ECCV 2016, preset ultrafast, as in PP-HumanSeg)."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def __call__(self, before_rgb: np.ndarray, now_rgb: np.ndarray) -> Motion:
        """Return the motion from a frame, uint8 h×w×3, to a later one of the same size."""
        back, forth = self.back(before_rgb, now_rgb), self.back(now_rgb, before_rgb)
        there = carry(forth, back)
        return Motion(back, (_squared_length(back + there) < _MOST_GAP) & _inside(back), _stands(back) & _stands(there))

    def back(self, before_rgb: np.ndarray, now_rgb: np.ndarray) -> np.ndarray:
        """Return only :attr:`Motion.back`, at half the cost."""
        before, now = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before_rgb, now_rgb))
        self._flow.setFinestScale(_finest_scale((now.shape[0], now.shape[1])))
        return self._flow.calc(now, before, None)


def _finest_scale(size_hw: Size) -> int:
    """Return the pyramid level at which DIS ends, by the shorter side, as PP-HumanSeg chooses it."""
    return 1 if min(size_hw) <= 64 else 2 if min(size_hw) <= 160 else 3


def _stands(flow: np.ndarray) -> np.ndarray:
    return (np.abs(flow[..., 0]) < _STILL) & (np.abs(flow[..., 1]) < _STILL)


def _squared_length(flow: np.ndarray) -> np.ndarray:
    return flow[..., 0] ** 2 + flow[..., 1] ** 2


def _inside(flow: np.ndarray) -> np.ndarray:
    x, y = _targets(flow)
    return (x >= 0) & (x <= flow.shape[1] - 1) & (y >= 0) & (y <= flow.shape[0] - 1)


def _targets(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = flow.shape[:2]
    columns = np.arange(width, dtype=np.float32)[None]
    rows = np.arange(height, dtype=np.float32)[:, None]
    return columns + flow[..., 0], rows + flow[..., 1]
