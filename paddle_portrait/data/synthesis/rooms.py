"""Rooms: walls with a corner, windows, doors, shelves, pictures, lamps, plants, sofas, wardrobes."""

# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from paddle_portrait.data.synthesis.canvas import ellipse
from paddle_portrait.data.synthesis.colours import any_colour, cloth_colour, rgb, skin_tone, wall_colour
from paddle_portrait.data.synthesis.noise import dead_leaves, fractal, strand_texture
from paddle_portrait.data.synthesis.painter import Painter


def _wall_texture(rng: np.random.Generator, shape: tuple[int, int], colour: np.ndarray) -> np.ndarray:
    height, width = shape
    y = np.arange(height, dtype=np.float32)[:, None] / width
    x = np.arange(width, dtype=np.float32)[None, :] / width
    kind = rng.choice(["plain", "stripes", "brick", "planks", "tiles", "paper"], p=[0.58, 0.07, 0.1, 0.11, 0.07, 0.07])
    tone = np.ones(shape, np.float32)
    if kind == "stripes":
        tone += rng.uniform(0.04, 0.25) * np.sign(np.sin(x * rng.uniform(20, 90))) + 0 * y
    elif kind == "brick":
        high = rng.uniform(0.03, 0.09)
        row = np.floor(y / high)
        column = np.floor(x / (2.4 * high) + 0.5 * np.mod(row, 2))
        jitter = np.mod(np.sin(row * 12.9898 + column * 78.233) * 43758.5453, 1.0)
        joint = (np.mod(y / high, 1) < 0.12) | (np.mod(x / (2.4 * high) + 0.5 * np.mod(row, 2), 1) < 0.06)
        tone = np.where(joint, rng.uniform(0.6, 1.3), 1 + rng.uniform(0.03, 0.3) * (jitter - 0.5)).astype(np.float32)
    elif kind == "planks":
        wide, upright = rng.uniform(0.06, 0.2), rng.random() < 0.6
        along = x + 0 * y if upright else y + 0 * x
        board = np.floor(along / wide)
        grain = fractal(rng, shape, 20, 4, 0.7, 12.0 if upright else 0.08)
        wood = 0.85 + 0.25 * np.mod(np.sin(board * 12.9898) * 43758.5453, 1.0) + 0.1 * grain
        tone = np.where(np.mod(along / wide, 1) < 0.03, wood * 0.5, wood).astype(np.float32)
    elif kind == "tiles":
        side = rng.uniform(0.06, 0.25)
        joint = (np.mod(y / side, 1) < 0.04) | (np.mod(x / side, 1) < 0.04)
        tone = np.where(joint, rng.uniform(0.5, 1.2), 1.0).astype(np.float32)
    elif kind == "paper":
        period = rng.uniform(0.05, 0.15)
        tone += rng.uniform(0.05, 0.3) * (np.sin(x / period * 6.28) * np.sin(y / period * 6.28) > rng.uniform(0.2, 0.7))
    tone *= 1 + rng.uniform(0.005, 0.05) * fractal(rng, shape, rng.uniform(3, 30), 4, 0.7)
    return colour * tone[..., None]


