# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
"""What is worn on the head: glasses, hats, hoods, headscarves, headphones, earrings."""

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
from paddle_portrait.data.synthesis.solid import Finish, paint_solid

_FELT = Finish(puff=0.3, gloss=0.04, crease=0.5)
_BRIM = Finish(puff=0.05, gloss=0.04)


def draw_glasses(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint spectacles or sunglasses."""
    outfit, face = person.outfit, person.face
    surface = HeadSurface.of(face, pose)
    width = max(1.0, (0.012 + 0.016 * (1 - outfit.glasses_round)) * frame.scale)
    t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    power, tall = 0.45 + 0.5 * outfit.glasses_round, 0.07 + 0.04 * outfit.glasses_round
    shape = np.stack([0.125 * np.sign(c) * np.abs(c) ** power, tall * np.sign(s) * np.abs(s) ** power], 1)
    for side in (-1, 1):
        rim = frame.pixels(surface.project(shape + (side * (face.eye_gap + 0.004), 0.035), 0.045))
        box = Box.around(rim, canvas.shape, 3 + width)
        if box is None:
            continue
        glass = cover_of([rim], box)
        if outfit.glasses == "dark":
            _, y = frame.grid(box)
            mirrored = (0.25 * np.clip((y - 0.02) * 5, 0, 1))[..., None]
            canvas.paint(box, glass * 0.95, np.clip(outfit.frame_colour * 0.25 + mirrored, 0, 1))
        else:
            canvas.paint(box, glass * 0.1, np.ones(3))
        canvas.paint(box, cover_of_lines(np.vstack([rim, rim[:1]])[None], box, width), outfit.frame_colour)
    lines = [surface.project(np.array([(-0.04, 0.02), (0, 0.008), (0.04, 0.02)]), 0.09)]
    lines += [surface.project(np.array([(side * 0.27, 0.02), (side * 0.36, 0.03)]), 0.02) for side in (-1, 1)]
    for line in lines:
        pixels = frame.pixels(line)
        box = Box.around(pixels, canvas.shape, 3 + width)
        if box is not None:
            canvas.paint(box, cover_of_lines(pixels[None], box, width), outfit.frame_colour)


def _crown(person: Person, pose: Pose, lift: float, low: float) -> np.ndarray:
    """Return the outline of a close hat: from its left rim over the crown to its right rim."""
    wide, deep = person.face.width * np.cos(pose.yaw), person.face.depth * np.sin(pose.yaw)
    t = np.linspace(np.pi, 2 * np.pi, 30)
    x = np.cos(t) * (float(np.hypot(wide, deep)) + lift) - 0.04 * np.sin(pose.yaw)
    return np.stack([x, low + np.sin(t) * (0.54 + lift + low)], 1)


def draw_hat(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint a cap, a beanie or a hat with a brim."""
    kind = person.outfit.hat
    if kind not in ("cap", "beanie", "brim"):
        return
    rng = np.random.default_rng([person.seed, 8])
    low = -0.2 if kind == "beanie" else -0.24
    crown = _crown(person, pose, 0.05 + 0.4 * person.hair.volume, low)
    sag = 0.05 * np.sin(np.linspace(0, np.pi, 12)) - 0.02
    rim = np.stack([np.linspace(crown[-1, 0], crown[0, 0], 12), low + sag], 1)
    paint_solid(canvas, frame, [np.vstack([crown, rim])], person.outfit.hat_colour, light, _FELT, rng)
    trim = {"beanie": _trim_beanie, "cap": _trim_cap, "brim": _trim_brim}[kind]
    trim(canvas, frame, person, pose, light, crown, rim, rng)


def _trim_beanie(
    canvas: Canvas,
    frame: Frame,
    person: Person,
    pose: Pose,
    light: Light,
    crown: np.ndarray,
    rim: np.ndarray,
    rng: np.random.Generator,
) -> None:
    band = np.vstack([rim + (0, -0.14), (rim + (0, 0.02))[::-1]])
    paint_solid(
        canvas, frame, [band], np.clip(person.outfit.hat_colour * 0.85, 0, 1), light, Finish(0.06, 0.0, crease=0.5), rng
    )
    if rng.random() < 0.3:
        bobble = ellipse((0.1 * np.sin(pose.yaw), -0.63), (0.12, 0.11))
        paint_solid(canvas, frame, [bobble], person.outfit.accent, light, Finish(0.1, 0.0, crease=1.0), rng)


def _trim_cap(
    canvas: Canvas,
    frame: Frame,
    person: Person,
    pose: Pose,
    light: Light,
    crown: np.ndarray,
    rim: np.ndarray,
    rng: np.random.Generator,
) -> None:
    dx, low = 0.5 * np.sin(pose.yaw), rim[0, 1]
    tip = low + 0.14 + 0.1 * pose.pitch
    knots = [(-0.33 + dx, low), (dx, low - 0.1), (0.33 + dx, low), (0.3 + dx * 1.4, low + 0.1), (dx * 1.5, tip)]
    visor = smooth_curve([*knots, (-0.3 + dx * 1.4, low + 0.1)], 40, closed=True)
    _shade_below(canvas, frame, visor + (0, 0.09))
    paint_solid(canvas, frame, [visor], np.clip(person.outfit.hat_colour * 0.9, 0, 1), light, _BRIM)


def _trim_brim(
    canvas: Canvas,
    frame: Frame,
    person: Person,
    pose: Pose,
    light: Light,
    crown: np.ndarray,
    rim: np.ndarray,
    rng: np.random.Generator,
) -> None:
    outfit, dx, low = person.outfit, 0.15 * np.sin(pose.yaw), rim[0, 1]
    _shade_below(canvas, frame, ellipse((dx, low + 0.12), (0.5, 0.14)))
    brim = ellipse((dx, low), (0.68, 0.12 + 0.12 * abs(pose.pitch)), pose.yaw * 0.1)
    paint_solid(canvas, frame, [brim], outfit.hat_colour, light, _BRIM)
    narrow = rim * (0.9, 1)
    paint_solid(canvas, frame, [np.vstack([crown * (0.9, 1), narrow])], outfit.hat_colour, light, _FELT, rng)
    band = np.vstack([narrow + (0, -0.1), (narrow + (0, -0.01))[::-1]])
    paint_solid(canvas, frame, [band], outfit.accent, light, _BRIM)


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
    lift = 0.06 if scarf else 0.12
    half = [(-0.3, 0.95), (-0.52 - lift, 0.55), (-0.45 - lift, 0.1), (-0.4 - lift, -0.25), (-0.2, -0.53 - lift)]
    knots = np.array([*half, (0, -0.58 - lift), *((-x, y) for x, y in reversed(half))])
    outline = smooth_curve(knots + (-0.06 * np.sin(pose.yaw), 0), 60)
    if not front:
        paint_solid(canvas, frame, [outline], np.clip(colour * 0.6, 0, 1), light, Finish(0.3))
        return
    side = [(-0.24, 0.47), (-0.335, 0.2), (-0.335, -0.1), (-0.24, -0.3)]
    face = [(0, 0.56 if scarf else 0.75), *side, (0, -0.36), *((-x, y) for x, y in reversed(side))]
    hole = smooth_curve(HeadSurface.of(person.face, pose).project(np.array(face), 0.03), 60, closed=True)
    pixels = frame.pixels(outline)
    box = Box.around(pixels, canvas.shape, 3)
    if box is None:
        return
    cover = cover_of([pixels], box, 0.35) * (1 - cover_of([frame.pixels(hole)], box, 0.35))
    pattern = outfit.pattern if scarf and outfit.pattern != "print" else "plain"
    albedo = cloth(rng, pattern, *frame.grid(box), np.stack([colour, outfit.accent, outfit.under]), 0.8)
    height = inflate(cover, 0.16 * frame.scale) + folds(rng, box.shape, frame.scale, 1.0, 1.5)
    canvas.paint(box, cover, np.clip(shade(albedo, height, light, 0.03), 0, 1))


def draw_headphones(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint headphones with their band over the hair."""
    colour = person.outfit.frame_colour
    band = _crown(person, pose, 0.05 + person.hair.volume, 0.02)
    paint_solid(canvas, frame, limb(band[::3], (0.03, 0.045, 0.03)), colour, light, Finish(0.04, 0.2))
    for side in (0, -1):
        if abs(pose.yaw) > 0.5 and (pose.yaw > 0) == (side == -1):
            continue
        cup = ellipse((band[side, 0], 0.06), (0.085 + 0.05 * abs(np.sin(pose.yaw)), 0.15))
        paint_solid(canvas, frame, [cup], colour, light, Finish(0.08, 0.2))


def draw_earrings(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint earrings below the ear lobes."""
    for side in (-1, 1):
        if side * np.sin(pose.yaw) > 0.3:
            continue
        x = side * person.face.width * np.cos(pose.yaw) - 0.05 * np.sin(pose.yaw)
        drop = ellipse((x, 0.22), (0.018, 0.045))
        paint_solid(canvas, frame, [drop], np.clip(person.outfit.frame_colour + 0.35, 0, 1), light, Finish(0.03, 0.4))
