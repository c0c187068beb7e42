"""Data sets of the installed paddleseg package behind our loaders."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("paddleseg")

from paddle_portrait.data import BatchLoader, EvalLoader
from paddle_portrait.data.datasets import ConcatDataset
from paddle_portrait.data.datasets.foreign import as_dataset
from paddle_portrait.data.transforms import RandomNoise
from paddle_portrait.errors import UserError
from paddle_portrait.registry import DATASETS

PLAIN = [{"type": "Resize", "target_size": [12, 10]}, {"type": "Normalize"}]
AUGMENT = [
    {"type": "RandomHorizontalFlip"},
    {"type": "RandomPaddingCrop", "crop_size": [12, 10]},
    {"type": "Normalize"},
]


def fill(root: Path, names: list[tuple[str, str]], values: int = 2) -> None:
    rng = np.random.default_rng(0)
    for image, mask in names:
        for name, array in (
            (image, rng.integers(0, 256, (20, 16, 3), dtype=np.uint8)),
            (mask, rng.integers(0, values, (20, 16), dtype=np.uint8)),
        ):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / name)


@pytest.fixture
def humanseg14k(tmp_path: Path) -> Path:
    names = [(f"images/{i}.png", f"masks/{i}.png") for i in range(6)]
    fill(tmp_path, names)
    for split in ("train", "val"):
        (tmp_path / f"{split}.txt").write_text("".join(f"{a} {b}\n" for a, b in names))
    return tmp_path


def build(**node: Any) -> Any:
    return DATASETS.build_node(node)


def test_data_sets_that_list_files_are_read_by_our_code(humanseg14k: Path) -> None:
    theirs = build(type="PPHumanSeg14K", dataset_root=str(humanseg14k), transforms=AUGMENT, mode="train")
    ours = build(
        type="Dataset",
        dataset_root=str(humanseg14k),
        transforms=AUGMENT,
        train_path=str(humanseg14k / "train.txt"),
        num_classes=2,
    )
    for a, b in islice(zip(BatchLoader(theirs, 3, 1), BatchLoader(ours, 3, 1), strict=True), 3):
        assert np.array_equal(a.images, b.images) and np.array_equal(a.labels, b.labels) and a.paths == b.paths
    val = build(type="PPHumanSeg14K", dataset_root=str(humanseg14k), transforms=PLAIN, mode="val")
    batches = list(EvalLoader(val, 4))
    assert [len(batch) for batch in batches] == [4, 2]
    assert batches[0].images.shape == (4, 3, 10, 12) and batches[0].labels[0].shape == (20, 16)


def test_their_pixels_are_ours(humanseg14k: Path) -> None:
    val = build(type="PPHumanSeg14K", dataset_root=str(humanseg14k), transforms=[{"type": "Normalize"}], mode="val")
    ours = next(iter(EvalLoader(val, 1)))
    their_transforms = __import__("paddleseg.transforms", fromlist=["Normalize"])
    theirs = type(val)(dataset_root=str(humanseg14k), transforms=[their_transforms.Normalize()], mode="val")[0]
    assert np.array_equal(ours.images[0], theirs["img"]) and np.array_equal(ours.labels[0], theirs["label"][0])


def test_they_join_with_ours(humanseg14k: Path) -> None:
    theirs = build(type="PPHumanSeg14K", dataset_root=str(humanseg14k), transforms=AUGMENT, mode="train")
    ours = build(
        type="Dataset", dataset_root=str(humanseg14k), transforms=AUGMENT, train_path=str(humanseg14k / "train.txt")
    )
    joined = ConcatDataset([ours, theirs])
    assert len(joined) == 12 and len(next(iter(BatchLoader(joined, 8, 0)))) == 8


@pytest.fixture
def ade(tmp_path: Path) -> Path:
    """ADE20K subtracts one from its labels, so it reads by itself."""
    for split in ("training", "validation"):
        fill(tmp_path, [(f"images/{split}/{i}.jpg", f"annotations/{split}/{i}.png") for i in range(4)], values=4)
    return tmp_path


@pytest.mark.parametrize("num_workers", [0, 2])
def test_data_sets_with_a_reading_of_their_own(ade: Path, num_workers: int) -> None:
    dataset = build(type="ADE20K", dataset_root=str(ade), transforms=AUGMENT, mode="train")
    batches = list(islice(BatchLoader(dataset, 2, seed=1, num_workers=num_workers), 3))
    again = list(islice(BatchLoader(dataset, 2, seed=1, start_iteration=1), 2))
    for batch in batches:
        assert batch.images.shape == (2, 3, 10, 12) and batch.images.dtype == np.float32
        assert batch.labels.dtype == np.int64 and set(np.unique(batch.labels)) == {0, 1, 2, 255}
    for a, b in zip(batches[1:], again, strict=True):
        assert np.array_equal(a.images, b.images) and np.array_equal(a.labels, b.labels)


def test_evaluation_of_them(ade: Path) -> None:
    dataset = build(type="ADE20K", dataset_root=str(ade), transforms=PLAIN, mode="val")
    batch = next(iter(EvalLoader(dataset, 2)))
    assert batch.images.shape == (2, 3, 10, 12) and batch.labels[0].shape == (20, 16) and batch.geometries
    assert batch.geometries[0].restore(np.zeros((10, 12), np.float32)).shape == (20, 16)


def test_a_second_view_of_them_is_refused(ade: Path) -> None:
    dataset = build(type="ADE20K", dataset_root=str(ade), transforms=AUGMENT, mode="train")
    with pytest.raises(UserError, match="ADE20K cannot give the second view"):
        next(iter(BatchLoader(dataset, 2, 0, texture=[RandomNoise()])))


def test_what_is_no_data_set() -> None:
    with pytest.raises(UserError, match="int is no data set"):
        as_dataset(3)
