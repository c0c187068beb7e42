"""The start of a stage that trains for int8: convolutions that round, ranges measured on photos, norms that rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.config import Config
from paddle_portrait.console import logger
from paddle_portrait.data.datasets.base import PortraitDataset
from paddle_portrait.engine.trained import input_channels
from paddle_portrait.models.fake_quantisation import calibrate, layers_to_round, round_layers
from paddle_portrait.preprocess import Preprocess

CALIBRATION_IMAGES = 64
_BATCH = 8


def start_rounding(
    model: nn.Layer, section: Mapping[str, Any], dataset: PortraitDataset, config: Config, seed: int
) -> list[nn.Layer]:
    """Turn ``model``, in place, into one that computes as it will in int8.

    Args:
        model: a network in float, with the weights to start from.
        section: a stage's ``quantise``.
        dataset: photos of the training set, on which ranges are measured as they are, without augmentation.
        config: names the preprocessing of inference.
        seed: decides which photos.

    Returns:
        The norm layers, whose statistics must not move: they are folded into the rounded weights later.
    """
    names = layers_to_round(model, section.get("keep_float") or ())
    round_layers(model, names)
    count = min(int(section.get("calibration_images", CALIBRATION_IMAGES)), len(dataset))
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:count]
    model.eval()
    photos = (dataset.load(int(index)).image for index in chosen)
    calibrate(model, _batches(photos, preprocess, input_channels(config, preprocess)))
    logger.info("%d convolutions round to 8 bits; their ranges were measured on %d photos", len(names), count)
    return [layer for layer in model.sublayers() if "norm" in type(layer).__name__.lower()]


def _batches(photos: Iterable[np.ndarray], preprocess: Preprocess, channels: int) -> Iterator[paddle.Tensor]:
    waiting: list[np.ndarray] = []
    for photo in photos:
        tensor = preprocess(photo)[0]
        if channels > tensor.shape[1]:  # a prior, empty as before the first frame
            tensor = np.concatenate([tensor, np.zeros_like(tensor[:, :1])], axis=1)
        if waiting and (len(waiting) == _BATCH or tensor.shape != waiting[0].shape):
            yield paddle.to_tensor(np.concatenate(waiting))
            waiting = []
        waiting.append(tensor)
    if waiting:
        yield paddle.to_tensor(np.concatenate(waiting))
