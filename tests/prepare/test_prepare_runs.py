"""What holds for every source: second runs, interruptions, duplicates, splits, options, places that are taken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.cli.prepare_data import main
from paddle_portrait.data import EvalLoader
from paddle_portrait.data.checks import check_dataset, reserved
from paddle_portrait.data.datasets import Dataset
from paddle_portrait.data.prepare import Item, Made, Options, SkipItem, Source, prepare
from paddle_portrait.data.prepare.split import assign
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import read_image, read_mask, write_image
from paddle_portrait.registry import TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]


def fill(root: Path, numbers: range, rows: int = 20) -> Path:
    """Write photos of noise, each with a mask whose person fills the lower ``rows`` of 40."""
    for number in numbers:
        noise = np.random.default_rng(number).integers(0, 256, (40, 30, 3)).astype(np.uint8)
        mask = np.zeros((40, 30), np.uint8)
        mask[40 - rows :, 5:25] = 255
        write_image(root / f"images/p{number}.jpg", noise)
        write_image(root / f"masks/p{number}.png", mask)
    return root


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the time and the content of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of the files that a set is made of, the notes of the runs left out."""
    return {name: content for name, (_, content) in snapshot(folder).items() if name != ".prepared.jsonl"}


def run(root: Path, out: Path, *flags: str) -> int:
    """Prepare a plain folder."""
    return main(["folder", str(root), "--out", str(out), *flags])


def names(out: Path, split: str) -> list[str]:
    """Return the names in a list."""
    path = out / f"{split}.txt"
    return [Path(line.split()[0]).stem for line in path.read_text().splitlines()] if path.is_file() else []


def test_a_second_run_changes_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "in", range(6))
    (tmp_path / "in/masks/p5.png").write_bytes(b"broken later")  # a skipped one is not looked at again either
    fill(tmp_path / "in", range(10, 12), rows=0)
    flags = ["--mask_format", "binary255"]
    assert run(tmp_path / "in", tmp_path / "out", *flags) == 0
    assert "nothing changed" not in capsys.readouterr().out
    before = snapshot(tmp_path / "out")
    assert run(tmp_path / "in", tmp_path / "out", *flags) == 0
    assert snapshot(tmp_path / "out") == before
    text = capsys.readouterr().out
    assert "nothing changed" in text and "0 written now, 5 from before" in text
    assert "skipped 2, no person in the mask: p10, p11" in text and "skipped 1, mask cannot be read: p5" in text


def test_a_changed_a_new_and_a_lost_photo_are_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "in", range(6))
    assert run(tmp_path / "in", tmp_path / "out") == 0
    kept = snapshot(tmp_path / "out")["images/p3.jpg"]
    fill(tmp_path / "in", range(0, 1), rows=5)  # another mask
    fill(tmp_path / "in", range(8, 9))  # a new photo
    (tmp_path / "in/images/p1.jpg").unlink()
    (tmp_path / "out/masks/p2.png").unlink()  # lost from the prepared set
    capsys.readouterr()
    assert run(tmp_path / "in", tmp_path / "out") == 0
    assert "3 written now, 3 from before" in capsys.readouterr().out
    after = snapshot(tmp_path / "out")
    assert after["images/p3.jpg"] == kept and "images/p1.jpg" not in after and "masks/p1.png" not in after
    assert (read_mask(tmp_path / "out/masks/p0.png") > 0).sum() == 100
    assert sorted(names(tmp_path / "out", "train") + names(tmp_path / "out", "val")) == [
        "p0",
        "p2",
        "p3",
        "p4",
        "p5",
        "p8",
    ]
    assert run(tmp_path / "in", tmp_path / "fresh") == 0
    assert contents(tmp_path / "fresh") == contents(tmp_path / "out")


