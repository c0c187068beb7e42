"""Drawing the result: in the planes of the video where the effect allows it, through RGB otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import av
import cv2
import numpy as np

from paddle_portrait.effects import Effect, blend_uint8, to_alpha
from paddle_portrait.effects.plate import background_plate
from paddle_portrait.preprocess.geometry import resize
from paddle_portrait.video.backgrounds import Background
from paddle_portrait.video.colour import rgb_to_yuv
from paddle_portrait.video.frame import Frame, new_planar, planar_of_rgb, plane_views
from paddle_portrait.video.rounds import Job

_SURE = 0.5
Box = tuple[slice, slice]
"""Rows and columns of a plane."""


class Compositor(Protocol):
    """Turns a frame with its mask into the frame to be written."""

    def __call__(self, job: Job, background: Background | None) -> Frame:
        """Return the finished frame; ``background`` is that of the job's stream."""
        ...


class RgbCompositor:
    """Any effect, on RGB at the frame's size.

    Args:
        effect: what is drawn.
        hard: cut the mask at one half instead of drawing soft edges.
    """

    def __init__(self, effect: Effect, hard: bool = False) -> None:
        self._effect, self._hard = effect, hard

    def __call__(self, job: Job, background: Background | None) -> Frame:
        """Draw the effect."""
        person = resize(_person(job), job.frame.size_hw)
        if self._hard:
            person = (person > _SURE).astype(np.float32)
        behind = background.rgb(job.frame) if background is not None else None
        return job.frame.with_rgb(self._effect(job.frame.rgb(), person, behind))


class PlaneCompositor:
    """The person over a background, blended plane by plane in 8 bits: no conversion to RGB and back.

    Args:
        behind: makes the background, a planar picture of the frame's size.
        hard: cut the mask at one half instead of drawing soft edges.
    """

    def __init__(self, behind: Callable[[Job, Background | None], av.VideoFrame], hard: bool = False) -> None:
        self._behind, self._hard = behind, hard

    def __call__(self, job: Job, background: Background | None) -> Frame:
        """Blend each plane with the mask at that plane's size, where there is any person; copy the rest."""
        result = new_planar(job.frame.size_hw, job.frame.colour)
        alpha = to_alpha(_person(job))
        layers = zip(job.frame.planes(), plane_views(self._behind(job, background)), plane_views(result), strict=True)
        enlarged: dict[tuple[int, ...], tuple[np.ndarray, Box]] = {}  # U and V are of one size
        for front, back, target in layers:
            if target.shape not in enlarged:
                enlarged[target.shape] = self._enlarge(alpha, target.shape)
            full, person = enlarged[target.shape]
            _copy_around(person, back, target)
            if target[person].size:
                blend_uint8(front[person], back[person], full[person], target[person])
        return job.frame.with_picture(result)

    def _enlarge(self, alpha: np.ndarray, size_hw: tuple[int, ...]) -> tuple[np.ndarray, Box]:
        """Return the opacity at the size of a plane, and where it is not 0."""
        full = cv2.resize(alpha, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
        if self._hard:
            full = cv2.threshold(full, 127, 255, cv2.THRESH_BINARY)[1]
        return full, _person_box(alpha, size_hw)


def make_compositor(effect: Effect, hard: bool = False) -> Compositor:
    """Return the fastest compositor that draws ``effect``."""
    maker, understood = _IN_PLANES.get(effect.name, (None, ()))
    others = [option for option in effect.kind.options if option.name not in understood]
    changed = any(effect.options[option.name] != option.default for option in others)
    if maker is None or changed or effect.refiners:  # refiners look at the picture at its own size
        return RgbCompositor(effect, hard)
    return PlaneCompositor(maker(effect), hard)


def _replaced(effect: Effect) -> Callable[[Job, Background | None], av.VideoFrame]:
    def behind(job: Job, background: Background | None) -> av.VideoFrame:
        assert background is not None
        return background.planar(job.frame)

    return behind


def _coloured(effect: Effect) -> Callable[[Job, Background | None], av.VideoFrame]:
    plates: dict[tuple, av.VideoFrame] = {}

    def behind(job: Job, background: Background | None) -> av.VideoFrame:
        kind = (job.frame.size_hw, job.frame.colour)
        if kind not in plates:
            plate = np.empty((*job.frame.size_hw, 3), np.uint8)
            plate[:] = effect.options["color"]
            plates[kind] = planar_of_rgb(plate, job.frame.colour)
        return plates[kind]

    return behind


def _blurred(effect: Effect) -> Callable[[Job, Background | None], av.VideoFrame]:
    """Blur what the network saw of the background: the blur leaves nothing that the full picture would add."""

    def behind(job: Job, background: Background | None) -> av.VideoFrame:
        assert job.small_rgb is not None
        sigma = effect.options["radius"] * min(job.small_rgb.shape[:2])
        plate = background_plate(job.small_rgb, _person(job))
        if sigma > 0:
            plate = cv2.GaussianBlur(plate, (0, 0), sigma)
        yuv = rgb_to_yuv(np.rint(plate).astype(np.uint8), job.frame.colour)
        result = new_planar(job.frame.size_hw, job.frame.colour)
        for channel, target in enumerate(plane_views(result)):
            cv2.resize(cv2.extractChannel(yuv, channel), target.shape[::-1], target, interpolation=cv2.INTER_LINEAR)
        return result

    return behind


# Effects whose background can be had in planes, and the options that they understand there.
_IN_PLANES = {"replace": (_replaced, ("fit",)), "color": (_coloured, ("color",)), "blur": (_blurred, ("radius",))}


def _person_box(alpha: np.ndarray, size_hw: tuple[int, ...]) -> Box:
    """Return rows and columns outside which ``alpha`` is 0 when it is enlarged bilinearly to ``size_hw``."""
    left, top, width, height = cv2.boundingRect(alpha)
    box = []
    for first, count, small, large in zip((top, left), (height, width), alpha.shape, size_hw, strict=True):
        # An opaque pixel reaches as far as the centres of its neighbours.
        reach = 1 if count else 0
        begin, end = (first - reach) * large // small, -((first + count + reach) * -large // small)
        box.append(slice(max(0, begin), min(large, end)))
    return box[0], box[1]


def _copy_around(box: Box, source: np.ndarray, target: np.ndarray) -> None:
    """Copy a plane but for the rows and columns of ``box``."""
    rows, columns = box
    for outside in (
        np.s_[: rows.start, :],
        np.s_[rows.stop :, :],
        np.s_[rows, : columns.start],
        np.s_[rows, columns.stop :],
    ):
        target[outside] = source[outside]


def _person(job: Job) -> np.ndarray:
    assert job.person is not None
    return job.person
