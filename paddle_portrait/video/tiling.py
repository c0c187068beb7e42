"""Several streams in one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np

from paddle_portrait.preprocess.geometry import Size
from paddle_portrait.video.colour import Colour
from paddle_portrait.video.frame import Frame, new_planar, planar_of_rgb, plane_views
from paddle_portrait.video.reader import VideoInfo
from paddle_portrait.video.rounds import Job, Round

_TICK = Fraction(1, 90000)


class Tiler:
    """Lays the pictures of a round into a grid as large as the first stream's picture; empty tiles stay black.

    Args:
        infos: the streams.
    """

    def __init__(self, infos: Sequence[VideoInfo]) -> None:
        self._columns = math.ceil(math.sqrt(len(infos)))
        rows = math.ceil(len(infos) / self._columns)
        height, width = infos[0].size_hw
        self._cell_hw: Size = (_even(height / self._columns), _even(width / self._columns))
        self._size_hw = (rows * self._cell_hw[0], self._columns * self._cell_hw[1])
        self._colour = infos[0].colour
        self._black = planar_of_rgb(np.zeros((*self._size_hw, 3), np.uint8), self._colour)
        self.info = replace(infos[0], size_hw=self._size_hw, time_base=_TICK)

    def __call__(self, work: Round) -> Round:
        """Return a round of one picture, at the time of the first one."""
        if not work.jobs:
            return work
        sheet = new_planar(self._size_hw, self._colour)
        planes = plane_views(sheet)
        for target, black in zip(planes, plane_views(self._black), strict=True):
            target[:] = black
        for job in work.jobs:
            self._paste(job.frame, planes)
        first = work.jobs[0].frame
        sheet.pts, sheet.time_base = round(first.seconds / _TICK), _TICK
        sheet.duration = round(first.duration / _TICK)
        return Round([Job(Frame(sheet))], work.sound)

    def _paste(self, frame: Frame, planes: Sequence[np.ndarray]) -> None:
        row, column = divmod(frame.stream, self._columns)
        scale = min(cell / side for cell, side in zip(self._cell_hw, frame.size_hw, strict=True))
        height, width = (_even(side * scale) for side in frame.size_hw)
        top = row * self._cell_hw[0] + (self._cell_hw[0] - height) // 4 * 2
        left = column * self._cell_hw[1] + (self._cell_hw[1] - width) // 4 * 2
        for source, target, share in zip(_planes_as(frame, self._colour), planes, (1, 2, 2), strict=True):
            place = target[top // share : (top + height) // share, left // share : (left + width) // share]
            cv2.resize(source, place.shape[::-1], place, interpolation=cv2.INTER_AREA)


def _planes_as(frame: Frame, colour: Colour) -> list[np.ndarray]:
    """Return the planes of a frame, converted where its numbers mean other colours."""
    if frame.colour[:2] == colour[:2]:
        return frame.planes()
    return plane_views(planar_of_rgb(frame.rgb(), colour))


def _even(side: float) -> int:
    return max(2, int(side / 2) * 2)
