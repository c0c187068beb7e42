"""Persons before other backgrounds: photos of a folder, or generated rooms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.arguments import number_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.compositing import CutOut, cut_out, place_on
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Size, resize
from paddle_portrait.preprocess.image_io import read_image
from paddle_portrait.registry import TRANSFORMS

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_LONG_SIDE = 640  # of a background in memory
_ROOMS, _ROOM_HW, _ROOM_SEED = 256, (288, 512), 77


@TRANSFORMS.register()
class RandomBackground(Transform):
    """Put the person before another background, or show the background alone.

    Portraits are upright and filled by a face; in a video call the frame is wide and the person sits in its lower
    middle, among furniture. The frame becomes ``aspect_ratio`` wide with probability ``landscape_prob``; the person
    gets smaller by a factor of ``scale_range`` and stands on the lower edge. A side at which the photo cuts the
    person off stays at the frame's side. Colours at the person's edge are freed of the old background, and the light
    is matched in part. As github.com/anilsathyan7/Portrait-Segmentation made its synthetic training set, with the
    framing, the edges and the light added.

    Args:
        prob: probability of another background.
        backgrounds: folder of photos without people; None draws from 256 generated rooms (40 ms each when first used).
        empty_prob: probability of the background alone, with a label of zeros.
        landscape_prob: of the other backgrounds, the share that makes the frame wide.
        scale_range: smallest and largest size of the person, as a factor, at most 1.
        aspect_ratio: width / height of a wide frame.
        light_match: up to which share the person's colours move towards those of the background, 0..1.

    Raises:
        UserError: an argument is out of range; when first used: the folder is missing or holds no photo.
    """

    def __init__(
        self,
        prob: float = 0.5,
        backgrounds: str | None = None,
        empty_prob: float = 0.0,
        landscape_prob: float = 0.5,
        scale_range: Sequence[float] = (0.6, 1.0),
        aspect_ratio: float = 16 / 9,
        light_match: float = 0.5,
    ) -> None:
        name = "RandomBackground"
        self.prob = probability(name, "prob", prob)
        self.empty_prob = probability(name, "empty_prob", empty_prob)
        self.landscape_prob = probability(name, "landscape_prob", landscape_prob)
        self.scale_range = number_range(name, "scale_range", scale_range, 0.05, 1)
        self.aspect_ratio = number_range(name, "aspect_ratio", [aspect_ratio, aspect_ratio], 0.1, 10)[0]
        self.light_match = probability(name, "light_match", light_match)
        self.backgrounds = backgrounds

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the composed sample, the empty background, or the sample as it is.

        Raises:
            UserError: the sample has no label, or there are no backgrounds.
        """
        if rng.random() < self.empty_prob:
            return self._empty(sample, rng)
        if rng.random() >= self.prob:
            return sample
        person = cut_out(sample, "RandomBackground")
        canvas_hw, factor, place = self._frame(person, rng)
        person = person.scaled(factor)
        top, left = canvas_hw[0] - person.size_hw[0], round(place * (canvas_hw[1] - person.size_hw[1]))
        background = self._draw(canvas_hw, rng)
        placed = person.on_canvas(canvas_hw, top, left).lit_like(background, rng.random() * self.light_match)
        prior = None
        if sample.prior is not None:
            prior = place_on(resize(sample.prior, person.size_hw), canvas_hw, top, left)
        return sample.moved(placed.over(background), placed.label, prior)

    def _empty(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if sample.label is None:
            return sample.with_arrays(self._draw(sample.size_hw, rng), None)
        return sample.with_arrays(self._draw(sample.size_hw, rng), np.zeros_like(sample.label))

    def _frame(self, person: CutOut, rng: np.random.Generator) -> tuple[Size, float, float]:
        """Return the frame's size, the person's factor, and where the person is between left (0) and right (1)."""
        height, width = person.size_hw
        at_left, at_right, at_top = person.cut_off_at()
        wide = round(height * self.aspect_ratio)
        is_wide, factor = rng.random() < self.landscape_prob, rng.uniform(*self.scale_range)
        middle = float(np.clip(rng.normal(0.5, 0.2), 0, 1))
        if at_left and at_right:  # no frame is wide enough to show what the photo cuts off on both sides
            return (height, width), 1.0, 0.0
        canvas = (height, wide) if is_wide and wide > width else (height, width)
        place = 0.0 if at_left else 1.0 if at_right else middle
        return canvas, 1.0 if at_top else factor, place

    def _draw(self, canvas_hw: Size, rng: np.random.Generator) -> np.ndarray:
        if self.backgrounds is None:
            picture = _room(int(rng.integers(_ROOMS)))
        else:
            photos = list_photos(self.backgrounds)
            picture = _photo(photos[int(rng.integers(len(photos)))])
        return draw_window(picture, canvas_hw, rng)


def draw_window(picture: np.ndarray, size_hw: Size, rng: np.random.Generator) -> np.ndarray:
    """Cut a random window of the frame's aspect out of a picture, mirror it or not, and scale it to the frame."""
    height, width = picture.shape[:2]
    fit = min(height / size_hw[0], width / size_hw[1]) * rng.uniform(0.6, 1.0)
    rows, columns = max(1, int(size_hw[0] * fit)), max(1, int(size_hw[1] * fit))
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    window = picture[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    window = np.ascontiguousarray(window)
    return resize(window, size_hw, cv2.INTER_AREA if rows > size_hw[0] else cv2.INTER_LINEAR)


@lru_cache(maxsize=16)
def list_photos(folder: str) -> tuple[str, ...]:
    """Return the photos of a folder, sorted.

    Raises:
        UserError: the folder is missing or holds no photo.
    """
    if not Path(folder).is_dir():
        raise UserError(
            f"RandomBackground: the folder backgrounds '{folder}' does not exist (looked from {Path.cwd()}). Leave it "
            "out for generated rooms; data/README.md says how to fill the folders under data/."
        )
    photos = tuple(sorted(str(path) for path in Path(folder).iterdir() if path.suffix.lower() in _SUFFIXES))
    if not photos:
        raise UserError(
            f"RandomBackground: the folder backgrounds '{folder}' holds no photo ({', '.join(sorted(_SUFFIXES))})."
        )
    return photos


@lru_cache(maxsize=64)
def _photo(path: str) -> np.ndarray:
    photo = read_image(path)
    factor = min(1.0, _LONG_SIDE / max(photo.shape[:2]))
    size = max(1, round(photo.shape[0] * factor)), max(1, round(photo.shape[1] * factor))
    return resize(photo, size, cv2.INTER_AREA)


@lru_cache(maxsize=_ROOMS)
def _room(number: int) -> np.ndarray:
    from paddle_portrait.data.synthesis import render_empty_room

    return render_empty_room(np.random.default_rng([_ROOM_SEED, number]), _ROOM_HW)
