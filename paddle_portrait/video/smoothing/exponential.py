"""An exponential filter that lets go where the picture moves."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.video.smoothing import FILTERS, as_numbers

_BLUR = 5  # pixels over which colours are averaged, against the noise of the camera


@FILTERS.register("exponential")
class ExponentialFilter:
    """``keep · last + (1 - keep) · network``, with ``keep`` falling to 0 where the picture has changed.

    Args:
        keep: share of the last mask in a still picture, from 0 to below 1.
        motion: change of the mean colour around a pixel, in grey levels, at which ``keep`` has fallen to a third.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(self, keep: float | str = 0.85, motion: float | str = 6.0) -> None:
        self._keep, self._motion = as_numbers("exponential", keep=keep, motion=motion)
        if not 0 <= self._keep < 1 or self._motion <= 0:
            raise UserError(f"temporal filter 'exponential': keep={keep} must be in [0, 1), motion={motion} above 0.")
        self._frame: np.ndarray | None = None
        self._last: np.ndarray | None = None

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        """Return the filtered probability."""
        before, self._frame = self._frame, cv2.blur(frame_rgb, (_BLUR, _BLUR))
        if self._last is not None and before is not None and before.shape == frame_rgb.shape:
            red, green, blue = cv2.split(cv2.absdiff(self._frame, before))
            change = cv2.max(cv2.max(red, green), blue).astype(np.float32)
            keep = self._keep * np.exp(-np.square(change / self._motion))
            person_prob = person_prob + keep * (self._last - person_prob)
        self._last = person_prob
        return person_prob

    def reset(self) -> None:
        """Forget the last frame and its mask."""
        self._frame = self._last = None
