"""Arms and hands, and what a hand holds (which counts as part of the person)."""

# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_portrait.data.synthesis.body import Body
from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, cover_of, ellipse, limb, smooth_curve
from paddle_portrait.data.synthesis.cloth import cloth, folds
from paddle_portrait.data.synthesis.light import Light, inflate, shade
from paddle_portrait.data.synthesis.person import Person, Pose

# Finger: root and tip direction on an open palm of unit height that points up (-y); thumb first.
_FINGERS = np.array(
    [
        [(-0.36, -0.1), (-0.78, -0.52)],
        [(-0.3, -0.48), (-0.44, -1.22)],
        [(-0.1, -0.55), (-0.12, -1.4)],
        [(0.11, -0.52), (0.17, -1.3)],
        [(0.3, -0.42), (0.46, -1.02)],
    ]
)
_FINGER_RADII = (0.115, 0.098, 0.1, 0.096, 0.082)
_FRONT = ("selfie", "wave", "chin", "phone", "mug", "folded", "hip")


@dataclass(frozen=True)
class Limb:
    """One arm in body coordinates: joints (4, 2) shoulder, elbow, wrist, knuckles; radii; size of the hand."""

    joints: np.ndarray
    radii: tuple[float, float, float]
    hand: float
    curl: float
    visible_hand: bool


def arm_of(body: Body, pose: Pose, index: int) -> Limb:
    """Return the arm of side ``index`` (0 left in the picture, 1 right) for the pose's gesture."""
    side = (-1, 1)[index]
    kind, swing, spread = pose.arms[index], pose.arm_swing[index], pose.hand_spread[index]
    sx, sy = body.shoulder(side)
    bulk = 1 + 0.35 * body.person.bulk
    thick = (0.22 * bulk, 0.185 * bulk, 0.115)
    out = side * max(0.0, swing)

    def build(
        elbow: tuple[float, float],
        wrist: tuple[float, float],
        reach: tuple[float, float],
        hand: float = 0.3,
        curl: float = 0.3,
        radii=thick,
        shown: bool = True,
    ) -> Limb:
        joints = np.array(
            [(sx, sy), (sx + side * elbow[0], sy + elbow[1]), wrist, (wrist[0] + reach[0], wrist[1] + reach[1])]
        )
        return Limb(joints, radii, hand, curl, shown)

    if kind == "wave":
        wrist = (sx + side * (0.75 + 0.5 * swing), sy - 0.55 - 0.35 * spread)
        return build((0.62, 0.45 - 0.5 * spread), wrist, (side * (0.02 + swing), -0.3), 0.34, 0.15 * spread)
    if kind == "selfie":
        wrist = (sx + side * (0.5 + 0.4 * spread), sy + 1.5)
        return build((0.25, 0.75), wrist, (0.1 * side, 0.2), 0.5, 0.9, (0.23, 0.28, 0.3), False)
    if kind == "chin":
        wrist = (side * (0.2 + 0.12 * spread), 0.78)
        return build((0.02, 1.15), wrist, (-side * 0.05, -0.3), 0.3, 0.75 * spread)
    if kind == "behind_head":
        wrist = (side * 0.42, -0.25)
        return build((0.55, -0.75 - 0.2 * spread), wrist, (-side * 0.25, -0.05), 0.28, 0.4, thick, False)
    if kind in ("phone", "mug"):
        wrist = (side * (0.42 - 0.25 * spread), sy + 0.35 - 0.4 * spread)
        return build((0.1, 1.15), wrist, (-side * 0.08, -0.26), 0.3, 0.85)
    if kind == "folded":
        wrist = (-side * 0.55, sy + 1.0 + 0.05 * side)
        return build((0.05, 1.2), wrist, (-side * 0.22, -0.08), 0.28, 0.6)
    if kind == "hip":
        wrist = (side * (body.half - 0.18), sy + 2.0)
        return build((0.55, 1.15), wrist, (-side * 0.2, 0.1), 0.28, 0.8)
    wrist = (sx + out * 1.2 + side * 0.1, sy + 2.5)
    return build((0.08 + max(0.0, swing) * 0.7, 1.3), wrist, (0.0, 0.32), 0.3, 0.6)


def is_in_front(kind: str) -> bool:
    """Say whether an arm with this gesture is painted over the torso and the head."""
    return kind in _FRONT


def draw_arm(canvas: Canvas, frame: Frame, person: Person, body: Body, pose: Pose, index: int, light: Light) -> None:
    """Paint one arm: skin, sleeve, hand, and what it holds."""
    arm = arm_of(body, pose, index)
    rng = np.random.default_rng([person.seed, 7, index])
    skin = np.broadcast_to(person.face.skin, (1, 1, 3))
    spine = smooth_curve(arm.joints[:3], 30)
    if arm.visible_hand and pose.arms[index] in ("phone", "mug"):
        _draw_held(canvas, frame, person, arm, pose.arms[index], light, rng)
    if arm.visible_hand:
        _draw_hand(canvas, frame, person, arm, index, light)
    _tube(canvas, frame, limb(spine, arm.radii, 30), skin, light, rng, 0.0, arm.radii[0], person)
    sleeve = person.outfit.sleeve
    if sleeve > 0.05:
        last = max(4, round(sleeve * 29))
        start, end = arm.radii[0] + 0.035, np.interp(sleeve, (0, 0.5, 1), arm.radii) + 0.04
        points = limb(spine[: last + 1], (start, np.interp(sleeve / 2, (0, 0.5, 1), arm.radii) + 0.035, end), 30)
        _tube(canvas, frame, points, None, light, rng, person.outfit.roughness, arm.radii[0], person)


