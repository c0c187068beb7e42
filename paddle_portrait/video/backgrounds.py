"""What stands behind the person: a picture, or a video that begins again whenever it ends."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np

from paddle_portrait.effects import fit_background
from paddle_portrait.effects.background import FitMode
from paddle_portrait.inference.inputs import SUFFIXES
from paddle_portrait.preprocess import read_image
from paddle_portrait.preprocess.geometry import Size
from paddle_portrait.video.frame import Frame, new_planar, planar_of_rgb, plane_views
from paddle_portrait.video.reader import VideoReader


class Background(Protocol):
    """A background at the time and size of a frame."""

    def planar(self, frame: Frame) -> av.VideoFrame:
        """Return it as a planar picture of the frame's size, its numbers meaning the same colours."""
        ...

    def rgb(self, frame: Frame) -> np.ndarray:
        """Return it as uint8 H×W×3 of the frame's size."""
        ...


class StillBackground:
    """One picture.

    Args:
        picture: uint8 h×w×3 RGB.
        fit: how it is brought to the frame's size.
    """

    def __init__(self, picture: np.ndarray, fit: FitMode = "fill") -> None:
        self._picture, self._fit = picture, fit
        self._fitted: np.ndarray | None = None
        self._planar: av.VideoFrame | None = None

    def planar(self, frame: Frame) -> av.VideoFrame:
        """Return the picture in planes; converted once."""
        if self._planar is None or not _alike(self._planar, frame):
            self._planar = planar_of_rgb(self.rgb(frame), frame.colour)
        return self._planar

    def rgb(self, frame: Frame) -> np.ndarray:
        """Return the picture at the frame's size; fitted once."""
        if self._fitted is None or self._fitted.shape[:2] != frame.size_hw:
            self._fitted = fit_background(self._picture, frame.size_hw, self._fit)
        return self._fitted


class VideoBackground:
    """A video, for ever: it begins again at its end, and shows at each moment what is due.

    Args:
        path: the video.
        fit: how it is brought to the frame's size.
    """

    def __init__(self, path: str | Path, fit: FitMode = "fill") -> None:
        self._path, self._fit = path, fit
        self._frames = self._endless()
        self._shown = self._next = next(self._frames)
        self._shown_at = self._next_at = Fraction(0)
        self._start: Fraction | None = None
        self._fitted: tuple[av.VideoFrame, av.VideoFrame] | None = None

    def planar(self, frame: Frame) -> av.VideoFrame:
        """Return the picture that is due, in planes."""
        shown = self._due(frame).picture
        if self._fitted is None or self._fitted[0] is not shown or not _alike(self._fitted[1], frame):
            self._fitted = (shown, self._fit_to(shown, frame))
        return self._fitted[1]

    def rgb(self, frame: Frame) -> np.ndarray:
        """Return the picture that is due."""
        return fit_background(self._due(frame).rgb(), frame.size_hw, self._fit)

    def first_rgb(self) -> np.ndarray:
        """Return the first picture at its own size, for a photo."""
        return self._shown.rgb()

    def _due(self, frame: Frame) -> Frame:
        if self._start is None:
            self._start = frame.seconds
        now = frame.seconds - self._start
        while self._next_at <= now:
            self._shown, self._shown_at = self._next, self._next_at
            self._next = next(self._frames)
            self._next_at = self._next_start
        return self._shown

    def _endless(self) -> Iterator[Frame]:
        """Yield the frames again and again; ``_next_start`` is when the yielded one begins."""
        begin = Fraction(0)
        while True:
            reader = VideoReader(self._path, with_sound=False)
            first: Fraction | None = None
            end = begin
            for frame in reader.frames():
                first = frame.seconds if first is None else first
                self._next_start = begin + frame.seconds - first
                end = self._next_start + (frame.duration or 1 / reader.info.rate)
                yield frame
            reader.close()
            begin = end

    def _fit_to(self, picture: av.VideoFrame, frame: Frame) -> av.VideoFrame:
        if _alike(picture, frame):
            return picture
        same_colours = Frame(picture).colour[:2] == frame.colour[:2]
        if same_colours and self._fit in ("fill", "stretch"):
            return _scaled_planes(picture, frame, crop=self._fit == "fill")
        return planar_of_rgb(fit_background(Frame(picture).rgb(), frame.size_hw, self._fit), frame.colour)


def open_background(path: str | Path, fit: FitMode = "fill") -> StillBackground | VideoBackground:
    """Open a picture or a video, by its suffix."""
    if Path(path).suffix.lower() in SUFFIXES - {".gif"}:
        return StillBackground(read_image(path), fit)
    return VideoBackground(path, fit)


def _alike(picture: av.VideoFrame, frame: Frame) -> bool:
    return (picture.height, picture.width) == frame.size_hw and Frame(picture).colour[:2] == frame.colour[:2]


def _scaled_planes(picture: av.VideoFrame, frame: Frame, crop: bool) -> av.VideoFrame:
    """Scale each plane to the frame's size; with ``crop`` what is too wide or too high is cut off, evenly."""
    result = new_planar(frame.size_hw, frame.colour)
    share_h, share_w = _visible_share((picture.height, picture.width), frame.size_hw) if crop else (1.0, 1.0)
    for source, target in zip(plane_views(picture), plane_views(result), strict=True):
        height, width = (
            max(1, round(side * share)) for side, share in zip(source.shape, (share_h, share_w), strict=True)
        )
        top, left = (source.shape[0] - height) // 2, (source.shape[1] - width) // 2
        seen = source[top : top + height, left : left + width]
        interpolation = cv2.INTER_AREA if target.shape[0] < height else cv2.INTER_LINEAR
        cv2.resize(seen, target.shape[::-1], target, interpolation=interpolation)
    return result


def _visible_share(size_hw: Size, frame_hw: Size) -> tuple[float, float]:
    scale = max(frame_hw[0] / size_hw[0], frame_hw[1] / size_hw[1])
    return frame_hw[0] / (size_hw[0] * scale), frame_hw[1] / (size_hw[1] * scale)
