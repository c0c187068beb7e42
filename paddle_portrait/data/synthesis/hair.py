# ruff: noqa: RUF005 - points are arrays here: `points + (dx, dy)` shifts them, it does not join.
"""Hair styles and beards, laid out in the head's plane: a layer behind the person, and layers over the head."""

from __future__ import annotations

import numpy as np

from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, cover_of, ellipse, smooth_curve
from paddle_portrait.data.synthesis.head import HeadSurface
from paddle_portrait.data.synthesis.light import Light
from paddle_portrait.data.synthesis.person import Person, Pose
from paddle_portrait.data.synthesis.strands import Strands, brush, curls, detail_of, lock, paint_strands


class HairArtist:
    """Lays out one person's hair for one pose, with as many strands as a head of ``scale`` pixels needs."""

    def __init__(self, person: Person, pose: Pose, scale: float) -> None:
        self.person, self.hair, self.pose = person, person.hair, pose
        self.surface = HeadSurface.of(person.face, pose)
        self.rng = np.random.default_rng([person.seed, 2])
        self.shift = -0.06 * np.sin(pose.yaw)
        self.detail = detail_of(scale)

    def _many(self, count: int) -> int:
        return int(count * self.detail)

    def _skull(self, lift: float, low: float = 0.1, count: int = 31) -> np.ndarray:
        """Return the outline of the skull from the left side over the crown to the right, ``lift`` off it."""
        angle = np.linspace(np.pi + low, 2 * np.pi - low, count)
        wide, deep = self.person.face.width * np.cos(self.pose.yaw), self.person.face.depth * np.sin(self.pose.yaw)
        reach = float(np.hypot(wide, deep)) + lift
        points = np.stack([np.cos(angle) * reach, -0.06 + np.sin(angle) * (0.44 + lift * 1.05)], axis=1)
        return points + (self.shift, 0.08 * np.sin(self.pose.pitch))

    def _hairline(self, lift: float = 0.01) -> np.ndarray:
        """Return the hairline from the left temple over the forehead to the right temple."""
        up = self.hair.hairline
        half = [(0.19, -0.275 + up), (0.285, -0.17 + up), (0.335, -0.06), (0.35, 0.1)]
        knots = [*((-x, y) for x, y in reversed(half)), (0, -0.305 + up * 0.7), *half]
        return self.surface.project(np.array(knots), lift)

    def cap(self, lift: float, bend: float, count: int = 260) -> Strands:
        """Return short hair from the hairline out to the skull's outline."""
        bumps = self.rng.normal(0, 0.012 + 0.03 * self.hair.mess, 9)
        outer = self._skull(lift, low=-0.18)
        direction = outer / (np.linalg.norm(outer, axis=1, keepdims=True) + 1e-6)
        outer = outer + direction * np.interp(np.linspace(0, 8, 31), np.arange(9), bumps)[:, None]
        return brush(self.rng, self.hair, self._hairline(), outer, self._many(count), bend)

    def sides(self, length: float, spread: float, count: int = 150) -> list[Strands]:
        """Return the two falls of parted hair, left and right of the face, down to ``length`` (y of the tips)."""
        part, up = self.hair.part, self.hair.hairline
        top = self._skull(self.hair.volume)
        height, reach = top[:, 1].min(), np.abs(top[:, 0] - self.shift).max()
        crown = (part * 0.8 + self.shift, height + 0.012)
        falls = []
        for side in (-1, 1):
            brow = [(part, -0.3 + up), (0.5 * part + side * 0.2, -0.24), (side * 0.31, -0.08), (side * 0.335, 0.12)]
            hairline = self.surface.project(np.array(brow), 0.01)
            drop, sway = length + self.rng.normal(0, 0.03), self.rng.normal(0, 0.05)
            cheek, edge, halfway = hairline[-1, 0], self.shift + side * reach, 0.12 + (length - 0.12) * 0.5
            bulge = side * (0.02 + 0.2 * self.hair.curl + self.rng.uniform(0, 0.05))
            inner = [
                crown,
                *hairline,
                (cheek + bulge + sway * 0.3, halfway),
                (cheek + side * 0.2 * spread + sway, drop),
            ]
            outer = [
                *[crown, (self.shift + side * reach * 0.72, height + 0.1), (edge, -0.14), (edge + side * 0.03, 0.15)],
                *[
                    (edge + side * (0.04 + 0.6 * spread) + sway * 0.5, halfway),
                    (edge + side * spread + sway, drop * 0.97),
                ],
            ]
            falls.append(lock(self.rng, self.hair, np.array(inner), np.array(outer), self._many(count)))
        return falls

    def fringe(self, depth: float) -> Strands:
        """Return a fringe over the forehead, down to the brows at ``depth`` 1."""
        low = -0.27 + 0.2 * depth
        half = [(0.16, low + 0.015 + self.rng.normal(0, 0.015)), (0.31, low + 0.12)]
        knots = [*((-x, y) for x, y in reversed(half)), (0, low), *half]
        roots, tips = self._skull(self.hair.volume, 0.5), self.surface.project(np.array(knots), 0.03)
        return brush(self.rng, self.hair, roots, tips, self._many(150), self.rng.normal(0, 0.12))

    def back(self, length: float, spread: float) -> Strands:
        """Return the hair that hangs behind head and neck."""
        top = self._skull(self.hair.volume, 0.25)
        middle, left, right = top[15], top[0, 0], top[-1, 0]
        wide, tip = spread * 0.5, spread
        inner = [(middle[0] - 0.1, middle[1]), (left * 0.96, -0.1), (left - wide, 0.35), (left - tip, length)]
        outer = [(middle[0] + 0.1, middle[1]), (right * 0.96, -0.1), (right + wide, 0.35), (right + tip, length)]
        return lock(self.rng, self.hair, np.array(inner), np.array(outer), self._many(200))

    def bun(self) -> Strands:
        """Return a knot on top of the head."""
        x, size = self.shift * 2.5 + self.rng.normal(0, 0.05), 0.13 + 0.25 * self.hair.volume
        knot = ellipse((x, -0.53 - self.rng.uniform(0, 0.06)), (size * 1.15, size * 0.9))
        return curls(self.rng, knot, self._many(120), 0.07)

    def tails(self, sides: tuple[int, ...]) -> list[Strands]:
        """Return tied tails that start at the side of the head and hang down over the shoulders."""
        result = []
        for side in sides:
            x, drop = side * 0.4 + self.shift, 0.5 + 0.5 * self.hair.length
            inner = np.array([(x, 0.0), (x + side * 0.03, 0.25), (x + side * 0.02, drop)])
            outer = np.array([(x + side * 0.02, -0.05), (x + side * 0.2, 0.2), (x + side * 0.1, drop)])
            result.append(lock(self.rng, self.hair, inner, outer, self._many(80)))
        return result

    def back_layers(self) -> list[Strands]:
        """Return what is painted before the body."""
        style, hair = self.hair.style, self.hair
        if style in ("long", "wavy", "curly_long"):
            return [self.back(0.35 + hair.length * 0.75, 0.08 + 2.2 * hair.curl + 0.1 * hair.volume)]
        if style == "bob":
            return [self.back(0.42 + 0.1 * hair.length, 0.06)]
        if style == "afro":
            size = 0.48 + 1.3 * hair.volume
            outline = ellipse((self.shift * 2, -0.14), (size, size * 0.95), count=48)
            return [curls(self.rng, outline * (1 + self.rng.normal(0, 0.02, (48, 1))), self._many(800), 0.03)]
        if style == "ponytail":
            return self.tails((int(np.sign(hair.part) or 1),))
        return self.tails((-1, 1)) if style == "pigtails" else []

    def front_layers(self) -> list[Strands]:
        """Return what is painted over the head."""
        style, hair = self.hair.style, self.hair
        if style in ("bald", "headscarf"):
            return []
        if style == "buzz":
            return [self.cap(0.012, 0.0, 320)]
        if style == "swept":
            return [self.cap(0.04 + hair.volume * 1.4, self.rng.normal(0, 0.45), 340)]
        if style in ("curly_short", "afro"):
            return [self._curly_cap()]
        if style == "side_part":
            return [self.cap(hair.volume, 0.35 * np.sign(hair.part)), *self.sides(0.02, 0.0, 110)]
        if style == "short":
            fringe = [self.fringe(hair.fringe * 0.6)] if hair.fringe else []
            return [self.cap(0.02 + hair.volume * 0.7, self.rng.normal(0, 0.2)), *fringe]
        fringe = [self.fringe(hair.fringe)] if hair.fringe else []
        if style in ("ponytail", "bun", "pigtails"):
            knot = [self.bun()] if style == "bun" else []
            return [*knot, self.cap(0.015 + hair.volume * 0.5, 0.12), *fringe]
        return [*self._falls(), *fringe]

    def _falls(self) -> list[Strands]:
        """Return parted hair whose sides fall before the shoulders or behind them."""
        hair, bob = self.hair, self.hair.style == "bob"
        length = 0.36 + 0.1 * hair.length if bob else 0.3 + hair.length * 0.75
        falls, short = self.sides(length, 0.05 + 2 * hair.curl), self.sides(0.42, 0.01)
        return [falls[i] if hair.in_front[i] or bob else short[i] for i in (0, 1)]

    def _curly_cap(self) -> Strands:
        afro = self.hair.style == "afro"
        roots = smooth_curve(self._hairline(0.03), 40)
        lift, low = (0.1 + self.hair.volume, 0.0) if afro else (self.hair.volume * 1.3, -0.1)
        outer = self._skull(lift, low)
        outer = outer + self.rng.normal(0, 0.012, outer.shape)
        radius = 0.022 + 0.25 * self.hair.curl
        return curls(self.rng, np.vstack([roots, outer[::-1]]), self._many(800), radius)

    def beard(self) -> Strands | None:
        """Return the part of a full beard that stands off the jaw."""
        if self.hair.beard not in ("full", "short"):
            return None
        length = 0.11 + 0.1 * self.hair.length if self.hair.beard == "full" else 0.035
        half = [(0.14, 0.45), (0.25, 0.35), (0.31, 0.24), (0.33, 0.1)]
        knots = [*((-x, y) for x, y in reversed(half)), (0, 0.485), *half]
        fall = np.array([0.3, 0.4, 0.6, 0.9, 1, 0.9, 0.6, 0.4, 0.3]) * length
        roots = self.surface.project(np.array(knots))
        tips = roots * (1.03, 1.0) + np.stack([np.zeros(9), fall], 1)
        return brush(self.rng, self.hair, roots - (0, 0.03), tips, self._many(160), 0.0)


def draw_hair_back(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint the hair behind head and shoulders."""
    artist = HairArtist(person, pose, frame.scale)
    for strands in artist.back_layers():
        paint_strands(canvas, frame, strands, person.hair, light, artist.rng, 0.78)


def draw_hair_front(canvas: Canvas, frame: Frame, person: Person, pose: Pose, light: Light) -> None:
    """Paint beard, then the hair over head and face, with the shadow that it casts on the forehead."""
    artist = HairArtist(person, pose, frame.scale)
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