def _tube(
    canvas: Canvas,
    frame: Frame,
    points: np.ndarray,
    albedo: np.ndarray | None,
    light: Light,
    rng: np.random.Generator,
    roughness: float,
    radius: float,
    person: Person,
) -> None:
    pixels = frame.pixels(points)
    box = Box.around(pixels, canvas.shape, 4 + 0.06 * frame.scale)
    if box is None:
        return
    cover = cover_of([pixels], box, 0.35)
    # A dark seam where the arm lies on the body.
    halo = cover_of([pixels], box, 0.035 * frame.scale) * canvas.alpha[box.slices]
    canvas.darken(box, 0.3 * halo)
    height = inflate(cover, radius * frame.scale)
    if albedo is None:
        relief = folds(rng, box.shape, frame.scale, roughness, 0.7)
        x, y = frame.grid(box)
        albedo = cloth(
            rng,
            "plain" if person.outfit.pattern == "print" else person.outfit.pattern,
            x,
            y,
            person.outfit.colours,
            person.outfit.pattern_size,
        )
        lit = shade(albedo, height + relief, light, 0.02, 6)
    else:
        lit = shade(albedo, height, light, 0.04, 10, skin=True)
    canvas.paint(box, cover, np.clip(lit, 0, 1))


def _hand_frame(frame: Frame, arm: Limb, index: int) -> tuple[Frame, float]:
    """Return the frame of a hand at the wrist whose -y points along the forearm's end, and its mirroring."""
    wrist, knuckles = arm.joints[2], arm.joints[3]
    direction = knuckles - wrist
    angle = float(np.arctan2(direction[0], -direction[1]))
    return frame.child((float(wrist[0]), float(wrist[1])), angle, arm.hand), (1.0, -1.0)[index]


def _draw_hand(canvas: Canvas, frame: Frame, person: Person, arm: Limb, index: int, light: Light) -> None:
    hand, mirror = _hand_frame(frame, arm, index)
    palm = smooth_curve(
        [(-0.3, 0.25), (-0.42, -0.15), (-0.38, -0.5), (0.0, -0.62), (0.37, -0.48), (0.4, -0.1), (0.28, 0.25)],
        40,
        closed=True,
    )
    skin = person.face.skin * np.array([1.0, 0.95, 0.93], np.float32)
    parts = [palm * (mirror, 1)]
    for finger, radius in zip(_FINGERS, _FINGER_RADII, strict=True):
        root, tip = finger[0], finger[0] + (finger[1] - finger[0]) * (1 - 0.55 * arm.curl)
        middle = (root + tip) * 0.5 + (0.03, -0.02)
        parts.append(
            limb(np.array([root + (0, 0.12), middle, tip]) * (mirror, 1), (radius * 1.05, radius, radius * 0.8), 14)
        )
    for points in parts:
        pixels = hand.pixels(points)
        box = Box.around(pixels, canvas.shape, 3)
        if box is None:
            continue
        cover = cover_of([pixels], box, 0.3)
        edge = cover_of([pixels], box, 0.05 * hand.scale) * canvas.alpha[box.slices]
        canvas.darken(box, 0.3 * edge)
        height = inflate(cover, 0.14 * hand.scale)
        canvas.paint(box, cover, np.clip(shade(skin, height, light, 0.04, 10, skin=True), 0, 1))


def _draw_held(
    canvas: Canvas, frame: Frame, person: Person, arm: Limb, kind: str, light: Light, rng: np.random.Generator
) -> None:
    x, y = arm.joints[3] + (0.0, -0.08)
    if kind == "phone":
        shapes = [
            (_rounded(x, y, 0.2, 0.38, rng.normal(0, 0.12)), person.outfit.frame_colour),
            (ellipse((x - 0.1, y - 0.27), (0.045, 0.045)), np.full(3, 0.08)),
        ]
    else:
        shapes = [
            (ellipse((x + 0.24, y), (0.13, 0.15)), person.outfit.accent),
            (_rounded(x, y, 0.2, 0.25, rng.normal(0, 0.1)), person.outfit.accent),
            (ellipse((x, y - 0.24), (0.19, 0.045)), person.outfit.accent * 0.45),
        ]
    for points, colour in shapes:
        pixels = frame.pixels(points)
        box = Box.around(pixels, canvas.shape, 3)
        if box is None:
            continue
        cover = cover_of([pixels], box, 0.3)
        height = inflate(cover, 0.1 * frame.scale * (kind == "mug") + 1)
        canvas.paint(box, cover, np.clip(shade(colour, height, light, 0.15, 20), 0, 1))


def _rounded(x: float, y: float, half_width: float, half_height: float, angle: float) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    points = np.stack([half_width * np.sign(c) * np.abs(c) ** 0.3, half_height * np.sign(s) * np.abs(s) ** 0.3], 1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return points @ turn + (x, y)
