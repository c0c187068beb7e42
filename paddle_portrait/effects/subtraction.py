"""Classic background subtraction for a camera that does not move: no network, but a picture of the empty scene."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np

from paddle_portrait.effects.arrays import checked_image
from paddle_portrait.effects.composite import alpha_blend
from paddle_portrait.effects.effect import effect
from paddle_portrait.effects.options import Range
from paddle_portrait.errors import UserError

_NOISE_KERNEL, _EDGE_KERNEL = (5, 5), (25, 25)
_CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (53, 53))


class BackgroundSubtractor:
    """Learns the empty scene, then finds what is new in it, as anilsathyan7/Portrait-Segmentation does.

    The steps: frames made grey, their mean taken, smoothed; a new frame made grey, smoothed, subtracted; differences
    above a threshold closed, their holes filled, the largest outline kept, its edge softened.

    Args:
        frames: how many frames of the empty scene are averaged.
        threshold: difference of grey levels, 0 to 255, above which a pixel is new.
    """

    def __init__(self, frames: int = 100, threshold: float = 25) -> None:
        if frames < 1 or not 0 <= threshold <= 255:
            raise UserError(
                f"background subtraction over {frames} frames at threshold {threshold}: at least 1 frame, and a "
                "threshold from 0 to 255, are allowed."
            )
        self._threshold = threshold
        self._wanted, self._seen = frames, 0
        self._sum: np.ndarray | None = None
        self._empty: np.ndarray | None = None

    @property
    def ready(self) -> bool:
        """Whether enough frames of the empty scene were learnt."""
        return self._empty is not None

    def learn(self, frame_rgb: np.ndarray) -> bool:
        """Take in a frame of the empty scene, uint8 H×W×3; frames beyond those wanted are ignored.

        Returns:
            Whether enough were learnt.

        Raises:
            UserError: no picture, or another size than the first frame's.
        """
        grey = _grey(checked_image(frame_rgb, "the frame"))
        if self.ready:
            return True
        if self._sum is None:
            self._sum = np.zeros(grey.shape, np.float64)
        self._same_size(grey, self._sum)
        self._sum += grey
        self._seen += 1
        if self._seen == self._wanted:
            mean = np.rint(self._sum / self._seen).astype(np.uint8)
            self._empty, self._sum = cv2.GaussianBlur(mean, _NOISE_KERNEL, 0), None
        return self.ready

    def __call__(self, frame_rgb: np.ndarray) -> np.ndarray:
        """Return the person probability of a frame, float32 H×W in [0, 1].

        Raises:
            UserError: the empty scene is not learnt yet, or the frame has another size.
        """
        grey = _grey(checked_image(frame_rgb, "the frame"))
        if self._empty is None:
            raise UserError(
                f"background subtraction has seen {self._seen} of {self._wanted} frames of the empty scene."
            )
        self._same_size(grey, self._empty)
        difference = cv2.absdiff(self._empty, cv2.GaussianBlur(grey, _NOISE_KERNEL, 0))
        return _largest_shape((difference > self._threshold).astype(np.uint8))

    def _same_size(self, grey: np.ndarray, first: np.ndarray) -> None:
        if grey.shape != first.shape:
            raise UserError(f"the frame is {grey.shape[::-1]} pixels, the scene was learnt at {first.shape[::-1]}.")


@effect("subtract_background", needs_background=True)
def subtract_background(
    image: np.ndarray,
    person: np.ndarray,
    background: np.ndarray,
    *,
    threshold: Annotated[int, Range(0, 255), "difference of grey levels above which a pixel is new"] = 25,
) -> np.ndarray:
    """What is new against a picture of the empty scene, on black; the person probability is not used."""
    subtract = BackgroundSubtractor(1, threshold)
    subtract.learn(background)
    return alpha_blend(image, subtract(image), np.zeros_like(image))


def _grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _largest_shape(changed: np.ndarray) -> np.ndarray:
    """Return the largest connected change with its holes filled and its edge softened, float32 H×W."""
    closed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, _CLOSING)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(changed.shape, np.float32)
    if outlines:  # the outer outline, drawn full, has no holes
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, (1.0,), cv2.FILLED)
    return np.clip(cv2.GaussianBlur(filled, _EDGE_KERNEL, 0), 0, 1)
