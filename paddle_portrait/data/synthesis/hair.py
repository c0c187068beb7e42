"""Hair: bundles of individual strands between two curves, in a back layer and a front layer, and beards.

Curves are in the head's plane (heads from the head's centre). A *lock* is a patch whose strands run along it, from a
parting to the tips; a *brush* is a patch whose strands run across it, from the hairline outwards.
"""

# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_portrait.data.synthesis.canvas import (
    Box,
    Canvas,
    Frame,
    cover_of,
    draw_lines,
    ellipse,
    new_board,
    shrink_board,
    smooth_curve,
    soften,
)
from paddle_portrait.data.synthesis.head import HeadSurface
from paddle_portrait.data.synthesis.light import Light, inflate, shade
from paddle_portrait.data.synthesis.noise import fractal
from paddle_portrait.data.synthesis.person import Hair, Person, Pose

_TONES = 10


@dataclass
class Strands:
    """Strands of one layer: ``lines`` (n, k, 2) in heads, and the filled shapes that they lie on."""

    lines: np.ndarray
    fills: list[np.ndarray]


def _waves(rng: np.random.Generator, lines: np.ndarray, amplitude: float, turns: float) -> np.ndarray:
    """Bend strands sideways in waves; neighbours bend alike because the phase changes slowly from one to the next."""
    n, k, _ = lines.shape
    phase = np.cumsum(rng.normal(0, 0.35, n))[:, None] + rng.uniform(0, 6.28)
    s = np.linspace(0, 1, k)[None]
    sway = amplitude * np.sin(phase + 2 * np.pi * turns * s) * np.minimum(1, 3 * s)
    tangent = np.gradient(lines, axis=1)
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
    return lines + normal * sway[..., None]


