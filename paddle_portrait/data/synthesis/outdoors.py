"""Outdoors: sky, hills, foliage, grass, trunks, houses, streets, sea."""

from __future__ import annotations

import numpy as np

from paddle_portrait.data.synthesis.colours import any_colour, rgb, wall_colour
from paddle_portrait.data.synthesis.noise import fractal
from paddle_portrait.data.synthesis.painter import Painter


def _sky(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    kind = rng.random()
    if kind < 0.5:
        top = rgb(rng.normal(0.585, 0.02), rng.uniform(0.25, 0.75), rng.uniform(0.6, 1.0))
    elif kind < 0.8:
        top = np.full(3, rng.uniform(0.6, 1.0), np.float32)
    elif kind < 0.92:
        top = rgb(rng.uniform(0.95, 1.12), rng.uniform(0.2, 0.7), rng.uniform(0.5, 1.0))
    else:
        top = rgb(0.62, 0.5, rng.uniform(0.03, 0.2))
    low = np.clip(top * rng.uniform(0.7, 1.0) + rng.uniform(0.1, 0.3), 0, 1)
    t = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None] ** rng.uniform(0.6, 1.6)
    sky = np.broadcast_to(top + t * (low - top), (*shape, 3)).copy()
    clouds = np.clip(fractal(rng, shape, rng.uniform(1.5, 5), 5, 0.55, 0.4) + rng.uniform(-0.6, 0.3), 0, 1)[..., None]
    return sky + clouds * rng.uniform(0.2, 0.9) * (0.97 - sky)


