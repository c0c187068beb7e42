"""Drawing board of the generator: frames, boxes, anti-aliased shapes, and a canvas that keeps colour and alpha.

Pixel centres have integer coordinates, as in OpenCV. Points are float arrays (n, 2) of (x, y).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

_SUBPIXEL_BITS = 4
_SUPERSAMPLING = 2
_FINE_BELOW = 90_000


# Points as an array (n, 2), or as a list of pairs.
Points = np.ndarray | Sequence[Sequence[float]] | Sequence[np.ndarray]


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, end exclusive, that lies inside an image."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Box:
        return cls(0, 0, int(shape[1]), int(shape[0]))

    @classmethod
    def around(cls, points: np.ndarray, shape: Sequence[int], margin: float = 2.0) -> Box | None:
        """Return the box of ``points`` (pixels) cut to an image of ``shape``, or None when nothing is inside."""
        low = np.floor(points.min(axis=0) - margin)
        high = np.ceil(points.max(axis=0) + margin) + 1
        x0, y0 = (int(value) for value in np.maximum(low, 0))
        x1, y1 = (int(value) for value in np.minimum(high, (shape[1], shape[0])))
        return cls(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


@dataclass(frozen=True)
class Frame:
    """A similarity from a part's own units to pixels: ``pixel = scale · R(angle) · unit + origin``."""

    scale: float
    angle: float
    origin: tuple[float, float]

    def _axes(self) -> np.ndarray:
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return self.scale * np.array([[cosine, sine], [-sine, cosine]])

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Map points (…, 2) from units to pixels."""
        return np.asarray(points, np.float64) @ self._axes() + np.asarray(self.origin)

    def pixels_of_all(self, shapes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Map several outlines at once."""
        together = self.pixels(np.concatenate(shapes))
        return np.split(together, np.cumsum([len(shape) for shape in shapes])[:-1])

    def grid(self, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """Return the unit coordinates x and y (float32) of every pixel of ``box``."""
        dx = np.arange(box.x0, box.x1, dtype=np.float32)[None, :] - np.float32(self.origin[0])
        dy = np.arange(box.y0, box.y1, dtype=np.float32)[:, None] - np.float32(self.origin[1])
        cosine = np.float32(np.cos(self.angle) / self.scale)
        sine = np.float32(np.sin(self.angle) / self.scale)
        return dx * cosine + dy * sine, dy * cosine - dx * sine

    def child(self, offset: tuple[float, float], angle: float = 0.0, scale: float = 1.0) -> Frame:
        """Return a frame whose origin is ``offset`` (in this frame's units), turned and scaled against this one."""
        origin = self.pixels(np.array(offset))
        return Frame(self.scale * scale, self.angle + angle, (float(origin[0]), float(origin[1])))


class Canvas:
    """A picture being painted: ``rgb`` float32 (H, W, 3) in [0, 1] and the person's ``alpha`` float32 (H, W)."""

    def __init__(self, rgb: np.ndarray) -> None:
        self.rgb = rgb.astype(np.float32)
        self.shape = (int(rgb.shape[0]), int(rgb.shape[1]))
        self.alpha = np.zeros(self.shape, np.float32)

    def paint(self, box: Box, cover: np.ndarray, colour: np.ndarray, person: bool = True) -> None:
        """Lay ``colour`` (3,) or (h, w, 3) over the box with opacity ``cover`` (h, w); a person's adds to alpha."""
        target = self.rgb[box.slices]
        target += cover[..., None] * (np.asarray(colour, np.float32) - target)
        if person:
            alpha = self.alpha[box.slices]
            alpha += cover * (1.0 - alpha)

    def darken(self, box: Box, amount: np.ndarray) -> None:
        """Multiply the box by ``1 - amount`` (h, w); shadows leave alpha alone."""
        self.rgb[box.slices] *= (1.0 - amount)[..., None]


@lru_cache(maxsize=256)
def _spline_weights(knots: int, count: int, closed: bool) -> np.ndarray:
    """Return the matrix (count, knots) that takes knots to points on their Catmull-Rom curve."""
    identity = np.eye(knots)
    if closed:
        extended = np.vstack([identity[-1], identity, identity[:2]])
        t = np.linspace(0, knots, count, endpoint=False)
    else:
        extended = np.vstack([2 * identity[0] - identity[1], identity, 2 * identity[-1] - identity[-2]])
        t = np.linspace(0, knots - 1, count)
    i = np.minimum(t.astype(int), knots - (1 if closed else 2))
    f = (t - i)[:, None]
    p0, p1, p2, p3 = (extended[i + k] for k in range(4))
    return 0.5 * (2 * p1 + (p2 - p0) * f + (2 * p0 - 5 * p1 + 4 * p2 - p3) * f**2 + (3 * p1 - p0 - 3 * p2 + p3) * f**3)


def smooth_curve(points: Points, count: int = 48, closed: bool = False) -> np.ndarray:
    """Return ``count`` points on the Catmull-Rom curve through ``points`` (n ≥ 3)."""
    knots = np.asarray(points, np.float64)
    return _spline_weights(len(knots), count, closed) @ knots


def ellipse(centre: Sequence[float], radii: Sequence[float], angle: float = 0.0, count: int = 40) -> np.ndarray:
    """Return the outline (count, 2) of an ellipse."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = radii[0] * np.cos(t), radii[1] * np.sin(t)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine], axis=1)


def limb(joints: np.ndarray, radii: Sequence[float], count: int = 16) -> list[np.ndarray]:
    """Return a bent tube through ``joints`` (n, 2) with ``radii`` as overlapping outlines: discs, quads between.

    One outline around the whole tube would cross itself at a sharp bend, and a crossing is a hole when it is filled.
    """
    spine = smooth_curve(joints, count) if len(joints) > 2 else np.linspace(joints[0], joints[-1], count)
    width = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(radii)), radii)[:, None]
    step = np.diff(spine, axis=0)
    normal = step[:, ::-1] * (-1, 1) / (np.linalg.norm(step, axis=1, keepdims=True) + 1e-9)
    left, right = (
        np.stack([spine[:-1] + k * normal * width[:-1], spine[1:] + k * normal * width[1:]], 1) for k in (1, -1)
    )
    quads = np.concatenate([left, right[:, ::-1]], axis=1)
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    return [*quads, *(spine[:, None] + ring * width[:, None])]


def _fixed_point(points: np.ndarray, box: Box, factor: int) -> np.ndarray:
    local = (np.asarray(points) - (box.x0, box.y0)) * factor + (factor - 1) / 2
    return np.round(np.clip(local, -4000, 12000) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def cover_of(polygons: Sequence[np.ndarray], box: Box, feather: float = 0.0) -> np.ndarray:
    """Return how much of each pixel of ``box`` the union of ``polygons`` (pixels) covers, float32 [0, 1].

    ``feather`` is the sigma in pixels of a Gaussian that softens the edge.
    """
    height, width = box.shape
    # fillPoly also fills every pixel that the outline touches: half a pixel too much, of the finer board.
    factor = 4 if height * width < _FINE_BELOW else 2
    board = np.zeros((height * factor, width * factor), np.uint8)
    together = _fixed_point(np.concatenate(polygons), box, factor)
    for polygon in np.split(together, np.cumsum([len(polygon) for polygon in polygons])[:-1]):
        cv2.fillPoly(board, [polygon], 255, cv2.LINE_8, _SUBPIXEL_BITS)
    if factor == 4:  # two steps of two are several times as fast as one of four
        board = cv2.resize(board, (width * 2, height * 2), interpolation=cv2.INTER_AREA)
    return soften(shrink_board(board, box), feather)


def soften(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur that leaves the array alone when sigma is too small to show; wide ones work on a smaller copy."""
    if sigma <= 0.25:
        return values
    step = min(int(sigma / 2), min(values.shape[:2]) // 4)
    if step < 2:
        return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    height, width = values.shape[:2]
    small = cv2.resize(values, (width // step, height // step), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def draw_lines(board: np.ndarray, lines: np.ndarray, box: Box, value: int, width: float) -> None:
    """Draw polylines (n, k, 2) in pixels on a uint8 ``board`` that is ``_SUPERSAMPLING`` times the box's size."""
    thickness = max(1, round(width * _SUPERSAMPLING))
    cv2.polylines(
        board, list(_fixed_point(lines, box, _SUPERSAMPLING)), False, value, thickness, cv2.LINE_8, _SUBPIXEL_BITS
    )


def new_board(box: Box) -> np.ndarray:
    """Return an empty uint8 board for :func:`draw_lines`."""
    height, width = box.shape
    return np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8)


def shrink_board(board: np.ndarray, box: Box) -> np.ndarray:
    """Average a board down to its box's size, float32 [0, 1]."""
    height, width = box.shape
    return cv2.resize(board, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0


def cover_of_lines(lines: np.ndarray, box: Box, width: float) -> np.ndarray:
    """Return the cover of polylines (n, k, 2), ``width`` pixels wide; thinner than half a pixel becomes fainter."""
    board = new_board(box)
    draw_lines(board, lines, box, 255, width)
    return shrink_board(board, box) * min(1.0, width * _SUPERSAMPLING)
