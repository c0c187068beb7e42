# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
"""Neck, torso with clothes, legs. Coordinates are the body's: heads, origin at the head's centre at rest."""

from __future__ import annotations

import numpy as np

from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, cover_of, ellipse, limb, smooth_curve
from paddle_portrait.data.synthesis.cloth import cloth, folds
from paddle_portrait.data.synthesis.light import Light, inflate, shade
from paddle_portrait.data.synthesis.person import Person, Pose
from paddle_portrait.data.synthesis.solid import Finish, paint_solid

# Width (in necks) and depth (in heads) of a garment's opening at the neck.
_OPENINGS = {
    "tshirt": (1.12, 0.17), "vneck": (1.15, 0.5), "scoop": (1.7, 0.45), "tank": (1.75, 0.45), "strapless": (1.1, 0.2),
    "shirt": (1.02, 0.38), "suit": (1.05, 0.9), "hoodie": (1.25, 0.24), "turtleneck": (0.9, 0.05), "jacket": (1.2, 2.8),
}  # fmt: skip
_SHARP = ("vneck", "shirt", "suit", "jacket")
_BARE = ("tshirt", "vneck", "scoop", "tank", "strapless")


class Body:
    """Outlines of one person's body in one pose."""

    def __init__(self, person: Person, pose: Pose) -> None:
        self.person = person
        self.half = person.shoulders * (0.62 + 0.38 * np.cos(pose.turn)) + 0.4 * person.bulk
        self.shift = 0.12 * np.sin(pose.turn)
        self.neck_y = 0.61 + person.neck_length

    def torso(self) -> np.ndarray:
        """Return the trunk's outline without the arms, which round the shoulders off."""
        person, half, y, bulk = self.person, self.half, self.neck_y, self.person.bulk
        neck, slope = person.neck_width, person.slope
        right = [
            (0.0, y - 0.03), (neck, y - 0.01), (neck + 0.1, y + 0.06), (half * 0.62, y + 0.1 + slope * 0.55),
            (half - 0.14, y + 0.14 + slope), (half - 0.07, y + 0.3 + slope), (half - 0.21, y + 0.7),
            (half - 0.33 + 0.8 * bulk, y + 1.2), (half - 0.39 + 1.6 * bulk, y + 1.75), (half - 0.3 + bulk, y + 2.45),
            (half - 0.32 + bulk, y + 2.9), (0.0, y + 2.95),
        ]  # fmt: skip
        curve = smooth_curve(right, 64)
        return np.vstack([curve, curve[::-1] * (-1, 1)]) + (self.shift, 0)

    def shoulder(self, side: int) -> np.ndarray:
        """Return the shoulder joint of a side, -1 left in the picture, 1 right."""
        return np.array([side * (self.half - 0.2) + self.shift, self.neck_y + 0.31 + self.person.slope])

    def opening(self, garment: str) -> np.ndarray:
        """Return a garment's neckline: what lies inside is not covered by it."""
        y, neck = self.neck_y, self.person.neck_width
        width, depth = _OPENINGS[garment]
        if garment == "strapless":
            edge = [(-3, -1), (3, -1), (3, y + 0.78), (0.3, y + 0.68), (0, y + 0.75), (-0.3, y + 0.68), (-3, y + 0.78)]
            return np.array(edge) + (self.shift, 0)
        middle = [(neck * width * 0.9, y + depth * 0.6), (neck * width * 0.45, y + depth * 0.95)]
        if garment in _SHARP:
            middle = [(neck * 0.5, y + depth * 0.55)]
        right = [(neck * 0.9, y - 0.4), (neck * width, y - 0.02), *middle]
        points = np.array([*right, (0.0, y + depth), *((-px, py) for px, py in reversed(right))])
        points = points if garment in _SHARP else smooth_curve(points, 48)
        return points + (self.shift * 1.4, 0)


def draw_torso(canvas: Canvas, frame: Frame, person: Person, body: Body, light: Light) -> None:
    """Paint the torso: skin, what is worn underneath, and the garment around its neckline."""
    rng = np.random.default_rng([person.seed, 3])
    outline = frame.pixels(body.torso())
    box = Box.around(outline, canvas.shape)
    if box is None:
        return
    outfit = person.outfit
    cover = cover_of([outline], box, 0.35)
    x, y = frame.grid(box)
    relief = folds(rng, box.shape, frame.scale, outfit.roughness)
    warp = relief / frame.scale * 1.2
    garment = cloth(rng, outfit.pattern, x - body.shift + warp, y + warp, outfit.colours, outfit.pattern_size)
    inside = cover_of([frame.pixels(body.opening(outfit.garment))], box, 0.3)
    under = _underneath(rng, person, body, frame, box, garment)
    albedo = garment + inside[..., None] * (under - garment)
    if outfit.garment == "tank":
        bare = cover_of([frame.pixels(shape) for shape in _bare_shoulders(body)], box, 0.4)
        albedo = albedo + bare[..., None] * (person.face.skin - albedo)
        inside = np.maximum(inside, bare)
    height = inflate(cover, 0.5 * frame.scale) * 0.8 + _chest(x - body.shift, y - body.neck_y, person) * frame.scale
    height += relief * (1 - inside if outfit.garment in _BARE else 1)
    if outfit.garment != "strapless":
        height += inflate(1 - inside, 0.04 * frame.scale) * 0.5
    canvas.paint(box, cover, np.clip(shade(albedo, height, light, 0.03 * outfit.roughness, 6), 0, 1))


