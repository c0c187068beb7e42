"""What is worn on the head: glasses, hats, hoods, headscarves, headphones, earrings."""

# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
from __future__ import annotations

import numpy as np

from paddle_portrait.data.synthesis.canvas import (
    Box,
    Canvas,
    Frame,
    cover_of,
    cover_of_lines,
    ellipse,
    limb,
    smooth_curve,
)
from paddle_portrait.data.synthesis.cloth import cloth, folds
from paddle_portrait.data.synthesis.head import HeadSurface
from paddle_portrait.data.synthesis.light import Light, inflate, shade
from paddle_portrait.data.synthesis.person import Person, Pose


def _fill(
    canvas: Canvas,
    frame: Frame,
    points: np.ndarray,
    colour: np.ndarray,
    light: Light,
    puff: float,
    gloss: float = 0.05,
    relief: np.random.Generator | None = None,
) -> None:
    pixels = frame.pixels(points)
    box = Box.around(pixels, canvas.shape, 3)
    if box is None:
        return
    cover = cover_of([pixels], box, 0.35)
    height = inflate(cover, puff * frame.scale)
    if relief is not None:
        height = height + folds(relief, box.shape, frame.scale, 0.5)
    canvas.paint(box, cover, np.clip(shade(colour, height, light, gloss, 10), 0, 1))


