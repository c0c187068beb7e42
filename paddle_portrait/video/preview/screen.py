"""The newest picture, for whoever looks."""

from __future__ import annotations

import threading

import cv2

from paddle_portrait.video.frame import Frame
from paddle_portrait.video.reader import Item

_LONGEST = 960  # pixels of the longer side, as the page shows it
_QUALITY = 85


class Screen:
    """Keeps the newest picture of one stream; it is encoded only when somebody looks, and once for all who do."""

    def __init__(self) -> None:
        self._newest: Frame | None = None
        self._number = self._encoded_number = 0
        self._jpeg = b""
        self._closed = False
        self._changed = threading.Condition()

    def write(self, item: Item) -> None:
        """Show a picture; sound is left out."""
        if isinstance(item, Frame):
            with self._changed:
                self._newest = item
                self._number += 1
                self._changed.notify_all()

    def close(self) -> None:
        """The video is over; the last picture stays."""

    def end(self) -> None:
        """Nobody is to wait for another picture."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def next_jpeg(self, after: int) -> tuple[int, bytes] | None:
        """Wait for a picture that is newer than number ``after``; return number and JPEG file, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > after or self._closed)
            if self._closed or self._newest is None:
                return None
            if self._encoded_number != self._number:
                self._jpeg, self._encoded_number = _encode(self._newest), self._number
            return self._number, self._jpeg


def _encode(frame: Frame) -> bytes:
    picture = frame.rgb()
    scale = _LONGEST / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    done, code = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return code.tobytes() if done else b""