def _foliage(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A wall of leaves in light and shade."""
    hue = rng.normal(0.27, 0.05) if rng.random() < 0.85 else rng.normal(0.08, 0.05)
    green = rgb(hue, rng.uniform(0.25, 0.85), rng.uniform(0.2, 0.65))
    masses = fractal(rng, shape, rng.uniform(3, 8), 3)
    leaves = fractal(rng, shape, rng.uniform(20, 70), 3, 0.8)
    light = np.clip(0.6 + 0.35 * masses + 0.4 * leaves, 0.05, 1.7)[..., None]
    picture = green * light
    gaps = np.clip((leaves + masses - 1.0) * 2, 0, 1)[..., None] * (rng.random() < 0.5)
    return picture + gaps * (np.array([0.9, 0.95, 1.0]) - picture)


def _ground(p: Painter, level: float) -> None:
    rng, rows = p.rng, round(level * p.height)
    if rows >= p.height:
        return
    shape = (p.height - rows, p.width)
    kind = rng.choice(["grass", "sand", "stone", "water"])
    if kind == "grass":
        part = (
            rgb(rng.normal(0.25, 0.04), rng.uniform(0.3, 0.8), rng.uniform(0.25, 0.7))
            * (1 + 0.35 * fractal(rng, shape, 50, 3, 0.8))[..., None]
        )
    elif kind == "water":
        part = (
            rgb(rng.normal(0.53, 0.05), rng.uniform(0.2, 0.7), rng.uniform(0.3, 0.8))
            * (1 + 0.2 * fractal(rng, shape, 20, 4, 0.7, 0.1))[..., None]
        )
    else:
        base = rgb(rng.uniform(0.05, 0.12), rng.uniform(0.0, 0.4), rng.uniform(0.3, 0.9))
        part = base * (1 + 0.15 * fractal(rng, shape, 12, 5, 0.7, 0.5))[..., None]
    p.rgb[rows:] = part


def _ridge(p: Painter, level: float, colour: np.ndarray, rough: float) -> None:
    x = np.linspace(-0.02, 1.02, 60)
    profile = level + rough * (
        np.interp(x, np.linspace(-0.1, 1.1, 6), p.rng.normal(0, 1, 6))
        + 0.25 * np.interp(x, np.linspace(-0.1, 1.1, 30), p.rng.normal(0, 1, 30))
    )
    p.polygon([*zip(x, profile, strict=True), (1.05, 1.1), (-0.05, 1.1)], colour)


def _hills(p: Painter, horizon: float) -> None:
    rng = p.rng
    base = rgb(rng.uniform(0.2, 0.62), rng.uniform(0.1, 0.5), rng.uniform(0.2, 0.6))
    haze = np.array([0.75, 0.8, 0.85])
    for k in range(int(rng.integers(1, 4))):
        far = 0.6 - 0.25 * k
        _ridge(p, horizon - 0.1 + 0.06 * k, base * (1 - far) + haze * far, 0.05)


def _trees(p: Painter, horizon: float) -> None:
    rng = p.rng
    leaves = _foliage(rng, (p.height, p.width))
    noise = fractal(rng, (p.height, p.width), rng.uniform(4, 9), 5, 0.6)
    y = np.arange(p.height, dtype=np.float32)[:, None] / p.height
    top = horizon - rng.uniform(0.1, 0.6)
    mask = np.clip((y - top + 0.16 * noise) * 25, 0, 1) * np.clip((horizon + 0.03 - y) * 40, 0, 1)
    p.rgb += mask[..., None] * (leaves - p.rgb)
    for _ in range(int(rng.integers(0, 4))):
        x, w = rng.random(), rng.uniform(0.01, 0.07)
        bark = rgb(0.08, rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.45))
        p.polygon([(x - w, 1.1), (x - w * 0.7, -0.1), (x + w * 0.5, -0.1), (x + w, 1.1)], bark)
        p.shadow([(x + w * 0.1, -0.1), (x + w * 0.5, -0.1), (x + w, 1.1), (x + w * 0.2, 1.1)], 0.5, w * 0.4)


def _houses(p: Painter, horizon: float) -> None:
    rng = p.rng
    x = rng.uniform(-0.3, 0.0)
    while x < 1.0:
        w, top = rng.uniform(0.15, 0.6), horizon - rng.uniform(0.2, 1.0)
        wall = wall_colour(rng) * rng.uniform(0.5, 1)
        p.rectangle(x, top, x + w, horizon + 0.05, wall)
        columns, rows = int(rng.integers(2, 8)), int(rng.integers(2, 9))
        glass = any_colour(rng) * 0.5 if rng.random() < 0.7 else np.array([1.0, 0.9, 0.6])
        for i in range(columns):
            for j in range(rows):
                left, up = x + w * (i + 0.22) / columns, top + (horizon - top) * (j + 0.2) / rows
                p.rectangle(
                    left,
                    up,
                    left + 0.55 * w / columns,
                    up + 0.55 * (horizon - top) / rows,
                    glass * rng.uniform(0.6, 1.2),
                )
        p.shadow([(x + w - 0.02, top), (x + w, top), (x + w, horizon), (x + w - 0.02, horizon)], 0.4, 0.01)
        x += w * rng.uniform(0.9, 1.4)


def _street(p: Painter, horizon: float) -> None:
    rng = p.rng
    for _ in range(int(rng.integers(1, 5))):
        x, y, w = rng.random(), horizon + rng.uniform(-0.02, 0.12), rng.uniform(0.1, 0.35)
        colour = any_colour(rng)
        p.polygon(
            [
                (x - w / 2, y),
                (x - w / 2.2, y - 0.04),
                (x - w / 4, y - 0.09),
                (x + w / 5, y - 0.09),
                (x + w / 3, y - 0.04),
                (x + w / 2, y - 0.02),
                (x + w / 2, y + 0.03),
                (x - w / 2, y + 0.03),
            ],
            colour,
        )
        p.polygon(
            [(x - w / 3, y - 0.04), (x - w / 4.5, y - 0.08), (x + w / 6, y - 0.08), (x + w / 4, y - 0.04)],
            np.full(3, 0.15),
        )
        for side in (-0.3, 0.3):
            p.disc(x + side * w, y + 0.03, 0.025, np.full(3, 0.06))
    if rng.random() < 0.5:
        x = rng.random()
        p.line([(x, 1.0), (x, -0.1)], np.full(3, rng.uniform(0.1, 0.6)), 0.015)


def outdoors(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a view outdoors as float32 (H, W, 3), not clipped."""
    kind = rng.choice(["leaves", "nature", "town", "sea"], p=[0.2, 0.35, 0.3, 0.15])
    if kind == "leaves":
        p = Painter(rng, _foliage(rng, shape))
        if rng.random() < 0.5:
            _trees(p, 1.1)
        return p.rgb
    p = Painter(rng, _sky(rng, shape))
    horizon = rng.uniform(0.3, 0.95)
    if kind == "nature" or rng.random() < 0.4:
        _hills(p, horizon)
    if kind == "town":
        _houses(p, horizon)
    _ground(p, horizon)
    if kind != "sea" and rng.random() < 0.6:
        _trees(p, horizon)
    if kind == "town" and rng.random() < 0.6:
        _street(p, horizon)
    if rng.random() < 0.2:
        p.glow(
            rng.random(),
            rng.uniform(-0.2, 0.3),
            rng.uniform(0.2, 0.8),
            np.array([1.0, 0.9, 0.7]) * rng.uniform(0.3, 1.2),
        )
    return np.maximum(p.rgb, 0)
