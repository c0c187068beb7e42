"""Data sets with one thing wrong each: the finding that names it, and nothing else that would bury it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data.checks import CheckReport, cheap_checks, check_dataset, check_overlap
from paddle_portrait.data.datasets import ConcatDataset, Dataset
from paddle_portrait.errors import UserError

HEIGHT, WIDTH, COUNT = 96, 80, 8


def photo(seed: int) -> np.ndarray:
    """Return something with the detail of a photo, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 10, 3)).astype(np.uint8)
    noise = rng.normal(0, 8, (HEIGHT, WIDTH, 3))
    return np.clip(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) + noise, 0, 255).astype(np.uint8)


def person(seed: int) -> np.ndarray:
    """Return a bust, uint8 (H, W) of 0 and 1."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x = WIDTH // 2 + seed % 9 - 4
    cv2.ellipse(mask, (x, 36), (14, 18), 0, 0, 360, 1, -1)
    cv2.ellipse(mask, (x, HEIGHT), (30, 40), 0, 0, 360, 1, -1)
    return mask


class Folder:
    """A data set on the disk that a test spoils."""

    def __init__(self, root: Path, first: int = 0) -> None:
        self.root = root
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True)
        for number in range(COUNT):
            cv2.imwrite(str(self.image(number)), photo(first + number))
            self.write_mask(number, person(number) * 255)
        self.lines = [f"images/{n}.jpg masks/{n}.png" for n in range(COUNT)]

    def image(self, number: int) -> Path:
        return self.root / "images" / f"{number}.jpg"

    def mask(self, number: int) -> Path:
        return self.root / "masks" / f"{number}.png"

    def write_mask(self, number: int, values: np.ndarray) -> None:
        cv2.imwrite(str(self.mask(number)), values)

    def change_masks(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        for number in range(COUNT):
            self.write_mask(number, change(person(number)))

    def dataset(self, **arguments) -> Dataset:
        (self.root / "train.txt").write_text("\n".join(self.lines), encoding="utf-8")
        defaults = {"dataset_root": str(self.root), "train_path": str(self.root / "train.txt")}
        return Dataset(**{**defaults, **arguments})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "set")


def codes(report: CheckReport) -> dict[str, str]:
    return {finding.code: finding.severity for finding in report.findings}


def finding(report: CheckReport, code: str):
    return next(one for one in report.findings if one.code == code)


# What spoils a folder; each returns arguments of the data set.


def masks_255_declared_01(folder: Folder) -> dict:
    return {"mask_format": "binary01"}


def masks_01_declared_255(folder: Folder) -> dict:
    folder.change_masks(lambda mask: mask)
    return {"mask_format": "binary255"}


def swapped_columns(folder: Folder) -> dict:
    folder.lines = [" ".join(reversed(line.split())) for line in folder.lines]
    return {}


def other_size(folder: Folder) -> dict:
    for number in (2, 5):
        folder.write_mask(number, person(number)[:48] * 255)
    return {}


def turned_masks(folder: Folder) -> dict:
    folder.write_mask(3, np.rot90(person(3) * 255))
    return {}


def jpeg_masks(folder: Folder) -> dict:
    for number in range(COUNT):
        cv2.imwrite(str(folder.root / "masks" / f"{number}.jpg"), person(number) * 255)
    folder.lines = [line.replace(".png", ".jpg") for line in folder.lines]
    return {}


def jpeg_masks_split_at_half(folder: Folder) -> dict:
    return {**jpeg_masks(folder), "mask_format": "binary255"}


def no_person_anywhere(folder: Folder) -> dict:
    folder.change_masks(lambda mask: mask * 0)
    return {}


def one_without_person(folder: Folder) -> dict:
    folder.write_mask(4, person(4) * 0)
    return {}


def all_person_everywhere(folder: Folder) -> dict:
    folder.change_masks(lambda mask: mask * 0 + 255)
    return {}


def inverted(folder: Folder) -> dict:
    folder.change_masks(lambda mask: (1 - mask) * 255)
    return {}


def missing_files(folder: Folder) -> dict:
    folder.image(1).unlink()
    folder.mask(6).unlink()
    return {}


def truncated_image(folder: Folder) -> dict:
    content = folder.image(7).read_bytes()
    folder.image(7).write_bytes(content[: len(content) // 3])
    return {}


def image_is_text(folder: Folder) -> dict:
    folder.image(2).write_text("404 not found")
    return {}


def truncated_mask(folder: Folder) -> dict:
    content = folder.mask(0).read_bytes()
    folder.mask(0).write_bytes(content[: len(content) // 2])
    return {}


def copied_image(folder: Folder) -> dict:
    shutil.copy(folder.image(0), folder.image(5))
    return {}


def compressed_again(folder: Folder) -> dict:
    image = cv2.imread(str(folder.image(0)))
    cv2.imwrite(str(folder.image(5)), cv2.resize(image, (WIDTH, HEIGHT)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return {}


def listed_twice(folder: Folder) -> dict:
    folder.lines.append(folder.lines[3])
    return {}


def one_file_as_both(folder: Folder) -> dict:
    folder.lines[2] = "images/2.jpg images/2.jpg"
    return {}


def one_odd_value(folder: Folder) -> dict:
    folder.change_masks(lambda mask: mask)
    folder.write_mask(5, person(5) * 7)
    return {"mask_format": "binary01"}


def class_numbers(folder: Folder) -> dict:
    def paint(mask: np.ndarray) -> np.ndarray:
        mask = mask * 15
        mask[:20, :20] = 20
        mask[-9:, :9] = 9
        return mask

    folder.change_masks(paint)
    return {}


def three_levels(folder: Folder) -> dict:
    def blur(mask: np.ndarray) -> np.ndarray:
        edge = cv2.dilate(mask, np.ones((5, 5), np.uint8)) - mask
        return mask * 255 + edge * 128

    folder.change_masks(blur)
    return {}


def coloured_masks(folder: Folder) -> dict:
    for number in range(COUNT):
        folder.write_mask(number, np.stack([person(number) * 0, person(number) * 128, person(number) * 192], axis=2))
    return {}


def palette_of_classes(folder: Folder) -> dict:
    for number in range(COUNT):
        picture = Image.fromarray(person(number) * 15)
        picture.putpalette([channel for index in range(256) for channel in (index, 255 - index, index // 2)])
        picture.save(folder.mask(number))
    return {}


def drawn_images(folder: Folder) -> dict:
    for number in range(COUNT):
        cv2.imwrite(str(folder.image(number)), person(number) * 255 - number)
    return {}


def unlabelled(folder: Folder) -> dict:
    folder.lines = [line.split()[0] for line in folder.lines]
    (folder.root / "test.txt").write_text("\n".join(folder.lines), encoding="utf-8")
    return {"mode": "test", "test_path": str(folder.root / "test.txt")}


WRONG = [
    (masks_255_declared_01, "masks_255_as_01", "error", "Set mask_format: binary255", 8),
    (masks_01_declared_255, "masks_01_as_255", "error", "Set mask_format: binary01", 8),
    (swapped_columns, "swapped_columns", "error", "columns swapped", 8),
    (other_size, "size_mismatch", "error", "2 of 8 masks have another size", 2),
    (other_size, "size_mismatch", "error", "2.png (mask 80 x 48, photo 80 x 96)", 2),
    (turned_masks, "size_mismatch", "error", "1 are turned", 1),
    (jpeg_masks, "jpeg_masks", "error", "Save masks as PNG", 8),
    (jpeg_masks_split_at_half, "jpeg_masks", "warning", "smears", 8),
    (no_person_anywhere, "no_person_anywhere", "error", "all 8 masks hold no person", 8),
    (one_without_person, "no_person", "warning", "1 of 8 masks hold no person", 1),
    (all_person_everywhere, "all_person_anywhere", "error", "all 8 masks are person all over", 8),
    (inverted, "inverted_masks", "warning", "look inverted", 8),
    (missing_files, "missing_images", "error", "images/1.jpg", 1),
    (missing_files, "missing_masks", "error", "masks/6.png", 1),
    (truncated_image, "unreadable_images", "error", "images/7.jpg", 1),
    (image_is_text, "unreadable_images", "error", "images/2.jpg", 1),
    (truncated_mask, "unreadable_masks", "error", "masks/0.png", 1),
    (copied_image, "duplicate_images", "warning", "images/0.jpg = ", 2),
    (compressed_again, "near_duplicates", "warning", "look the same", 2),
    (listed_twice, "listed_twice", "warning", "images/3.jpg", 1),
    (one_file_as_both, "same_file", "error", "1 of 8 lines name one file twice", 1),
    (one_odd_value, "mask_values", "error", "masks/5.png (values {0, 7})", 1),
    (class_numbers, "mask_values", "error", "look like class numbers", 8),
    (three_levels, "few_levels", "warning", "{0, 128, 255}", 8),
    (coloured_masks, "coloured_masks", "error", "one channel", 8),
    (palette_of_classes, "mask_values", "error", "{0, 15}", 8),
    (drawn_images, "flat_images", "warning", "look like masks", 8),
    (unlabelled, "no_masks", "error", "all 8 images have no mask", 8),
]
# A second finding that follows from the first, and is as true.
ALSO_TRUE = {
    "one_file_as_both": {"coloured_masks", "jpeg_masks"},
    "missing_files": {"missing_images", "missing_masks"},
}


@pytest.mark.parametrize(
    ("spoil", "code", "severity", "phrase", "files"), WRONG, ids=[f"{row[0].__name__}-{row[1]}" for row in WRONG]
)
def test_each_fault_has_its_own_finding(folder, spoil, code, severity, phrase, files):
    arguments = spoil(folder)
    report = check_dataset(folder.dataset(**arguments), training=True)
    assert codes(report).get(code) == severity, report.summary()
    found = finding(report, code)
    assert phrase in found.message
    assert len(found.files) == files
    others = codes(report).keys() - {code} - ALSO_TRUE.get(spoil.__name__, set())
    assert not others, report.summary()


def test_a_right_data_set_has_no_finding(folder):
    report = check_dataset(folder.dataset(), batch_size=COUNT, training=True)
    assert report.findings == []
    assert report.statistics["pairs"] == report.statistics["inspected"] == COUNT
    assert report.statistics["sizes_wxh"] == {f"{WIDTH}x{HEIGHT}": COUNT}


def test_share_of_the_person_is_that_of_the_known_pixels(folder):
    half = np.zeros((HEIGHT, WIDTH), np.uint8)
    half[:, : WIDTH // 2] = 1
    half[: HEIGHT // 2] = 255
    folder.change_masks(lambda mask: half)
    figures = check_dataset(folder.dataset(mask_format="binary01")).statistics
    assert figures["ignored_share"] == 0.5
    assert figures["person_share"] == {"min": 0.5, "median": 0.5, "mean": 0.5, "max": 0.5}
    assert figures["person_share_histogram"] == [0, 0, 0, 0, 0, COUNT, 0, 0, 0, 0]


@pytest.mark.parametrize("mask_format", ["auto", "soft"])
def test_soft_masks_are_right(folder, mask_format):
    folder.change_masks(lambda mask: cv2.GaussianBlur(mask * 255, (0, 0), 3))
    assert check_dataset(folder.dataset(mask_format=mask_format)).findings == []


def test_palette_of_background_and_person_is_right(folder):
    for number in range(COUNT):
        picture = Image.fromarray(person(number))
        picture.putpalette([0, 0, 0, 128, 0, 0])
        picture.save(folder.mask(number))
    assert check_dataset(folder.dataset()).findings == []


@pytest.mark.parametrize(("batch_size", "weight", "fits"), [(8, 1.0, True), (9, 1.0, False), (9, 2.0, True)])
def test_fewer_images_than_the_batch(folder, batch_size, weight, fits):
    report = check_dataset(folder.dataset(weight=weight), batch_size)
    assert ("fewer_than_batch" not in codes(report)) == fits
    assert fits or "8 images" in finding(report, "fewer_than_batch").message


@pytest.mark.parametrize(
    ("lines", "phrase"),
    [("", "the list is empty"), ("images/0.jpg\nimages/1.jpg", "train.txt:1: 'images/0.jpg' names")],
)
def test_lists_that_cannot_be_used_name_the_line(folder, lines, phrase):
    folder.lines = lines.splitlines()
    with pytest.raises(UserError, match=phrase):
        folder.dataset()


def test_a_joined_set_may_have_a_part_of_empty_rooms(folder, tmp_path):
    rooms = Folder(tmp_path / "rooms", first=100)
    rooms.change_masks(lambda mask: mask * 0)
    report = check_dataset(ConcatDataset([folder.dataset(), rooms.dataset()]))
    assert codes(report) == {"no_person": "warning"}
    assert len(finding(report, "no_person").files) == COUNT


def test_each_part_of_a_joined_set_has_its_own_interpretation(folder, tmp_path):
    other = Folder(tmp_path / "other", first=100)
    other.change_masks(lambda mask: mask)
    assert check_dataset(ConcatDataset([folder.dataset(), other.dataset()])).findings == []


def test_many_files_are_named_only_in_the_finding(folder):
    folder.change_masks(lambda mask: mask * 0)
    found = finding(check_dataset(folder.dataset()), "no_person_anywhere")
    assert "masks/2.png and 5 more" in found.message
    assert "masks/7.png" not in found.message
    assert found.files[-1].endswith("masks/7.png")


def test_an_unreadable_mask_does_not_hide_what_is_wrong_with_others(folder):
    truncated_mask(folder)
    report = check_dataset(folder.dataset(mask_format="binary01"))
    assert codes(report) == {"unreadable_masks": "error", "masks_255_as_01": "error"}
    assert len(finding(report, "masks_255_as_01").files) == COUNT - 1


# Training and evaluation together.


def test_photos_shared_under_another_name(folder, tmp_path):
    val = Folder(tmp_path / "val", first=100)
    shutil.copy(folder.image(3), val.image(1))
    report = check_overlap(folder.dataset(), val.dataset())
    assert codes(report) == {"train_val_overlap": "error"}
    assert finding(report, "train_val_overlap").files == (str(val.image(1)),)


def test_photos_shared_by_the_lists(folder):
    train = folder.dataset()
    folder.lines = folder.lines[:3]
    report = check_overlap(train, folder.dataset())
    assert "all 3 evaluation images" in finding(report, "train_val_overlap").message


def test_photos_shared_through_a_link(folder, tmp_path):
    (tmp_path / "linked").symlink_to(folder.root, target_is_directory=True)
    train = folder.dataset()
    folder.lines = folder.lines[:3]
    val = folder.dataset(dataset_root=str(tmp_path / "linked"))
    assert codes(check_overlap(train, val)) == {"train_val_overlap": "error"}


def test_equal_sets_are_allowed_with_a_warning(folder):
    assert codes(check_overlap(folder.dataset(), folder.dataset())) == {"train_is_val": "warning"}


def test_sets_without_shared_photos(folder, tmp_path):
    assert check_overlap(folder.dataset(), Folder(tmp_path / "val", first=100).dataset()).findings == []


def test_shared_photo_of_another_size(folder, tmp_path):
    val = Folder(tmp_path / "val", first=100)
    cv2.imwrite(str(val.image(1)), cv2.resize(cv2.imread(str(folder.image(3))), None, fx=2, fy=2))
    train, judged = folder.dataset(), val.dataset()
    looks = {**check_dataset(train).looks, **check_dataset(judged).looks}
    report = check_overlap(train, judged, looks)
    assert codes(report) == {"near_overlap": "warning"}
    assert finding(report, "near_overlap").files == (str(val.image(1)), str(folder.image(3)))


# Before a training.


def test_cheap_checks_raise_all_errors_at_once(folder, tmp_path):
    val = Folder(tmp_path / "val", first=100)
    no_person_anywhere(val)
    missing_files(folder)
    with pytest.raises(UserError) as caught:
        cheap_checks(folder.dataset(), val.dataset(), batch_size=50)
    for phrase in ("images/1.jpg", "masks/6.png", "a batch takes 50", "val_dataset:\n  - all 8 masks hold no person"):
        assert phrase in str(caught.value)


def test_cheap_checks_log_warnings_and_go_on(folder, caplog):
    one_without_person(folder)
    with caplog.at_level("WARNING", logger="paddle_portrait"):
        cheap_checks(folder.dataset(), None, batch_size=4)
    assert "1 of 8 masks hold no person" in caplog.text


def test_the_cheap_level_decodes_few_pairs(tmp_path):
    folder = Folder(tmp_path / "set")
    folder.lines = folder.lines * 50
    report = check_dataset(folder.dataset(), level="cheap")
    assert report.statistics["pairs"] == 50 * COUNT
    assert 0 < report.statistics["inspected"] < 50
    assert f"of {50 * COUNT} pairs looked into" in report.summary()
