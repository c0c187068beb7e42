"""Light of a scene and the shading of surfaces given as height maps in pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paddle_portrait.data.synthesis.canvas import soften


@dataclass(frozen=True)
class Light:
    """One distant lamp, a sky and a floor that give ambient light, and a rim lamp from behind.

    Attributes:
        direction: unit vector (3,) towards the lamp; x right, y down, z to the viewer.
        key: colour (3,) of the lamp times its strength.
        sky: ambient colour (3,) from above.
        floor: ambient colour (3,) from below.
        rim: strength of light on the edges, on the side the lamp is not.
        softness: 0 a hard lamp, 1 an overcast sky (light wraps around).
    """

    direction: np.ndarray
    key: np.ndarray
    sky: np.ndarray
    floor: np.ndarray
    rim: float
    softness: float


def sample_light(rng: np.random.Generator) -> Light:
    """Return a random light: from above-front mostly, sometimes from the side, below, or very dim."""
    side = rng.normal(0, 0.7)
    height = rng.normal(-0.55, 0.4)
    direction = np.array([side, height, rng.uniform(0.35, 1.2)])
    direction /= np.linalg.norm(direction)
    warmth = rng.normal(0, 0.07)
    colour = np.array([1 + warmth, 1.0, 1 - warmth])
    # Key and ambient light share one budget: a surface that faces the lamp comes out near its own colour.
    contrast = rng.beta(2, 2)
    ambient_warmth = rng.normal(0, 0.05)
    ambient = np.array([1 + ambient_warmth, 1.0, 1 - ambient_warmth]) * (0.72 - 0.47 * contrast)
    key = colour * (0.34 + 0.5 * contrast) * np.exp(rng.normal(0, 0.08))
    return Light(
        direction.astype(np.float32),
        key.astype(np.float32),
        (ambient * rng.uniform(0.95, 1.15)).astype(np.float32),
        (ambient * rng.uniform(0.6, 1.0) * (1 + rng.normal(0, 0.05, 3))).astype(np.float32),
        float(max(0.0, rng.normal(-0.1, 0.3))),
        float(rng.uniform(0.1, 0.9)),
    )


def inflate(cover: np.ndarray, radius: float) -> np.ndarray:
    """Return a height map in pixels that rounds the rim of a flat shape ``cover`` over ``radius`` pixels."""
    radius = max(float(radius), 1.0)
    inside = cv2.copyMakeBorder((cover > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    depth = np.minimum(distance, radius) / radius
    return soften(radius * np.sqrt(depth * (2.0 - depth)), radius * 0.22)


def shade(
    albedo: np.ndarray,
    height: np.ndarray,
    light: Light,
    gloss: np.ndarray | float = 0.0,
    sharpness: int = 12,
    skin: bool = False,
) -> np.ndarray:
    """Light a surface.

    Args:
        albedo: float32 (h, w, 3) or (3,).
        height: float32 (h, w), pixels towards the viewer.
        light: the scene's light.
        gloss: strength of the highlight, a number or (h, w).
        sharpness: exponent of the highlight.
        skin: let shadows turn reddish, as light scatters under skin.

    Returns:
        float32 (h, w, 3), not clipped.
    """
    albedo, height = np.asarray(albedo, np.float32), np.asarray(height, np.float32)
    gx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125, borderType=cv2.BORDER_REPLICATE)
    gy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125, borderType=cv2.BORDER_REPLICATE)
    nz = 1.0 / np.sqrt(1.0 + gx * gx + gy * gy)
    lx, ly, lz = (float(v) for v in light.direction)
    facing = (lz - gx * lx - gy * ly) * nz
    wrap = 0.55 * light.softness
    diffuse = np.maximum((facing + wrap) / (1.0 + wrap), 0.0)
    upward = 0.5 + 0.5 * gy * nz
    lamp = light.key[None, None] * diffuse[..., None]
    if skin:
        scatter = np.maximum((facing + 0.5) / 1.5, 0.0) - diffuse
        lamp = lamp + scatter[..., None] * light.key * np.array([0.28, 0.08, 0.05], np.float32)
    lit = lamp + light.floor + upward[..., None] * (light.sky - light.floor)
    if light.rim > 0:
        edge = (1.0 - nz) ** 2 * np.clip(gx * np.sign(lx) * nz, 0, 1)
        lit = lit + (light.rim * edge)[..., None]
    result = albedo * lit
    half = (lz + 1.0, lx, ly)
    norm = float(np.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2))
    shine = np.maximum((half[0] - gx * half[1] - gy * half[2]) * nz / norm, 0.0) ** sharpness
    return result + (gloss * shine)[..., None] * light.key
