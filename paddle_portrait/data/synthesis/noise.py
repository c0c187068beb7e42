"""Random textures: fractal noise, dead leaves, strands."""

from __future__ import annotations

import cv2
import numpy as np

from paddle_portrait.data.synthesis.colours import palette


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cells: float = 4.0,
    octaves: int = 4,
    roughness: float = 0.5,
    stretch: float = 1.0,
) -> np.ndarray:
    """Return value noise float32 of ``shape``, about -1 to 1.

    Args:
        rng: source of randomness.
        shape: height and width.
        cells: how many bumps of the lowest octave lie along the longer side.
        octaves: how many octaves are summed; those finer than a pixel are left out.
        roughness: amplitude ratio of an octave to the one before it.
        stretch: above 1 the bumps are longer along y, below 1 along x.
    """
    height, width = shape
    longer = max(height, width)
    total = np.zeros(shape, np.float32)
    amplitude = 1.0
    for _ in range(octaves):
        across = max(2, min(width, int(cells * width / longer * np.sqrt(stretch)) + 2))
        down = max(2, min(height, int(cells * height / longer / np.sqrt(stretch)) + 2))
        grain = rng.random((down, across), np.float32) * 2 - 1
        total += amplitude * cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
        if across >= width and down >= height:
            break
        amplitude *= roughness
        cells *= 2
    return total


def dead_leaves(rng: np.random.Generator, shape: tuple[int, int], count: int = 160, largest: float = 0.4) -> np.ndarray:
    """Return float32 (H, W, 3): overlapping discs, boxes and blobs of all sizes, as things hide each other in nature.

    Lee, Mumford and Huang 2001, "Occlusion models for natural images".
    """
    height, width = shape
    reach = max(shape)
    colours = palette(rng, 12)
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = colours[0]
    smallest = 0.025
    sizes = np.exp(rng.uniform(np.log(smallest), np.log(largest), count))
    centres = rng.random((count, 2)) * (width, height)
    kinds = rng.integers(0, 3, count)
    for size, centre, kind in zip(sizes, centres, kinds, strict=True):
        colour = [float(v) for v in np.clip(colours[rng.integers(12)] + rng.normal(0, 0.06, 3), 0, 1)]
        radius = size * reach * 0.5
        corners = int(rng.integers(5, 9)) if kind == 2 else 4 if kind == 1 else 14
        angles = (
            np.sort(rng.random(corners)) * 2 * np.pi
            if kind == 2
            else np.arange(corners) * 2 * np.pi / corners + rng.random()
        )
        outline = centre + radius * np.stack([np.cos(angles) * rng.uniform(0.4, 1), np.sin(angles)], axis=1)
        cv2.fillPoly(picture, [np.round(outline * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
    return picture


def strand_texture(rng: np.random.Generator, shape: tuple[int, int], bend: float = 0.1) -> np.ndarray:
    """Return float32 (H, W) about -1 to 1 that looks like hair, fur, grass or curtains seen from near."""
    height, width = shape
    streaks = fractal(rng, (max(2, height // 12), width), cells=width / 6, octaves=3, roughness=0.8, stretch=4.0)
    streaks = cv2.resize(streaks, (width, height), interpolation=cv2.INTER_LINEAR)
    shift = fractal(rng, shape, 2.0, 2) * bend * width
    x = np.arange(width, dtype=np.float32)[None, :] + shift
    y = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    return cv2.remap(streaks, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
