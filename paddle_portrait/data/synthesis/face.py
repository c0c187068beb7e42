"""Texture and relief of a face seen from the front, in face coordinates (u, v): heads from the head's centre."""

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
    smooth_curve,
    soften,
)
from paddle_portrait.data.synthesis.noise import fractal
from paddle_portrait.data.synthesis.person import Face, Person, Pose

TEXTURE_REACH = (0.56, 0.62)
_RELIEF_SIZE = (124, 112)
_EYE_Y = 0.02
_NOSE_Y = 0.185
_MOUTH_Y = 0.305
# Regions of beards: the right half of their upper edge from the middle outwards, of the lower edge inwards, opacity.
_CHEEKS = [(0, 0.232), (0.1, 0.245), (0.2, 0.235), (0.3, 0.14), (0.42, 0.06)]
_BEARDS = {
    "stubble": (_CHEEKS, [(0.5, 0.62)], 0.42),
    "short": (_CHEEKS, [(0.5, 0.62)], 0.7),
    "full": (_CHEEKS, [(0.5, 0.62)], 0.92),
    "goatee": ([(0, 0.24), (0.06, 0.232), (0.13, 0.26)], [(0.14, 0.4), (0.07, 0.55)], 0.75),
    "moustache": ([(0, 0.238), (0.08, 0.245), (0.15, 0.3)], [(0.07, 0.276), (0.01, 0.27)], 0.8),
}


def face_relief(face: Face, pose: Pose) -> np.ndarray:
    """Return the height float32 (124, 112) in heads that features add to the skull over the texture's area."""
    height, width = _RELIEF_SIZE
    u = np.linspace(-1, 1, width, dtype=np.float32) * TEXTURE_REACH[0]
    v = np.linspace(-1, 1, height, dtype=np.float32) * TEXTURE_REACH[1]
    total = np.zeros(_RELIEF_SIZE, np.float32)

    def bump(x: float, y: float, sx: float, sy: float, amount: float) -> None:
        column = np.exp(-(((v - y) / sy) ** 2))
        total[:] += np.outer(column, amount * np.exp(-(((u - x) / sx) ** 2)))

    along = np.clip((v + 0.02) / (_NOSE_Y + 0.02), 0, 1)
    fade = 1 / (1 + np.exp((v - _NOSE_Y - 0.025) / 0.011))
    ridge = (0.018 + 0.075 * along**1.4) * fade * face.nose / (1 + np.exp(-(v + 0.07) / 0.022))
    spread = (0.03 + 0.02 * along)[:, None] * face.nose_width
    total += ridge[:, None] * np.exp(-((u[None] / spread) ** 2))
    bump(0, _NOSE_Y - 0.01, 0.042 * face.nose_width, 0.034, 0.045 * face.nose)
    opening = pose.mouth_open * 0.06
    for side in (-1, 1):
        bump(side * 0.055 * face.nose_width, _NOSE_Y + 0.008, 0.026, 0.024, 0.034)
        bump(side * 0.14, _EYE_Y - 0.085, 0.1, 0.03, 0.022)
        bump(side * face.eye_gap * 0.95, _EYE_Y - 0.01, 0.068, 0.042, -0.036)
        bump(side * face.eye_gap, _EYE_Y, 0.05, 0.032, 0.02)
        bump(side * 0.21, 0.16 - 0.03 * pose.smile, 0.09, 0.075, 0.03 + 0.02 * max(pose.smile, 0))
        bump(side * 0.3, -0.12, 0.06, 0.1, -0.012)
        bump(side * (face.mouth_width + 0.01), _MOUTH_Y, 0.025, 0.03, -0.012)
    bump(0, _MOUTH_Y - 0.02, 0.085, 0.022, 0.022 * face.lips)
    bump(0, _MOUTH_Y + 0.03 + opening, 0.075, 0.024, 0.028 * face.lips)
    bump(0, _MOUTH_Y + opening * 0.5, 0.11, 0.008, -0.014)
    bump(0, _MOUTH_Y + 0.072 + opening, 0.07, 0.02, -0.018)
    bump(0, 0.44, 0.075, 0.05, 0.035)
    return total


def _blend(
    board: Canvas, shape_points: np.ndarray, colour: np.ndarray, opacity: float, blur: float = 0.0, line: float = 0.0
) -> None:
    """Lay a polygon (or a stroke ``line`` pixels wide) over the texture."""
    box = Box.around(shape_points.reshape(-1, 2), board.shape, 3 + 3 * blur + line)
    if box is None:
        return
    cover = cover_of_lines(shape_points[None], box, line) if line else cover_of([shape_points], box)
    board.paint(box, soften(cover, blur) * opacity, colour, person=False)


