"""Plain painting for scenery, where no exact alpha is needed: anti-aliased shapes with light falling over them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from paddle_portrait.data.synthesis.canvas import Box, Points

Colour = np.ndarray | Sequence[float]


class Painter:
    """Paints on ``rgb`` float32 (H, W, 3) in relative coordinates: x in widths, y in heights."""

    def __init__(self, rng: np.random.Generator, rgb: np.ndarray) -> None:
        self.rng = rng
        self.rgb = np.ascontiguousarray(rgb, np.float32)
        self.height, self.width = rgb.shape[:2]

    def pixels(self, points: Points) -> np.ndarray:
        return np.asarray(points, np.float64) * (self.width, self.height)

    def polygon(self, points: Points, colour: Colour) -> None:
        fixed = np.round(np.clip(self.pixels(points), -3000, 9000) * 16).astype(np.int32)
        cv2.fillPoly(self.rgb, [fixed], [float(c) for c in colour], cv2.LINE_AA, 4)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Draw a polyline ``width`` image widths thick (at least one pixel)."""
        fixed = np.round(np.clip(self.pixels(points), -3000, 9000) * 16).astype(np.int32)
        cv2.polylines(
            self.rgb, [fixed], False, [float(c) for c in colour], max(1, round(width * self.width)), cv2.LINE_AA, 4
        )

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw a disc whose radius is in image widths."""
        centre = (round(x * self.width * 16), round(y * self.height * 16))
        cv2.circle(
            self.rgb, centre, max(1, round(radius * self.width * 16)), [float(c) for c in colour], -1, cv2.LINE_AA, 4
        )

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Box | None:
        """Return the pixels of a rectangle, or None when none of them is in the picture."""
        return Box.around(self.pixels([(x0, y0), (x1, y1)]), self.rgb.shape, 0)

    def paste(self, x0: float, y0: float, x1: float, y1: float, picture: np.ndarray) -> None:
        """Put a picture into a rectangle; what lies outside the image is cut."""
        left, top, right, bottom = (
            round(x0 * self.width),
            round(y0 * self.height),
            round(x1 * self.width),
            round(y1 * self.height),
        )
        if right - left < 2 or bottom - top < 2:
            return
        sized = cv2.resize(picture, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        cut = sized[max(0, -top) : max(0, self.height - top), max(0, -left) : max(0, self.width - left)]
        if cut.size:
            y, x = max(0, top), max(0, left)
            self.rgb[y : y + cut.shape[0], x : x + cut.shape[1]] = cut

    def shadow(self, points: Points, strength: float, blur: float) -> None:
        """Darken a polygon softly; ``blur`` is in image widths."""
        sigma = max(0.5, blur * self.width)
        box = Box.around(self.pixels(points), self.rgb.shape, 3 * sigma)
        if box is None:
            return
        mask = np.zeros(box.shape, np.uint8)
        local = np.round((self.pixels(points) - (box.x0, box.y0)) * 16).astype(np.int32)
        cv2.fillPoly(mask, [local], 255, cv2.LINE_8, 4)
        dark = cv2.GaussianBlur(mask, (0, 0), sigma).astype(np.float32) * (strength / 255.0)
        self.rgb[box.slices] *= 1.0 - dark[..., None]

    def glow(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Add a round glow that fades out over ``radius`` image widths."""
        dy = (np.arange(self.height, dtype=np.float32)[:, None] - y * self.height) / (radius * self.width)
        dx = (np.arange(self.width, dtype=np.float32)[None, :] - x * self.width) / (radius * self.width)
        fall = 1.0 / (1.0 + 4.0 * (dx * dx + dy * dy)) ** 2
        self.rgb += fall[..., None] * np.asarray(colour, np.float32)

    def ramp(self, box: Box, angle: float, strength: float) -> None:
        """Let light fall off across a box: brighter by ``strength`` on one side, darker on the other."""
        height, width = box.shape
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        self.rgb[box.slices] *= (1 + strength * (np.cos(angle) * x + np.sin(angle) * y)).astype(np.float32)[..., None]