def _chest(x: np.ndarray, y: np.ndarray, person: Person) -> np.ndarray:
    """Return the relief of chest and collar bones in heads."""
    bust = 0.1 + 0.12 * (person.outfit.garment in ("scoop", "strapless", "tank"))
    chest = np.zeros_like(x)
    for side in (-1, 1):
        chest += bust * np.exp(-(((x - side * 0.34) / 0.3) ** 2) - ((y - 0.9) / 0.3) ** 2)
        bone = np.exp(-(((y - 0.19 + side * x * 0.12) / 0.035) ** 2))
        chest += 0.006 * bone * np.clip(side * x * 12 - 0.7, 0, 1) * np.clip(7 - side * x * 12, 0, 1)
    return chest


def _underneath(
    rng: np.random.Generator, person: Person, body: Body, frame: Frame, box: Box, garment: np.ndarray
) -> np.ndarray:
    """Return what shows in the neckline: skin, or the shirt in a suit or an open jacket with skin at its throat."""
    outfit = person.outfit
    skin = np.broadcast_to(person.face.skin * 0.97, garment.shape)
    if outfit.garment == "shirt" and outfit.tie:
        return garment
    if outfit.garment not in ("suit", "jacket", "hoodie"):
        return skin
    colours = np.stack([outfit.under, outfit.accent, outfit.accent])
    shirt = cloth(rng, outfit.under_pattern, *frame.grid(box), colours, 0.5)
    if outfit.garment == "suit" and outfit.tie:
        return shirt
    throat = cover_of([frame.pixels(body.opening("vneck" if outfit.roughness < 0.4 else "tshirt"))], box, 0.3)
    return shirt + throat[..., None] * (skin - shirt)


def _bare_shoulders(body: Body) -> list[np.ndarray]:
    """Return the outlines of what a top with straps leaves bare."""
    y, edge = body.neck_y, body.half
    points = [(0.6, y - 0.2), (0.58, y + 0.35), (0.66, y + 0.7), (1.2, y + 0.95), (1.2, y - 0.2)]
    return [smooth_curve([(s * px * edge + body.shift, py) for px, py in points], 40) for s in (-1, 1)]


def draw_neck(canvas: Canvas, frame: Frame, head: Frame, person: Person, body: Body, light: Light) -> None:
    """Paint the neck between the head (which may be tilted) and the torso, with the chin's shadow."""
    neck, y, shift = person.neck_width, body.neck_y, body.shift
    top = head.pixels(np.array([(-neck * 0.96, 0.2), (neck * 0.96, 0.2)]))
    low = frame.pixels(
        np.array([(neck * 1.12 + shift, y + 0.1), (shift * 1.4, y + 0.16), (shift - neck * 1.12, y + 0.1)])
    )
    waist = frame.pixels(np.array([(neck * 0.98 + shift * 0.7, y - 0.05), (shift * 0.7 - neck * 0.98, y - 0.05)]))
    outline = smooth_curve([top[0], top[1], waist[0], low[0], low[1], low[2], waist[1]], 60, closed=True)
    box = Box.around(outline, canvas.shape)
    if box is None:
        return
    cover = cover_of([outline], box, 0.35)
    x, gy = frame.grid(box)
    fade = np.clip((y + 0.13 - gy) / 0.1, 0, 1)
    across = np.abs(x - shift * 0.6) / neck
    roundness = neck * np.sqrt(np.maximum(1.3 - np.minimum(across, 1.1) ** 2, 0.05))
    for side in (-1, 1):
        roundness += 0.006 * np.exp(-(((x - shift - side * (0.1 - 0.25 * (gy - 0.5))) / 0.04) ** 2))
    lit = shade(person.face.skin * (0.97, 0.94, 0.93), roundness * frame.scale, light, 0.03, 10, skin=True)
    if person.outfit.garment == "turtleneck":
        ribs = cloth(np.random.default_rng([person.seed, 4]), "knit", x, gy, person.outfit.colours, 1.0)
        mix = np.clip((gy - 0.5) / 0.03, 0, 1)[..., None]
        lit, fade = lit + mix * (shade(ribs, roundness * frame.scale, light) - lit), np.ones_like(fade)
    canvas.paint(box, cover * fade, np.clip(lit, 0, 1))
    chin = head.pixels(ellipse((-0.12 * light.direction[0], 0.47), (0.3, 0.24)))
    shadow = cover_of([chin], box, 0.07 * frame.scale) * cover
    canvas.darken(box, shadow * (0.28 + 0.27 * (1 - light.softness)))


def draw_legs(canvas: Canvas, frame: Frame, person: Person, body: Body, light: Light) -> None:
    """Paint trousers or bare legs with shoes, for figures seen from afar."""
    rng = np.random.default_rng([person.seed, 5])
    y, hip = body.neck_y + 2.6, body.half * 0.34
    bare = person.outfit.sleeve < 0.5 and rng.random() < 0.6
    stance, step = rng.uniform(0.8, 1.4), rng.normal(0, 0.12)
    for side in (-1, 1):
        foot = (side * hip * stance + step + body.shift, y + 3.6)
        joints = np.array([(side * hip + body.shift, y), ((side * hip + body.shift + foot[0]) / 2, y + 1.8), foot])
        leg = Finish(puff=0.2, skin=bare, crease=0.0 if bare else 0.6, contact=0.3)
        colour = person.face.skin if bare else person.outfit.accent
        paint_solid(canvas, frame, limb(joints, (0.42, 0.27, 0.16)), colour, light, leg, rng)
        shoe = ellipse((foot[0] + side * 0.06, foot[1] + 0.12), (0.22, 0.13))
        paint_solid(canvas, frame, [shoe], person.outfit.hat_colour, light, Finish(0.1, 0.1))