def _draw_eye(board: Canvas, frame: Frame, face: Face, pose: Pose, side: int, hair_dark: np.ndarray) -> None:
    px = frame.scale
    x, opened = side * face.eye_gap, float(np.clip(pose.eyes_open * (1 - 0.25 * max(pose.smile, 0)), 0, 1.25))
    half, up, down = 0.069 * face.eye_size, 0.034 * opened * face.eye_size, 0.023 * opened * face.eye_size
    skin = face.skin
    socket = ellipse((x, _EYE_Y - 0.012), (0.1, 0.065))
    _blend(board, frame.pixels(socket), skin * np.array([0.72, 0.6, 0.58]), 0.42, 0.022 * px)
    if face.makeup > 0.3:
        lid = ellipse((x, _EYE_Y - 0.035), (0.075, 0.03))
        _blend(board, frame.pixels(lid), face.lip_colour * 0.5, 0.4 * face.makeup, 0.012 * px)
    upper = smooth_curve(
        [
            (x - half, _EYE_Y + 0.004),
            (x - half * 0.4, _EYE_Y - up),
            (x + half * 0.4, _EYE_Y - up * 0.96),
            (x + half, _EYE_Y),
        ],
        16,
    )
    lower = smooth_curve([(x + half, _EYE_Y), (x, _EYE_Y + down), (x - half, _EYE_Y + 0.004)], 12)
    if opened > 0.15:
        almond = frame.pixels(np.vstack([upper, lower]))
        box = Box.around(almond, board.shape, 3)
        if box is not None:
            inside = cover_of([almond], box)
            board.paint(box, inside, np.array([0.86, 0.84, 0.83]) * (0.6 + 0.4 * skin.mean()) ** 0.5, person=False)
            gaze = x + pose.gaze * 0.03
            for radius, colour in ((0.033, face.iris * 0.6), (0.028, face.iris), (0.014, np.zeros(3))):
                disc = cover_of([frame.pixels(ellipse((gaze, _EYE_Y - 0.006), (radius, radius), count=24))], box)
                board.paint(box, disc * inside, colour, person=False)
            glint = cover_of([frame.pixels(ellipse((gaze - 0.01, _EYE_Y - 0.017), (0.007, 0.007), count=12))], box)
            board.paint(box, glint * inside, np.ones(3), person=False)
    dark = hair_dark * 0.5 if face.makeup < 0.3 else np.full(3, 0.04)
    lash = max(1.0, (0.010 + 0.012 * min(face.makeup, 1)) * px)
    _blend(board, frame.pixels(upper), dark, 0.88, 0.0, lash)
    _blend(board, frame.pixels(lower), skin * 0.5, 0.5, 0.3, max(1.0, 0.006 * px))
    crease = upper + (0, -0.02)
    _blend(board, frame.pixels(crease), skin * np.array([0.6, 0.47, 0.43]), 0.55, 0.004 * px, max(1.0, 0.007 * px))
    if face.age > 0.35:
        bag = smooth_curve([(x - half * 0.8, _EYE_Y + 0.035), (x, _EYE_Y + 0.062), (x + half * 0.8, _EYE_Y + 0.04)], 10)
        _blend(board, frame.pixels(bag), skin * 0.62, 0.6 * face.age, 0.006 * px, max(1.0, 0.01 * px))


def _draw_brow(
    board: Canvas, frame: Frame, face: Face, pose: Pose, side: int, colour: np.ndarray, rng: np.random.Generator
) -> None:
    y = _EYE_Y - face.brow_height * (1 + 0.18 * pose.brow_raise)
    t = np.linspace(0, 1, 34)
    spine_x = side * (0.062 + 0.185 * t)
    spine_y = y - 0.028 * np.sin(np.pi * np.minimum(t * 0.8 + 0.12, 1)) + 0.012 + face.brow_tilt * (0.4 - t) * 0.12
    thickness = 0.019 * face.brow_thickness * (0.55 + np.sin(np.pi * (0.25 + 0.72 * t)) * 0.6)
    body = np.vstack([np.stack([spine_x, spine_y - thickness], 1), np.stack([spine_x, spine_y + thickness], 1)[::-1]])
    _blend(board, frame.pixels(body), colour, 0.6, 0.006 * frame.scale)
    root = np.repeat(np.stack([spine_x, spine_y + thickness * 0.8], 1), 2, axis=0) + rng.normal(0, 0.004, (68, 2))
    tip = root + np.stack(
        [side * rng.uniform(0.012, 0.035, 68), -np.repeat(thickness, 2) * rng.uniform(1.0, 2.1, 68)], 1
    )
    lines = frame.pixels(np.stack([root, tip], axis=1))
    box = Box.around(lines.reshape(-1, 2), board.shape)
    if box is not None:
        board.paint(box, cover_of_lines(lines, box, 0.007 * frame.scale) * 0.6, colour * 0.85, person=False)


