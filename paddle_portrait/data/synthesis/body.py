"""Neck, torso with clothes, legs. Coordinates are the body's: heads, origin at the head's centre at rest."""

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
from paddle_portrait.data.synthesis.light import Light, inflate, shade
from paddle_portrait.data.synthesis.person import Outfit, Person, Pose


class Body:
    """Outlines of one person's body in one pose."""

    def __init__(self, person: Person, pose: Pose) -> None:
        self.person = person
        self.turn = pose.turn
        self.half = person.shoulders * (0.62 + 0.38 * np.cos(pose.turn)) + 0.5 * person.bulk
        self.shift = 0.12 * np.sin(pose.turn)
        self.neck_y = 0.66 + person.neck_length

    def mirror(self, right: list[tuple[float, float]], count: int) -> np.ndarray:
        """Return the outline whose right half goes through the given points, from the top to the bottom."""
        left = [(-x, y) for x, y in reversed(right)]
        curve = smooth_curve(right, count)
        return np.vstack([curve, smooth_curve(left, count)]) + (self.shift, 0)

    def torso(self) -> np.ndarray:
        neck, half, y, slope, bulk = self.person.neck_width, self.half, self.neck_y, self.person.slope, self.person.bulk
        return self.mirror(
            [
                (0.0, y - 0.04), (neck, y - 0.02), (neck + 0.13, y + 0.1), (half * 0.78, y + 0.14 + slope * 0.8),
                (half * 0.96, y + 0.28 + slope), (half - 0.06, y + 0.75), (half - 0.24 + bulk, y + 1.25),
                (half - 0.33 + 1.3 * bulk, y + 1.9), (half - 0.26 + bulk, y + 2.6),
                (half - 0.25 + bulk, y + 3.0), (0.0, y + 3.05),
            ],
            60,
        )  # fmt: skip

    def shoulder(self, side: int) -> np.ndarray:
        """Return the shoulder joint."""
        return np.array([side * (self.half - 0.19) + self.shift, self.neck_y + 0.34 + self.person.slope])

    def opening(self, garment: str, width: float, depth: float) -> np.ndarray:
        """Return the neckline: what lies inside is not covered by the garment."""
        y, neck = self.neck_y, self.person.neck_width
        if garment == "strapless":
            return np.array(
                [(-3, -1), (3, -1), (3, y + 0.82), (0.3, y + 0.72), (0, y + 0.8), (-0.3, y + 0.72), (-3, y + 0.82)]
            ) + (self.shift, 0)
        sharp = garment in ("vneck", "shirt", "suit", "jacket")
        middle = (
            [(neck * 0.5, y + depth * 0.55)]
            if sharp
            else [(neck * width * 0.9, y + depth * 0.6), (neck * width * 0.45, y + depth * 0.95)]
        )
        right = [(neck * 0.9, y - 0.4), (neck * width, y - 0.02), *middle, (0.0, y + depth)]
        left = [(-x, v) for x, v in reversed(right[:-1])]
        points = np.array(right + left) + (self.shift * 1.4, 0)
        return points if sharp else smooth_curve(points, 48)


def _neckline(outfit: Outfit) -> tuple[float, float]:
    """Return width (in necks) and depth (heads) of the garment's opening."""
    return {
        "tshirt": (1.12, 0.2), "vneck": (1.15, 0.55), "scoop": (1.7, 0.5), "tank": (1.75, 0.5), "shirt": (1.02, 0.42),
        "suit": (1.05, 0.95), "hoodie": (1.25, 0.26), "turtleneck": (0.9, 0.05), "jacket": (1.2, 2.8),
    }.get(outfit.garment, (1.1, 0.2))  # fmt: skip


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
    width, depth = _neckline(outfit)
    opening = frame.pixels(body.opening(outfit.garment, width, depth))
    inside = cover_of([opening], box, 0.3)
    under = _underneath(rng, person, body, frame, box, x, y, garment, inside)
    albedo = garment + inside[..., None] * (under - garment)
    if outfit.garment == "tank":
        albedo = _bare_shoulders(albedo, person, body, frame, box)
    bare = inside if outfit.garment in ("tshirt", "vneck", "scoop", "tank", "strapless") else 0 * inside
    height = inflate(cover, 0.5 * frame.scale) * 0.8 + relief * (1 - bare)
    height += inflate(1 - inside, 0.04 * frame.scale) * 0.5 * (outfit.garment != "strapless")
    height += _chest(x - body.shift, y - body.neck_y, person) * frame.scale
    gloss = 0.02 + 0.1 * (outfit.pattern == "plain") * (rng.random() < 0.2)
    canvas.paint(box, cover, np.clip(shade(albedo, height, light, gloss, 6), 0, 1))


