"""One picture of a video on its way from reader to writer."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np

from paddle_portrait.preprocess.geometry import Size
from paddle_portrait.video.colour import Colour, rgb_to_yuv, yuv_to_rgb

_PLANAR = ("yuv420p", "yuvj420p")
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


@dataclass
class Frame:
    """One picture, upright.

    Attributes:
        picture: its pixels with their time: ``pts`` in ticks of ``time_base``, ``duration`` in the same.
        stream: which of several inputs it belongs to.
    """

    picture: av.VideoFrame
    stream: int = 0

    @property
    def size_hw(self) -> Size:
        """Height and width."""
        return self.picture.height, self.picture.width

    @property
    def seconds(self) -> Fraction:
        """Time at which it is to be shown."""
        return Fraction(self.picture.pts or 0) * (self.picture.time_base or 1)

    @property
    def duration(self) -> Fraction:
        """Seconds for which it is to be shown; 0 where that is not said."""
        return Fraction(self.picture.duration or 0) * (self.picture.time_base or 1)

    @property
    def colour(self) -> Colour:
        """What the numbers of the planes mean."""
        return Colour.of(self.picture)

    def planes(self) -> list[np.ndarray]:
        """Return views of Y (H×W), U and V (half the size, rounded up), uint8, and of A (H×W) where there is one."""
        return plane_views(self.picture)

    def rgb(self) -> np.ndarray:
        """Return uint8 H×W×3 (a copy)."""
        return self.picture.to_ndarray(format="rgb24")

    def small_rgb(self, size_hw: Size, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
        """Return uint8 h×w×3 of another size; each plane is scaled before colours are mixed, which is much cheaper."""
        size = (size_hw[1], size_hw[0])
        scaled = [cv2.resize(plane, size, interpolation=interpolation) for plane in self.planes()[:3]]
        return yuv_to_rgb(cv2.merge(scaled), self.colour)

    def with_picture(self, picture: av.VideoFrame) -> Frame:
        """Return a frame of the same moment with other pixels; ``picture`` is stamped with the time."""
        picture.pts, picture.time_base = self.picture.pts, self.picture.time_base
        picture.duration = self.picture.duration
        return Frame(picture, self.stream)

    def with_rgb(self, rgb: np.ndarray) -> Frame:
        """Return a frame of the same moment showing uint8 H×W×3 or, with transparency, H×W×4."""
        if rgb.shape[2] == 4:
            return self.with_picture(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgba"))
        return self.with_picture(planar_of_rgb(rgb, self.colour))


def planar_of_rgb(rgb: np.ndarray, colour: Colour) -> av.VideoFrame:
    """Convert uint8 H×W×3 to a planar 4:2:0 picture whose numbers mean ``colour``."""
    picture = new_planar((rgb.shape[0], rgb.shape[1]), colour)
    luma, *chroma = plane_views(picture)
    yuv = rgb_to_yuv(rgb, colour)
    cv2.extractChannel(yuv, 0, luma)
    for channel, plane in enumerate(chroma, start=1):
        cv2.resize(
            cv2.extractChannel(yuv, channel), (plane.shape[1], plane.shape[0]), plane, interpolation=cv2.INTER_AREA
        )
    return picture


def upright_planar(picture: av.VideoFrame) -> av.VideoFrame:
    """Return a decoded picture as planar 8-bit 4:2:0, turned as its display matrix asks."""
    if picture.format.name not in _PLANAR:
        colour = Colour.of(picture)
        picture = _stamped(_planar(picture, colour), picture)
    turn = picture.rotation % 360
    return _turned(picture, turn) if turn in _TURNS else picture


def plane_views(picture: av.VideoFrame) -> list[np.ndarray]:
    """Return uint8 views, without a copy, of the planes of an 8-bit planar picture."""
    views = []
    for plane in picture.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        views.append(rows[: plane.height, : plane.width])
    return views


def new_planar(size_hw: Size, colour: Colour, alpha: bool = False) -> av.VideoFrame:
    """Return a planar 4:2:0 picture, with transparency when asked for, whose pixels are not set yet."""
    picture = av.VideoFrame(size_hw[1], size_hw[0], "yuva420p" if alpha else "yuv420p")
    colour.tag(picture)
    return picture


def copy_at(picture: av.VideoFrame, pts: int) -> av.VideoFrame:
    """Return a planar picture with the same pixels to be shown at another time."""
    result = new_planar((picture.height, picture.width), Colour.of(picture))
    for source, target in zip(plane_views(picture), plane_views(result), strict=True):
        target[:] = source
    _stamped(result, picture).pts = pts
    return result


def _planar(picture: av.VideoFrame, colour: Colour) -> av.VideoFrame:
    matrix, full = colour.matrix, colour.range
    converted = picture.reformat(
        format="yuv420p", dst_colorspace=_SWSCALE.get(matrix, 5), dst_color_range=full if full == 2 else 1, threads=1
    )
    colour.tag(converted)
    return converted


# From H.273's numbers of matrices to those of FFmpeg's scaler, whose 5 is BT.601.
_SWSCALE = {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}


def _turned(picture: av.VideoFrame, turn: int) -> av.VideoFrame:
    height, width = (picture.height, picture.width) if turn == 180 else (picture.width, picture.height)
    result = new_planar((height, width), Colour.of(picture))
    for source, target in zip(plane_views(picture), plane_views(result), strict=True):
        cv2.rotate(source, _TURNS[turn], dst=target)
    return _stamped(result, picture)


def _stamped(picture: av.VideoFrame, source: av.VideoFrame) -> av.VideoFrame:
    picture.pts, picture.time_base, picture.duration = source.pts, source.time_base, source.duration
    return picture
