"""Pictures from a camera, at the times at which they came."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import cv2

from paddle_portrait.errors import UserError
from paddle_portrait.video.colour import Colour
from paddle_portrait.video.frame import Frame, planar_of_rgb
from paddle_portrait.video.reader import VideoInfo

_TICK = Fraction(1, 90000)
_COLOUR = Colour(5, 1, 5, 6)  # BT.601, limited range: what players assume
_DEFAULT_RATE = 30


class CameraReader:
    """A camera of this machine, by OpenCV, which drives those of Linux, Windows and macOS.

    Args:
        number: 0 is the first one.
        stream: number that the frames are to carry.

    Raises:
        UserError: there is no such camera, or another program has it.
    """

    def __init__(self, number: int, stream: int = 0) -> None:
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # our own message says it in words
        self._capture = cv2.VideoCapture(number)
        cv2.utils.logging.setLogLevel(level)
        self._name, self._stream = f"camera {number}", stream
        if not self._capture.isOpened():
            raise UserError(
                f"camera {number} cannot be opened: there is none, or another program uses it. Name a video with "
                "--video_path or pictures with --img_path, or another camera with --camera."
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._started = time.monotonic()
        first = self._next()
        if first is None:
            raise UserError(f"{self._name} gives no picture.")
        self._first: Frame | None = first
        plausible = Fraction(rate).limit_denominator(1001) if 1 <= rate <= 240 else Fraction(_DEFAULT_RATE)
        self.info = VideoInfo(self._name, first.size_hw, plausible, _TICK, _COLOUR, live=True)

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self._first or self._next()) is not None:
            self._first = None
            yield frame

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()

    def _next(self) -> Frame | None:
        done, picture_bgr = self._capture.read()
        if not done:
            return None
        picture = planar_of_rgb(cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2RGB), _COLOUR)
        picture.pts, picture.time_base = round((time.monotonic() - self._started) / _TICK), _TICK
        return Frame(picture, self._stream)
