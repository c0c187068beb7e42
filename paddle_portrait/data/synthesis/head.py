"""The head: an ellipsoidal surface that can turn, with a relief of features and a texture painted from the front.

A pixel's surface point is found by intersecting its ray with the ellipse of its row; the texture and the relief are
then looked up at that point, so that nose and eyes move over the head as it turns and nods.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, cover_of, ellipse, smooth_curve
from paddle_portrait.data.synthesis.face import TEXTURE_REACH, face_relief, face_texture
from paddle_portrait.data.synthesis.light import Light, shade
from paddle_portrait.data.synthesis.noise import fractal
from paddle_portrait.data.synthesis.person import Face, Person, Pose

_ROWS = np.linspace(-0.5, 0.5, 121)


@dataclass(frozen=True)
class HeadSurface:
    """Geometry of one turned head: silhouettes by row, and a projection from face coordinates to the head's plane."""

    half_width: np.ndarray
    half_depth: np.ndarray
    yaw: float
    pitch: float

    @classmethod
    def of(cls, face: Face, pose: Pose) -> HeadSurface:
        jaw, chin = face.jaw * 0.03, face.chin * 0.02
        knots = [
            (0.0, -0.5), (0.12, -0.488), (0.215, -0.45), (0.3, -0.36), (0.352, -0.22), (0.365, -0.05), (0.352, 0.1),
            (0.325 + jaw, 0.22), (0.275 + jaw, 0.33), (0.205 + jaw + chin, 0.42),
            (0.14 + chin, 0.473), (0.07 + chin, 0.495), (0.0, 0.5),
        ]  # fmt: skip
        curve = smooth_curve(knots, 160)
        half = np.interp(_ROWS, curve[:, 1], curve[:, 0]) * face.width / 0.365
        profile = smooth_curve([(0.0, -0.5), (0.2, -0.46), (0.33, -0.36), (0.4, -0.12), (0.385, 0.12)], 80)
        lower = smooth_curve([(0.4, -0.12), (0.385, 0.12), (0.34, 0.34), (0.27, 0.45), (0.16, 0.5)], 80)
        profile = np.vstack([profile[profile[:, 1] < 0], lower[lower[:, 1] >= 0]])
        depth = np.interp(_ROWS, profile[:, 1], profile[:, 0])
        return cls(half, depth * face.depth / 0.4, pose.yaw, pose.pitch)

    def rows(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return half width and half depth of the head at heights ``y``."""
        return np.interp(y, _ROWS, self.half_width), np.interp(y, _ROWS, self.half_depth)

    def silhouette(self) -> np.ndarray:
        """Return the head's outline in its own plane."""
        reach = np.hypot(self.half_width * np.cos(self.yaw), self.half_depth * np.sin(self.yaw))
        right = np.stack([reach, _ROWS], axis=1)
        left = np.stack([-reach, _ROWS], axis=1)[::-1]
        return np.vstack([right, left])

    def project(self, points: np.ndarray, lift: float = 0.0) -> np.ndarray:
        """Map face coordinates (n, 2) on the front of the skull (``lift`` heads above it) to the head's plane."""
        points = np.asarray(points, np.float64)
        a, b = self.rows(points[:, 1])
        a, b = np.maximum(a, 0.02), np.maximum(b, 0.02)
        u = np.clip(points[:, 0] / a, -1, 1)
        depth = b * np.sqrt(1 - u * u) + lift
        x = points[:, 0] * np.cos(self.yaw) + depth * np.sin(self.yaw)
        y = points[:, 1] + (depth - 0.3) * np.sin(self.pitch)
        return np.stack([x, y], axis=1)

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return how far before the head's axis the skull lies at points of the head's plane."""
        a, b = self.rows(np.clip(y, -0.49, 0.49))  # at the very ends the head has no width to compute with
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        square = (c / a) ** 2 + (s / b) ** 2
        mixed = c * s * (1 / b**2 - 1 / a**2)
        depth_square = (s / a) ** 2 + (c / b) ** 2
        root = (mixed * x) ** 2 - depth_square * (square * x * x - 1)
        depth = (-mixed * x + np.sqrt(np.maximum(root, 1e-4))) / depth_square
        return (depth - 5.0 * np.maximum(np.abs(y) - 0.47, 0)).astype(np.float32)  # crown and chin bend away


def _sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    height, width = texture.shape[:2]
    map_x = ((u / TEXTURE_REACH[0] + 1) * (width * 0.5) - 0.5).astype(np.float32)
    map_y = ((v / TEXTURE_REACH[1] + 1) * (height * 0.5) - 0.5).astype(np.float32)
    return cv2.remap(texture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def draw_head(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint skull and face (no hair, no ears) in ``frame``, whose unit is a head and whose origin its centre."""
    surface = HeadSurface.of(person.face, pose)
    outline = frame.pixels(surface.silhouette())
    box = Box.around(outline, canvas.shape)
    if box is None:
        return
    cover = cover_of([outline], box, 0.35)
    x, y = frame.grid(box)
    depth = surface.depth(x, y)
    relief_map = face_relief(person.face, pose)
    texture = face_texture(person, pose, frame.scale)
    cosine, sine = np.float32(np.cos(pose.yaw)), np.float32(np.sin(pose.yaw))
    nod = np.float32(np.sin(pose.pitch))
    relief = np.zeros_like(depth)
    for _ in range(2):
        lifted = depth + relief
        u = x * cosine - lifted * sine
        v = y - (lifted - 0.3) * nod
        relief = _sample(relief_map, u, v)
    albedo = _sample(texture, u, v)
    if person.hair.style not in ("bald", "headscarf"):
        albedo = _nape(albedo, person, x * sine + depth * cosine, y)
    oil = 0.1 + 0.06 * (1 - person.face.skin.mean())
    lit = shade(albedo, (depth + relief) * frame.scale, light, gloss=oil, sharpness=18, skin=True)
    canvas.paint(box, cover, np.clip(lit, 0, 1))


def _nape(albedo: np.ndarray, person: Person, towards_face: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cover the back of the head, behind the ears, with short hair; it shows when the head is turned."""
    grain = fractal(np.random.default_rng([person.seed, 10]), y.shape, 40, 2, 0.9, 0.4)
    hairy = np.clip((-0.08 - towards_face) * 14, 0, 1) * np.clip((0.27 - y) * 12, 0, 1)
    hairy = np.clip(hairy * (1.1 + 0.3 * grain), 0, 1)[..., None]
    return albedo + hairy * (person.hair.colour * (0.9 + 0.25 * grain[..., None]) - albedo)


def draw_ears(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light, near: bool) -> None:
    """Paint the ears that lie before (``near``) or behind the head's outline at this yaw."""
    surface = HeadSurface.of(person.face, pose)
    a, _ = surface.rows(np.array([0.08]))
    for side in (-1, 1):
        if (side * np.sin(pose.yaw) < -0.12) != near:
            continue
        x = side * (a[0] * 0.97) * np.cos(pose.yaw) - 0.06 * np.sin(pose.yaw)
        tilt = side * 0.16
        width = 0.05 + 0.05 * abs(np.sin(pose.yaw)) * near
        nod = -0.35 * np.sin(pose.pitch)
        outline = ellipse((x + side * 0.025 * np.cos(pose.yaw), 0.06 + nod), (width, 0.115), tilt)
        outline[:, 0] -= side * 0.25 * np.maximum(outline[:, 1] - 0.1 - nod, 0)
        pixels = frame.pixels(outline)
        box = Box.around(pixels, canvas.shape)
        if box is None:
            continue
        cover = cover_of([pixels], box, 0.3)
        gx, gy = frame.grid(box)
        hollow = np.exp(-(((gx - x - side * 0.02) / (width * 0.5)) ** 2) - ((gy - 0.04 - nod) / 0.055) ** 2)
        albedo = person.face.skin * (1 - 0.32 * hollow[..., None]) * np.array([1.02, 0.93, 0.91], np.float32)
        height = (0.05 - 0.05 * hollow) * frame.scale
        canvas.paint(box, cover, np.clip(shade(albedo, height.astype(np.float32), light, 0.04, 10, skin=True), 0, 1))
