"""Photos kept for judging are refused as training photos, under whatever name they come."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.data.checks import cheap_checks, check_dataset, reserved, write_reserved
from paddle_portrait.data.datasets import Dataset
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import write_image

REAL = Path(__file__).resolve().parents[2] / "data" / "eg1800"


def write_set(root: Path, list_name: str, first: int, count: int = 4) -> Path:
    """Write photos of noise with half-filled masks and their list; return the list."""
    half = np.zeros((40, 30), np.uint8)
    half[20:] = 255
    lines = []
    for number in range(count):
        noise = np.random.default_rng(first + number).integers(0, 256, (40, 30, 3)).astype(np.uint8)
        write_image(root / "images" / f"{number}.png", noise)
        write_image(root / "masks" / f"{number}.png", half)
        lines.append(f"images/{number}.png masks/{number}.png")
    (root / list_name).write_text("\n".join(lines), encoding="utf-8")
    return root / list_name


def open_list(path: Path) -> Dataset:
    return Dataset(dataset_root=str(path.parent), train_path=str(path))


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """An evaluation list of which this process knows the sums."""
    path = write_set(tmp_path / "faces", "test.txt", first=0)
    known = tmp_path / "known.json"
    assert write_reserved.main([str(path), "--output", str(known)]) == 0
    monkeypatch.setattr(reserved, "RESERVED_FILE", known)
    reserved.reserved_lists.cache_clear()
    yield path
    reserved.reserved_lists.cache_clear()


def codes(dataset: Dataset, training: bool) -> set[str]:
    return {finding.code for finding in check_dataset(dataset, level="cheap", training=training).errors}


def test_the_list_itself_is_refused_for_training_only(kept):
    assert codes(open_list(kept), training=True) == {"reserved_list", "reserved_images"}
    assert codes(open_list(kept), training=False) == set()


def test_the_list_is_known_by_its_name_through_a_link_and_with_other_photos(kept, tmp_path):
    (tmp_path / "harmless").symlink_to(kept.parent, target_is_directory=True)
    assert "reserved_list" in codes(open_list(tmp_path / "harmless" / "test.txt"), training=True)
    namesake = write_set(tmp_path / "elsewhere" / "faces", "test.txt", first=50)
    assert codes(open_list(namesake), training=True) == {"reserved_list"}


def test_one_photo_under_another_name_is_refused_and_named(kept, tmp_path):
    mine = write_set(tmp_path / "mine", "train.txt", first=100)
    cheap_checks(open_list(mine), None, batch_size=2)
    shutil.copy(kept.parent / "images" / "2.png", mine.parent / "images" / "3.png")
    with pytest.raises(UserError, match=r"1 of 4 images are photos of the evaluation list faces/test.txt.*3\.png"):
        cheap_checks(open_list(mine), None, batch_size=2)


def test_a_photo_of_the_same_size_only_is_not_refused(kept, tmp_path):
    mine = write_set(tmp_path / "mine", "train.txt", first=100)
    original = (kept.parent / "images" / "2.png").read_bytes()
    (mine.parent / "images" / "3.png").write_bytes(original[:-1] + b"\0")
    assert "reserved_images" not in codes(open_list(mine), training=True)


def test_writing_refuses_a_list_without_its_photos(kept, tmp_path, capsys):
    (kept.parent / "images" / "1.png").unlink()
    assert write_reserved.main([str(kept), "--output", str(tmp_path / "new.json")]) == 2
    assert "1 of its photos do not exist" in capsys.readouterr().err
    assert not (tmp_path / "new.json").exists()


def test_the_shipped_sums_are_of_both_evaluation_lists():
    content = json.loads(reserved.RESERVED_FILE.read_text(encoding="utf-8"))
    assert {entry["name"]: len(entry["images"]) for entry in content["lists"]} == {
        "eg1800/test.txt": 264,
        "picsart/val.txt": 150,
    }


@pytest.mark.skipif(not REAL.is_dir(), reason="data/eg1800 is not there")
def test_the_real_lists(tmp_path):
    images = str(REAL.resolve())
    renamed = shutil.copy(REAL / "test.txt", tmp_path / "mine.txt")
    found = codes(Dataset(dataset_root=images, train_path=str(renamed)), training=True)
    assert found == {"reserved_images"}
    train = Dataset(dataset_root=str(REAL), train_path=str(REAL / "train.txt"))
    assert codes(train, training=True) == set()
