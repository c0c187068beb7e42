"""Bundles of single hairs, and how they are painted.

A *lock* is a patch between two curves whose strands run along it, from a parting to the tips; a *brush* is a patch
whose strands run across it, from the hairline outwards; *curls* are little arcs scattered over a region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_portrait.data.synthesis.canvas import (
    Box,
    Canvas,
    Frame,
    cover_of,
    draw_lines,
    new_board,
    shrink_board,
    smooth_curve,
    soften,
)
from paddle_portrait.data.synthesis.light import Light, inflate, shade
from paddle_portrait.data.synthesis.noise import fractal
from paddle_portrait.data.synthesis.person import Hair

_TONES = 9


@dataclass
class Strands:
    """Strands of one layer: ``lines`` (n, k, 2) in heads, and the filled shapes that they lie on."""

    lines: np.ndarray
    fills: list[np.ndarray]


def _waves(rng: np.random.Generator, lines: np.ndarray, amplitude: float, turns: float) -> np.ndarray:
    """Bend strands sideways in waves; neighbours bend alike because the phase changes slowly from one to the next."""
    n, k, _ = lines.shape
    phase = np.cumsum(rng.normal(0, 0.25, n))[:, None] + rng.uniform(0, 6.28)
    s = np.linspace(0, 1, k)[None]
    sway = amplitude * np.sin(phase + 2 * np.pi * turns * s) * np.minimum(1, 3 * s)
    tangent = np.gradient(lines, axis=1)
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
    return lines + normal * sway[..., None]


def lock(rng: np.random.Generator, hair: Hair, inner: np.ndarray, outer: np.ndarray, count: int) -> Strands:
    """Return strands that run along the patch between two curves (points from the parting to the tips)."""
    k = 16
    a, b = smooth_curve(inner, k), smooth_curve(outer, k)
    loose = count // 6
    q = np.sort(np.concatenate([rng.uniform(-0.015, 1.02, count - loose), 1 - 0.12 * rng.random(loose)]))
    wander = (0.02 + hair.mess * 0.06) * np.cumsum(rng.normal(0, 0.3, (count, k, 1)), axis=1)
    lines = a + (b - a) * (q[:, None, None] + wander)
    # Tips end at different lengths, bunch by bunch.
    bunch = np.interp(q, np.linspace(-0.1, 1.2, 9), rng.normal(0, 0.05, 9))
    ends = 1 + bunch + rng.normal(-0.03, 0.03 + 0.06 * hair.mess, count)
    s = np.linspace(0, 1, k)[None, :, None]
    lines = lines[:, :1] + (lines - lines[:, :1]) * (1 + (ends[:, None, None] - 1) * s**2)
    turns = 3.2 if hair.style in ("wavy", "curly_long") else 1.3
    lines = _waves(rng, lines, hair.curl + 0.004, turns * rng.uniform(0.8, 1.3))
    solid = np.vstack([smooth_curve(inner, 40)[:36], smooth_curve(outer, 40)[:36][::-1]])
    return Strands(lines, [solid])


def brush(
    rng: np.random.Generator, hair: Hair, roots: np.ndarray, tips: np.ndarray, count: int, bend: float = 0.0
) -> Strands:
    """Return strands that run from a curve of roots to a curve of tips, arched sideways by ``bend``."""
    fine_roots, fine_tips = smooth_curve(roots, 64), smooth_curve(tips, 64)
    at = np.sort(rng.random(count)) * 63
    start = _points_at(fine_roots, at)
    end = _points_at(fine_tips, np.clip(at + rng.normal(0, 1 + 4 * hair.mess, count), 0, 63))
    end = start + (end - start) * rng.uniform(0.8, 1.05 + 0.2 * hair.mess, count)[:, None]
    s = np.linspace(0, 1, 9)[None, :, None]
    across = (end - start)[:, ::-1] * np.array([-1, 1])
    lines = start[:, None] + (end - start)[:, None] * s + across[:, None] * bend * np.sin(np.pi * s * 0.8)
    return Strands(_waves(rng, lines, hair.curl, 1.5), [np.vstack([fine_roots, fine_tips[::-1]])])


def _points_at(curve: np.ndarray, at: np.ndarray) -> np.ndarray:
    index = np.arange(len(curve))
    return np.stack([np.interp(at, index, curve[:, axis]) for axis in (0, 1)], 1)


def curls(rng: np.random.Generator, region: np.ndarray, count: int, radius: float) -> Strands:
    """Return little arcs scattered over ``region`` (outline) and along its rim: curly hair."""
    low, high = region.min(0), region.max(0)
    centres = rng.uniform(low, high, (count, 2))
    inside = cover_of([(region - low) / (high - low) * 62], Box(0, 0, 64, 64)) > 0.5
    cell = ((centres - low) / (high - low) * 62).astype(int)
    rim = region[rng.integers(0, len(region), count // 4)] + rng.normal(0, radius * 0.5, (count // 4, 2))
    centres = np.vstack([centres[inside[cell[:, 1], cell[:, 0]]], rim])
    n = len(centres)
    sweep = rng.uniform(1.5, 4.5, (n, 1)) * rng.choice([-1, 1], (n, 1))
    angle = rng.uniform(0, 6.28, (n, 1)) + sweep * np.linspace(0, 1, 9)[None]
    size = radius * rng.uniform(0.3, 1.3, (n, 1)) * np.linspace(0.6, 1.3, 9)[None]
    lines = centres[:, None] + np.stack([size * np.cos(angle), size * np.sin(angle) * 0.8], -1)
    return Strands(lines, [region])


def _tones(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a tone 0 to 8 for each strand: neighbours belong to the same tress."""
    tress = np.interp(np.arange(count), np.arange(0, count + 8, 7), rng.normal(0, 2.0, len(range(0, count + 8, 7))))
    return np.clip(np.round(4 + tress + rng.normal(0, 1.3, count)), 0, _TONES - 1).astype(int)


