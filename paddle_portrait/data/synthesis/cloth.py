"""Cloth: patterns over a garment's own coordinates, and folds."""

# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.data.synthesis.noise import dead_leaves, fractal


def _stripes(rng: np.random.Generator, along: np.ndarray, colours: np.ndarray, size: float) -> np.ndarray:
    period = 0.22 * size
    share = rng.uniform(0.2, 0.6)
    phase = np.mod(along / period, 1.0)
    edge = np.clip((np.abs(phase - 0.5) - share * 0.5) * 18 + 0.5, 0, 1)[..., None]
    return colours[0] * edge + colours[1] * (1 - edge)


def _plaid(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, colours: np.ndarray, size: float) -> np.ndarray:
    period = 0.3 * size
    across, down = (np.mod(v / period, 1.0) for v in (x, y))
    broad = 0.5 * ((across < 0.5).astype(np.float32) + (down < 0.5))
    thin = ((np.abs(across - 0.75) < 0.05) | (np.abs(down - 0.75) < 0.05)).astype(np.float32)
    base = colours[0] + broad[..., None] * (colours[1] - colours[0])
    return base + (0.6 * thin)[..., None] * (colours[2] - base)


def _dots(x: np.ndarray, y: np.ndarray, colours: np.ndarray, size: float) -> np.ndarray:
    period = 0.16 * size
    row = np.floor(y / period)
    dx = np.mod(x / period + 0.5 * np.mod(row, 2), 1.0) - 0.5
    dy = np.mod(y / period, 1.0) - 0.5
    dot = np.clip((0.28 - np.hypot(dx, dy)) * 12, 0, 1)[..., None]
    return colours[0] + dot * (colours[1] - colours[0])


def _lettering(rng: np.random.Generator, tile: np.ndarray, ink: np.ndarray) -> None:
    """Write rows of made-up letters: each a stroke through points of a 3 × 3 grid."""
    rows, height = int(rng.integers(1, 4)), tile.shape[0]
    high = height / rows
    for row in range(rows):
        letters = int(rng.integers(3, 8))
        wide = tile.shape[1] / letters
        thick = max(1, round(rng.uniform(0.08, 0.22) * min(wide, high)))
        for k in range(letters):
            grid = rng.integers(0, 3, (int(rng.integers(3, 6)), 2)) * 0.33 + 0.17
            points = (grid + (k, row)) * (wide, high)
            cv2.polylines(
                tile, [np.round(points * 16).astype(np.int32)], False, [float(v) for v in ink], thick, cv2.LINE_AA, 4
            )


def _print(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """A plain garment with lettering or a picture on the chest."""
    tile = np.empty((96, 128, 3), np.float32)
    tile[:] = colours[0]
    if rng.random() < 0.5:
        tile[8:88, 12:116] = dead_leaves(rng, (80, 104), 40)
    else:
        _lettering(rng, tile, colours[1])
    size, top = rng.uniform(0.55, 1.0), rng.uniform(1.05, 1.4)
    map_x = ((x / size + 0.5) * 127).astype(np.float32)
    map_y = ((y - top) / (size * 0.75) * 95).astype(np.float32)
    return cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _leaves(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, size: float) -> np.ndarray:
    tile = dead_leaves(rng, (96, 96), 220, 0.22)
    map_x = np.mod(x / size * 110, 191).astype(np.float32)
    map_y = np.mod(y / size * 110, 191).astype(np.float32)
    doubled = np.hstack([tile, tile[:, ::-1]])
    return cv2.remap(np.vstack([doubled, doubled[::-1]]), map_x, map_y, cv2.INTER_LINEAR)


def cloth(
    rng: np.random.Generator, pattern: str, x: np.ndarray, y: np.ndarray, colours: np.ndarray, size: float
) -> np.ndarray:
    """Return the albedo float32 (h, w, 3) of cloth with ``pattern`` at garment coordinates x, y (heads)."""
    if pattern == "stripes_h":
        return _stripes(rng, y, colours, size)
    if pattern == "stripes_v":
        return _stripes(rng, x, colours, size * 0.7)
    if pattern == "plaid":
        return _plaid(rng, x, y, colours, size)
    if pattern == "dots":
        return _dots(x, y, colours, size)
    if pattern == "print":
        return _print(rng, x, y, colours)
    if pattern == "leaves":
        return _leaves(rng, x, y, size)
    base = np.empty((*x.shape, 3), np.float32)
    base[:] = colours[0]
    if pattern == "heather":
        base *= 1 + 0.16 * fractal(rng, x.shape, 90, 2, 0.9)[..., None]
    elif pattern == "knit":
        base *= (1 + 0.14 * np.sin(x * 150 / size + 2 * np.abs(np.sin(y * 75 / size))))[..., None]
    elif pattern == "gradient":
        base += np.clip((y - 0.8) / 1.6, 0, 1)[..., None] * (colours[1] - colours[0])
    return base


def folds(
    rng: np.random.Generator, shape: tuple[int, int], scale: float, roughness: float, stretch: float = 2.0
) -> np.ndarray:
    """Return the height float32 in pixels of folds: soft swells with sharp creases between them."""
    cells = max(shape) / max(scale, 1.0) * 1.6
    swell = fractal(rng, shape, cells, 3, 0.5, stretch)
    creases = -np.abs(fractal(rng, shape, cells * 0.8, 3, 0.5, stretch))
    return ((0.035 * swell + 0.05 * creases) * roughness * scale).astype(np.float32)
