"""A picture of a data set: some photos with their labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from paddle_portrait.data.checks.check import spread
from paddle_portrait.data.datasets.foreign import as_dataset
from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.errors import UserError
from paddle_portrait.pictures import contact_sheet, overlay

_PAIRS_A_ROW = 3
_IGNORED_GREY = 0.5


def sample_sheet(dataset: Any, count: int = 18, cell_hw: tuple[int, int] = (180, 150)) -> np.ndarray | None:
    """Draw photos spread over a data set, each beside its label laid over it.

    Args:
        dataset: a data set, of ours or of paddleseg; samples that cannot be loaded are left out.
        count: photos to draw.
        cell_hw: height and width of a picture in pixels.

    Returns:
        uint8 (H, W, 3) RGB, or None when no sample can be loaded.
    """
    dataset = as_dataset(dataset)
    samples = [sample for index in spread(range(len(dataset)), count) if (sample := _load(dataset, index)) is not None]
    lines = [samples[start : start + _PAIRS_A_ROW] for start in range(0, len(samples), _PAIRS_A_ROW)]
    if not lines:
        return None
    rows = [[picture for sample in line for picture in (sample.image, _labelled(sample))] for line in lines]
    captions = [[sample.path for sample in line] + [""] * (len(lines[0]) - len(line)) for line in lines]
    return contact_sheet(rows, ["image", "label"] * min(_PAIRS_A_ROW, len(samples)), cell_hw, captions)


def _load(dataset: Any, index: int) -> Sample | None:
    try:
        return dataset.load(index)
    except UserError:
        return None


def _labelled(sample: Sample) -> np.ndarray:
    """Return the photo with its person tinted and its ignored pixels greyed."""
    if sample.label is None:
        return sample.image
    ignored = sample.label == IGNORE
    person = np.where(ignored, 0, np.minimum(sample.label, 1))
    tinted = overlay(sample.image, person, strength=0.6)
    return overlay(tinted, ignored, (128, 128, 128), _IGNORED_GREY + 0.3)
