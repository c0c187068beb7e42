"""Whole pictures: a background, one or two persons in it, and the camera."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.data.synthesis.backdrops import BACKDROPS
from paddle_portrait.data.synthesis.camera import photograph
from paddle_portrait.data.synthesis.canvas import Canvas, Frame, soften
from paddle_portrait.data.synthesis.figure import draw_person
from paddle_portrait.data.synthesis.light import Light, sample_light
from paddle_portrait.data.synthesis.outdoors import outdoors
from paddle_portrait.data.synthesis.person import sample_person, sample_pose
from paddle_portrait.data.synthesis.rooms import blurred, room
from paddle_portrait.data.synthesis.things import add_things

Seed = int | np.random.Generator


def _generator(seed: Seed) -> np.random.Generator:
    return seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)


def sample_background(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> np.ndarray:
    """Return a background without people, float32 (H, W, 3) in [0, 1]: a room, a view outdoors, or a backdrop."""
    kind = rng.random()
    if kind < 0.45:
        picture = room(rng, shape)
    elif kind < 0.7:
        picture = outdoors(rng, shape)
    else:
        painters, weights = zip(*BACKDROPS.values(), strict=True)
        share = np.array(weights, np.float64)
        picture = painters[rng.choice(len(painters), p=share / share.sum())](rng, shape)
    picture = np.clip(picture, 0, 1)
    if rng.random() < 0.5:
        picture = add_things(rng, picture, light)
    sigma = max(0.0, rng.normal(0.0, 0.011)) * max(shape)
    return np.clip(blurred(picture.astype(np.float32), float(sigma), bool(rng.random() < 0.4)), 0, 1)


def _framing(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[float, float, float]:
    """Return the head's height and the position of its centre, in pixels: close selfies to whole figures."""
    height, width = shape
    kind = rng.random()
    if kind < 0.2:
        share = rng.uniform(0.55, 0.85)
    elif kind < 0.78:
        share = rng.uniform(0.32, 0.58)
    elif kind < 0.95:
        share = rng.uniform(0.2, 0.34)
    else:
        share = rng.uniform(0.1, 0.2)
    head = share * min(height, 1.45 * width)
    x = width * rng.normal(0.5, 0.09 + 0.08 * (share < 0.34))
    top = rng.normal(0.1, 0.08) * height - 0.06 * (share > 0.55) * height
    return head, x, max(top, -0.2 * head) + 0.54 * head


def _cast_shadow(canvas: Canvas, background: np.ndarray, light: Light, head: float, strength: float) -> np.ndarray:
    """Return the background with the person's shadow on it, away from the lamp."""
    away = (-0.35 * head * light.direction[0], 0.2 * head * max(0.0, -light.direction[1]))
    shift = np.array([[1, 0, away[0]], [0, 1, away[1]]], np.float32)
    size = (canvas.shape[1], canvas.shape[0])
    moved = cv2.warpAffine(canvas.alpha, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return background * (1 - strength * soften(moved, 0.06 * head + 1))[..., None]


def _persons(rng: np.random.Generator, shape: tuple[int, int], scene: np.ndarray, light: Light) -> tuple[Canvas, float]:
    """Paint one or two persons before a scene; return the canvas and the height of the first one's head."""
    canvas = Canvas(scene)
    head, x, y = _framing(rng, shape)
    places = [(head, x, y)]
    if rng.random() < 0.07:
        side = rng.choice([-1, 1])
        places = [
            (head * 0.72, x + side * head * 0.55, y + 0.1 * head),
            (head * 0.8, x - side * head * 0.5, y + 0.15 * head),
        ]
    for size, px, py in places:
        person, pose = sample_person(rng), sample_pose(rng)
        draw_person(canvas, Frame(float(size), pose.lean, (float(px), float(py))), person, pose, light)
    return canvas, head


def render_portrait(seed: Seed, size_hw: tuple[int, int] = (256, 192)) -> tuple[np.ndarray, np.ndarray]:
    """Render a random portrait.

    Args:
        seed: an integer, or a generator to draw from. The same seed and size give the same picture.
        size_hw: height and width in pixels.

    Returns:
        The photo, uint8 (H, W, 3) RGB, and its exact alpha, float32 (H, W) in [0, 1]. Things that the person wears or
        holds count as person.
    """
    rng = _generator(seed)
    light = sample_light(rng)
    background = sample_background(rng, size_hw, light)
    canvas, head = _persons(rng, size_hw, background, light)
    if rng.random() < 0.4:
        shadowed = _cast_shadow(canvas, background, light, head, rng.uniform(0.15, 0.6))
        canvas.rgb += (1 - canvas.alpha[..., None]) * (shadowed - background)
    ambient = background.mean(axis=(0, 1))
    tint = 1 + rng.uniform(0, 0.5) * (ambient / max(float(ambient.mean()), 0.05) - 1) * canvas.alpha[..., None]
    alpha = np.clip(canvas.alpha, 0, 1)
    return photograph(rng, canvas.rgb * tint), alpha


def render_empty_room(seed: Seed, size_hw: tuple[int, int] = (256, 192)) -> np.ndarray:
    """Render a place without people, uint8 (H, W, 3) RGB; its alpha is zero everywhere."""
    rng = _generator(seed)
    return photograph(rng, sample_background(rng, size_hw, sample_light(rng)))
