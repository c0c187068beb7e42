"""The prior channel, from the simulated mask of the frame before to the batch that a network sees."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data import BatchLoader, EvalLoader
from paddle_portrait.data.datasets import ConcatDataset, Dataset
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms import Normalize, Pipeline, RandomHorizontalFlip, Resize, SimulatePrior
from paddle_portrait.data.transforms.distortion import draw_distortion, thin_plate
from paddle_portrait.errors import UserError


def person(size: int = 96) -> Sample:
    y, x = np.mgrid[:size, :size]
    label = (np.hypot(y - size * 0.6, x - size * 0.5) < size * 0.25).astype(np.uint8)
    return Sample(np.repeat(label[..., None] * np.uint8(255), 3, axis=2), label)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def make(root: Path, transforms: list, count: int = 5, **arguments: object) -> Dataset:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        sample = person(40 + number)
        Image.fromarray(sample.image).save(root / f"images/{number}.png")
        Image.fromarray(sample.label).save(root / f"masks/{number}.png")
    (root / "list.txt").write_text("".join(f"images/{k}.png masks/{k}.png\n" for k in range(count)))
    path = str(root / "list.txt")
    return Dataset(transforms, dataset_root=str(root), train_path=path, val_path=path, **arguments)  # type: ignore[arg-type]


def test_thin_plate_passes_through_its_points_and_bends_least() -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 100, (7, 2))
    moved = centres + rng.normal(0, 4, (7, 2))
    assert np.abs(thin_plate(centres, moved, centres.astype(np.float32)[None])[0] - moved).max() < 1e-3
    turned = centres @ np.array([[0.9, 0.2], [-0.1, 1.1]]) + [3, -2]  # an affine map needs no bending
    points = rng.uniform(-20, 120, (1, 50, 2)).astype(np.float32)
    expected = points @ np.array([[0.9, 0.2], [-0.1, 1.1]]) + [3, -2]
    assert np.abs(thin_plate(centres, turned, points) - expected).max() < 1e-2


def test_thin_plate_is_scipys() -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    rng = np.random.default_rng(1)
    centres, moved = rng.uniform(0, 60, (5, 2)), rng.uniform(0, 60, (5, 2))
    points = rng.uniform(0, 60, (4, 9, 2)).astype(np.float32)
    theirs = interpolate.RBFInterpolator(centres, moved, kernel="thin_plate_spline", degree=1)(points.reshape(-1, 2))
    assert np.abs(thin_plate(centres, moved, points).reshape(-1, 2) - theirs).max() < 1e-2


def test_distortions_stay_small() -> None:
    """A corner's jitter of 5 % on both sides moves no pixel of the frame further than a quarter of it."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(64), np.arange(48)), axis=-1)
    shifts = []
    for _ in range(200):
        places = draw_distortion(rng, (48, 64), 0.05, (2, 5), 1.0).places
        assert places is not None and places.dtype == np.float32
        shifts.append(np.abs(places - grid).max(axis=(0, 1)) / (64, 48))
    assert np.median(shifts) < 0.2 and np.median(shifts) > 0.03
    nothing = draw_distortion(rng, (48, 64), 0.05, (2, 5), 0.0)
    picture = rng.integers(0, 256, (48, 64), dtype=np.uint8)
    assert nothing.places is None and nothing.kernel is None and nothing.apply(picture) is picture


def test_first_frames_are_empty() -> None:
    sample = SimulatePrior(empty_prob=1)(person(), np.random.default_rng(0))
    assert sample.prior is not None and not sample.prior.any() and sample.image is not None


def test_half_of_the_priors_are_empty() -> None:
    rng, simulate = np.random.default_rng(0), SimulatePrior()
    empty = [not simulate(person(32), rng).prior.any() for _ in range(300)]  # type: ignore[union-attr]
    assert np.mean(empty) == pytest.approx(0.5, abs=0.08)


def test_moving_the_image_keeps_the_prior_as_the_label_was() -> None:
    before, simulate = person(), SimulatePrior(0, move_image_prob=1, degree=[2, 5])
    overlaps = []
    for seed in range(12):
        after = simulate(before, np.random.default_rng(seed))
        assert np.array_equal(after.prior, before.label * 255) and after.label is not None  # type: ignore[operator]
        assert overlap(after.image[..., 0] > 127, after.label == 1) > 0.95
        overlaps.append(overlap(after.label == 1, before.label == 1))
    assert min(overlaps) < 0.95 and min(overlaps) > 0.3


def test_moving_the_prior_keeps_image_and_label() -> None:
    before, simulate = person(), SimulatePrior(0, move_image_prob=0, degree=[2, 5])
    moved = 0
    for seed in range(12):
        after = simulate(before, np.random.default_rng(seed))
        assert after.image is before.image and after.label is before.label and after.prior is not None
        moved += not np.array_equal(after.prior, before.label * 255)  # type: ignore[operator]
        assert overlap(after.prior > 127, before.label == 1) > 0.3
    assert moved >= 9


def test_ignored_pixels_are_unknown_in_the_prior_and_stay_ignored() -> None:
    label = person().label.copy()  # type: ignore[union-attr]
    label[:20] = 255
    for move in (0, 1):
        after = SimulatePrior(0, move)(Sample(person().image, label), np.random.default_rng(3))
        assert after.prior is not None and set(np.unique(after.label)) == {0, 1, 255}  # type: ignore[arg-type]
        if move:
            assert not after.prior[:20].any()


