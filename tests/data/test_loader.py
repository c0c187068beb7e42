"""Batches are a function of seed and iteration, whatever loads them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data import Batch, BatchLoader, EvalLoader
from paddle_portrait.data.batch import outline_band
from paddle_portrait.data.datasets import ConcatDataset, Dataset
from paddle_portrait.data.sampling import Part, epoch_order
from paddle_portrait.data.transforms import (
    Normalize,
    Padding,
    RandomDistort,
    RandomHorizontalFlip,
    RandomPaddingCrop,
    RandomRotation,
    Resize,
    ResizeByLong,
)
from paddle_portrait.errors import UserError

AUGMENT = [RandomRotation(), RandomPaddingCrop([12, 10]), RandomHorizontalFlip(), RandomDistort(), Normalize()]


def make(
    root: Path, count: int, transforms: list | None = None, sizes: list | None = None, **arguments: Any
) -> Dataset:
    rng = np.random.default_rng(count)
    lines = []
    for number in range(count):
        height, width = sizes[number % len(sizes)] if sizes else (16, 14)
        for kind, shape in (("images", (height, width, 3)), ("masks", (height, width))):
            (root / kind).mkdir(parents=True, exist_ok=True)
            array = rng.integers(0, 256 if kind == "images" else 2, shape, dtype=np.uint8)
            Image.fromarray(array).save(root / kind / f"{number}.png")
        lines.append(f"images/{number}.png masks/{number}.png")
    (root / "train.txt").write_text("\n".join(lines))
    return Dataset(
        transforms=AUGMENT if transforms is None else transforms,
        dataset_root=str(root),
        train_path=str(root / "train.txt"),
        **arguments,
    )


def take(loader: BatchLoader, count: int) -> list[Batch]:
    with loader:
        return list(islice(loader, count))


def same(a: Batch, b: Batch) -> bool:
    return a.paths == b.paths and np.array_equal(a.images, b.images) and np.array_equal(a.labels, b.labels)


def test_shapes_and_types(tmp_path: Path) -> None:
    batch = take(BatchLoader(make(tmp_path, 7), 3, seed=1), 1)[0]
    assert batch.images.shape == (3, 3, 10, 12) and batch.images.dtype == np.float32 and batch.images.flags.c_contiguous
    assert batch.labels.shape == (3, 10, 12) and batch.labels.dtype == np.int64
    assert set(np.unique(batch.labels)) <= {0, 1, 255} and len(batch) == 3 and len(batch.paths) == 3
    assert batch.images.min() >= -1 and batch.images.max() <= 1
    assert batch.textured is None and batch.edges is None


@pytest.mark.parametrize("num_workers", [0, 2])
def test_same_seed_same_batches_from_any_start(tmp_path: Path, num_workers: int) -> None:
    dataset = make(tmp_path, 10)
    whole = take(BatchLoader(dataset, 4, seed=3), 9)  # two batches an epoch: four epochs and a half
    for start in (0, 1, 2, 5):
        part = take(BatchLoader(dataset, 4, seed=3, num_workers=num_workers, start_iteration=start), 4)
        assert all(same(a, b) for a, b in zip(part, whole[start:], strict=False))
    other = take(BatchLoader(dataset, 4, seed=4), 9)
    assert not any(same(a, b) for a, b in zip(other, whole, strict=True))


def test_starting_late_loads_nothing_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make(tmp_path, 8)
    seen: list[int] = []
    load = dataset.load
    monkeypatch.setattr(dataset, "load", lambda index: seen.append(index) or load(index))
    take(BatchLoader(dataset, 4, seed=0, start_iteration=10_000), 1)
    assert len(seen) == 4


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_the_batch_of_one(tmp_path: Path, world_size: int) -> None:
    dataset = make(tmp_path, 11)
    alone = take(BatchLoader(dataset, 4, seed=5), 5)
    shares = [take(BatchLoader(dataset, 4, seed=5, rank=r, world_size=world_size), 5) for r in range(world_size)]
    for k, whole in enumerate(alone):
        joined = np.concatenate([share[k].images for share in shares])
        assert np.array_equal(joined, whole.images)
        assert [path for share in shares for path in share[k].paths] == whole.paths


def test_an_epoch_sees_each_photo_once_and_differs_from_the_next(tmp_path: Path) -> None:
    dataset = make(tmp_path, 12)
    loader = BatchLoader(dataset, 4, seed=0)
    assert loader.iterations_per_epoch == 3
    batches = take(loader, 6)
    epochs = [[i for batch in batches[e : e + 3] for i in batch.indices] for e in (0, 3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(12))] * 2 and epochs[0] != epochs[1]


def test_the_same_photo_is_augmented_anew_in_each_epoch_and_repetition(tmp_path: Path) -> None:
    dataset = make(tmp_path, 2, weight=3)
    views: dict[int, set[bytes]] = {0: set(), 1: set()}
    for batch in take(BatchLoader(dataset, 2, seed=0), 6):
        for image, index in zip(batch.images, batch.indices, strict=True):
            views[index].add(image.tobytes())
    assert [len(seen) for seen in views.values()] == [6, 6]


def test_a_short_last_batch_where_asked_for(tmp_path: Path) -> None:
    dataset = make(tmp_path, 7)
    loader = BatchLoader(dataset, 3, seed=0, drop_last=False)
    assert loader.iterations_per_epoch == 3 and [len(batch) for batch in take(loader, 4)] == [3, 3, 1, 3]
    with pytest.raises(UserError, match="last batch of an epoch has 1 samples for 3 processes"):
        BatchLoader(dataset, 3, seed=0, drop_last=False, world_size=3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch_size": 6}, "5 samples an epoch, fewer than a batch of 6"),
        ({"batch_size": 0}, "batch_size must be 1 or more"),
        ({"batch_size": 3, "world_size": 2}, "a batch of 3 cannot be split evenly over 2 processes"),
        ({"batch_size": 2, "world_size": 2, "rank": 2}, r"rank 2 is outside 0\.\.1"),
        ({"batch_size": 2, "num_workers": -1}, "num_workers must be 0 or more"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        BatchLoader(make(tmp_path, 5), seed=0, **arguments)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_damaged_photo_is_named(tmp_path: Path, num_workers: int) -> None:
    dataset = make(tmp_path, 4)
    (tmp_path / "images/2.png").write_bytes(b"no photo")
    with pytest.raises(UserError, match=r"images/2\.png"), BatchLoader(dataset, 2, 0, num_workers) as loader:
        for _ in islice(loader, 2):
            pass
    assert not loader_threads()


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_no_thread_outlives_its_loader(tmp_path: Path) -> None:
    dataset = make(tmp_path, 8)
    with BatchLoader(dataset, 2, 0, num_workers=2) as loader:
        batches = iter(loader)
        next(batches)
        assert loader_threads()
    assert not loader_threads()
    loader.close()
    evaluation = EvalLoader(make(tmp_path / "e", 5, [Normalize()]), 2, num_workers=2)
    assert sum(len(batch) for batch in evaluation) == 5
    assert not loader_threads()
    for _ in BatchLoader(dataset, 2, 0, num_workers=2):
        break  # the abandoned generator is closed by Python
    assert not loader_threads()


def test_a_closed_loader_starts_anew(tmp_path: Path) -> None:
    loader = BatchLoader(make(tmp_path, 8), 2, 0, num_workers=2)
    assert all(same(a, b) for a, b in zip(take(loader, 3), take(loader, 3), strict=True))


def test_photos_of_different_sizes_cannot_be_stacked(tmp_path: Path) -> None:
    dataset = make(tmp_path, 4, [Normalize()], sizes=[(8, 9), (7, 6)])
    with pytest.raises(UserError, match=r"images/\d\.png is height .*images/\d\.png is height .*RandomPaddingCrop"):
        take(BatchLoader(dataset, 4, 0), 1)


def test_grey_batches(tmp_path: Path) -> None:
    grey = [Normalize(mean=[0], std=[1], colour="gray", max_value=1)]
    batch = take(BatchLoader(make(tmp_path, 4, grey, img_channels=1), 2, 0), 1)[0]
    assert batch.images.shape[:2] == (2, 1) and batch.images.max() > 1
    with pytest.raises(UserError, match=r"img_channels is 1, but the transforms make 3.*colour: gray"):
        make(tmp_path, 4, img_channels=1)


def test_second_view_changes_colours_only(tmp_path: Path) -> None:
    dataset = make(tmp_path, 4)
    plain = take(BatchLoader(dataset, 2, 0), 2)
    texture = RandomDistort(brightness_prob=1)
    viewed = take(BatchLoader(dataset, 2, 0, texture=[texture]), 2)
    for a, b in zip(plain, viewed, strict=True):
        assert same(a, b) and a.textured is None
        assert b.textured.shape == b.images.shape and not np.array_equal(b.textured, b.images)


def test_transforms_that_move_the_picture_make_no_second_view(tmp_path: Path) -> None:
    loader = BatchLoader(make(tmp_path, 4), 2, 0, texture=[RandomHorizontalFlip(prob=1)])
    with pytest.raises(UserError, match="RandomHorizontalFlip moves the picture"):
        take(loader, 1)


@pytest.mark.parametrize(
    "normalize",
    [
        Normalize(),
        Normalize([103.94, 116.78, 123.68], [58.82, 58.82, 58.82], "bgr", 1),
        Normalize([0.4, 0.5, 0.6], [0.2, 0.3, 0.1], "bgr"),
        None,
    ],
)
def test_pixels_are_the_images_before_normalize(tmp_path: Path, normalize: Normalize | None) -> None:
    dataset = make(tmp_path, 4, [normalize] if normalize else [])
    batch = take(BatchLoader(dataset, 2, 0), 1)[0]
    expected = np.stack([dataset.sample(index, np.random.default_rng(0)).image for index in batch.indices])
    assert np.array_equal(batch.pixels(), expected)
    assert np.array_equal(batch.to_tensors().pixels(), expected)


def test_grey_batches_have_no_pixels(tmp_path: Path) -> None:
    grey = [Normalize(mean=[0], std=[1], colour="gray", max_value=1)]
    with pytest.raises(UserError, match="colour: gray"):
        take(BatchLoader(make(tmp_path, 4, grey), 2, 0), 1)[0].pixels()


def test_edges(tmp_path: Path) -> None:
    batch = take(BatchLoader(make(tmp_path, 4, edge=True), 2, 0), 1)[0]
    assert batch.edges.shape == batch.labels.shape and batch.edges.dtype == np.int64
    label = np.zeros((1, 5, 9), np.int64)
    label[:, :, 4:] = 1
    label[:, 0] = 255
    expected = [255] * 9, [0, 0, 1, 1, 1, 1, 0, 0, 0]
    band = outline_band(label)[0]
    assert band[0].tolist() == expected[0] and all(row.tolist() == expected[1] for row in band[1:])


def test_soft_labels(tmp_path: Path) -> None:
    dataset = make(tmp_path, 4, [RandomPaddingCrop([20, 20])], mask_format="soft")
    for path in (tmp_path / "masks").iterdir():
        Image.fromarray(np.full((16, 14), 51, np.uint8)).save(path)
    labels = take(BatchLoader(dataset, 2, 0), 1)[0].labels
    assert labels.dtype == np.float32 and np.unique(labels).tolist() == pytest.approx([0.2, 255])


def test_tensors(tmp_path: Path) -> None:
    paddle = pytest.importorskip("paddle")
    batch = take(BatchLoader(make(tmp_path, 4), 2, 0), 1)[0].to_tensors()
    assert batch.images.dtype == paddle.float32 and batch.labels.dtype == paddle.int64 and len(batch) == 2


# (count, weight) of the data sets -> samples of an epoch
@pytest.mark.parametrize(
    ("parts", "length"), [([(10, 1)], 10), ([(10, 2), (4, 0.5)], 22), ([(7, 2.5)], 18), ([(3, 0.1), (5, 1)], 5)]
)
def test_weights(parts: list, length: int) -> None:
    parts = [Part(*part) for part in parts]
    fractions = set()
    for epoch in range(20):
        indices, repeats = epoch_order(parts, seed=1, epoch=epoch)
        assert len(indices) == len(repeats) == length
        assert len(set(zip(indices.tolist(), repeats.tolist(), strict=True))) == length
        start = 0
        for part in parts:
            seen = np.bincount(
                indices[(indices >= start) & (indices < start + part.count)] - start, minlength=part.count
            )
            assert seen.sum() == part.length and seen.max() - seen.min() <= 1
            if part.length % part.count:
                fractions.add(seen.tobytes())
            start += part.count
        again = epoch_order(parts, seed=1, epoch=epoch)
        assert np.array_equal(again[0], indices) and np.array_equal(again[1], repeats)
    assert len(fractions) != 1  # a fraction is drawn anew each epoch


def test_weighted_concatenation_in_batches(tmp_path: Path) -> None:
    joined = ConcatDataset([make(tmp_path / "a", 3, weight=2), make(tmp_path / "b", 4)])
    loader = BatchLoader(joined, 5, seed=0)
    assert loader.iterations_per_epoch == 2
    indices = [i for batch in take(loader, 2) for i in batch.indices]
    assert sorted(indices) == [0, 0, 1, 1, 2, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_evaluation_sees_each_photo_once_in_order(tmp_path: Path, batch_size: int, num_workers: int) -> None:
    dataset = make(tmp_path, 7, [Resize([8, 6]), Normalize()], sizes=[(16, 14), (20, 11)])
    loader = EvalLoader(dataset, batch_size, num_workers)
    batches = list(loader)
    assert len(loader) == 7 and [i for batch in batches for i in batch.indices] == list(range(7))
    for batch in batches:
        assert batch.images.shape == (len(batch), 3, 6, 8) and len(batch) <= batch_size
        for path, label, geometry in zip(batch.paths, batch.labels, batch.geometries or [], strict=True):
            size = Image.open(path).size[::-1]
            assert label.shape == size and geometry.original_hw == size
            assert geometry.restore(np.zeros((6, 8), np.float32)).shape == size


def test_evaluation_splits_batches_where_sizes_change(tmp_path: Path) -> None:
    dataset = make(tmp_path, 6, [ResizeByLong(8), Normalize()], sizes=[(16, 8), (16, 8), (8, 16)])
    batches = list(EvalLoader(dataset, 4))
    assert [batch.indices for batch in batches] == [[0, 1], [2], [3], [4], [5]]
    padded = make(tmp_path / "p", 6, [ResizeByLong(8), Padding([8, 8]), Normalize()], sizes=[(16, 8), (8, 16)])
    assert [len(batch) for batch in EvalLoader(padded, 4)] == [4, 2]


@pytest.mark.parametrize("world_size", [2, 3, 9])
def test_evaluation_shared_by_processes(tmp_path: Path, world_size: int) -> None:
    dataset = make(tmp_path, 7, [Normalize()])
    shares = [[i for b in EvalLoader(dataset, 2, 0, r, world_size) for i in b.indices] for r in range(world_size)]
    assert sorted(i for share in shares for i in share) == list(range(7))


def test_evaluation_refuses_random_transforms_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="RandomRotation cannot be used in evaluation"):
        EvalLoader(make(tmp_path, 3))


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_tensors_share_the_memory_of_a_batch_and_outlive_it(dtype: str) -> None:
    pytest.importorskip("paddle")
    images = np.arange(24).reshape(2, 3, 2, 2).astype(dtype)
    tensors = Batch(images, None, ["a", "b"], [0, 1]).to_tensors()
    assert tensors.images.data_ptr() == images.ctypes.data
    del images
    gc.collect()
    np.testing.assert_array_equal(tensors.images.numpy(), np.arange(24).reshape(2, 3, 2, 2))
    assert tensors.images.stop_gradient


@pytest.mark.parametrize("view", [lambda a: a.transpose(0, 3, 1, 2), lambda a: np.broadcast_to(a[:1], a.shape)])
def test_arrays_that_cannot_be_shared_are_copied(view: Callable[[np.ndarray], np.ndarray]) -> None:
    pytest.importorskip("paddle")
    images = view(np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32))
    tensors = Batch(images, None, ["a", "b"], [0, 1]).to_tensors()
    np.testing.assert_array_equal(tensors.images.numpy(), images)