def _draw_nose(board: Canvas, frame: Frame, face: Face) -> None:
    px, skin = frame.scale, face.skin
    for side in (-1, 1):
        x = side * 0.036 * face.nose_width
        hole = ellipse((x, _NOSE_Y + 0.031), (0.018 * face.nose_width, 0.009), side * -0.35)
        _blend(board, frame.pixels(hole), skin * np.array([0.3, 0.17, 0.15]), 0.8, 0.005 * px)
        wing = smooth_curve(
            [
                (x + side * 0.03, _NOSE_Y - 0.02),
                (x + side * 0.043, _NOSE_Y + 0.012),
                (x + side * 0.02, _NOSE_Y + 0.034),
            ],
            10,
        )
        _blend(board, frame.pixels(wing), skin * np.array([0.62, 0.46, 0.42]), 0.5, 0.006 * px, max(1.0, 0.009 * px))
    below = ellipse((0, _NOSE_Y + 0.042), (0.065 * face.nose_width, 0.016))
    _blend(board, frame.pixels(below), skin * np.array([0.62, 0.48, 0.45]), 0.42, 0.011 * px)


def _arch(half: float, corner: float, shoulder: tuple[float, float], middle: float) -> np.ndarray:
    """Return a curve from the right corner of the mouth through a shoulder and the middle to the left corner."""
    x, y = shoulder
    return smooth_curve([(half, corner), (x, y), (0, middle), (-x, y), (-half, corner)], 24)


def _draw_mouth(board: Canvas, frame: Frame, face: Face, pose: Pose) -> None:
    half = face.mouth_width * (1 + 0.2 * pose.smile)
    opened = float(np.clip(pose.mouth_open, 0, 1)) * 0.075 + 0.028 * max(0.0, pose.smile - 0.45) / 0.55
    corner, thick = _MOUTH_Y - 0.028 * pose.smile, 0.03 * face.lips
    bow = [(half, corner), (half * 0.45, _MOUTH_Y - thick * 0.75), (half * 0.16, _MOUTH_Y - thick)]
    top = smooth_curve([*((-x, y) for x, y in bow), (0, _MOUTH_Y - thick * 0.8), *reversed(bow)], 28)
    below = _MOUTH_Y + opened + thick
    low = _arch(half, corner, (half * 0.5, below + 0.0035 * pose.smile), below + thick * 0.35)
    _blend(board, frame.pixels(np.vstack([top, low])), face.lip_colour, 0.75, 0.004 * frame.scale)
    upper = _arch(half * 0.92, corner, (half * 0.4, _MOUTH_Y - 0.002), _MOUTH_Y + 0.001)
    if opened > 0.006:
        lower = _arch(half * 0.92, corner, (half * 0.45, _MOUTH_Y + opened), _MOUTH_Y + opened * 1.12)
        _draw_open_mouth(board, frame, upper, lower, opened)
    else:
        shadow, width = face.skin * np.array([0.36, 0.2, 0.2]), max(1.0, 0.008 * frame.scale)
        _blend(board, frame.pixels(upper), shadow, 0.8, 0.003 * frame.scale, width)
    _draw_smile_lines(board, frame, face, pose, half)


def _draw_open_mouth(board: Canvas, frame: Frame, upper: np.ndarray, lower: np.ndarray, opened: float) -> None:
    hole = frame.pixels(np.vstack([upper, lower[::-1]]))
    _blend(board, hole, np.array([0.17, 0.05, 0.05]), 0.95, 0.3)
    box = Box.around(hole, board.shape, 2)
    if box is not None:
        teeth = np.vstack([upper, upper[::-1] + (0, min(0.034, opened * 0.95))])
        cover = cover_of([frame.pixels(teeth)], box) * cover_of([hole], box)
        board.paint(box, cover * 0.95, np.array([0.93, 0.9, 0.86]), person=False)


