"""Photos that a first transform makes small are decoded small, and all else stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data.datasets import Dataset
from paddle_portrait.data.transforms import (
    LimitLong,
    Normalize,
    RandomHorizontalFlip,
    Resize,
    ResizeByLong,
    ResizeByShort,
    ResizeStepScaling,
)
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.image_io import read_image, read_reduced

HEIGHT, WIDTH = 301, 403  # as they are looked at


def write_photo(path: Path, orientation: int = 1, mode: str = "RGB") -> Path:
    """Write a smooth picture whose upper left corner is dark and red, turned as a camera held that way stores it."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([60 + rows // 2, columns // 2, 20 + columns // 3], axis=-1).astype(np.uint8)
    stored = {1: pixels, 3: pixels[::-1, ::-1], 6: np.rot90(pixels), 8: np.rot90(pixels, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    image.convert(mode).save(path, exif=exif, **({"quality": 97} if path.suffix == ".jpg" else {}))
    return path


def dataset(folder: Path, transforms: list, photo: str = "x.jpg", reduced: bool = True, **arguments: object) -> Dataset:
    write_photo(folder / photo)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[100:, 50:300] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    (folder / "train.txt").write_text(f"{photo} mask.png")
    place = {"dataset_root": str(folder), "train_path": str(folder / "train.txt")}
    return Dataset(transforms=transforms, reduced_decode=reduced, **place, **arguments)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        ((38, 51), (38, 51)),
        ((39, 51), (76, 101)),
        ((76, 102), (151, 202)),
        ((152, 10), (301, 403)),
        ((999, 9), (301, 403)),
    ],
)
def test_the_smallest_size_that_suffices(
    tmp_path: Path, orientation: int, mode: str, needed: tuple, expected: tuple
) -> None:
    path = write_photo(tmp_path / "x.jpg", orientation, mode)
    asked = []
    image, photo_hw = read_reduced(path, lambda size: asked.append(size) or needed)
    assert photo_hw == (HEIGHT, WIDTH) and asked == [photo_hw] and image.shape == (*expected, 3)
    whole = read_image(path)
    small = np.asarray(Image.fromarray(whole).resize(expected[::-1], Image.Resampling.BOX), np.int32)
    assert np.abs(image - small).mean() < 2


@pytest.mark.parametrize("first", [Resize([100, 80]), LimitLong(90), ResizeByLong(120), ResizeByShort(64)])
def test_the_same_frame_and_label(tmp_path: Path, first: object) -> None:
    transforms = [first, RandomHorizontalFlip(0.5), Normalize()]
    plain, reduced = (dataset(tmp_path, transforms, reduced=wanted) for wanted in (False, True))
    for seed in range(3):
        one, other = (made.sample(0, np.random.default_rng(seed)) for made in (plain, reduced))
        assert np.array_equal(one.label, other.label)
        assert one.image.shape == other.image.shape and one.image.dtype == other.image.dtype
        assert np.abs(one.image.astype(int) - other.image).mean() < 2


def test_the_caches_keep_both_kinds_apart(tmp_path: Path) -> None:
    transforms = [LimitLong(90), RandomHorizontalFlip(0.5), Normalize()]
    room = {"disk_cache_mb": 1, "disk_cache_dir": str(tmp_path / "cache")}
    for wanted in (False, True, False, True):
        made = dataset(tmp_path, transforms, reduced=wanted, **room).sample(0, np.random.default_rng(0))
        plain = dataset(tmp_path, transforms, reduced=wanted).sample(0, np.random.default_rng(0))
        assert np.array_equal(made.image, plain.image)


def test_png_photos_stay_exact(tmp_path: Path) -> None:
    one, other = (
        dataset(tmp_path, [LimitLong(90), Normalize()], "x.png", wanted).sample(0, np.random.default_rng(0))
        for wanted in (False, True)
    )
    assert np.array_equal(one.image, other.image)


def test_evaluation_reads_photos_whole(tmp_path: Path) -> None:
    transforms = [Resize([100, 80]), Normalize()]
    plain, reduced = (dataset(tmp_path, transforms, reduced=wanted).eval_item(0) for wanted in (False, True))
    assert np.array_equal(plain.tensor, reduced.tensor) and reduced.geometry.original_hw == (HEIGHT, WIDTH)


@pytest.mark.parametrize("transforms", [[], [RandomHorizontalFlip()], [ResizeStepScaling(), Resize([80, 80])]])
def test_a_first_transform_that_scales_is_needed(tmp_path: Path, transforms: list) -> None:
    with pytest.raises(UserError, match="reduced_decode needs a first transform"):
        dataset(tmp_path, [*transforms, Normalize()]).sample(0, np.random.default_rng(0))


def test_a_mask_of_another_size_is_still_an_error(tmp_path: Path) -> None:
    made = dataset(tmp_path, [LimitLong(90), Normalize()])
    Image.fromarray(np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(UserError, match=f"height {HEIGHT}, width {WIDTH}"):
        made.sample(0, np.random.default_rng(0))