def _chest(x: np.ndarray, y: np.ndarray, person: Person) -> np.ndarray:
    bust = 0.1 + 0.12 * (person.outfit.garment in ("scoop", "strapless", "tank"))
    mounds = sum(np.exp(-(((x - side * 0.34) / 0.3) ** 2) - ((y - 0.95) / 0.3) ** 2) for side in (-1, 1))
    bones = sum(
        np.exp(-(((y - 0.2 + np.abs(x) * 0.12) / 0.035) ** 2)) * ((x * side > 0.06) & (x * side < 0.6))
        for side in (-1, 1)
    )
    return bust * mounds + 0.006 * bones


def _underneath(
    rng: np.random.Generator,
    person: Person,
    body: Body,
    frame: Frame,
    box: Box,
    x: np.ndarray,
    y: np.ndarray,
    garment: np.ndarray,
    inside: np.ndarray,
) -> np.ndarray:
    """Return what shows in the neckline: skin, or a shirt in a suit or an open jacket, over skin at the throat."""
    outfit = person.outfit
    skin = np.broadcast_to(person.face.skin * 0.97, garment.shape)
    if outfit.garment not in ("suit", "jacket", "shirt", "hoodie") or (outfit.garment == "shirt" and not outfit.tie):
        return skin
    if outfit.garment == "shirt":
        return garment
    colours = np.stack([outfit.under, outfit.accent, outfit.accent])
    shirt = cloth(rng, outfit.under_pattern, x, y, colours, 0.5)
    if outfit.garment == "suit" and outfit.tie:
        return shirt
    throat = cover_of([frame.pixels(body.opening("tshirt", 1.05, 0.22 + 0.2 * outfit.roughness))], box, 0.3)
    return shirt + throat[..., None] * (skin - shirt)


def _bare_shoulders(albedo: np.ndarray, person: Person, body: Body, frame: Frame, box: Box) -> np.ndarray:
    bare = []
    for side in (-1, 1):
        y, edge = body.neck_y, body.half
        points = [
            (0.62 * edge, y - 0.2),
            (0.6 * edge, y + 0.35),
            (0.66 * edge, y + 0.7),
            (edge + 0.2, y + 0.95),
            (edge + 0.2, y - 0.2),
        ]
        bare.append(frame.pixels(smooth_curve([(side * px + body.shift, py) for px, py in points], 40)))
    cover = cover_of(bare, box, 0.4)[..., None]
    return albedo + cover * (person.face.skin - albedo)


def draw_neck(canvas: Canvas, frame: Frame, head: Frame, person: Person, body: Body, light: Light) -> None:
    """Paint the neck between the head (which may be tilted) and the torso, with the chin's shadow."""
    neck, y = person.neck_width, body.neck_y
    top = head.pixels(np.array([(-neck * 0.96, 0.2), (neck * 0.96, 0.2)]))
    low = frame.pixels(
        np.array(
            [(neck * 1.12 + body.shift, y + 0.1), (body.shift * 1.4, y + 0.16), (-neck * 1.12 + body.shift, y + 0.1)]
        )
    )
    waist = frame.pixels(
        np.array([(neck * 0.98 + body.shift * 0.7, y - 0.06), (-neck * 0.98 + body.shift * 0.7, y - 0.06)])
    )
    outline = smooth_curve([top[0], top[1], waist[0], low[0], low[1], low[2], waist[1]], 60, closed=True)
    box = Box.around(outline, canvas.shape)
    if box is None:
        return
    cover = cover_of([outline], box, 0.35)
    x, gy = frame.grid(box)
    fade = np.clip((y + 0.13 - gy) / 0.07, 0, 1)
    cords = sum(np.exp(-(((x - body.shift - side * (0.1 - 0.25 * (gy - 0.5))) / 0.025) ** 2)) for side in (-1, 1))
    roundness = np.sqrt(np.maximum(0.03, neck**2 * 1.1 - (x - body.shift * 0.6) ** 2))
    height = ((roundness + 0.012 * cords) * frame.scale).astype(np.float32)
    lit = shade(person.face.skin * np.array([0.97, 0.94, 0.93], np.float32), height, light, 0.03, 10, skin=True)
    if person.outfit.garment == "turtleneck":
        rng = np.random.default_rng([person.seed, 4])
        ribs = cloth(rng, "knit", x, gy, person.outfit.colours, 1.0)
        wool = shade(ribs, height, light)
        mix = np.clip((gy - 0.5) / 0.03, 0, 1)[..., None]
        lit, fade = lit + mix * (wool - lit), np.ones_like(fade)
    canvas.paint(box, cover * fade, np.clip(lit, 0, 1))
    chin = head.pixels(ellipse((-0.12 * light.direction[0], 0.5), (0.3, 0.24)))
    shadow = cover_of([chin], box, 0.07 * frame.scale) * cover
    canvas.darken(box, shadow * (0.28 + 0.27 * (1 - light.softness)))


