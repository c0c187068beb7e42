# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
"""Painting of one rounded, lit thing: the brush that limbs, clothes, hats and hands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, cover_of
from paddle_portrait.data.synthesis.cloth import folds
from paddle_portrait.data.synthesis.light import Light, inflate, shade

Texture = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Finish:
    """How a surface takes the light.

    Attributes:
        puff: over which distance from its rim the thing is round, in units of the frame.
        gloss: strength of the highlight.
        skin: whether light scatters under the surface.
        crease: depth of folds, 0 for none.
        contact: strength of the dark seam where it lies on what was painted before.
    """

    puff: float = 0.1
    gloss: float = 0.02
    skin: bool = False
    crease: float = 0.0
    contact: float = 0.0


def paint_solid(
    canvas: Canvas,
    frame: Frame,
    shapes: Sequence[np.ndarray],
    colour: np.ndarray | Texture,
    light: Light,
    finish: Finish,
    rng: np.random.Generator | None = None,
) -> None:
    """Paint the union of ``shapes`` (outlines in the frame's units) as one rounded thing of the person.

    ``colour`` is one colour, or a function from the frame's coordinates x, y to an albedo. ``rng`` draws the folds.
    """
    outlines = frame.pixels_of_all(shapes)
    box = Box.around(np.vstack(outlines), canvas.shape, 3 + 0.06 * frame.scale * (finish.contact > 0))
    if box is None:
        return
    cover = cover_of(outlines, box, 0.35)
    if finish.contact:
        fallen = [outline + (0.0, 0.015 * frame.scale) for outline in outlines]
        seam = cover_of(fallen, box, 0.035 * frame.scale) * canvas.alpha[box.slices]
        canvas.darken(box, finish.contact * seam)
    height = inflate(cover, finish.puff * frame.scale)
    if finish.crease and rng is not None:
        height = height + folds(rng, box.shape, frame.scale, finish.crease)
    albedo = colour(*frame.grid(box)) if callable(colour) else colour
    canvas.paint(box, cover, np.clip(shade(albedo, height, light, finish.gloss, 10, skin=finish.skin), 0, 1))
