"""The objective on a validation set, for schedules that watch it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.data.batch import Batch
from paddle_portrait.data.datasets.base import PortraitDataset
from paddle_portrait.data.sample import Sample

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import ObjectiveFunction


def validation_loss(model: nn.Layer, objective: ObjectiveFunction, dataset: PortraitDataset, batch_size: int) -> float:
    """Return the objective's mean over the images of ``dataset``, at the network's size and without augmentation.

    Each layer is left in the mode in which it was.

    Args:
        model: the network; it is run in evaluation mode.
        objective: its terms must act on what the network gives in evaluation mode.
        dataset: a data set with labels.
        batch_size: largest number of images a step.

    Raises:
        UserError: a term acts on an output or a view that there is in training only, or an image has no label.
    """
    training = [layer for layer in model.sublayers(include_self=True) if layer.training]
    model.eval()
    total = 0.0
    try:
        with paddle.no_grad():
            for batch in _batches(dataset, batch_size):
                total += float(objective(model, batch.to_tensors())[0].item()) * len(batch)
    finally:
        for layer in training:
            layer.training = True
    return total / len(dataset)


def _batches(dataset: PortraitDataset, batch_size: int) -> Iterator[Batch]:
    """Yield the images in order; neighbours of one size go together."""
    waiting: list[Sample] = []
    for index in range(len(dataset)):
        # Validation transforms draw nothing; the generator is there because transforms take one.
        sample = dataset.sample(index, np.random.default_rng([0, index]))
        if waiting and (len(waiting) == batch_size or waiting[0].image.shape != sample.image.shape):
            yield dataset.collate(waiting)
            waiting = []
        waiting.append(sample)
    if waiting:
        yield dataset.collate(waiting)
