"""Real photos for the proof, where those of a config are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import read_image

if TYPE_CHECKING:
    import numpy as np

    from paddle_portrait.config import Config

_COUNT = 2


def first_photos(config: Config) -> list[np.ndarray]:
    """Return the first two photos of ``val_dataset``, uint8 H×W×3; none where its list or one of them is not here.

    A set that is marked final is left alone.
    """
    from paddle_portrait.data.datasets.foreign import as_dataset
    from paddle_portrait.registry import DATASETS

    if config.get("val_dataset.type") is None or config.is_final("val_dataset"):
        return []
    try:
        dataset = as_dataset(DATASETS.build_node(config.component("val_dataset")))
        return [read_image(path) for path, _ in dataset.files[:_COUNT]]
    except UserError as error:
        logger.info("the proof goes without real photos: %s", error)
        return []
