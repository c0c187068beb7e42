"""List files, data sets made of them, and everything that can be wrong with them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data.datasets import ConcatDataset, Dataset
from paddle_portrait.data.datasets.list_file import read_list
from paddle_portrait.data.transforms import Normalize, RandomHorizontalFlip, Resize
from paddle_portrait.errors import UserError
from paddle_portrait.registry import DATASETS

RNG = np.random.default_rng(0)


def make_pair(root: Path, image: str, mask: str, size: tuple[int, int] = (8, 6), person: int = 255) -> None:
    pixels = np.random.default_rng(len(image)).integers(0, 256, (*size, 3), dtype=np.uint8)
    values = np.zeros(size, np.uint8)
    values[: size[0] // 2] = person
    for name, array in ((image, pixels), (mask, values)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / name)


def make_list(root: Path, *lines: str, name: str = "train.txt", encoding: str = "utf-8") -> str:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes("\n".join(lines).encode(encoding))
    return str(root / name)


def dataset(root: Path, count: int = 3, **arguments: object) -> Dataset:
    for number in range(count):
        make_pair(root, f"images/{number}.png", f"masks/{number}.png")
    path = make_list(root, *(f"images/{number}.png masks/{number}.png" for number in range(count)))
    return Dataset(**{"dataset_root": str(root), "train_path": path, **arguments})


@pytest.mark.parametrize(
    ("line", "image", "mask", "separator"),
    [
        ("images/x.png masks/x.png", "images/x.png", "masks/x.png", " "),
        ("  images/x.png masks/x.png\r", "images/x.png", "masks/x.png", " "),
        ("my photos/x y.png my masks/x y.png", "my photos/x y.png", "my masks/x y.png", " "),
        ("a b.png a.png", "a b.png", "a.png", " "),
        ("人像/é.png маска/é.png", "人像/é.png", "маска/é.png", " "),
        ("x.png\tm.png", "x.png", "m.png", "\t"),
        ("x y.png,m z.png", "x y.png", "m z.png", ","),
        ("x.png , m.png", "x.png", "m.png", ","),
    ],
)
def test_lines(tmp_path: Path, line: str, image: str, mask: str, separator: str) -> None:
    make_pair(tmp_path, image, mask)
    entries = read_list(make_list(tmp_path, "", line, ""), str(tmp_path), separator, masks_optional=False)
    assert entries == [(str(tmp_path / image), str(tmp_path / mask))]


def test_list_with_byte_order_mark(tmp_path: Path) -> None:
    path = make_list(tmp_path, "x.png m.png", encoding="utf-8-sig")
    assert read_list(path, str(tmp_path), " ", False) == [(str(tmp_path / "x.png"), str(tmp_path / "m.png"))]


def test_absolute_names(tmp_path: Path) -> None:
    make_pair(tmp_path, "x.png", "m.png")
    path = make_list(tmp_path / "lists", f"{tmp_path / 'x.png'},{tmp_path / 'm.png'}")
    assert read_list(path, "elsewhere", ",", False) == [(str(tmp_path / "x.png"), str(tmp_path / "m.png"))]


@pytest.mark.parametrize(
    ("lines", "encoding", "words"),
    [
        ([], "utf-8", "the list is empty"),
        (["", "   "], "utf-8", "the list is empty"),
        (["x.png m.png", "only.png"], "utf-8", r"train\.txt:2: 'only\.png' names no mask"),
        (["a b.png c d.png"], "utf-8", r"train\.txt:1: .* has 4 columns, and no way to split it"),
        (["фото.png маска.png"], "cp1251", "not UTF-8"),
    ],
)
def test_wrong_lists(tmp_path: Path, lines: list[str], encoding: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_list(make_list(tmp_path, *lines, encoding=encoding), str(tmp_path), " ", masks_optional=False)


def test_test_lists_need_no_masks(tmp_path: Path) -> None:
    make_pair(tmp_path, "a b.png", "m.png")
    path = make_list(tmp_path, "a b.png", "x.png", "x.png m.png", name="test.txt")
    loaded = Dataset(dataset_root=str(tmp_path), mode="test", test_path=path)
    assert [mask is None for _, mask in loaded.files] == [True, True, False]
    assert loaded.load(0).label is None


WRONG = [
    ({"mode": "valid"}, r"unknown mode 'valid'\. Did you mean 'val'"),
    ({"train_path": None}, "mode train needs train_path"),
    ({"mode": "val"}, "mode val needs val_path"),
    ({"dataset_root": "nowhere"}, r"dataset_root 'nowhere' does not exist.*data/README\.md"),
    ({"train_path": "train.txt"}, r"train_path 'train\.txt' does not exist.*does exist: write that"),
    ({"num_classes": 1}, "num_classes must be from 2 to 255, got 1"),
    ({"weight": 0}, "weight must be over 0"),
    ({"cache_mb": -1}, "cache_mb must be 0 or more"),
    ({"separator": ""}, "separator is empty"),
    ({"mask_format": "binary"}, "unknown mask_format 'binary'"),
    ({"transforms": [Normalize(), Resize([4, 4])]}, "Normalize must be the last"),
    ({"transforms": ["Resize"]}, "this is no transform: 'Resize'"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_wrong_arguments(tmp_path: Path, arguments: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        dataset(tmp_path, **arguments).load(0)


def test_a_list_beside_the_root_is_pointed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    dataset(tmp_path)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "train.txt")) + "' does exist"):
        Dataset(dataset_root=str(tmp_path), train_path="train.txt")


def test_load_gives_what_is_on_the_disk(tmp_path: Path) -> None:
    sample = dataset(tmp_path).load(1)
    assert np.array_equal(sample.image, np.asarray(Image.open(tmp_path / "images/1.png")))
    assert sample.label is not None and sample.label.dtype == np.uint8
    assert sample.label[:4].all() and not sample.label[4:].any()
    assert sample.path.endswith("1.png") and sample.index == 1


def test_mask_of_another_size(tmp_path: Path) -> None:
    made = dataset(tmp_path)
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / "masks/2.png")
    with pytest.raises(
        UserError, match=r"masks/2\.png is height 6, width 8, but its photo .*images/2\.png is height 8, width 6"
    ):
        made.sample(2, RNG)


def test_missing_photo_and_mask_are_named(tmp_path: Path) -> None:
    made = dataset(tmp_path)
    made.load(0)
    (tmp_path / "masks/1.png").unlink()
    (tmp_path / "images/2.png").unlink()
    for index, name in ((1, "masks/1.png"), (2, "images/2.png")):
        with pytest.raises(UserError, match=re.escape(name) + ": the file does not exist"):
            made.sample(index, RNG)


def test_a_failing_transform_names_the_photo(tmp_path: Path) -> None:
    def broken(data: dict) -> dict:
        raise ValueError("no idea")

    with pytest.raises(RuntimeError, match=r"images/0\.png: ValueError: no idea"):
        dataset(tmp_path, transforms=[broken]).sample(0, RNG)


def test_the_meaning_of_masks_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paddle_portrait.console.logger.propagate", True)
    made = dataset(tmp_path)
    with caplog.at_level("INFO", logger="paddle_portrait"):
        for index in range(3):
            made.load(index)
    # By identity: pytest also listens at loggers that did not propagate when the test began.
    said = {id(record): record.message for record in caplog.records if "masks are" in record.message}
    (message,) = said.values()
    assert "binary: 0 = background, 255 = person" in message and "{0, 255}" in message and "train.txt" in message


def test_cache_gives_the_same_samples_and_reads_once(tmp_path: Path) -> None:
    transforms = [Resize([12, 10]), RandomHorizontalFlip(0.5)]
    plain, cached = dataset(tmp_path, transforms=transforms), dataset(tmp_path, transforms=transforms, cache_mb=1)
    first = [cached.sample(i, np.random.default_rng(i)) for i in range(3)]
    for path in (*tmp_path.glob("images/*"), *tmp_path.glob("masks/*")):
        path.rename(path.with_suffix(".gone"))
    again = [cached.sample(i, np.random.default_rng(i)) for i in range(3)]
    for path in tmp_path.rglob("*.gone"):
        path.rename(path.with_suffix(".png"))
    for i in range(3):
        expected = plain.sample(i, np.random.default_rng(i))
        for sample in (first[i], again[i]):
            assert np.array_equal(sample.image, expected.image) and np.array_equal(sample.label, expected.label)


def test_cache_stops_at_its_bound(tmp_path: Path) -> None:
    made = dataset(tmp_path, cache_mb=250 / 2**20)  # a sample of 8×6 has 192 bytes
    for i in range(3):
        made.sample(i, RNG)
    (tmp_path / "images/0.png").unlink()
    (tmp_path / "images/1.png").unlink()
    assert made.sample(0, RNG).image.shape == (8, 6, 3)
    with pytest.raises(UserError, match="does not exist"):
        made.sample(1, RNG)


def test_concatenation(tmp_path: Path) -> None:
    a, b = dataset(tmp_path / "a", 2), dataset(tmp_path / "b", 3, weight=2)
    joined = ConcatDataset([a, b], transforms=[Resize([4, 4]), Normalize()])
    assert len(joined) == 5 and joined.files == a.files + b.files
    assert [(part.count, part.weight) for part in joined.parts()] == [(2, 1.0), (3, 2)]
    sample = joined.sample(4, RNG)
    assert sample.index == 4 and sample.image.shape == (4, 4, 3) and sample.path == b.files[2][0]


def test_concatenation_keeps_own_transforms(tmp_path: Path) -> None:
    a = dataset(tmp_path / "a", transforms=[Resize([5, 5]), Normalize()])
    joined = ConcatDataset([a, dataset(tmp_path / "b")], transforms=[Resize([4, 4]), Normalize()])
    assert joined.sample(0, RNG).size_hw == (5, 5) and joined.sample(3, RNG).size_hw == (4, 4)


def test_concatenation_of_hard_and_soft_masks_is_soft(tmp_path: Path) -> None:
    joined = ConcatDataset([dataset(tmp_path / "a"), dataset(tmp_path / "b", mask_format="soft")])
    assert joined.soft_labels
    labels = joined.collate([joined.sample(0, RNG), joined.sample(3, RNG)]).labels
    assert labels.dtype == np.float32 and np.unique(labels).tolist() == [0, 1]


def test_concatenation_of_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="datasets is empty"):
        ConcatDataset([])
    with pytest.raises(UserError, match=r"datasets\[0\] and datasets\[1\] differ in num_classes: 2 and 3"):
        ConcatDataset([dataset(tmp_path / "a"), dataset(tmp_path / "b", num_classes=3)])
    with pytest.raises(UserError, match="differ in Normalize"):
        ConcatDataset([dataset(tmp_path / "a"), dataset(tmp_path / "b", transforms=[Normalize()])])
    grey = dataset(tmp_path / "b", transforms=[Normalize(colour="gray")])
    with pytest.raises(UserError, match="differ in Normalize"):
        ConcatDataset([dataset(tmp_path / "a", transforms=[Normalize()]), grey])
    with pytest.raises(UserError, match="object is no data set"):
        ConcatDataset([object()])


def test_built_from_yaml_nodes(tmp_path: Path) -> None:
    dataset(tmp_path)
    node = {"type": "Dataset", "dataset_root": str(tmp_path), "train_path": str(tmp_path / "train.txt"), "weight": 2}
    transforms = [{"type": "Resize", "target_size": [4, 4]}, {"type": "Normalize"}]
    joined = DATASETS.build_node({"type": "ConcatDataset", "datasets": [node, node], "transforms": transforms})
    assert len(joined) == 6 and joined.sample(0, RNG).size_hw == (4, 4)