@pytest.mark.parametrize("written", [0, 1, 4])
def test_an_exception_in_the_middle_loses_nothing(written: int, tmp_path: Path) -> None:
    fill(tmp_path / "in", range(6))
    made = []

    def source(fails: bool) -> Source:
        def make(number: int) -> Made:
            if fails and len(made) == written:
                raise KeyboardInterrupt
            made.append(number)
            path = tmp_path / f"in/images/p{number}.jpg"
            return Made(path.read_bytes(), ".jpg", read_mask(tmp_path / f"in/masks/p{number}.png"))

        inputs = [(tmp_path / f"in/images/p{number}.jpg",) for number in range(6)]
        return Source("t", "binary255", [Item(f"p{n}", inputs[n], lambda n=n: make(n)) for n in range(6)])

    with pytest.raises(KeyboardInterrupt):
        prepare(source(True), tmp_path / "out")
    # What a killed process leaves: half a file under its other name, half a line.
    (tmp_path / "out/images").mkdir(exist_ok=True)
    (tmp_path / "out/images/p4.jpg.part").write_bytes(b"half")
    with (tmp_path / "out/.prepared.jsonl").open("a") as file:
        file.write('{"name": "p5", "signa')
    outcome = prepare(source(False), tmp_path / "out")
    assert (outcome.written, outcome.kept) == (6 - written, written)
    assert sorted(made) == list(range(6))
    prepare(source(False), tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    assert not prepare(source(False), tmp_path / "out").changed


def test_a_killed_process_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "in", range(400))
    command = [sys.executable, "tools/prepare_data.py", "folder", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not len(list((tmp_path / "out").glob("masks/*.png"))):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = len(list((tmp_path / "out/masks").glob("*.png")))
    assert 0 < done < 400 and not (tmp_path / "out/train.txt").exists()
    assert run(tmp_path / "in", tmp_path / "out") == 0
    assert run(tmp_path / "in", tmp_path / "fresh") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_equal_photos_are_taken_once_whatever_their_names(tmp_path: Path) -> None:
    fill(tmp_path / "in", range(4))
    for copy in ("a copy", "zz"):
        (tmp_path / f"in/images/{copy}.jpg").write_bytes((tmp_path / "in/images/p2.jpg").read_bytes())
        (tmp_path / f"in/masks/{copy}.png").write_bytes((tmp_path / "in/masks/p2.png").read_bytes())
    assert run(tmp_path / "in", tmp_path / "out") == 0
    report = json.loads((tmp_path / "out/prepared.json").read_text())
    assert report["skipped"]["duplicate photo"]["files"] == [
        {"name": "p2", "detail": "of a_copy"},
        {"name": "zz", "detail": "of a_copy"},
    ]
    (tmp_path / "in/images/a copy.jpg").unlink()  # the first one goes: the next takes its place
    assert run(tmp_path / "in", tmp_path / "out") == 0
    assert run(tmp_path / "in", tmp_path / "fresh") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    assert "p2" in names(tmp_path / "out", "train") + names(tmp_path / "out", "val")


def test_of_equal_photos_the_one_that_is_judged_on_stays(tmp_path: Path) -> None:
    fill(tmp_path, range(3))

    def item(name: str, number: int, split: str | None) -> Item:
        image, mask = tmp_path / f"images/p{number}.jpg", np.full((40, 30), 255, np.uint8)
        return Item(name, (image,), lambda: Made(image.read_bytes(), ".jpg", mask), split)

    items = [item("a", 0, "train"), item("b", 0, "val"), item("c", 1, "val"), item("d", 1, "test"), item("e", 2, None)]
    outcome = prepare(Source("t", "soft", items), tmp_path / "out")
    assert outcome.counts == {"train": 1, "val": 1, "test": 1}
    assert [names(tmp_path / "out", split) for split in ("train", "val", "test")] == [["e"], ["b"], ["d"]]


@pytest.fixture
def two_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder of five photos, two of which stand in an evaluation list."""
    fill(tmp_path / "in", range(5))
    known = [reserved.fingerprint(tmp_path / f"in/images/p{number}.jpg") for number in (1, 3)]
    (tmp_path / "reserved.json").write_text(json.dumps({"lists": [{"name": "x/test.txt", "images": known}]}))
    monkeypatch.setattr(reserved, "RESERVED_FILE", tmp_path / "reserved.json")
    reserved.reserved_lists.cache_clear()
    yield tmp_path / "in"
    reserved.reserved_lists.cache_clear()


def test_photos_of_evaluation_lists_are_never_trained_on(two_reserved: Path, tmp_path: Path) -> None:
    assert run(two_reserved, tmp_path / "out") == 0
    assert names(tmp_path / "out", "test") == ["p1", "p3"]


def test_nor_are_pictures_that_were_composed_of_them(two_reserved: Path, tmp_path: Path) -> None:
    lines = [f"images/p{number}.jpg masks/p{number}.png\n" for number in range(5)]
    (two_reserved / "train.txt").write_text("".join(lines))
    command = ["compose", str(two_reserved), "--out", str(tmp_path / "out"), "--per_person", "2"]
    for _ in range(2):  # the second run does not look at the pictures again
        assert main(command) == 0
        assert names(tmp_path / "out", "test") == ["p1_bg0", "p1_bg1", "p3_bg0", "p3_bg1"]
        assert len(names(tmp_path / "out", "train")) == 6


def test_the_split_follows_the_seed_and_not_the_order() -> None:
    many = {f"p{number}": None for number in range(200)}
    first = assign(many, set(), 0, 0.1)
    assert first == assign(dict(reversed(many.items())), set(), 0, 0.1)
    assert sum(split == "val" for split in first.values()) == 20
    assert first != assign(many, set(), 1, 0.1)
    more = assign({**many, "new": None}, set(), 0, 0.1)
    assert sum(first[name] != more[name] for name in many) <= 1


@pytest.mark.parametrize(
    ("official", "share", "expected"),
    [
        ({"a": None}, 0.5, {"a": "train"}),  # one photo cannot be halved
        ({"a": None, "b": None}, 0.99, {"train", "val"}),
        ({"a": None, "b": None}, 0, {"a": "train", "b": "train"}),
        (
            {"a": "train", "b": "val", "c": None, "d": "test"},
            0.5,
            {"a": "train", "b": "val", "c": "train", "d": "test"},
        ),
        ({"a": "train", "b": "train", "c": "test"}, 0.1, {"train", "val", "test"}),
        ({}, 0.1, {}),
    ],
)
def test_lists_of_the_source_are_kept(
    official: dict[str, str | None], share: float, expected: dict[str, str] | set[str]
) -> None:
    splits = assign(official, set(), 0, share)
    assert (splits if isinstance(expected, dict) else set(splits.values())) == expected


def test_options_change_what_is_taken(tmp_path: Path) -> None:
    fill(tmp_path / "in", range(2))
    fill(tmp_path / "in", range(2, 4), rows=2)
    fill(tmp_path / "in", range(4, 6), rows=0)
    out = tmp_path / "out"
    assert run(tmp_path / "in", out, "--min_share", "0.1", "--val_share", "0") == 0
    assert names(out, "train") == ["p0", "p1"] and not (out / "val.txt").exists()
    assert run(tmp_path / "in", out, "--with_empty", "--val_share", "0.5") == 0
    assert len(names(out, "train")) == len(names(out, "val")) == 3
    assert run(tmp_path / "in", out, "--val_share", "0") == 0
    assert names(out, "train") == ["p0", "p1", "p2", "p3"] and not (out / "val.txt").exists()
    assert len(list((out / "images").iterdir())) == 4


def test_links_lead_to_the_photos_and_copies_replace_them(tmp_path: Path) -> None:
    fill(tmp_path / "in", range(2))
    assert run(tmp_path / "in", tmp_path / "out", "--link") == 0
    link = tmp_path / "out/images/p0.jpg"
    assert link.is_symlink() and link.resolve() == (tmp_path / "in/images/p0.jpg").resolve()
    assert run(tmp_path / "in", tmp_path / "out") == 0
    assert not link.is_symlink() and (tmp_path / "in/images/p0.jpg").is_file()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--seed", "-1"], "--seed is -1"),
        (["--val_share", "1"], "--val_share is 1.0"),
        (["--val_share", "-0.1"], "--val_share is -0.1"),
        (["--min_share", "5"], "--min_share is 5.0"),
        (["--images", "photos"], "--images names it"),
        (["--images", ".", "--masks", "."], "--mask_suffix"),
    ],
)
def test_wrong_options_are_refused(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "in", range(2))
    assert run(tmp_path / "in", tmp_path / "out", *flags) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_places_that_are_taken_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "in", range(2))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    for out, words in (("mine", "not prepared here"), ("mine/letter.txt", "this is a file"), ("in/out", "lies in the")):
        assert run(tmp_path / "in", tmp_path / out) == 2
        assert words in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path / "mine")) == ["letter.txt"] and not (tmp_path / "in/out").exists()


def test_nothing_usable_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "in", range(3), rows=0)
    assert run(tmp_path / "in", tmp_path / "out") == 1
    assert "usable pictures: 0 (none)" in capsys.readouterr().out
    assert not (tmp_path / "out/train.txt").exists()
    assert json.loads((tmp_path / "out/prepared.json").read_text())["skipped"]["no person in the mask"]["count"] == 3
    for path in (tmp_path / "in/images").iterdir():
        path.unlink()
    assert run(tmp_path / "in", tmp_path / "out") == 1


def test_one_bad_photo_does_not_stop_the_others(tmp_path: Path) -> None:
    fill(tmp_path / "in", range(5))
    (tmp_path / "in/images/p0.jpg").write_bytes(b"")
    (tmp_path / "in/images/p1.jpg").write_bytes((tmp_path / "in/images/p1.jpg").read_bytes()[:200])
    write_image(tmp_path / "in/images/p2.jpg", np.zeros((30, 40, 3), np.uint8))
    assert run(tmp_path / "in", tmp_path / "out") == 0
    skipped = json.loads((tmp_path / "out/prepared.json").read_text())["skipped"]
    assert [entry["name"] for entry in skipped["photo cannot be read"]["files"]] == ["p0", "p1"]
    assert "photo 40x30, mask 30x40" in skipped["mask and photo differ in size"]["files"][0]["detail"]


def test_names_that_one_disk_cannot_tell_apart_are_changed(tmp_path: Path) -> None:
    fill(tmp_path, range(3))
    mask = np.full((40, 30), 255, np.uint8)

    def item(name: str, number: int) -> Item:
        path = tmp_path / f"images/p{number}.jpg"
        return Item(name, (path,), lambda: Made(path.read_bytes(), ".jpg", mask))

    prepare(Source("t", "soft", [item("a", 0), item("A", 1), item("a", 2)]), tmp_path / "out", Options(val_share=0))
    assert names(tmp_path / "out", "train") == ["A", "a_2", "a_3"]
    assert len({path.name.casefold() for path in (tmp_path / "out/images").iterdir()}) == 3


@pytest.mark.parametrize("error", [SkipItem("odd", "very"), UserError("very")])
def test_the_report_says_what_was_wrong(error: Exception, tmp_path: Path) -> None:
    fill(tmp_path, range(1))

    def make() -> Made:
        raise error

    outcome = prepare(Source("t", "soft", [Item("a", (tmp_path / "images/p0.jpg",), make)]), tmp_path / "out")
    assert outcome.usable == 0 and outcome.changed
    skipped = json.loads((tmp_path / "out/prepared.json").read_text())["skipped"]
    assert [entry["files"] for entry in skipped.values()] == [[{"name": "a", "detail": "very"}]]


def test_a_prepared_set_can_be_trained_on(tmp_path: Path) -> None:
    fill(tmp_path / "in", range(8))
    assert run(tmp_path / "in", tmp_path / "out", "--val_share", "0.25") == 0
    root = str(tmp_path / "out")
    transforms = [TRANSFORMS.build("Normalize")]
    val = Dataset(transforms, root, mode="val", val_path=f"{root}/val.txt")
    train = Dataset(transforms, root, mode="train", train_path=f"{root}/train.txt")
    assert (len(train), len(val)) == (6, 2)
    assert check_dataset(train, 2, "full", "train", True).findings == []
    batch = next(iter(EvalLoader(val, 2)))
    assert batch.labels is not None and set(np.unique(np.asarray(batch.labels))) == {0, 1}
    assert read_image(batch.paths[0]).shape == (40, 30, 3)
