"""Photos and masks in every form that cameras and annotation tools leave them."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import image_io, read_image, read_mask, write_image
from paddle_portrait.preprocess.image_io import is_jpeg


@pytest.fixture
def scene() -> np.ndarray:
    """An image of 24×40 with no symmetry: a red, a green and a blue field on grey."""
    image = np.full((24, 40, 3), 90, np.uint8)
    image[:8, :10] = 200, 30, 40
    image[:8, 25:] = 30, 190, 50
    image[16:, :20] = 20, 40, 210
    return image


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["plain.png", "with spaces in it.png", "портрет 人像 é.png", "UPPER.PNG"])
def test_any_file_name(tmp_path: Path, scene: np.ndarray, name: str) -> None:
    path = save(Image.fromarray(scene), tmp_path / name)
    for source in (path, str(path), path.read_bytes()):
        assert np.array_equal(read_image(source), scene)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".gif", ".ppm"])
def test_lossless_formats_give_the_same_pixels(tmp_path: Path, scene: np.ndarray, suffix: str) -> None:
    options = {"lossless": True} if suffix == ".webp" else {}
    path = save(Image.fromarray(scene), tmp_path / f"x{suffix}", **options)
    image = read_image(path)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    assert np.array_equal(image, scene)


# What the viewer must see for each EXIF orientation, as numpy operations on the stored pixels.
ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_orientation(tmp_path: Path, scene: np.ndarray, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {".jpg": {"quality": 100, "subsampling": 0}, ".png": {}, ".webp": {"lossless": True}}[suffix]
    path = save(Image.fromarray(scene), tmp_path / f"x{suffix}", exif=exif, **options)
    seen, expected = read_image(path), ORIENTATIONS[orientation](scene)
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).max() <= (12 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16", "PA"])
def test_modes(tmp_path: Path, scene: np.ndarray, mode: str) -> None:
    grey = np.asarray(Image.fromarray(scene).convert("L"))
    as_grey = np.repeat(grey[..., None], 3, axis=2)
    if mode == "I;16":
        image, expected, suffix = Image.fromarray(grey.astype(np.uint16) * 257), as_grey, ".png"
    elif mode == "CMYK":
        image, expected, suffix = Image.fromarray(scene).convert("CMYK"), scene, ".tif"
    elif mode in ("P", "PA"):
        image, expected, suffix = Image.fromarray(scene).quantize(8), scene, ".png"
        if mode == "PA":
            image.info["transparency"] = 0
    elif mode == "1":
        image = Image.fromarray(grey > 80).convert("1")
        expected, suffix = np.repeat(np.where(grey > 80, 255, 0)[..., None], 3, axis=2), ".png"
    else:
        image, suffix = Image.fromarray(scene).convert(mode), ".png"
        expected = as_grey if mode in ("L", "LA") else scene
    seen = read_image(save(image, tmp_path / f"x{suffix}"))
    assert seen.shape == scene.shape and seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - expected).max() <= 1


def test_cmyk_jpeg_of_photo_editors(tmp_path: Path, scene: np.ndarray) -> None:
    path = save(Image.fromarray(scene).convert("CMYK"), tmp_path / "x.jpg", quality=100, subsampling=0)
    assert np.abs(read_image(path).astype(int) - scene).mean() < 4


def test_sixteen_bit_colour(tmp_path: Path, scene: np.ndarray) -> None:
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), cv2.cvtColor(scene, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257)
    assert np.array_equal(read_image(path), scene)


def test_alpha_is_dropped_not_blended_and_said_once(
    tmp_path: Path, scene: np.ndarray, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_io, "_announced_alpha", False)
    monkeypatch.setattr(image_io.logger, "propagate", True)
    alpha = np.zeros(scene.shape[:2], np.uint8)
    paths = [save(Image.fromarray(np.dstack([scene, alpha])), tmp_path / name) for name in ("first.png", "later.png")]
    with caplog.at_level(logging.INFO, logger="paddle_portrait"):
        for path in paths:
            assert np.array_equal(read_image(path), scene)
    assert "first.png has an alpha channel" in caplog.text
    assert "later.png" not in caplog.text


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("this is no image")
    cases = [
        ("gone.jpg", "does not exist"),
        ("empty.jpg", "is empty"),
        ("text.jpg", "no image"),
        (".", "cannot be read"),
    ]
    for name, words in cases:
        for read in (read_image, read_mask):
            with pytest.raises(UserError, match=words) as caught:
                read(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(Image.fromarray(noise), tmp_path / f"x{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=path.name):
        read_image(path)


def test_damaged_png_is_refused(tmp_path: Path, scene: np.ndarray) -> None:
    path = save(Image.fromarray(scene), tmp_path / "x.png")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"x\.png"):
        read_image(path)


def test_broken_exif_block_does_not_lose_the_photo(tmp_path: Path, scene: np.ndarray) -> None:
    path = save(Image.fromarray(scene), tmp_path / "x.jpg", exif=b"Exif\x00\x00garbage that is no TIFF header")
    assert read_image(path).shape == scene.shape


def test_one_pixel_images(tmp_path: Path) -> None:
    for shape in [(1, 1), (1, 50), (50, 1)]:
        path = save(Image.fromarray(np.full((*shape, 3), 7, np.uint8)), tmp_path / "x.png")
        assert read_image(path).shape == (*shape, 3)


MASK = np.array([[0, 1, 1], [255, 0, 1]], np.uint8)


@pytest.mark.parametrize("kind", ["L", "P", "RGB", "RGBA", "LA", "1", "I;16"])
def test_mask_values_survive(tmp_path: Path, kind: str) -> None:
    expected: np.ndarray = MASK
    if kind == "P":
        image = Image.fromarray(MASK).convert("P")
        image.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    elif kind == "1":
        expected = (MASK == 1).astype(np.uint8)
        image = Image.fromarray(expected.astype(bool))
    elif kind == "I;16":
        expected = MASK.astype(np.uint16) * 257
        image = Image.fromarray(expected)
    else:
        planes = {"L": [MASK], "RGB": [MASK] * 3, "LA": [MASK, MASK * 0], "RGBA": [MASK] * 3 + [MASK * 0]}[kind]
        image = Image.fromarray(np.dstack(planes).squeeze())
    values = read_mask(save(image, tmp_path / "m.png"))
    assert values.dtype == expected.dtype and np.array_equal(values, expected)


def test_mask_ignores_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_mask(save(Image.fromarray(MASK), tmp_path / "m.png", exif=exif)).shape == MASK.shape


def test_coloured_mask_is_refused(tmp_path: Path, scene: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"m\.png.*colours.*columns swapped"):
        read_mask(save(Image.fromarray(scene), tmp_path / "m.png"))


def test_floating_point_files_are_refused(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.zeros((4, 4), np.float32)), tmp_path / "x.tif")
    with pytest.raises(UserError, match="floating-point"):
        read_image(path)
    with pytest.raises(UserError, match="float32"):
        read_mask(path)


@pytest.mark.parametrize("channels", [None, 3, 4])
def test_written_pictures_read_back(tmp_path: Path, channels: int | None) -> None:
    shape = (5, 7) if channels is None else (5, 7, channels)
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / "new folder" / "ünï.png"
    write_image(path, array)
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), array)


@pytest.mark.parametrize(
    ("name", "channels", "words"), [("x.jpg", 4, "no transparency"), ("x.xyz", 3, "'.xyz'"), ("x", 3, "''")]
)
def test_pictures_that_cannot_be_written(tmp_path: Path, name: str, channels: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        write_image(tmp_path / name, np.zeros((4, 4, channels), np.uint8))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        write_image(tmp_path / "file" / "x.png", np.zeros((4, 4), np.uint8))


def test_is_jpeg_looks_inside(tmp_path: Path, scene: np.ndarray) -> None:
    assert is_jpeg(save(Image.fromarray(scene), tmp_path / "x.png", format="JPEG"))
    assert not is_jpeg(save(Image.fromarray(scene), tmp_path / "y.jpg", format="PNG"))