def draw_legs(canvas: Canvas, frame: Frame, person: Person, body: Body, light: Light) -> None:
    """Paint trousers or bare legs with shoes, for figures seen from afar."""
    rng = np.random.default_rng([person.seed, 5])
    y, hip = body.neck_y + 2.7, body.half * 0.36
    bare = person.outfit.sleeve < 0.5 and rng.random() < 0.6
    for side in (-1, 1):
        joints = np.array(
            [(side * hip, y), (side * hip * 1.1, y + 1.9), (side * hip * 1.05 + 0.1 * rng.normal(), y + 3.7)]
        )
        shapes = [(limb(joints, (0.42, 0.27, 0.16)), person.face.skin if bare else person.outfit.accent)]
        shapes.append((ellipse(joints[-1] + (side * 0.06, 0.12), (0.22, 0.13)), person.outfit.hat_colour))
        for points, colour in shapes:
            pixels = frame.pixels(points + (body.shift, 0))
            box = Box.around(pixels, canvas.shape)
            if box is None:
                continue
            cover = cover_of([pixels], box, 0.35)
            height = inflate(cover, 0.2 * frame.scale) + folds(rng, box.shape, frame.scale, 0.5 * (not bare))
            canvas.paint(box, cover, np.clip(shade(colour, height, light, 0.02), 0, 1))


def draw_collar(canvas: Canvas, frame: Frame, person: Person, body: Body, light: Light) -> None:
    """Paint what lies over neck and torso: shirt collars, ties, lapels, buttons, a hood, a scarf."""
    outfit, y, neck = person.outfit, body.neck_y, person.neck_width
    rng = np.random.default_rng([person.seed, 6])
    middle = body.shift * 1.4
    main, under = outfit.colours[0], outfit.under
    pieces: list[tuple[np.ndarray, np.ndarray]] = []
    if outfit.garment in ("suit", "shirt") and outfit.tie:
        tie = [
            (-0.055, y + 0.13),
            (0.055, y + 0.13),
            (0.04, y + 0.24),
            (0.1, y + 1.3),
            (-0.1, y + 1.3),
            (-0.04, y + 0.24),
        ]
        pieces.append((np.array(tie), outfit.accent))
    for side in (-1, 1):
        if outfit.garment in ("shirt", "suit", "jacket"):
            colour = main if outfit.garment == "shirt" else under
            flap = [
                (0.6 * neck, y - 0.12),
                (neck * 1.1, y - 0.05),
                (neck * 1.35, y + 0.16),
                (0.3 * neck, y + 0.34),
                (0.02, y + 0.17),
                (0.3 * neck, y + 0.03),
            ]
            if outfit.garment != "jacket":
                pieces.append((np.array([(side * px, py) for px, py in flap]), np.clip(colour * 1.06, 0, 1)))
        if outfit.garment in ("suit", "jacket"):
            lapel = [
                (neck * 1.0, y - 0.1),
                (neck * 1.5, y + 0.08),
                (neck * 2.0, y + 0.55),
                (neck * 1.75, y + 0.62),
                (0.03, y + 1.15),
                (0.3 * neck, y + 0.6),
            ]
            pieces.append((np.array([(side * px, py) for px, py in lapel]), np.clip(main * 0.93, 0, 1)))
        if outfit.garment == "hoodie":
            roll = smooth_curve(
                [
                    (0.02, y + 0.36),
                    (neck * 0.9, y + 0.22),
                    (neck * 1.25, y - 0.08),
                    (neck * 1.75, y - 0.06),
                    (neck * 1.8, y + 0.2),
                    (neck * 0.8, y + 0.5),
                ],
                40,
                closed=True,
            )
            pieces.append((roll * (side, 1), np.clip(main * 0.97, 0, 1)))
            pieces.append(
                (
                    limb(
                        np.array([(side * 0.1, y + 0.42), (side * 0.12, y + 0.6), (side * 0.1, y + 0.85)]),
                        (0.018, 0.018),
                    ),
                    outfit.accent,
                )
            )
    if outfit.garment == "shirt":
        for k in range(5):
            pieces.append(
                (ellipse((0.0, y + 0.45 + 0.32 * k), (0.025, 0.025), count=12), np.clip(outfit.under, 0.1, 0.9))
            )
    for points, colour in pieces:
        _piece(canvas, frame, points + (middle, 0), colour, light, rng, 0.35 if outfit.garment == "hoodie" else 0.1)
    if outfit.scarf:
        _scarf(canvas, frame, person, body, light, rng)
    if outfit.necklace and not outfit.scarf:
        _necklace(canvas, frame, person, body)
    if outfit.strap:
        for side in (-1, 1):
            strap = limb(
                np.array([(side * 0.5, y + 0.12), (side * 0.6, y + 0.8), (side * 0.66, y + 1.6)]), (0.075, 0.075)
            )
            _piece(canvas, frame, strap + (middle, 0), outfit.hat_colour, light, rng, 0.1)


