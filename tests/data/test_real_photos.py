"""The photos of EG1800, where they are at hand: the road from the list to a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.data import BatchLoader, EvalLoader
from paddle_portrait.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2] / "data" / "eg1800"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="data/eg1800 is not here")
SIZE = [{"type": "Resize", "target_size": [192, 192]}]


def test_training_and_evaluation_batches() -> None:
    augment = [*SIZE, {"type": "RandomRotation"}, {"type": "RandomPaddingCrop", "crop_size": [192, 192]}]
    node = {"type": "Dataset", "dataset_root": str(ROOT), "train_path": str(ROOT / "train.txt")}
    dataset = DATASETS.build_node({**node, "transforms": [*augment, {"type": "Normalize"}]})
    assert dataset.masks.kind == "binary255"
    with BatchLoader(dataset, 8, seed=0, num_workers=2) as loader:
        batch = next(iter(loader))
    assert batch.images.shape == (8, 3, 192, 192) and set(np.unique(batch.labels)) == {0, 1, 255}
    assert 0.1 < (batch.labels == 1).mean() < 0.9
    evaluation = DATASETS.build_node({**node, "transforms": [*SIZE, {"type": "Normalize"}]})
    first = next(iter(EvalLoader(evaluation, 2)))
    assert first.labels[0].shape == (512, 384) and first.images.shape == (2, 3, 192, 192)
