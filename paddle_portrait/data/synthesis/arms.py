# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
"""Arms and hands, and what a hand holds (which counts as part of the person)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_portrait.data.synthesis.body import Body
from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, ellipse, limb, smooth_curve
from paddle_portrait.data.synthesis.cloth import cloth
from paddle_portrait.data.synthesis.light import Light
from paddle_portrait.data.synthesis.person import Person, Pose
from paddle_portrait.data.synthesis.solid import Finish, Texture, paint_solid

# Fingers of an open hand of unit height that points up (-y), thumb first: root and tip.
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
_PALM = [(-0.3, 0.25), (-0.42, -0.15), (-0.38, -0.5), (0.0, -0.62), (0.37, -0.48), (0.4, -0.1), (0.28, 0.25)]
_FRONT = ("selfie", "wave", "chin", "phone", "mug", "folded", "hip")


@dataclass(frozen=True)
class Arm:
    """One arm in body coordinates: shoulder, elbow, wrist, knuckles (4, 2); radii; size and curl of the hand."""

    joints: np.ndarray
    radii: tuple[float, float, float]
    hand: float
    curl: float


def arm_of(body: Body, pose: Pose, index: int) -> Arm:
    """Return the arm of side ``index`` (0 left in the picture, 1 right) for the pose's gesture.

    A hand of size 0 is hidden or outside the picture.
    """
    side = (-1, 1)[index]
    kind, swing, spread = pose.arms[index], pose.arm_swing[index], pose.hand_spread[index]
    sx, sy = body.shoulder(side)
    outward = max(0.0, swing)
    # Elbow from the shoulder (x towards the arm's side), wrist, knuckles from the wrist, size and curl of the hand.
    plans = {
        "down": ((0.1 + 0.8 * outward, 1.25), (sx + side * (0.1 + 1.3 * outward), sy + 2.35), (0, 0.32), 0.3, 0.6),
        "wave": (
            (0.62, 0.45 - 0.5 * spread), (sx + side * (0.75 + 0.5 * swing), sy - 0.55 - 0.35 * spread),
            (0.02 + swing, -0.3), 0.34, 0.15 * spread,
        ),
        "selfie": ((0.25, 0.75), (sx + side * (0.5 + 0.4 * spread), sy + 1.5), (0.1, 0.2), 0.0, 0.9),
        "chin": ((0.02, 1.1), (side * (0.2 + 0.12 * spread), 0.78), (-0.05, -0.3), 0.3, 0.75 * spread),
        "behind_head": ((0.55, -0.75 - 0.2 * spread), (side * 0.42, -0.25), (-0.25, -0.05), 0.0, 0.4),
        "phone": ((0.1, 1.1), (side * (0.42 - 0.25 * spread), sy + 0.35 - 0.4 * spread), (-0.08, -0.26), 0.3, 0.85),
        "mug": ((0.1, 1.1), (side * (0.42 - 0.25 * spread), sy + 0.35 - 0.4 * spread), (-0.08, -0.26), 0.3, 0.85),
        "folded": ((0.05, 1.15), (-side * 0.55, sy + 0.95 + 0.05 * side), (-0.22, -0.08), 0.28, 0.6),
        "hip": ((0.55, 1.1), (side * (body.half - 0.18), sy + 1.9), (-0.2, 0.1), 0.28, 0.8),
    }  # fmt: skip
    elbow, wrist, reach, hand, curl = plans[kind]
    knuckles = (wrist[0] + side * reach[0], wrist[1] + reach[1])
    bulk = 1 + 0.35 * body.person.bulk
    radii = (0.22, 0.28, 0.3) if kind == "selfie" else (0.215 * bulk, 0.175 * bulk, 0.11)
    return Arm(np.array([(sx, sy), (sx + side * elbow[0], sy + elbow[1]), wrist, knuckles]), radii, hand, curl)


def is_in_front(kind: str) -> bool:
    """Say whether an arm with this gesture is painted over the torso and the head."""
    return kind in _FRONT


def draw_arm(canvas: Canvas, frame: Frame, person: Person, body: Body, pose: Pose, index: int, light: Light) -> None:
    """Paint one arm: what it holds, hand, skin, sleeve."""
    arm = arm_of(body, pose, index)
    rng = np.random.default_rng([person.seed, 7, index])
    spine = smooth_curve(arm.joints[:3], 30)
    if pose.arms[index] == "phone":
        _draw_phone(canvas, frame, person, arm, light, rng)
    elif pose.arms[index] == "mug":
        _draw_mug(canvas, frame, person, arm, light, rng)
    if arm.hand:
        _draw_hand(canvas, frame, person, arm, index, light)
    skin = Finish(puff=arm.radii[0], gloss=0.04, skin=True, contact=0.3)
    paint_solid(canvas, frame, limb(spine, arm.radii, 20), person.face.skin, light, skin)
    sleeve = person.outfit.sleeve
    if sleeve > 0.05:
        last = max(4, round(sleeve * 29))
        middle, end = (float(np.interp(part, (0, 0.5, 1), arm.radii)) for part in (sleeve / 2, sleeve))
        shapes = limb(spine[: last + 1], (arm.radii[0] + 0.02, middle + 0.035, end + 0.04), 20)
        wool = Finish(puff=arm.radii[0], crease=person.outfit.roughness, contact=0.3)
        paint_solid(canvas, frame, shapes, _sleeve(person, rng), light, wool, rng)


def _sleeve(person: Person, rng: np.random.Generator) -> Texture:
    outfit = person.outfit
    pattern = "plain" if outfit.pattern == "print" else outfit.pattern
    return lambda x, y: cloth(rng, pattern, x, y, outfit.colours, outfit.pattern_size)


def _draw_hand(canvas: Canvas, frame: Frame, person: Person, arm: Arm, index: int, light: Light) -> None:
    wrist, knuckles = arm.joints[2], arm.joints[3]
    angle = float(np.arctan2(knuckles[0] - wrist[0], wrist[1] - knuckles[1]))
    hand = frame.child((float(wrist[0]), float(wrist[1])), angle, arm.hand)
    reach = 1.6 * hand.scale
    if Box.around(np.array([hand.origin]), canvas.shape, reach) is None:
        return
    mirror = np.array([(1.0, -1.0)[index], 1.0])
    skin = person.face.skin * np.array([1.0, 0.95, 0.93], np.float32)
    finish = Finish(puff=0.14, gloss=0.04, skin=True, contact=0.3)
    paint_solid(canvas, hand, [smooth_curve(_PALM, 40, closed=True) * mirror], skin, light, finish)
    for finger, radius in zip(_FINGERS, _FINGER_RADII, strict=True):
        root, tip = finger[0], finger[0] + (finger[1] - finger[0]) * (1 - 0.55 * arm.curl)
        bones = np.array([root + (0, 0.12), (root + tip) * 0.5 + (0.03, -0.02), tip]) * mirror
        paint_solid(canvas, hand, limb(bones, (radius * 1.05, radius, radius * 0.8), 10), skin, light, finish)


def _draw_phone(canvas: Canvas, frame: Frame, person: Person, arm: Arm, light: Light, rng: np.random.Generator) -> None:
    x, y = arm.joints[3] + (0.0, -0.08)
    case = Finish(puff=0.02, gloss=0.2, contact=0.3)
    paint_solid(
        canvas, frame, [_rounded(x, y, 0.2, 0.38, rng.normal(0, 0.12))], person.outfit.frame_colour, light, case
    )
    lenses = [ellipse((x - 0.1, y - 0.29 + 0.08 * k), (0.03, 0.03)) for k in range(int(rng.integers(1, 4)))]
    paint_solid(canvas, frame, lenses, np.full(3, 0.06, np.float32), light, case)


def _draw_mug(canvas: Canvas, frame: Frame, person: Person, arm: Arm, light: Light, rng: np.random.Generator) -> None:
    x, y = arm.joints[3] + (0.0, -0.08)
    colour, china = person.outfit.accent, Finish(puff=0.12, gloss=0.2, contact=0.3)
    handle = limb(np.array([(x + 0.17, y - 0.12), (x + 0.34, y), (x + 0.17, y + 0.12)]), (0.035, 0.035))
    paint_solid(canvas, frame, handle, colour, light, china)
    paint_solid(canvas, frame, [_rounded(x, y, 0.2, 0.25, rng.normal(0, 0.1))], colour, light, china)
    paint_solid(canvas, frame, [ellipse((x, y - 0.24), (0.19, 0.045))], colour * 0.45, light, Finish(0.01))


def _rounded(x: float, y: float, half_width: float, half_height: float, angle: float) -> np.ndarray:
    """Return the outline of a rectangle with rounded corners."""
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    points = np.stack([half_width * np.sign(c) * np.abs(c) ** 0.3, half_height * np.sign(s) * np.abs(s) ** 0.3], 1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return points @ turn + (x, y)
