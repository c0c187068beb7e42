"""Light of a scene and the shading of surfaces given as height maps in pixels."""

from __future__ import annotations

import math
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
    scatter = np.maximum((facing + 0.5) / 1.5, 0.0) - diffuse if skin else np.zeros_like(diffuse)
    edge = (1.0 - nz) ** 2 * np.clip(gx * nz * math.copysign(1.0, lx), 0, 1)
    # One pass mixes the kinds of light, each with its colour: lamp, sky above floor, light from under the skin, rim.
    half_sky = 0.5 * (light.sky - light.floor)
    colours = [light.key, half_sky, light.key * (0.28, 0.08, 0.05), np.full(3, light.rim), light.floor + half_sky]
    mixing = np.stack(colours, axis=1).astype(np.float32)
    result = albedo * cv2.transform(cv2.merge([diffuse, gy * nz, scatter, edge]), mixing)
    if np.isscalar(gloss) and not gloss:
        return result
    norm = float(np.sqrt((lz + 1.0) ** 2 + lx**2 + ly**2))
    shine = np.maximum((lz + 1.0 - gx * lx - gy * ly) * nz / norm, 0.0) ** sharpness
    return result + (gloss * shine)[..., None] * light.key
