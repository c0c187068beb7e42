"""Pictures to measure statistics on: generated portraits, or photos of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.convert.golden import network_input
from paddle_portrait.data.datasets.list_file import read_list
from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import Preprocess, read_image

COUNT = 48
_BATCH = 8
_DEFAULT_SIZE = (256, 256)
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def calibration_batches(
    network: nn.Layer, preprocess: Preprocess, source: str | Path | None = None, count: int = COUNT
) -> Iterator[paddle.Tensor]:
    """Yield batches of float N×C×H×W as ``network`` gets them in evaluation.

    Args:
        network: says how many channels it takes.
        preprocess: of its config.
        source: a folder of photos, or a list file as of a data set; None for generated portraits, always the same.
        count: how many pictures at most; of a longer list, evenly spread ones.

    Raises:
        UserError: the source holds no pictures.
    """
    images = generated_portraits(preprocess, count) if source is None else _photos(Path(source), count)
    batch: list[np.ndarray] = []
    size = None
    for image in images:
        fitted = preprocess.fit(image)[0]
        if batch and (fitted.shape != size or len(batch) == _BATCH):
            yield network_input(network, preprocess, batch)
            batch = []
        size = fitted.shape
        batch.append(image)
    if batch:
        yield network_input(network, preprocess, batch)


def generated_portraits(preprocess: Preprocess, count: int) -> Iterator[np.ndarray]:
    """Yield the same ``count`` portraits, uint8 H×W×3 RGB, at the size that the network sees."""
    size = preprocess.input_size_hw or _DEFAULT_SIZE
    return (render_portrait(seed, size)[0] for seed in range(count))


def _photos(source: Path, count: int) -> Iterator[np.ndarray]:
    if source.is_dir():
        files = sorted(str(path) for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    elif source.is_file():
        files = [image for image, _ in read_list(str(source), str(source.parent), " ", masks_optional=True)]
    else:
        raise UserError(f"calibration: there is no folder or list '{source}'.")
    if not files:
        raise UserError(f"calibration: '{source}' holds no pictures ({', '.join(_SUFFIXES)}).")
    chosen = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int))
    return (read_image(files[index]) for index in chosen)
