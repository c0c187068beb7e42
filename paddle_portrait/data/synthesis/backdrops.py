"""Backdrops without things in them: studio paper, light spots, textures, and colours like skin and hair."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.data.synthesis.colours import any_colour, hair_colour, palette, skin_tone, wall_colour
from paddle_portrait.data.synthesis.noise import dead_leaves, fractal, strand_texture
from paddle_portrait.data.synthesis.painter import Painter


def _flat(shape: tuple[int, int], colour: np.ndarray) -> np.ndarray:
    picture = np.empty((*shape, 3), np.float32)
    picture[:] = colour
    return picture


def studio(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Paper or a plain wall with a pool of light."""
    painter = Painter(rng, _flat(shape, wall_colour(rng)))
    if rng.random() < 0.25:
        painter.rgb[:] = rng.uniform(0.85, 1.0)
    from_colour, to_colour = rng.uniform(0.6, 1.1), rng.uniform(0.6, 1.1)
    painter.rgb *= np.linspace(from_colour, to_colour, shape[0], dtype=np.float32)[:, None, None]
    painter.glow(
        rng.random(), rng.uniform(0, 0.8), rng.uniform(0.5, 1.5), painter.rgb.mean((0, 1)) * rng.uniform(0, 0.5)
    )
    painter.rgb *= 1 + rng.uniform(0, 0.08) * fractal(rng, shape, rng.uniform(2, 40), 4, 0.7)[..., None]
    return painter.rgb


def bokeh(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Light spots far out of focus."""
    base = fractal(rng, shape, 2, 2)[..., None]
    colours = palette(rng, 8)
    painter = Painter(rng, np.clip(colours[0] * 0.6 + base * (colours[1] - colours[0]) * 0.6, 0, 1))
    layer = Painter(rng, np.zeros_like(painter.rgb))
    radius = rng.uniform(0.015, 0.08)
    for _ in range(int(rng.integers(12, 70))):
        layer.disc(
            rng.random(), rng.random(), radius * rng.uniform(0.7, 1.2), colours[rng.integers(8)] * rng.uniform(0.2, 0.9)
        )
    soft = cv2.GaussianBlur(layer.rgb, (0, 0), max(0.5, radius * shape[1] * 0.12))
    return np.clip(painter.rgb + soft * rng.uniform(0.4, 1.0), 0, 1)


def clutter(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Things of all sizes in front of each other."""
    return dead_leaves(rng, shape, int(rng.integers(60, 420)), rng.uniform(0.15, 0.8))


def texture(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Stone, plaster, carpet, clouds: fractal noise between two colours."""
    low, high = any_colour(rng), any_colour(rng)
    noise = fractal(
        rng, shape, float(np.exp(rng.uniform(0.5, 4))), 6, rng.uniform(0.4, 0.8), float(np.exp(rng.normal(0, 0.7)))
    )
    mix = np.clip(0.5 + rng.uniform(0.2, 0.8) * noise, 0, 1)[..., None]
    return low + mix * (high - low)


def fibres(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Curtains, fur, reeds, wood: strands, often in the colours of hair."""
    colour = hair_colour(rng) if rng.random() < 0.5 else any_colour(rng)
    streaks = strand_texture(rng, shape, rng.uniform(0.0, 0.25))
    if rng.random() < 0.3:
        streaks = cv2.resize(np.ascontiguousarray(streaks.T), (shape[1], shape[0]))
    return np.clip(colour * (1 + rng.uniform(0.2, 0.8) * streaks[..., None]), 0, 1)


def fleshy(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Soft mounds in skin colours: sand, wood, leather, cushions."""
    base = skin_tone(rng)
    height = fractal(rng, shape, rng.uniform(1.5, 6), 3)
    light = 1 + 0.5 * cv2.Sobel(height, cv2.CV_32F, 1, 1, ksize=5)
    return np.clip(base * np.clip(light, 0.4, 1.5)[..., None] * (1 + 0.1 * height[..., None]), 0, 1)


BACKDROPS = {
    "studio": (studio, 10),
    "bokeh": (bokeh, 4),
    "clutter": (clutter, 7),
    "texture": (texture, 5),
    "fibres": (fibres, 4),
    "fleshy": (fleshy, 2),
}