def _piece(
    canvas: Canvas,
    frame: Frame,
    points: np.ndarray,
    colour: np.ndarray,
    light: Light,
    rng: np.random.Generator,
    puff: float,
) -> None:
    pixels = frame.pixels(points)
    box = Box.around(pixels, canvas.shape, 4 + 0.05 * frame.scale)
    if box is None:
        return
    cover = cover_of([pixels], box, 0.3)
    shadow = cover_of([pixels + (0.0, 0.03 * frame.scale)], box, 0.025 * frame.scale) * canvas.alpha[box.slices]
    canvas.darken(box, 0.35 * shadow)
    height = inflate(cover, puff * 0.3 * frame.scale) + folds(rng, box.shape, frame.scale, 0.25)
    canvas.paint(box, cover, np.clip(shade(colour, height, light, 0.02), 0, 1))


def _scarf(canvas: Canvas, frame: Frame, person: Person, body: Body, light: Light, rng: np.random.Generator) -> None:
    y = body.neck_y
    loops = [ellipse((body.shift, y + 0.1 + 0.09 * k), (0.36 + 0.05 * k, 0.14), rng.normal(0, 0.12)) for k in range(2)]
    side = rng.choice([-1, 1])
    tail = limb(
        np.array([(side * 0.1, y + 0.2), (side * 0.2, y + 0.7), (side * 0.18, y + 1.3)]), (0.12, 0.15, 0.16)
    ) + (body.shift, 0)
    for points in (tail, *loops):
        pixels = frame.pixels(points)
        box = Box.around(pixels, canvas.shape, 3)
        if box is None:
            continue
        x, gy = frame.grid(box)
        cover = cover_of([pixels], box, 0.6)
        albedo = cloth(
            rng,
            person.outfit.under_pattern,
            gy * 1.2,
            x,
            np.stack([person.outfit.accent, person.outfit.colours[2], person.outfit.under]),
            0.7,
        )
        height = inflate(cover, 0.12 * frame.scale) + folds(rng, box.shape, frame.scale, 1.2, 0.5)
        canvas.paint(box, cover, np.clip(shade(albedo, height, light), 0, 1))


def _necklace(canvas: Canvas, frame: Frame, person: Person, body: Body) -> None:
    y, neck = body.neck_y, person.neck_width
    chain = smooth_curve(
        [
            (-neck * 0.95, y + 0.02),
            (-neck * 0.6, y + 0.22),
            (0, y + 0.33),
            (neck * 0.6, y + 0.22),
            (neck * 0.95, y + 0.02),
        ],
        30,
    ) + (body.shift, 0)
    pixels = frame.pixels(chain)
    box = Box.around(pixels, canvas.shape, 3)
    if box is not None:
        canvas.paint(
            box,
            cover_of_lines(pixels[None], box, max(0.6, 0.014 * frame.scale)) * 0.8,
            np.clip(person.outfit.frame_colour + 0.3, 0, 1),
        )
