"""The figures of an evaluation: their names, what they mean, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        key: its key in summaries, rows and ``report.json``.
        title: its name for people.
        meaning: one sentence.
        higher_is_better: which way is up; None for a count.
        decimals: how it is written.
    """

    key: str
    title: str
    meaning: str
    higher_is_better: bool | None
    decimals: int = 4

    def write(self, value: float | None) -> str:
        """Return the value as text; a dash where there is none."""
        if value is None or not math.isfinite(value):
            return "–"
        return f"{value:.{self.decimals}f}"


FIGURES: tuple[Figure, ...] = (
    Figure("miou", "mIoU", "Mean IoU of background and person, from pixels added up over all images.", True),
    Figure("person_iou", "Person IoU", "IoU of the person, from pixels added up over all images.", True),
    Figure("person_iou_mean", "Person IoU, mean", "IoU of the person in each image, averaged over images.", True),
    Figure("boundary_iou", "Boundary IoU", "IoU of the bands along the outlines, 2 % of the diagonal wide.", True),
    Figure("pixel_accuracy", "Pixel accuracy", "Share of pixels with the right class.", True),
    Figure("mae", "MAE", "Mean absolute difference between probability and label.", False),
    Figure("mse", "MSE", "Mean squared difference between probability and label.", False),
    Figure("sad", "SAD", "Sum of absolute differences in an image, in thousands of pixels.", False, 3),
    Figure("checkerboard", "Checkerboard", "Strength of a pixel grid in the probability, which no IoU sees.", False, 5),
    Figure("warping_error", "Warping error", "Mean squared change of the probability along the motion.", False, 5),
    Figure("mask_instability", "Mask instability", "1 - IoU of neighbouring frames' masks along the motion.", False),
    Figure("dtssd", "dtSSD", "Difference between the changes in time of probability and label.", False),
    Figure("messddt", "MESSDdt", "Change of the squared error along the motion.", False, 5),
    Figure("frame_pairs", "Frame pairs", "Neighbouring frames that were compared.", None, 0),
    Figure("images", "Images", "Images that were judged.", None, 0),
)


def present(summary: Mapping[str, float]) -> list[tuple[Figure, float]]:
    """Return the figures that ``summary`` has, in their usual order."""
    return [(figure, summary[figure.key]) for figure in FIGURES if figure.key in summary]


def text_table(summary: Mapping[str, float]) -> str:
    """Return the figures as lines of text, names to the left, values aligned."""
    cells = [(figure.title, figure.write(value)) for figure, value in present(summary)]
    left = max(len(title) for title, _ in cells)
    right = max(len(value) for _, value in cells)
    return "\n".join(f"{title:<{left}}  {value:>{right}}" for title, value in cells)
