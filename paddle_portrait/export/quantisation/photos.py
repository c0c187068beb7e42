"""Photos that ranges are measured on: drawn from a training set, never from one kept for judging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.data.checks.reserved import reserved_images
from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    from paddle_portrait.data.datasets.base import PortraitDataset
    from paddle_portrait.inference import Predictor


def draw_calibration(dataset: PortraitDataset, predictor: Predictor, count: int, seed: int) -> list[np.ndarray]:
    """Return ``count`` photos of a training set as the graph takes them; all where there are fewer.

    Args:
        dataset: the training set; the photos are taken as they are on the disk, without augmentation.
        predictor: prepares them.
        count: number of photos.
        seed: decides which.

    Raises:
        UserError: one of the photos is kept for judging.
    """
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:count]
    reserved = reserved_images(dataset.files[int(index)][0] for index in chosen)
    if reserved:
        where = ", ".join(f"{paths[0]} (of {name})" for name, paths in reserved.items())
        raise UserError(
            f"calibration photos must not be ones that models are judged on: {where}. Name a training set in "
            "train_dataset."
        )
    return [predictor.prepare(dataset.load(int(index)).image)[0] for index in chosen]
