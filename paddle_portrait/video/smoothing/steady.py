"""One stream's way from the network's answers to steady masks: cuts, frames that the network skips, the filter."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.video.smoothing import TemporalFilter
from paddle_portrait.video.smoothing.motion import MotionFinder, carry

_THUMB = (24, 16)  # width and height at which two frames are compared in place
_CHANGED = 24  # grey levels: a part of the thumb that differs by more shows something else
_MOST_CHANGED = 0.5
_LEAST_COMMON = 0.6  # share of the colours, in cubes of 32 levels, that frames of one scene have in common


class SceneWatch:
    """Tells cuts, and which frames the network is to see.

    A cut changes most of the picture in place and its colours as well: a pan changes the one, a person who comes near
    the other. A flash looks like a cut, which costs a frame of smoothing.

    Args:
        every: the network sees each ``every``-th frame, and the first of each scene.

    Raises:
        UserError: it is below 1.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = check_every(every)
        self._since = 0
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._size_hw: tuple[int, ...] = ()

    def __call__(self, frame_rgb: np.ndarray) -> tuple[bool, bool]:
        """Return whether a scene begins with this frame, uint8 h×w×3, and whether the network is to see it."""
        thumb = cv2.resize(frame_rgb, _THUMB, interpolation=cv2.INTER_AREA)
        small = cv2.resize(frame_rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
        colours = cv2.calcHist([small], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel() / (small.size / 3)
        before, self._last = self._last, (thumb, colours)
        same_size, self._size_hw = frame_rgb.shape == self._size_hw, frame_rgb.shape
        begins = before is None or not same_size or _differ(before, self._last)
        self._since = 0 if begins else self._since + 1
        due = self._since % self.every == 0
        if due:
            self._since = 0
        return begins, due


class Steadier:
    """The masks of one stream.

    Args:
        smooth: the stream's filter.
    """

    def __init__(self, smooth: TemporalFilter) -> None:
        self.smooth = smooth
        self._motion = MotionFinder()
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray | None, begins: bool = False) -> np.ndarray:
        """Return the mask of the next frame.

        Args:
            frame_rgb: uint8 h×w×3.
            person_prob: the network's answer, float32 h×w; None where it has not seen the frame: then it is the last
                mask, carried along by the optical flow.
            begins: whether a scene begins here: everything before is forgotten.
        """
        if begins:
            self.smooth.reset()
        if person_prob is None:
            assert self._last is not None and not begins, "the network sees the first frame of every scene"
            # Past the filter: it would take what was carried for an answer, and hold on to its errors.
            person = carry(self._last[1], self._motion.back(self._last[0], frame_rgb))
        else:
            person = self.smooth(frame_rgb, person_prob)
        self._last = (frame_rgb, person)
        return person


def check_every(every: int) -> int:
    """Return ``every``.

    Raises:
        UserError: it is below 1.
    """
    if every < 1:
        raise UserError(f"every {every} frames: it must be 1, for each frame, or more.")
    return every


def _differ(before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray]) -> bool:
    change = cv2.absdiff(before[0], now[0]).max(axis=2)
    if np.count_nonzero(change > _CHANGED) < _MOST_CHANGED * change.size:
        return False
    return float(np.minimum(before[1], now[1]).sum()) < _LEAST_COMMON
