"""Optical flow for the metrics of flicker: dense motion, warping, and which pixels can be followed."""

from __future__ import annotations

import cv2
import numpy as np


def dense_flow(from_rgb: np.ndarray, to_rgb: np.ndarray) -> np.ndarray:
    """Return the motion from one frame to another: DIS (Kroeger et al., ECCV 2016), medium preset.

    Args:
        from_rgb: uint8 H×W×3.
        to_rgb: uint8 H×W×3.

    Returns:
        float32 H×W×2 (dx, dy) in pixels: what is at (x, y) of the first is at (x + dx, y + dy) of the second.
    """
    first, second = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (from_rgb, to_rgb))
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)


def warp(values: np.ndarray, flow: np.ndarray, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Fetch ``values`` (H×W or H×W×C, float32) from where ``flow`` points: result(p) = values(p + flow(p))."""
    x, y = _targets(flow)
    return cv2.remap(values, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)


def followed_pixels(flow: np.ndarray, back_flow: np.ndarray) -> np.ndarray:
    """Return the bool H×W of pixels whose motion is trusted: inside the other frame, and there and back again.

    The test is that of Sundaram et al. (ECCV 2010), used by Ruder et al. (2016) and Lai et al. (2018):
    ``|w + b|² <= 0.01 (|w|² + |b|²) + 0.5`` with ``b`` the way back at the place that ``w`` points to.
    """
    x, y = _targets(flow)
    height, width = flow.shape[:2]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    back = warp(back_flow, flow)
    gap = ((flow + back) ** 2).sum(axis=2)
    return inside & (gap <= 0.01 * ((flow**2).sum(axis=2) + (back**2).sum(axis=2)) + 0.5)


def _targets(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = flow.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    return x, y
