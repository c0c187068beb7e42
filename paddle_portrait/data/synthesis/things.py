"""Rounded, lit, patterned things for backgrounds: cushions, coats, vases, branches, furs.

They are painted with the brushes, the cloth and the light of the people, so that a network cannot tell a person by how
the picture was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from paddle_portrait.data.synthesis.canvas import Canvas, Frame, ellipse, limb, smooth_curve
from paddle_portrait.data.synthesis.cloth import cloth
from paddle_portrait.data.synthesis.colours import any_colour, hair_colour
from paddle_portrait.data.synthesis.light import Light
from paddle_portrait.data.synthesis.person import PATTERNS, Hair, choose, sample_person
from paddle_portrait.data.synthesis.solid import Finish, Texture, paint_solid
from paddle_portrait.data.synthesis.strands import brush, curls, paint_strands

_Thing = Callable[[np.random.Generator, Canvas, Frame, Light], None]


def _fabric(rng: np.random.Generator) -> np.ndarray | Texture:
    if rng.random() < 0.5:
        return any_colour(rng)
    pattern, size = choose(rng, PATTERNS), float(np.exp(rng.normal(0, 0.5)))
    colours = np.stack([any_colour(rng) for _ in range(3)])
    return lambda x, y: cloth(rng, pattern, x, y + 1.0, colours, size)


def _cushion(rng: np.random.Generator, canvas: Canvas, frame: Frame, light: Light) -> None:
    corners = int(rng.integers(5, 10))
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = rng.uniform(0.5, 1.0, (corners, 1))
    outline = smooth_curve(np.stack([np.cos(angle), np.sin(angle)], 1) * reach, 50, closed=True)
    finish = Finish(rng.uniform(0.05, 0.7), rng.uniform(0, 0.15), bool(rng.random() < 0.3), rng.uniform(0, 1.2))
    paint_solid(canvas, frame, [outline], _fabric(rng), light, finish, rng)


def _coat(rng: np.random.Generator, canvas: Canvas, frame: Frame, light: Light) -> None:
    top, low, long = rng.uniform(0.1, 0.6), rng.uniform(0.4, 0.9), rng.uniform(0.8, 2.0)
    half = [(top, -0.5), (top + 0.25, -0.2), (low, 0.4), (low, long)]
    outline = smooth_curve([*half, *((-x + rng.normal(0, 0.1), y) for x, y in reversed(half))], 60, closed=True)
    finish = Finish(rng.uniform(0.1, 0.4), 0.02, False, rng.uniform(0.3, 1.5))
    paint_solid(canvas, frame, [outline], _fabric(rng), light, finish, rng)


def _vase(rng: np.random.Generator, canvas: Canvas, frame: Frame, light: Light) -> None:
    half = [(rng.uniform(0.1, 0.5), y) for y in np.linspace(-0.8, 0.8, int(rng.integers(3, 6)))]
    curve = smooth_curve(half, 30)
    outline = np.vstack([curve, curve[::-1] * (-1, 1)])
    paint_solid(canvas, frame, [outline], any_colour(rng), light, Finish(0.4, rng.uniform(0, 0.5)), rng)


def _tube(rng: np.random.Generator, canvas: Canvas, frame: Frame, light: Light) -> None:
    joints = np.cumsum(rng.normal(0, 0.7, (int(rng.integers(3, 6)), 2)), axis=0)
    thick = rng.uniform(0.05, 0.3)
    shapes = limb(joints - joints.mean(0), tuple(thick * rng.uniform(0.5, 1.2, 3)), 24)
    skin = bool(rng.random() < 0.3)
    paint_solid(canvas, frame, shapes, _fabric(rng), light, Finish(thick, 0.05, skin, rng.uniform(0, 0.6)), rng)


def _ball(rng: np.random.Generator, canvas: Canvas, frame: Frame, light: Light) -> None:
    radius = rng.uniform(0.3, 0.7)
    outline = ellipse((0, 0), (radius, radius * rng.uniform(0.6, 1.3)), rng.uniform(0, 3))
    paint_solid(canvas, frame, [outline], _fabric(rng), light, Finish(radius, rng.uniform(0, 0.4)), rng)


def _fur(rng: np.random.Generator, canvas: Canvas, frame: Frame, light: Light) -> None:
    """A mop, a toy's fur, dry grass: strands without a head."""
    hair = _any_hair(rng)
    if rng.random() < 0.4:
        strands = curls(rng, ellipse((0, 0), (0.6, rng.uniform(0.3, 0.7))), 300, rng.uniform(0.03, 0.1))
    else:
        roots = smooth_curve([(-0.6, rng.normal(0, 0.2)), (0, rng.normal(-0.2, 0.3)), (0.6, rng.normal(0, 0.2))], 20)
        tips = roots * rng.uniform(0.6, 1.8) + (rng.normal(0, 0.3), rng.uniform(0.4, 1.3))
        strands = brush(rng, hair, roots, tips, 200, rng.normal(0, 0.2))
    paint_strands(canvas, frame, strands, hair, light, rng)


def _any_hair(rng: np.random.Generator) -> Hair:
    hair = sample_person(rng).hair
    colour = hair_colour(rng) if rng.random() < 0.7 else any_colour(rng)
    return replace(hair, colour=colour, streaks=np.clip(colour * 1.3, 0, 1))


_THINGS: tuple[_Thing, ...] = (_cushion, _cushion, _coat, _vase, _tube, _ball, _fur)


def add_things(rng: np.random.Generator, picture: np.ndarray, light: Light) -> np.ndarray:
    """Scatter one to five things over a background float32 (H, W, 3) and return it; no alpha comes of them."""
    canvas = Canvas(picture)
    height, width = canvas.shape
    for _ in range(int(rng.integers(1, 6))):
        scale = max(height, width) * float(np.exp(rng.uniform(np.log(0.05), np.log(0.35))))
        place = (float(rng.uniform(-0.1, 1.1) * width), float(rng.uniform(0.0, 1.1) * height))
        frame = Frame(scale, float(rng.normal(0, 0.3)), place)
        _THINGS[rng.integers(len(_THINGS))](rng, canvas, frame, light)
    return canvas.rgb
