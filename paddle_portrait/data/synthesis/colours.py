"""Colours of people and things, as sRGB float32 in [0, 1]."""

from __future__ import annotations

import colorsys

import numpy as np

_SKIN = np.array(
    [
        (255, 226, 208), (246, 206, 184), (236, 188, 160), (222, 168, 136), (202, 146, 108),
        (176, 118, 82), (148, 94, 64), (116, 70, 48), (86, 52, 38), (58, 37, 30),
    ],
    np.float32,
) / 255.0  # fmt: skip
_HAIR = np.array(
    [
        # black and brown, blond, red, grey
        (18, 15, 15), (28, 22, 20), (44, 31, 25), (66, 45, 32), (92, 64, 44), (124, 88, 58),
        (166, 126, 80), (204, 168, 112), (226, 202, 158),
        (142, 66, 34), (110, 44, 28), (128, 124, 120), (206, 204, 200),
    ],
    np.float32,
) / 255.0  # fmt: skip
_HAIR_WEIGHTS = np.array([16, 16, 16, 13, 11, 9, 7, 5, 3, 4, 3, 4, 2], np.float64)


def rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    """Return the colour of a hue in turns."""
    return np.array(
        colorsys.hsv_to_rgb(hue % 1.0, float(np.clip(saturation, 0, 1)), float(np.clip(value, 0, 1))), np.float32
    )


def skin_tone(rng: np.random.Generator) -> np.ndarray:
    """Return a skin colour from the whole range of human skin."""
    position = rng.beta(0.9, 1.2) * (len(_SKIN) - 1)
    low = int(position)
    tone = _SKIN[low] + (position - low) * (_SKIN[min(low + 1, len(_SKIN) - 1)] - _SKIN[low])
    undertone = rng.normal(0, 0.018, 3) + rng.normal(0, 0.02) * np.array([1.0, 0.0, -0.6])
    return np.clip(tone * (1 + undertone), 0, 1).astype(np.float32)


def hair_colour(rng: np.random.Generator) -> np.ndarray:
    """Return a hair colour: mostly natural ones, now and then dyed."""
    if rng.random() < 0.04:
        return rgb(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9))
    colour = _HAIR[rng.choice(len(_HAIR), p=_HAIR_WEIGHTS / _HAIR_WEIGHTS.sum())]
    return np.clip(colour * rng.uniform(0.8, 1.25) + rng.normal(0, 0.012, 3), 0.02, 0.97).astype(np.float32)


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """Return a colour of clothes: black, white, grey, navy and muted ones are common, vivid ones less so."""
    kind = rng.random()
    if kind < 0.24:
        return np.full(3, rng.uniform(0.03, 0.2), np.float32) * (1 + rng.normal(0, 0.05, 3)).astype(np.float32)
    if kind < 0.44:
        return np.full(3, rng.uniform(0.72, 0.98), np.float32) * (1 + rng.normal(0, 0.02, 3)).astype(np.float32)
    if kind < 0.58:
        return rgb(rng.normal(0.61, 0.04), rng.uniform(0.3, 0.85), rng.uniform(0.12, 0.65))
    if kind < 0.78:
        return rgb(rng.random(), rng.uniform(0.1, 0.45), rng.uniform(0.25, 0.85))
    return rgb(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.35, 0.95))


def wall_colour(rng: np.random.Generator) -> np.ndarray:
    """Return a colour of walls: near-white, cream, pastel, skin-like, dark or vivid."""
    kind = rng.random()
    if kind < 0.34:
        return rgb(rng.uniform(0.05, 0.17), rng.uniform(0.0, 0.18), rng.uniform(0.6, 0.98))
    if kind < 0.5:
        return rgb(rng.random(), rng.uniform(0.05, 0.3), rng.uniform(0.45, 0.95))
    if kind < 0.66:
        return np.clip(skin_tone(rng) * rng.uniform(0.7, 1.1), 0, 1)
    if kind < 0.82:
        return rgb(rng.random(), rng.uniform(0.0, 0.3), rng.uniform(0.05, 0.35))
    return rgb(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.85))


def any_colour(rng: np.random.Generator) -> np.ndarray:
    """Return a colour of anything at all, the colours of people included."""
    chooser = (cloth_colour, wall_colour, skin_tone, hair_colour, cloth_colour)[rng.integers(5)]
    return chooser(rng)


def palette(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return ``count`` colours (count, 3) that go together: variations of one to three of them."""
    anchors = [any_colour(rng) for _ in range(rng.integers(1, 4))]
    picks = np.stack([anchors[rng.integers(len(anchors))] for _ in range(count)])
    return np.clip(picks * rng.uniform(0.6, 1.4, (count, 1)) + rng.normal(0, 0.05, (count, 3)), 0, 1).astype(np.float32)