def _window(p: Painter) -> None:
    rng = p.rng
    x, y, w, h = rng.uniform(-0.2, 0.9), rng.uniform(-0.2, 0.3), rng.uniform(0.25, 0.7), rng.uniform(0.3, 0.7)
    frame = wall_colour(rng) * 0.6 + 0.35
    p.rectangle(x - 0.02, y - 0.02, x + w + 0.02, y + h + 0.02, frame)
    if rng.random() < 0.5:
        view = np.full((24, 24, 3), rng.uniform(0.85, 1.15), np.float32)
    else:
        sky = rgb(rng.normal(0.57, 0.03), rng.uniform(0.1, 0.5), rng.uniform(0.6, 1.0))
        view = np.linspace(1, 0.9, 48, dtype=np.float32)[:, None, None] * np.broadcast_to(sky, (48, 48, 3)).copy()
        view[int(rng.integers(20, 44)) :] = (
            dead_leaves(rng, (48, 48), 50)[:48][: 48 - 20][:1] * 0.5 + rgb(0.3, 0.4, 0.4) * 0.5
        )
    if rng.random() < 0.15:
        view = view * 0.08
    p.paste(x, y, x + w, y + h, view.astype(np.float32))
    for k in range(1, int(rng.integers(2, 4))):
        p.line([(x + w * k / 2, y), (x + w * k / 2, y + h)], frame * 0.9, 0.015)
    if rng.random() < 0.3:
        for k in range(14):
            p.line([(x, y + h * k / 14), (x + w, y + h * k / 14)], frame * rng.uniform(0.7, 1), 0.008)
    if rng.random() < 0.5:
        _curtain(p, x - 0.1, y - 0.05, rng.uniform(0.1, 0.3))
        _curtain(p, x + w - 0.1, y - 0.05, rng.uniform(0.1, 0.3))
    p.glow(x + w / 2, y + h / 2, w, np.full(3, rng.uniform(0, 0.25)))


def _curtain(p: Painter, x: float, y: float, width: float) -> None:
    folds = strand_texture(p.rng, (40, 48), 0.06)
    p.paste(
        x, y, x + width, 1.05, np.clip(cloth_colour(p.rng) * (0.8 + 0.35 * folds[..., None]), 0, 1).astype(np.float32)
    )


def _curtains(p: Painter) -> None:
    _curtain(p, p.rng.uniform(-0.2, 0.9), p.rng.uniform(-0.1, 0.2), p.rng.uniform(0.2, 0.8))


def _door(p: Painter) -> None:
    rng = p.rng
    x, y, w = rng.uniform(-0.2, 0.9), rng.uniform(-0.3, 0.25), rng.uniform(0.25, 0.5)
    colour = wall_colour(rng)
    p.shadow([(x - 0.03, y - 0.02), (x + w + 0.03, y - 0.02), (x + w + 0.03, 1.1), (x - 0.03, 1.1)], 0.3, 0.02)
    p.rectangle(x - 0.025, y - 0.02, x + w + 0.025, 1.1, np.clip(colour * 1.1, 0, 1))
    p.rectangle(x, y, x + w, 1.1, colour)
    for row in range(2):
        top = y + 0.06 + 0.42 * row
        for column in range(2):
            left = x + w * (0.12 + 0.44 * column)
            p.rectangle(left, top, left + w * 0.33, top + 0.34, colour * 0.85)
            p.rectangle(left + 0.012, top + 0.012, left + w * 0.33, top + 0.34, colour * 1.03)
    p.disc(x + w * 0.9, y + 0.5, 0.015, (0.7, 0.65, 0.5))