def _draw_smile_lines(board: Canvas, frame: Frame, face: Face, pose: Pose, half: float) -> None:
    strength = 0.55 * (0.25 + 0.5 * max(pose.smile, 0) + 0.35 * face.age)
    colour, width = face.skin * np.array([0.66, 0.5, 0.46]), max(1.0, 0.014 * frame.scale)
    for side in (-1, 1):
        knots = [(0.085, _NOSE_Y + 0.01), (half + 0.022, _MOUTH_Y - 0.045), (half + 0.04, _MOUTH_Y + 0.025)]
        fold = smooth_curve([(side * x, y) for x, y in knots], 12)
        _blend(board, frame.pixels(fold), colour, strength, 0.008 * frame.scale, width)


def _skin_base(rng: np.random.Generator, face: Face, shape: tuple[int, int], frame: Frame) -> np.ndarray:
    mottle = fractal(rng, shape, 5, 5, 0.6)
    base = face.skin * (1 + mottle[..., None] * np.array([0.018, 0.03, 0.032], np.float32))
    board = Canvas(base.astype(np.float32))
    for side in (-1, 1):
        cheek = frame.pixels(ellipse((side * 0.2, 0.16), (0.1, 0.08)))
        _blend(board, cheek, face.skin * np.array([1.0, 0.7, 0.68]), 0.5 * face.blush, 0.05 * frame.scale)
    nose = frame.pixels(ellipse((0, _NOSE_Y - 0.01), (0.05, 0.045)))
    _blend(board, nose, face.skin * np.array([1.0, 0.78, 0.75]), 0.5 * face.blush, 0.02 * frame.scale)
    if face.freckles > 0.1:
        spots = np.stack([rng.normal(0, 0.16, 90), rng.normal(0.1, 0.09, 90)], 1)
        lines = frame.pixels(np.stack([spots, spots + 0.004], axis=1))
        box = Box.whole(shape)
        board.paint(
            box,
            cover_of_lines(lines, box, 0.01 * frame.scale) * min(face.freckles, 0.8),
            face.skin * [0.7, 0.52, 0.42],
            person=False,
        )
    if face.age > 0.5:
        for k in range(3):
            y = -0.3 + 0.05 * k + rng.normal(0, 0.008)
            line = smooth_curve([(-0.18, y), (-0.06, y - 0.012), (0.07, y - 0.004), (0.18, y)], 12)
            _blend(
                board,
                frame.pixels(line),
                face.skin * 0.62,
                0.5 * face.age,
                0.004 * frame.scale,
                max(1.0, 0.009 * frame.scale),
            )
    return board.rgb


def _stubble(board: Canvas, frame: Frame, person: Person, rng: np.random.Generator) -> None:
    """Paint the beard's shadow on the skin; what stands off the jaw is hair."""
    kind = person.hair.beard
    if kind == "none":
        return
    half, bottom, strength = _BEARDS[kind]
    knots = [*half, *bottom, *((-x, y) for x, y in reversed(bottom)), *((-x, y) for x, y in reversed(half[1:]))]
    outline = frame.pixels(smooth_curve(knots, 60, closed=True))
    box = Box.around(outline, board.shape)
    if box is None:
        return
    cover = cover_of([outline], box, 0.016 * frame.scale)
    grain = fractal(rng, box.shape, 60, 2, 0.9, 1.5)
    cover = np.clip(cover * (strength + 0.5 * grain * (1 - abs(strength - 0.5))), 0, 1)
    lips = frame.pixels(ellipse((0, _MOUTH_Y + 0.008), (person.face.mouth_width * 0.92, 0.032)))
    cover *= 1 - 0.95 * cover_of([lips], box, 0.01 * frame.scale)
    board.paint(box, cover, person.hair.beard_colour * (0.9 + 0.25 * grain[..., None]), person=False)


def face_texture(person: Person, pose: Pose, scale: float) -> np.ndarray:
    """Return the face's albedo float32 (h, w, 3), about as fine as a head of ``scale`` pixels needs."""
    rng = np.random.default_rng([person.seed, 1])
    px = float(np.clip(scale * 1.1, 48, 420))
    shape = (round(2 * TEXTURE_REACH[1] * px), round(2 * TEXTURE_REACH[0] * px))
    frame = Frame(px, 0.0, (shape[1] * 0.5 - 0.5, shape[0] * 0.5 - 0.5))
    board = Canvas(_skin_base(rng, person.face, shape, frame))
    _stubble(board, frame, person, rng)
    brow = person.hair.colour * 0.75 if person.hair.colour.mean() < 0.5 else person.hair.colour * 0.55
    _draw_nose(board, frame, person.face)
    for side in (-1, 1):
        _draw_eye(board, frame, person.face, pose, side, brow)
        _draw_brow(board, frame, person.face, pose, side, brow, rng)
    _draw_mouth(board, frame, person.face, pose)
    return np.clip(board.rgb, 0, 1)