def draw_glasses(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint spectacles or sunglasses."""
    outfit, face = person.outfit, person.face
    surface = HeadSurface.of(face, pose)
    round_ = outfit.glasses_round
    width = max(1.0, (0.012 + 0.016 * (1 - round_)) * frame.scale)
    rims = []
    for side in (-1, 1):
        t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        c, s = np.cos(t), np.sin(t)
        power = 0.45 + 0.5 * round_
        shape = np.stack(
            [0.125 * np.sign(c) * np.abs(c) ** power, (0.07 + 0.04 * round_) * np.sign(s) * np.abs(s) ** power], 1
        )
        rims.append(surface.project(shape + (side * (face.eye_gap + 0.004), 0.035), 0.045))
    for rim in rims:
        pixels = frame.pixels(rim)
        box = Box.around(pixels, canvas.shape, 3 + width)
        if box is None:
            continue
        glass = cover_of([pixels], box)
        _, y = frame.grid(box)
        if outfit.glasses == "dark":
            tint = np.clip(outfit.frame_colour * 0.25 + (0.25 * np.clip((y - 0.02) * 5, 0, 1))[..., None], 0, 1)
            canvas.paint(box, glass * 0.95, tint)
        else:
            canvas.paint(box, glass * 0.1, np.ones(3))
        loop = np.vstack([pixels, pixels[:1]])
        canvas.paint(box, cover_of_lines(loop[None], box, width), outfit.frame_colour)
    bridge = surface.project(np.array([(-0.04, 0.02), (0, 0.008), (0.04, 0.02)]), 0.09)
    temples = [surface.project(np.array([(side * 0.27, 0.02), (side * 0.36, 0.03)]), 0.02) for side in (-1, 1)]
    for line in (bridge, *temples):
        pixels = frame.pixels(smooth_curve(line, 8) if len(line) > 2 else line)
        box = Box.around(pixels, canvas.shape, 3 + width)
        if box is not None:
            canvas.paint(box, cover_of_lines(pixels[None], box, width), outfit.frame_colour)


def _crown(person: Person, pose: Pose, lift: float, low: float) -> np.ndarray:
    """Return the outline of a close hat: from its left rim over the crown to its right rim."""
    reach = float(np.hypot(person.face.width * np.cos(pose.yaw), person.face.depth * np.sin(pose.yaw))) + lift
    t = np.linspace(np.pi, 2 * np.pi, 30)
    shift = -0.04 * np.sin(pose.yaw)
    return np.stack([np.cos(t) * reach + shift, low + np.sin(t) * (0.54 + lift + low)], 1)


def draw_hat(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint a cap, a beanie or a hat with a brim."""
    outfit = person.outfit
    rng = np.random.default_rng([person.seed, 8])
    kind, colour = outfit.hat, outfit.hat_colour
    if kind not in ("cap", "beanie", "brim"):
        return
    low = -0.2 if kind == "beanie" else -0.24
    crown = _crown(person, pose, 0.05 + 0.4 * person.hair.volume, low)
    rim = np.stack(
        [np.linspace(crown[-1, 0], crown[0, 0], 12), low + 0.05 * np.sin(np.linspace(0, np.pi, 12)) - 0.02], 1
    )
    _fill(canvas, frame, np.vstack([crown, rim]), colour, light, 0.3, 0.04, rng)
    dx = 0.5 * np.sin(pose.yaw)
    if kind == "beanie":
        band = np.vstack([rim + (0, -0.14), (rim + (0, 0.02))[::-1]])
        _fill(canvas, frame, band, np.clip(colour * 0.85, 0, 1), light, 0.06, 0.0, rng)
        if rng.random() < 0.3:
            _fill(canvas, frame, ellipse((dx * 0.2, -0.63), (0.12, 0.11)), outfit.accent, light, 0.1, 0.0, rng)
    elif kind == "cap":
        visor = smooth_curve(
            [
                (-0.33 + dx, low - 0.01),
                (dx, low - 0.1),
                (0.33 + dx, low - 0.01),
                (0.3 + dx * 1.4, low + 0.1),
                (dx * 1.5, low + 0.14 + 0.1 * pose.pitch),
                (-0.3 + dx * 1.4, low + 0.1),
            ],
            40,
            closed=True,
        )
        _shade_below(canvas, frame, visor + (0, 0.09))
        _fill(canvas, frame, visor, np.clip(colour * 0.9, 0, 1), light, 0.05)
    else:
        _shade_below(canvas, frame, ellipse((dx * 0.3, low + 0.12), (0.5, 0.14)))
        _fill(
            canvas,
            frame,
            ellipse((dx * 0.3, low), (0.68, 0.12 + 0.12 * abs(pose.pitch)), pose.yaw * 0.1),
            colour,
            light,
            0.05,
        )
        top = np.vstack([crown * (0.9, 1), (rim * (0.9, 1))])
        _fill(canvas, frame, top, colour, light, 0.3, 0.03, rng)
        band = np.vstack([rim * (0.9, 1) + (0, -0.1), (rim * (0.9, 1) + (0, -0.01))[::-1]])
        _fill(canvas, frame, band, outfit.accent, light, 0.05)


def _shade_below(canvas: Canvas, frame: Frame, points: np.ndarray) -> None:
    pixels = frame.pixels(points)
    box = Box.around(pixels, canvas.shape, 0.15 * frame.scale)
    if box is not None:
        canvas.darken(box, 0.4 * cover_of([pixels], box, 0.04 * frame.scale) * canvas.alpha[box.slices])


def draw_hood(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light, front: bool) -> None:
    """Paint a hood or a headscarf: its inside and back before the head, its front over the hair."""
    outfit = person.outfit
    scarf = person.hair.style == "headscarf"
    rng = np.random.default_rng([person.seed, 9])
    colour = outfit.hat_colour if scarf or outfit.garment != "hoodie" else outfit.colours[0]
    surface = HeadSurface.of(person.face, pose)
    shift = -0.06 * np.sin(pose.yaw)
    lift = 0.06 if scarf else 0.12
    outer = [
        (-0.3, 0.95),
        (-0.52 - lift, 0.55),
        (-0.45 - lift, 0.1),
        (-0.4 - lift, -0.25),
        (-0.2, -0.53 - lift),
        (0, -0.58 - lift),
    ]
    outer = np.array(outer + [(-x, y) for x, y in outer[-2::-1]]) + (shift, 0)
    outline = smooth_curve(outer, 60)
    if not front:
        _fill(canvas, frame, outline, np.clip(colour * 0.6, 0, 1), light, 0.3)
        return
    face = [(0, 0.56 if scarf else 0.75), (-0.24, 0.47), (-0.335, 0.2), (-0.335, -0.1), (-0.24, -0.3), (0, -0.36)]
    hole = smooth_curve(surface.project(np.array(face + [(-x, y) for x, y in face[-2:0:-1]]), 0.03), 60, closed=True)
    pixels, opening = frame.pixels(outline), frame.pixels(hole)
    box = Box.around(pixels, canvas.shape, 3)
    if box is None:
        return
    cover = cover_of([pixels], box, 0.35) * (1 - cover_of([opening], box, 0.35))
    x, y = frame.grid(box)
    pattern = outfit.pattern if scarf and outfit.pattern != "print" else "plain"
    albedo = cloth(rng, pattern, x, y, np.stack([colour, outfit.accent, outfit.under]), 0.8)
    height = inflate(cover, 0.16 * frame.scale) + folds(rng, box.shape, frame.scale, 1.0, 1.5)
    canvas.paint(box, cover, np.clip(shade(albedo, height, light, 0.03), 0, 1))


def draw_headphones(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint headphones with their band over the hair."""
    colour = person.outfit.frame_colour
    band = _crown(person, pose, 0.05 + person.hair.volume, 0.02)
    _fill(canvas, frame, limb(band[::3], (0.03, 0.045, 0.03)), colour, light, 0.04, 0.2)
    for side in (0, -1):
        if abs(pose.yaw) > 0.5 and (pose.yaw > 0) == (side == -1):
            continue
        x = band[side, 0]
        _fill(canvas, frame, ellipse((x, 0.06), (0.085 + 0.05 * abs(np.sin(pose.yaw)), 0.15)), colour, light, 0.08, 0.2)


def draw_earrings(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint earrings below the ear lobes."""
    for side in (-1, 1):
        if side * np.sin(pose.yaw) > 0.3:
            continue
        x = side * person.face.width * np.cos(pose.yaw) - 0.05 * np.sin(pose.yaw)
        _fill(
            canvas,
            frame,
            ellipse((x, 0.22), (0.018, 0.045)),
            np.clip(person.outfit.frame_colour + 0.35, 0, 1),
            light,
            0.03,
            0.4,
        )