def face_picture(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A flat drawing of a head, as on posters and framed photos: it looks like a person and is none."""
    p = Painter(rng, np.broadcast_to(any_colour(rng), (*shape, 3)).copy())
    skin, dark = skin_tone(rng), any_colour(rng) * 0.3
    ratio = shape[1] / shape[0]
    head = ellipse((0.5, 0.42), (0.2, 0.27 * ratio))
    p.polygon([(0.1, 1), (0.2, 0.78), (0.42, 0.68), (0.58, 0.68), (0.8, 0.78), (0.9, 1)], cloth_colour(rng))
    p.polygon((head - (0.5, 0.42)) * (1.3, 1.25) + (0.5, 0.39), dark)
    p.polygon(head, skin)
    for side in (-1, 1):
        p.disc(0.5 + side * 0.08, 0.4, 0.025, dark)
    p.line([(0.43, 0.53), (0.5, 0.55), (0.57, 0.53)], skin * 0.5, 0.03)
    return p.rgb


def _picture(p: Painter) -> None:
    rng = p.rng
    x, y = rng.uniform(-0.1, 0.85), rng.uniform(-0.1, 0.5)
    w = rng.uniform(0.1, 0.4)
    h = w * rng.uniform(0.6, 1.5)
    frame, margin = any_colour(rng) * rng.uniform(0.3, 1), rng.uniform(0.005, 0.03)
    p.shadow([(x, y), (x + w + 0.02, y), (x + w + 0.02, y + h + 0.03), (x, y + h + 0.03)], 0.35, 0.012)
    p.rectangle(x - margin, y - margin, x + w + margin, y + h + margin, frame)
    size = (64, 64)
    kind = rng.random()
    art = (
        face_picture(rng, size)
        if kind < 0.35
        else dead_leaves(rng, size, 60)
        if kind < 0.8
        else np.full((*size, 3), rng.uniform(0.7, 1), np.float32)
    )
    p.paste(x, y, x + w, y + h, art)


def _shelf(p: Painter) -> None:
    rng = p.rng
    x, y, w = rng.uniform(-0.2, 0.7), rng.uniform(-0.15, 0.25), rng.uniform(0.3, 0.9)
    wood = wall_colour(rng) * rng.uniform(0.4, 1)
    rows = int(rng.integers(2, 6))
    high = rng.uniform(0.13, 0.24)
    if rng.random() < 0.7:
        p.rectangle(x, y, x + w, y + rows * high, wood * 0.55)
    for row in range(rows):
        base = y + (row + 1) * high
        at = x + 0.01
        while at < x + w - 0.03:
            if rng.random() < 0.12:
                at += rng.uniform(0.02, 0.12)
                continue
            wide, tall = rng.uniform(0.012, 0.045), high * rng.uniform(0.5, 0.88)
            lean = rng.normal(0, 0.006)
            colour = any_colour(rng)
            p.polygon(
                [(at + lean, base - tall), (at + wide + lean, base - tall), (at + wide, base), (at, base)], colour
            )
            p.line([(at + lean, base - tall), (at, base)], colour * 0.5, 0.003)
            if rng.random() < 0.5:
                p.rectangle(at, base - tall * 0.8, at + wide, base - tall * 0.65, any_colour(rng))
            at += wide + 0.002
        p.rectangle(x - 0.01, base, x + w + 0.01, base + 0.018, wood)
        p.shadow([(x, base + 0.02), (x + w, base + 0.02), (x + w, base + 0.045), (x, base + 0.045)], 0.5, 0.008)


def _lamp(p: Painter) -> None:
    rng = p.rng
    x, y, s = rng.random(), rng.uniform(0.0, 0.6), rng.uniform(0.06, 0.16)
    lit = rng.random() < 0.7
    shade = rgb(rng.uniform(0.08, 0.14), rng.uniform(0.1, 0.4), 1.0) if lit else any_colour(rng)
    p.line([(x, y), (x, 1.1)], any_colour(rng) * 0.5, 0.012)
    p.polygon([(x - s * 0.6, y - s), (x + s * 0.6, y - s), (x + s, y + s * 0.6), (x - s, y + s * 0.6)], shade)
    if lit:
        p.glow(x, y, s * 3, np.array([0.7, 0.55, 0.35]) * rng.uniform(0.3, 1))


def _plant(p: Painter) -> None:
    rng = p.rng
    x, y = rng.uniform(0, 1), rng.uniform(0.4, 1.0)
    size = rng.uniform(0.12, 0.4)
    green = rgb(rng.normal(0.31, 0.05), rng.uniform(0.3, 0.8), rng.uniform(0.15, 0.6))
    p.polygon([(x - 0.08, y), (x + 0.08, y), (x + 0.06, y + 0.2), (x - 0.06, y + 0.2)], any_colour(rng))
    for _ in range(int(rng.integers(14, 50))):
        angle, reach = rng.normal(-1.57, 0.8), size * rng.uniform(0.3, 1)
        tip = (x + np.cos(angle) * reach, y + np.sin(angle) * reach * 1.1)
        wide = rng.uniform(0.012, 0.045)
        middle = ((x + tip[0]) / 2, (y + tip[1]) / 2)
        across = (-np.sin(angle) * wide, np.cos(angle) * wide)
        p.polygon(
            [
                (x, y),
                (middle[0] + across[0], middle[1] + across[1]),
                tip,
                (middle[0] - across[0], middle[1] - across[1]),
            ],
            green * rng.uniform(0.5, 1.4),
        )


def _sofa(p: Painter) -> None:
    rng = p.rng
    colour = cloth_colour(rng)
    top, x0, x1 = rng.uniform(0.45, 0.85), rng.uniform(-0.5, 0.2), rng.uniform(0.7, 1.5)
    p.shadow([(x0, top - 0.03), (x1, top - 0.03), (x1, 1.1), (x0, 1.1)], 0.4, 0.03)
    t = np.linspace(0, np.pi, 12)
    p.polygon(
        [(x0 + 0.06 - 0.06 * np.cos(v), top + 0.06 - 0.06 * np.sin(v)) for v in t[:6]]
        + [(x1 - 0.06 - 0.06 * np.cos(v), top + 0.06 - 0.06 * np.sin(v)) for v in t[6:]]
        + [(x1, 1.1), (x0, 1.1)],
        colour,
    )
    for k in range(int(rng.integers(2, 4))):
        left = x0 + (x1 - x0) * k / 3
        p.shadow([(left, top + 0.02), (left + 0.012, top + 0.02), (left + 0.012, 1.1), (left, 1.1)], 0.6, 0.012)
    if rng.random() < 0.6:
        x, y, s = rng.uniform(x0, x1), top + 0.1, rng.uniform(0.08, 0.16)
        p.polygon([(x - s, y - s), (x + s, y - s * 1.1), (x + s * 0.95, y + s), (x - s * 1.05, y + s)], any_colour(rng))


def _clothes_rail(p: Painter) -> None:
    """Clothes on hangers: they look like torsos without being one."""
    rng = p.rng
    x, y = rng.uniform(-0.1, 0.6), rng.uniform(0.0, 0.4)
    p.line([(x - 0.05, y), (x + 0.55, y)], any_colour(rng) * 0.5, 0.012)
    for k in range(int(rng.integers(1, 6))):
        cx, colour, w = x + 0.1 * k, cloth_colour(rng), rng.uniform(0.1, 0.22)
        p.line([(cx, y), (cx, y + 0.05)], np.full(3, 0.3), 0.006)
        p.polygon(
            [
                (cx - 0.03, y + 0.05),
                (cx + 0.03, y + 0.05),
                (cx + w, y + 0.13),
                (cx + w * 0.9, y + 0.3),
                (cx + w * 0.7, y + 0.28),
                (cx + w * 0.7, y + 0.7),
                (cx - w * 0.7, y + 0.7),
                (cx - w * 0.7, y + 0.28),
                (cx - w * 0.9, y + 0.3),
                (cx - w, y + 0.13),
            ],
            colour,
        )
        p.shadow([(cx - 0.02, y + 0.1), (cx + 0.02, y + 0.1), (cx + 0.04, y + 0.7), (cx, y + 0.7)], 0.4, 0.02)


def _chair(p: Painter) -> None:
    rng = p.rng
    x, y, w = rng.uniform(-0.1, 0.8), rng.uniform(0.3, 0.75), rng.uniform(0.25, 0.5)
    colour = any_colour(rng) * rng.uniform(0.3, 1)
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    back = np.stack(
        [x + w / 2 + w / 2 * np.sign(c) * np.abs(c) ** 0.4, y + 0.3 + 0.3 * np.sign(s) * np.abs(s) ** 0.4], 1
    )
    p.shadow(back + (0.02, 0.02), 0.4, 0.02)
    p.polygon(back, colour)
    p.shadow((back - back.mean(0)) * 0.8 + back.mean(0), 0.25, 0.03)


def _screen(p: Painter) -> None:
    rng = p.rng
    x, y, w = rng.uniform(-0.1, 0.7), rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.5)
    p.rectangle(x, y, x + w, y + w * 0.75, np.full(3, 0.05))
    content = (
        dead_leaves(rng, (32, 48), 40) if rng.random() < 0.6 else np.full((8, 8, 3), rng.uniform(0.03, 1), np.float32)
    )
    p.paste(x + 0.012, y + 0.012, x + w - 0.012, y + w * 0.75 - 0.012, content)


def _cupboard(p: Painter) -> None:
    rng = p.rng
    x, y, w = rng.uniform(-0.3, 0.7), rng.uniform(-0.2, 0.6), rng.uniform(0.3, 0.9)
    colour = wall_colour(rng)
    p.shadow([(x, y), (x + w + 0.03, y), (x + w + 0.03, 1.2), (x, 1.2)], 0.35, 0.02)
    p.rectangle(x, y, x + w, 1.2, colour)
    for k in range(1, int(rng.integers(2, 5))):
        at = x + w * k / 4
        p.line([(at, y), (at, 1.2)], colour * 0.55, 0.006)
        p.disc(at - 0.02, y + 0.35, 0.009, colour * 0.4)


_THINGS: dict[Callable[[Painter], None], int] = {
    _window: 7, _curtains: 4, _door: 5, _picture: 9, _shelf: 7, _lamp: 4, _plant: 5, _sofa: 5, _clothes_rail: 3,
    _chair: 5, _screen: 4, _cupboard: 5,
}  # fmt: skip


def room(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return a room as float32 (H, W, 3), not clipped."""
    colour = wall_colour(rng)
    p = Painter(rng, _wall_texture(rng, shape, colour))
    if rng.random() < 0.45:
        corner, drop = rng.uniform(0.05, 0.95), rng.uniform(-0.2, 0.2)
        side = [(corner, -0.1), (1.1, -0.1), (1.1, 1.1), (corner, 1.1)]
        p.shadow(side, rng.uniform(0.08, 0.35), 0.004)
        if rng.random() < 0.5:
            p.polygon(
                [(-0.1, drop + 0.1), (corner, 0.12), (1.1, drop + 0.05), (1.1, -0.4), (-0.1, -0.4)],
                np.clip(colour * 0.5 + 0.45, 0, 1),
            )
    if rng.random() < 0.3:
        level = rng.uniform(0.65, 0.98)
        floor = _wall_texture(rng, shape, wall_colour(rng) * 0.8)
        rows = round(level * shape[0])
        p.rgb[rows:] = floor[rows:]
        p.line([(0, level), (1, level)], np.clip(colour * 1.2, 0, 1), 0.02)
    things = list(_THINGS)
    weights = np.array(list(_THINGS.values()), np.float64)
    for index in rng.choice(len(things), int(rng.integers(0, 7)), p=weights / weights.sum()):
        things[index](p)
    glow = np.array([1.0, 0.92, 0.8]) * rng.uniform(-0.05, 0.25)
    p.glow(rng.uniform(-0.2, 1.2), rng.uniform(-0.4, 0.4), rng.uniform(0.5, 1.5), glow)
    p.rgb *= (1 + rng.normal(0, 0.18) * np.linspace(-1, 1, shape[1], dtype=np.float32))[None, :, None]
    return np.maximum(p.rgb, 0)


def blurred(picture: np.ndarray, sigma: float, discs: bool) -> np.ndarray:
    """Put a background out of focus: by a Gaussian, or by discs as a lens does (brighter spots stay round)."""
    if sigma < 0.4:
        return picture
    if not discs:
        return cv2.GaussianBlur(picture, (0, 0), sigma)
    size = max(1, round(sigma * 1.6))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1)).astype(np.float32)
    bright = picture**2
    return np.sqrt(np.maximum(cv2.filter2D(bright, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT), 0))
