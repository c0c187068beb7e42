"""What mask values mean, decided once for a data set and held to afterwards."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data.masks import MaskReader, choose_reader, show_values
from paddle_portrait.errors import UserError


def masks(folder: Path, *contents: list, dtype: type = np.uint8, suffix: str = ".png") -> list[str]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, values in enumerate(contents):
        # 16×16 blocks, so that JPEG keeps the values of the blocks' insides
        array = np.kron(np.array(values, dtype), np.ones((16, 16), dtype))
        paths.append(str(folder / f"{number}{suffix}"))
        Image.fromarray(array).save(paths[-1])
    return paths


def unique(label: np.ndarray) -> list[float]:
    return np.unique(label).tolist()


# contents of the masks, mask_format, kind expected, values expected in the labels of all masks
MEANINGS = [
    ([[[0, 1]]], "auto", "indices", [0, 1]),
    ([[[0, 1]], [[0, 0]]], "auto", "indices", [0, 1]),
    ([[[0, 255]]], "auto", "binary255", [0, 1]),
    ([[[0, 255]], [[0, 0]], [[255, 255]]], "auto", "binary255", [0, 1]),
    ([[[0, 1, 255]], [[0, 255]]], "auto", "indices", [0, 1, 255]),
    ([[[0, 51, 255]]], "auto", "soft", [0.0, 0.2, 1.0]),
    ([[[0, 1]]], "binary01", "indices", [0, 1]),
    ([[[0, 120, 130, 255]]], "binary255", "binary255", [0, 1]),
    ([[[0, 255]]], "soft", "soft", [0.0, 1.0]),
]


@pytest.mark.parametrize(("contents", "mask_format", "kind", "expected"), MEANINGS)
def test_meaning(tmp_path: Path, contents: list, mask_format: str, kind: str, expected: list) -> None:
    files = masks(tmp_path, *contents)
    reader = choose_reader(files, mask_format, 2, 255)
    assert reader.kind == kind and reader.soft == (kind == "soft")
    labels = [reader.read(path) for path in files]
    assert {label.dtype for label in labels} == {np.dtype(np.float32 if reader.soft else np.uint8)}
    assert sorted({value for label in labels for value in unique(label)}) == pytest.approx(expected)


def test_half_is_the_border_of_binary255(tmp_path: Path) -> None:
    label = choose_reader(masks(tmp_path, [[127, 128]]), "binary255", 2, 255).read(str(tmp_path / "0.png"))
    assert label[0, 0] == 0 and label[0, -1] == 1


def test_sixteen_bits(tmp_path: Path) -> None:
    hard = masks(tmp_path / "hard", [[0, 65535]], dtype=np.uint16)
    assert unique(choose_reader(hard, "auto", 2, 255).read(hard[0])) == [0, 1]
    soft = masks(tmp_path / "soft", [[0, 13107, 65535]], dtype=np.uint16)
    assert unique(choose_reader(soft, "auto", 2, 255).read(soft[0])) == pytest.approx([0, 0.2, 1])
    small = masks(tmp_path / "small", [[0, 1]], dtype=np.uint16)
    assert unique(choose_reader(small, "auto", 2, 255).read(small[0])) == [0, 1]


def test_sixteen_and_eight_bits_in_one_set(tmp_path: Path) -> None:
    files = masks(tmp_path / "a", [[0, 13107, 65535]], dtype=np.uint16) + masks(tmp_path / "b", [[0, 51, 255]])
    reader = choose_reader(files, "auto", 2, 255)
    for path in files:
        assert unique(reader.read(path)) == pytest.approx([0, 0.2, 1])


def test_class_indices(tmp_path: Path) -> None:
    files = masks(tmp_path, [[0, 3, 255]], [[0, 255]])
    reader = choose_reader(files, "auto", 4, 255)
    assert unique(reader.read(files[0])) == [0, 3, 255] and unique(reader.read(files[1])) == [0, 255]
    with pytest.raises(UserError, match=re.escape(f"{files[0]}: mask values {{0, 3, 255}}")):
        choose_reader(files, "auto", 3, 255).read(files[0])


def test_ignore_index_becomes_255(tmp_path: Path) -> None:
    files = masks(tmp_path, [[0, 1, 9]])
    assert unique(choose_reader(files, "binary01", 2, 9).read(files[0])) == [0, 1, 255]


def test_0_255_declared_as_0_1(tmp_path: Path) -> None:
    """PaddleSeg takes 255 for `ignore`, sees background only, and reports a perfect score."""
    files = masks(tmp_path, [[0, 255]])
    reader = choose_reader(files, "binary01", 2, 255)
    with pytest.raises(UserError, match=r"mask values \{0, 255\}.*mask_format: binary255") as caught:
        reader.read(files[0])
    assert files[0] in str(caught.value)


def test_an_image_without_person_may_have_ignored_pixels(tmp_path: Path) -> None:
    files = masks(tmp_path, [[0, 1, 255]], [[0, 255]])
    assert unique(choose_reader(files, "binary01", 2, 255).read(files[1])) == [0, 255]


@pytest.mark.parametrize(
    ("seen", "later", "words"),
    [
        ([[0, 255]], [[0, 1]], r"mask values \{0, 1\}.*binary: 0 = background, 255 = person"),
        ([[0, 1]], [[0, 2]], r"mask values \{0, 2\}.*class indices 0\.\.1"),
        ([[0, 1]], [[0, 100, 255]], r"mask values \{0, 100, 255\}"),
        ([[0, 80, 255]], [[0, 1]], r"mask values \{0, 1\}.*soft"),
    ],
)
def test_a_file_unlike_the_rest(tmp_path: Path, seen: list, later: list, words: str) -> None:
    reader = choose_reader(masks(tmp_path / "seen", seen), "auto", 2, 255)
    odd = masks(tmp_path / "odd", later)[0]
    with pytest.raises(UserError, match=words) as caught:
        reader.read(odd)
    assert odd in str(caught.value) and "seen in 1 of 1 masks" in str(caught.value)


@pytest.mark.parametrize("mask_format", ["auto", "binary01"])
def test_jpeg_masks_are_refused(tmp_path: Path, mask_format: str) -> None:
    files = masks(tmp_path, [[0, 255]], suffix=".jpg")
    with pytest.raises(UserError, match=r"0\.jpg: the mask is a JPEG file.*PNG.*binary255.*soft"):
        choose_reader(files, mask_format, 2, 255)


@pytest.mark.parametrize(("mask_format", "dtype"), [("binary255", np.uint8), ("soft", np.float32)])
def test_jpeg_masks_where_asked_for(
    tmp_path: Path, mask_format: str, dtype: type, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paddle_portrait.console.logger.propagate", True)
    files = masks(tmp_path, [[0, 255]], suffix=".jpg")
    label = choose_reader(files, mask_format, 2, 255).read(files[0])
    assert label.dtype == dtype and label.min() == 0 and label.max() == 1
    assert "JPEG masks have smeared outlines" in caplog.text


def test_wrong_arguments(tmp_path: Path) -> None:
    files = masks(tmp_path, [[0, 1]])
    with pytest.raises(UserError, match=r"unknown mask_format 'binary1'\. Did you mean 'binary01'"):
        choose_reader(files, "binary1", 2, 255)
    with pytest.raises(UserError, match="mask_format soft is for two classes, not 5"):
        choose_reader(files, "soft", 5, 255)
    with pytest.raises(UserError, match=r"gone\.png"):
        choose_reader([str(tmp_path / "gone.png")], "auto", 2, 255)


def test_the_choice_looks_at_all_parts_of_a_long_list(tmp_path: Path) -> None:
    """Only the last masks have persons: a sample from the head of the list would see none."""
    files = masks(tmp_path, *[[[0]]] * 150, *[[[0, 1]]] * 10)
    assert choose_reader(files, "auto", 2, 255).kind == "indices"


def test_values_in_messages() -> None:
    assert show_values([255, 0]) == "{0, 255}"
    assert show_values(range(100)) == "{0, 1, 2, 3, 4, … 99} (100 values)"
    assert "soft" in MaskReader("soft").describe()
