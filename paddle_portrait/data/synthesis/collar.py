# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
"""What lies over neck and torso: collars, ties, lapels, buttons, hoods laid back, scarves, necklaces, straps."""

from __future__ import annotations

import numpy as np

from paddle_portrait.data.synthesis.body import Body
from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, cover_of_lines, ellipse, limb, smooth_curve
from paddle_portrait.data.synthesis.cloth import cloth
from paddle_portrait.data.synthesis.light import Light
from paddle_portrait.data.synthesis.person import Outfit, Person
from paddle_portrait.data.synthesis.solid import Finish, paint_solid

_Piece = tuple[list[np.ndarray], np.ndarray, Finish]
_FLAT = Finish(puff=0.03, crease=0.25, contact=0.35)
_THICK = Finish(puff=0.11, crease=0.5, contact=0.4)


def _shirt_collar(outfit: Outfit, neck: float, y: float) -> list[_Piece]:
    colour = np.clip((outfit.colours[0] if outfit.garment == "shirt" else outfit.under) * 1.06, 0, 1)
    flap = np.array(
        [(0.6 * neck, y - 0.1), (neck * 1.1, y - 0.04), (neck * 1.35, y + 0.15), (0.3 * neck, y + 0.32)]
        + [(0.02, y + 0.16), (0.3 * neck, y + 0.03)]
    )
    pieces: list[_Piece] = []
    if outfit.tie:
        half = [(0.055, y + 0.12), (0.04, y + 0.23), (0.1, y + 1.25)]
        tie = np.array(half + [(-px, py) for px, py in reversed(half)])
        pieces.append(([tie], outfit.accent, _FLAT))
    if outfit.garment == "shirt":
        buttons = [ellipse((0.0, y + 0.42 + 0.32 * k), (0.022, 0.022), count=12) for k in range(5)]
        pieces.append((buttons, np.clip(outfit.under, 0.1, 0.9), Finish(puff=0.02, contact=0.2)))
    return [*pieces, *(([flap * (side, 1)], colour, _FLAT) for side in (-1, 1))]


def _lapels(outfit: Outfit, neck: float, y: float) -> list[_Piece]:
    lapel = np.array(
        [(neck, y - 0.08), (neck * 1.5, y + 0.07), (neck * 2.0, y + 0.5), (neck * 1.75, y + 0.58)]
        + [(0.03, y + 1.08), (0.3 * neck, y + 0.56)]
    )
    return [([lapel * (side, 1)], np.clip(outfit.colours[0] * 0.93, 0, 1), _FLAT) for side in (-1, 1)]


def _hood(outfit: Outfit, neck: float, y: float) -> list[_Piece]:
    roll = [(0.02, y + 0.34), (neck * 0.9, y + 0.2), (neck * 1.25, y - 0.08), (neck * 1.75, y - 0.06)]
    shape = smooth_curve([*roll, (neck * 1.8, y + 0.2), (neck * 0.8, y + 0.48)], 40, closed=True)
    colour = np.clip(outfit.colours[0] * 0.97, 0, 1)
    cord = np.array([(0.1, y + 0.4), (0.12, y + 0.6), (0.1, y + 0.82)])
    pieces: list[_Piece] = [([shape * (side, 1)], colour, _THICK) for side in (-1, 1)]
    return pieces + [(limb(cord * (side, 1), (0.016, 0.016)), outfit.accent, _FLAT) for side in (-1, 1)]


def _straps(outfit: Outfit, y: float) -> list[_Piece]:
    strap = np.array([(0.46, y + 0.19), (0.58, y + 0.8), (0.6, y + 2.5)])
    return [(limb(strap * (side, 1), (0.075, 0.075)), outfit.hat_colour, _FLAT) for side in (-1, 1)]


def draw_collar(canvas: Canvas, frame: Frame, person: Person, body: Body, light: Light) -> None:
    """Paint the parts of an outfit that lie on neck and chest."""
    outfit, y, neck = person.outfit, body.neck_y, person.neck_width
    rng = np.random.default_rng([person.seed, 6])
    pieces: list[_Piece] = []
    if outfit.garment in ("shirt", "suit"):
        pieces += _shirt_collar(outfit, neck, y)
    if outfit.garment in ("suit", "jacket"):
        pieces += _lapels(outfit, neck, y)
    if outfit.garment == "hoodie":
        pieces += _hood(outfit, neck, y)
    if outfit.strap:
        pieces += _straps(outfit, y)
    for shapes, colour, finish in pieces:
        moved = [shape + (body.shift * 1.4, 0) for shape in shapes]
        paint_solid(canvas, frame, moved, colour, light, finish, rng)
    if outfit.scarf:
        _draw_scarf(canvas, frame, person, body, light, rng)
    elif outfit.necklace:
        _draw_necklace(canvas, frame, person, body)


def _draw_scarf(
    canvas: Canvas, frame: Frame, person: Person, body: Body, light: Light, rng: np.random.Generator
) -> None:
    outfit, y, side = person.outfit, body.neck_y, rng.choice([-1, 1])
    colours = np.stack([outfit.accent, outfit.colours[2], outfit.under])
    tail = limb(np.array([(side * 0.1, y + 0.2), (side * 0.2, y + 0.7), (side * 0.18, y + 1.3)]), (0.12, 0.15, 0.16))
    loops = [ellipse((0, y + 0.08 + 0.09 * k), (0.36 + 0.05 * k, 0.14), rng.normal(0, 0.12)) for k in range(2)]
    wool = Finish(puff=0.12, crease=1.2, contact=0.35)
    for shapes in (tail, [loops[0]], [loops[1]]):
        moved = [shape + (body.shift, 0) for shape in shapes]
        paint_solid(
            canvas,
            frame,
            moved,
            lambda x, v: cloth(rng, outfit.under_pattern, v * 1.2, x, colours, 0.7),
            light,
            wool,
            rng,
        )


def _draw_necklace(canvas: Canvas, frame: Frame, person: Person, body: Body) -> None:
    y, neck = body.neck_y, person.neck_width
    half = [(neck * 0.95, y + 0.02), (neck * 0.6, y + 0.2)]
    chain = smooth_curve([*half, (0, y + 0.3), *((-px, py) for px, py in reversed(half))], 30) + (body.shift, 0)
    pixels = frame.pixels(chain)
    box = Box.around(pixels, canvas.shape, 3)
    if box is not None:
        cover = cover_of_lines(pixels[None], box, max(0.6, 0.014 * frame.scale)) * 0.8
        canvas.paint(box, cover, np.clip(person.outfit.frame_colour + 0.3, 0, 1))