def test_batches_carry_the_prior_behind_the_colours(tmp_path: Path) -> None:
    flip_after = [Resize([32, 24]), SimulatePrior(0, 0, step_prob=0), RandomHorizontalFlip(1.0), Normalize()]
    dataset = make(tmp_path, flip_after)
    batch = next(iter(BatchLoader(dataset, 3, seed=0)))
    assert batch.images.shape == (3, 4, 24, 32) and batch.images.dtype == np.float32
    assert batch.images[:, 3].min() == 0 and batch.images[:, 3].max() == 1
    assert np.array_equal(batch.images[:, 3] == 1, batch.labels == 1)  # nothing distorts it: it is the label
    assert batch.images[:, :3].min() == -1


def test_second_views_have_the_same_prior(tmp_path: Path) -> None:
    dataset = make(tmp_path, [Resize([32, 24]), SimulatePrior(0), Normalize()])
    from paddle_portrait.data.transforms import PortraitTexture

    batch = next(iter(BatchLoader(dataset, 3, seed=0, texture=[PortraitTexture(1.0)])))
    assert np.array_equal(batch.images[:, 3], batch.textured[:, 3])
    assert not np.array_equal(batch.images[:, :3], batch.textured[:, :3])


def test_evaluation_gives_zeros(tmp_path: Path) -> None:
    dataset = make(tmp_path, [Resize([32, 24]), Normalize()], mode="val", img_channels=4)
    for batch in EvalLoader(dataset, 2):
        assert batch.images.shape[1:] == (4, 24, 32) and not batch.images[:, 3].any() and batch.images[:, :3].any()


def test_the_channels_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SimulatePrior adds a channel: write img_channels: 4"):
        Pipeline([SimulatePrior(), Normalize()], channels=3)
    assert Pipeline([SimulatePrior(), Normalize([0.5], [0.5], "gray")]).channels == 2
    assert Pipeline([Normalize()], channels=4).channels == 4
    with pytest.raises(UserError, match="img_channels is 2, but the transforms make 3"):
        Pipeline([Normalize()], channels=2)
    with pytest.raises(UserError, match="SimulatePrior cannot be used in evaluation"):
        Pipeline([SimulatePrior(), Normalize()]).preprocess()
    parts = [
        make(tmp_path / str(k), [Resize([8, 8]), *more, Normalize()]) for k, more in enumerate(([], [SimulatePrior()]))
    ]
    with pytest.raises(UserError, match="channels of the images"):
        ConcatDataset(parts)


def test_labels_of_many_classes_are_refused() -> None:
    with pytest.raises(UserError, match="more classes"):
        SimulatePrior()(Sample(np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 2, np.uint8)), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"empty_prob": 2}, "empty_prob must be a number from 0 to 1, got 2"),
        ({"jitter": 0.3}, "jitter must be a number from 0 to 0.25"),
        ({"degree": [0, 3]}, "degree must be a list"),
    ],
)
def test_wrong_arguments_of_the_prior(arguments: dict, words: str) -> None:
    with pytest.raises(UserError, match=words.replace("[", r"\[")):
        SimulatePrior(**arguments)


def test_batches_of_many_aspects_are_a_function_of_seed_and_iteration(tmp_path: Path) -> None:
    sizes = [[32, 24], [24, 32], [16, 16], [16, 16]]
    dataset = make(tmp_path, [SimulatePrior(0), Normalize()])
    shapes = [batch.images.shape for batch in islice(BatchLoader(dataset, 2, 5, batch_sizes_wh=sizes), 60)]
    assert {shape[:2] for shape in shapes} == {(2, 4)}
    counts = {size: [s[3:1:-1] for s in shapes].count(size) for size in ((32, 24), (24, 32), (16, 16))}
    assert sum(counts.values()) == 60 and min(counts.values()) > 5 and counts[(16, 16)] > 18
    later = BatchLoader(dataset, 2, 5, batch_sizes_wh=sizes, start_iteration=20, num_workers=2)
    with later:
        assert [batch.images.shape for batch in islice(later, 9)] == shapes[20:29]
    ranks = [BatchLoader(dataset, 2, 5, rank=rank, world_size=2, batch_sizes_wh=sizes) for rank in (0, 1)]
    assert [loader.batch(3).images.shape[2:] for loader in ranks] == [shapes[3][2:]] * 2


def test_stretched_batches_keep_image_and_label_together(tmp_path: Path) -> None:
    batch = BatchLoader(make(tmp_path, [Normalize()]), 2, 0, batch_sizes_wh=[[60, 20]]).batch(0)
    assert batch.labels.shape == (2, 20, 60)
    assert overlap(batch.images[:, 0] > 0, batch.labels == 1) > 0.9


def test_a_wrong_size_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch_sizes_wh: each size must be a list"):
        BatchLoader(make(tmp_path, [Normalize()]), 2, 0, batch_sizes_wh=[[60]])


def test_blur_does_not_darken_the_prior() -> None:
    full = Sample(np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), np.uint8))
    after = SimulatePrior(0, 0, step_prob=1.0)(full, np.random.default_rng(0))
    assert after.prior is not None and after.prior.min() >= 254
    assert cv2.countNonZero(after.prior) == 64 * 64