def paint_strands(
    canvas: Canvas, frame: Frame, strands: Strands, hair: Hair, light: Light, rng: np.random.Generator, dim: float = 1.0
) -> None:
    """Paint one layer of hair: fills first, then every strand in one of a few tones; alpha is their union."""
    lines = frame.pixels(strands.lines)
    fills = frame.pixels_of_all(strands.fills)
    box = Box.around(np.vstack([lines.reshape(-1, 2), *fills]), canvas.shape)
    if box is None:
        return
    width = frame.scale * 0.0085 / detail_of(frame.scale)
    solid = cover_of(fills, box, 0.006 * frame.scale)
    tone_board, cover_board = new_board(box), new_board(box)
    tone_board[:] = 110
    tones = _tones(rng, len(lines))
    for tone in rng.permutation(_TONES):
        members = lines[tones == tone]
        if len(members):
            draw_lines(tone_board, members, box, int(64 + tone * 18), width * 1.2)
    draw_lines(cover_board, lines, box, 255, max(0.5, width * 0.7))
    tone = soften(shrink_board(tone_board, box), 0.35)
    cover = solid + (1 - solid) * shrink_board(cover_board, box) * min(0.9, width)
    height = inflate(solid, 0.22 * frame.scale) + (tone - 0.5) * 0.01 * frame.scale
    mix = np.clip(tone * 1.9 - 0.35, 0, 1)[..., None]
    patches = 1 + 0.12 * fractal(rng, box.shape, 4, 2)[..., None]
    albedo = (hair.colour * (1 - mix) + hair.streaks * mix) * (0.5 + tone[..., None]) * patches * dim
    gloss = (0.2 + 0.3 * hair.colour.mean()) * np.clip(tone - 0.25, 0, 1) * dim
    canvas.paint(box, cover, np.clip(shade(albedo, height, light, gloss, 7), 0, 1))


def detail_of(scale: float) -> float:
    """Return how many times as many strands a head of ``scale`` pixels shows as one of 110 pixels does."""
    return float(np.clip(scale / 110.0, 0.7, 3.5))