def lock(rng: np.random.Generator, hair: Hair, inner: np.ndarray, outer: np.ndarray, count: int) -> Strands:
    """Return strands that run along the patch between two curves (lists of points from the parting to the tips)."""
    k = 16
    a, b = smooth_curve(inner, k), smooth_curve(outer, k)
    q = np.sort(np.concatenate([rng.uniform(-0.015, 1.02, count - count // 6), 1 - 0.12 * rng.random(count // 6)]))
    q = q[:, None, None] + (hair.mess * 0.06) * np.cumsum(rng.normal(0, 0.3, (count, k, 1)), axis=1)
    lines = a + (b - a) * q
    # Tips end at different lengths.
    ends = 1 + rng.normal(0, 0.03 + 0.05 * hair.mess, (count, 1, 1)) * np.linspace(0, 1, k)[None, :, None] ** 2
    lines = lines[:, :1] + (lines - lines[:, :1]) * ends
    curl = hair.curl + 0.004
    turns = 3.2 if hair.style in ("wavy", "curly_long") else 1.3
    lines = _waves(rng, lines, curl, turns * rng.uniform(0.8, 1.3))
    return Strands(lines, [np.vstack([smooth_curve(inner, 40), smooth_curve(outer, 40)[::-1]])])


def brush(
    rng: np.random.Generator, hair: Hair, roots: np.ndarray, tips: np.ndarray, count: int, bend: float = 0.0
) -> Strands:
    """Return strands that run from a curve of roots to a curve of tips, arched sideways by ``bend``."""
    k = 9
    t = np.sort(rng.random(count))
    fine_roots, fine_tips = smooth_curve(roots, 64), smooth_curve(tips, 64)
    at = t * 63
    start = np.stack([np.interp(at, np.arange(64), fine_roots[:, i]) for i in (0, 1)], 1)
    at = np.clip(at + rng.normal(0, 1 + 4 * hair.mess, count), 0, 63)
    end = np.stack([np.interp(at, np.arange(64), fine_tips[:, i]) for i in (0, 1)], 1)
    reach = rng.uniform(0.8, 1.0 + 0.06 + 0.22 * hair.mess, count)[:, None]
    end = start + (end - start) * reach
    s = np.linspace(0, 1, k)[None, :, None]
    across = (end - start)[:, ::-1] * np.array([-1, 1])
    lines = start[:, None] + (end - start)[:, None] * s + across[:, None] * bend * np.sin(np.pi * s * 0.8)
    lines = _waves(rng, lines, hair.curl, 1.5)
    return Strands(lines, [np.vstack([fine_roots, fine_tips[::-1]])])


def curls(rng: np.random.Generator, region: np.ndarray, count: int, radius: float) -> Strands:
    """Return little rings scattered over ``region`` (outline): curly hair."""
    low, high = region.min(0), region.max(0)
    centres = rng.uniform(low, high, (count, 2))
    box = Box(0, 0, 64, 64)
    inside = cover_of([(region - low) / (high - low) * 62], box) > 0.5
    cell = ((centres - low) / (high - low) * 62).astype(int)
    centres = centres[inside[cell[:, 1], cell[:, 0]]]
    rim = region[rng.integers(0, len(region), count // 3)]
    centres = np.vstack([centres, rim])
    n = len(centres)
    angle = rng.uniform(0, 6.28, (n, 1)) + np.linspace(0, rng.uniform(3.5, 6.5), 9)[None]
    size = radius * rng.uniform(0.5, 1.3, (n, 1))
    lines = centres[:, None] + np.stack([size * np.cos(angle), size * np.sin(angle) * 0.8], -1)
    return Strands(lines, [region])


def paint_strands(
    canvas: Canvas, frame: Frame, strands: Strands, hair: Hair, light: Light, rng: np.random.Generator, dim: float = 1.0
) -> None:
    """Paint one layer of hair: fills first, then every strand in one of a few tones; alpha is their union."""
    lines = frame.pixels(strands.lines)
    fills = [frame.pixels(fill) for fill in strands.fills]
    box = Box.around(np.vstack([lines.reshape(-1, 2), *fills]), canvas.shape)
    if box is None:
        return
    width = max(0.6, frame.scale * 0.0085)
    solid = cover_of(fills, box, 0.006 * frame.scale)
    tone_board, cover_board = new_board(box), new_board(box)
    tone_board[:] = 105
    groups = rng.integers(0, _TONES, len(lines))
    clumps = (np.sin(np.arange(len(lines)) * rng.uniform(0.15, 0.5)) * 2.5).astype(int)
    groups = np.clip(groups + clumps, 0, _TONES - 1)
    for tone in range(_TONES):
        members = lines[groups == tone]
        if len(members):
            draw_lines(tone_board, members, box, 55 + tone * 22, width)
    draw_lines(cover_board, lines, box, 255, max(0.5, width * 0.6))
    tone = soften(shrink_board(tone_board, box), 0.3)
    loose = shrink_board(cover_board, box)
    cover = solid + (1 - solid) * loose * 0.8
    height = inflate(solid, 0.22 * frame.scale) + (tone - 0.5) * 0.012 * frame.scale
    mix = np.clip(tone * 1.9 - 0.35, 0, 1)[..., None]
    patches = fractal(rng, box.shape, 4, 2)[..., None]
    albedo = (
        (hair.colour * (1 - mix) + hair.streaks * mix) * (0.45 + 1.0 * tone[..., None]) * (1 + 0.12 * patches) * dim
    )
    gloss = (0.22 + 0.35 * hair.colour.mean()) * np.clip(tone - 0.25, 0, 1) * dim
    canvas.paint(box, cover, np.clip(shade(albedo, height, light, gloss, 7), 0, 1))


class HairArtist:
    """Lays out one person's hair for one pose."""

    def __init__(self, person: Person, pose: Pose) -> None:
        self.person, self.hair, self.pose = person, person.hair, pose
        self.surface = HeadSurface.of(person.face, pose)
        self.rng = np.random.default_rng([person.seed, 2])
        self.shift = -0.06 * np.sin(pose.yaw)

    def _skull(self, lift: float, low: float = 0.1, count: int = 31) -> np.ndarray:
        """Return the outline of the skull from the left side over the crown to the right, ``lift`` off it."""
        angle = np.linspace(np.pi + low, 2 * np.pi - low, count)
        reach = float(
            np.hypot(self.person.face.width * np.cos(self.pose.yaw), self.person.face.depth * np.sin(self.pose.yaw))
        )
        points = np.stack([np.cos(angle) * (reach + lift), -0.06 + np.sin(angle) * (0.44 + lift * 1.05)], axis=1)
        return points + (self.shift, 0.08 * np.sin(self.pose.pitch))

    def _hairline(self, lift: float = 0.01) -> np.ndarray:
        """Return the hairline from the left temple over the forehead to the right temple."""
        up = self.hair.hairline
        knots = [
            (-0.35, 0.1),
            (-0.335, -0.06),
            (-0.285, -0.17 + up),
            (-0.19, -0.275 + up),
            (0, -0.305 + up * 0.7),
            (0.19, -0.275 + up),
            (0.285, -0.17 + up),
            (0.335, -0.06),
            (0.35, 0.1),
        ]
        return self.surface.project(np.array(knots), lift)

    def cap(self, lift: float, bend: float, count: int = 260) -> Strands:
        """Return short hair from the hairline out to the skull's outline."""
        noise = np.interp(np.linspace(0, 8, 31), np.arange(9), self.rng.normal(0, 0.012 + 0.03 * self.hair.mess, 9))
        outer = self._skull(lift, low=-0.18)
        outer += (outer / (np.linalg.norm(outer, axis=1, keepdims=True) + 1e-6)) * noise[:, None]
        return brush(self.rng, self.hair, self._hairline(), outer, count, bend)

    def sides(self, length: float, spread: float, count: int = 150) -> list[Strands]:
        """Return the two falls of parted hair, left and right of the face, down to ``length`` (y of the tips)."""
        part, vol = self.hair.part, self.hair.volume
        top = self._skull(vol)
        reach = np.abs(top[:, 0] - self.shift).max()
        crown = (part * 0.8 + self.shift, top[:, 1].min() + 0.012)
        falls = []
        for side in (-1, 1):
            hairline = self.surface.project(
                np.array(
                    [
                        (part, -0.3 + self.hair.hairline),
                        (0.5 * part + side * 0.2, -0.24),
                        (side * 0.31, -0.08),
                        (side * 0.335, 0.12),
                    ]
                ),
                0.01,
            )
            drop = length + self.rng.normal(0, 0.03)
            sway = self.rng.normal(0, 0.05)
            cheek = hairline[-1, 0]
            inner = [
                crown,
                *hairline,
                (cheek + side * (0.01 + 0.2 * self.hair.curl) + sway * 0.3, 0.12 + (drop - 0.12) * 0.45),
                (cheek + side * (0.02 + 0.2 * spread) + sway, drop),
            ]
            edge = self.shift + side * reach
            outer = [
                crown,
                (self.shift + side * reach * 0.72, top[:, 1].min() + 0.1),
                (edge, -0.14),
                (edge + side * 0.03, 0.15),
                (edge + side * (0.04 + 0.5 * spread) + sway * 0.5, 0.12 + (drop - 0.12) * 0.5),
                (edge + side * spread + sway, drop * 0.97),
            ]
            falls.append(lock(self.rng, self.hair, inner, outer, count))
        return falls

    def fringe(self, depth: float) -> Strands:
        """Return a fringe over the forehead, down to the brows at ``depth`` 1."""
        low = -0.27 + 0.2 * depth
        roots = self._skull(self.hair.volume, 0.5)
        tips = self.surface.project(
            np.array([(-0.31, low + 0.12), (-0.16, low + 0.015), (0, low), (0.16, low + 0.015), (0.31, low + 0.12)]),
            0.03,
        )
        return brush(self.rng, self.hair, roots, tips, 150, self.rng.normal(0, 0.12))

    def back(self, length: float, spread: float, count: int = 200) -> Strands:
        """Return the hair that hangs behind head and neck."""
        top = self._skull(self.hair.volume, 0.25)
        left, right = top[0, 0] - spread * 0.5, top[-1, 0] + spread * 0.5
        inner = [(top[15, 0] - 0.1, top[15, 1]), (top[0, 0] * 0.96, -0.1), (left, 0.35), (left - spread * 0.5, length)]
        outer = [
            (top[15, 0] + 0.1, top[15, 1]),
            (top[-1, 0] * 0.96, -0.1),
            (right, 0.35),
            (right + spread * 0.5, length),
        ]
        return lock(self.rng, self.hair, np.array(inner), np.array(outer), count)

    def bun(self) -> Strands:
        """Return a knot on top of the head."""
        x = self.shift * 2.5 + self.rng.normal(0, 0.05)
        knot = ellipse(
            (x, -0.53 - self.rng.uniform(0, 0.06)), (0.15 + 0.3 * self.hair.volume, 0.12 + 0.2 * self.hair.volume)
        )
        return curls(self.rng, knot, 120, 0.07)

    def tails(self, sides: tuple[int, ...]) -> list[Strands]:
        """Return tied tails that start at the side of the head and hang down over the shoulders."""
        result = []
        for side in sides:
            x, drop = side * 0.4 + self.shift, 0.5 + 0.5 * self.hair.length
            inner = [(x, 0.0), (x + side * 0.03, 0.25), (x + side * 0.02, drop)]
            outer = [(x + side * 0.02, -0.05), (x + side * 0.2, 0.2), (x + side * 0.1, drop)]
            result.append(lock(self.rng, self.hair, np.array(inner), np.array(outer), 80))
        return result

    def back_layers(self) -> list[Strands]:
        """Return what is painted before the body."""
        style, hair = self.hair.style, self.hair
        if style in ("long", "wavy", "curly_long"):
            return [self.back(0.35 + hair.length * 0.75, 0.08 + 2.2 * hair.curl + 0.1 * hair.volume)]
        if style == "bob":
            return [self.back(0.42 + 0.1 * hair.length, 0.06)]
        if style == "afro":
            return [curls(self.rng, self._afro(), 520, 0.04)]
        if style == "ponytail":
            return self.tails((int(np.sign(hair.part) or 1),))
        return self.tails((-1, 1)) if style == "pigtails" else []

    def _afro(self) -> np.ndarray:
        size = 0.48 + 1.3 * self.hair.volume
        outline = ellipse((self.shift * 2, -0.14), (size, size * 0.95), count=48)
        return outline * (1 + self.rng.normal(0, 0.02, (48, 1)))

    def front_layers(self) -> list[Strands]:
        """Return what is painted over the head."""
        style, hair = self.hair.style, self.hair
        if style in ("bald", "headscarf"):
            return []
        if style == "buzz":
            return [self.cap(0.012, 0.0, 320)]
        if style == "short":
            return [
                self.cap(0.02 + hair.volume * 0.7, self.rng.normal(0, 0.2)),
                *([self.fringe(hair.fringe * 0.6)] if hair.fringe else []),
            ]
        if style == "side_part":
            return [self.cap(hair.volume, 0.35 * np.sign(hair.part)), *self._short_sides()]
        if style == "swept":
            return [self.cap(0.04 + hair.volume * 1.4, self.rng.normal(0, 0.45), 340)]
        if style in ("curly_short", "afro"):
            return [self._curly_cap()]
        fringe = [self.fringe(hair.fringe)] if hair.fringe else []
        if style in ("ponytail", "bun", "pigtails"):
            knot = [self.bun()] if style == "bun" else []
            return [*knot, self.cap(0.015 + hair.volume * 0.5, 0.12), *fringe]
        length = 0.36 + 0.1 * hair.length if style == "bob" else 0.3 + hair.length * 0.75
        falls = self.sides(length, 0.05 + 2 * hair.curl)
        hidden = [self.sides(0.42, 0.01)[i] if not hair.in_front[i] and style != "bob" else falls[i] for i in (0, 1)]
        return [*hidden, *fringe]

    def _short_sides(self) -> list[Strands]:
        return self.sides(0.02, 0.0, 110)

    def _curly_cap(self) -> Strands:
        roots, outer = self._hairline(0.03), self._skull(self.hair.volume * 1.3, low=-0.1)
        if self.hair.style == "afro":
            outer = self._skull(0.1 + self.hair.volume, low=0.0)
        region = np.vstack([smooth_curve(roots, 40), outer[::-1]])
        return curls(self.rng, region, 520, 0.03 + 0.2 * self.hair.curl)

    def beard(self) -> Strands | None:
        """Return the part of a full beard that stands off the jaw."""
        if self.hair.beard not in ("full", "short"):
            return None
        length = 0.11 + 0.1 * self.hair.length if self.hair.beard == "full" else 0.035
        knots = [
            (-0.33, 0.1),
            (-0.31, 0.24),
            (-0.25, 0.35),
            (-0.14, 0.45),
            (0, 0.485),
            (0.14, 0.45),
            (0.25, 0.35),
            (0.31, 0.24),
            (0.33, 0.1),
        ]
        roots = self.surface.project(np.array(knots))
        tips = (
            roots * (1.03, 1.0)
            + np.array([(0, 0.3), (0, 0.4), (0, 0.6), (0, 0.9), (0, 1), (0, 0.9), (0, 0.6), (0, 0.4), (0, 0.3)])
            * length
        )
        return brush(self.rng, self.hair, roots - (0, 0.03), tips, 160, 0.0)


def draw_hair_back(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint the hair behind head and shoulders."""
    artist = HairArtist(person, pose)
    for strands in artist.back_layers():
        paint_strands(canvas, frame, strands, person.hair, light, artist.rng, 0.78)


def draw_hair_front(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint beard, then the hair over head and face, with the shadow that it casts on the forehead."""
    artist = HairArtist(person, pose)
    beard = artist.beard()
    if beard is not None:
        paint_strands(canvas, frame, beard, person.hair, light, artist.rng)
    for strands in artist.front_layers():
        _shadow(canvas, frame, strands, light)
        paint_strands(canvas, frame, strands, person.hair, light, artist.rng)


def _shadow(canvas: Canvas, frame: Frame, strands: Strands, light: Light) -> None:
    """Darken what lies under a layer of hair, a little away from the lamp."""
    offset = np.array([-light.direction[0], max(0.3, -light.direction[1])]) * 0.035
    fills = [frame.pixels(fill + offset) for fill in strands.fills]
    box = Box.around(np.vstack(fills), canvas.shape, 0.06 * frame.scale)
    if box is not None:
        cover = cover_of(fills, box, 0.025 * frame.scale) * canvas.alpha[box.slices]
        canvas.darken(box, 0.4 * (1 - 0.5 * light.softness) * cover)
