"""Samples from the packed cache on disk are those of the files, whatever happened to the pack."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paddle_portrait.data import BatchLoader, Sample
from paddle_portrait.data.datasets import Dataset
from paddle_portrait.data.transforms import Normalize, RandomHorizontalFlip, Resize
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.errors import UserError

COUNT = 6
USE_ONCE = "import sys, pathlib, tests.data.test_disk_cache as it; it.samples(it.dataset(pathlib.Path(sys.argv[1])))"
TRANSFORMS = [Resize([14, 12]), RandomHorizontalFlip(0.5), Normalize()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of six portraits with soft masks, and an empty place for the cache."""
    for number in range(COUNT):
        write_pair(tmp_path, number, seed=number)
    lines = (f"{number}.png {number}_mask.png" for number in range(COUNT))
    (tmp_path / "train.txt").write_text("\n".join(lines))
    return tmp_path


def write_pair(folder: Path, number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (20, 18, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    Image.fromarray(rng.integers(0, 256, (20, 18), dtype=np.uint8)).save(folder / f"{number}_mask.png")


def rewrite(folder: Path, number: int) -> None:
    """Replace a pair as if a second later, whatever the clock's step."""
    write_pair(folder, number, seed=99 + number)
    for name in (f"{number}.png", f"{number}_mask.png"):
        later = (folder / name).stat().st_mtime_ns + 10**9
        os.utime(folder / name, ns=(later, later))


def dataset(folder: Path, cached: bool = True, **arguments: object) -> Dataset:
    room = {"disk_cache_mb": 1, "disk_cache_dir": str(folder / "cache")} if cached else {}
    given = {"transforms": TRANSFORMS, "mask_format": "soft", **room, **arguments}
    return Dataset(dataset_root=str(folder), train_path=str(folder / "train.txt"), **given)


def samples(made: Dataset) -> list[Sample]:
    return [made.sample(index, np.random.default_rng(index)) for index in range(len(made))]


def pack_of(folder: Path) -> Path:
    (pack,) = (folder / "cache").glob("*.pack")
    return pack


def assert_same(found: list[Sample], expected: list[Sample]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.image, other.image) and np.array_equal(one.label, other.label)
        assert (one.path, one.label_path, one.index) == (other.path, other.label_path, other.index)
        assert one.image.dtype == np.uint8 and one.label.dtype == other.label.dtype


def run_child(script: str, folder: Path) -> subprocess.Popen:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, stderr=subprocess.PIPE)


def decoded(made: Dataset, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list that will hold the indices which ``made`` decodes from its files."""
    seen: list[int] = []
    load = made.load
    monkeypatch.setattr(made, "load", lambda index: seen.append(index) or load(index))
    return seen


def messages(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelname == "WARNING")


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr("paddle_portrait.console.logger.propagate", True)
    return caplog


@pytest.mark.parametrize("mask_format", ["soft", "binary255"])
def test_the_same_samples_and_nothing_is_decoded_twice(
    folder: Path, mask_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = samples(dataset(folder, cached=False, mask_format=mask_format))
    assert_same(samples(dataset(folder, mask_format=mask_format)), expected)
    later_run = dataset(folder, mask_format=mask_format)
    seen = decoded(later_run, monkeypatch)
    assert_same(samples(later_run), expected)
    assert seen == []


def test_batches_and_their_exact_resume_are_those_without_cache(folder: Path) -> None:
    plain = BatchLoader(dataset(folder, cached=False), 2, seed=5)
    cold = BatchLoader(dataset(folder), 2, seed=5, num_workers=2)
    warm = BatchLoader(dataset(folder), 2, seed=5, start_iteration=4)
    expected = [plain.batch(k) for k in range(8)]
    with cold, warm:
        for loader, first in ((cold, 0), (warm, 4)):
            for batch, other in zip(loader, expected[first:], strict=False):
                assert np.array_equal(batch.images, other.images) and np.array_equal(batch.labels, other.labels)


def test_a_changed_photo_and_a_changed_mask_are_decoded_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples(dataset(folder))
    rewrite(folder, 2)
    made = dataset(folder)
    seen = decoded(made, monkeypatch)
    assert_same(samples(made), samples(dataset(folder, cached=False)))
    assert seen == [2]


@pytest.mark.parametrize(
    "other",
    [
        {"transforms": [Resize([10, 10])]},
        {"mask_format": "binary255"},
        {"transforms": [Resize([14, 12], interp="AREA")]},
    ],
)
def test_other_settings_never_meet_the_old_samples(folder: Path, other: dict) -> None:
    samples(dataset(folder))
    assert_same(samples(dataset(folder, **other)), samples(dataset(folder, cached=False, **other)))


class Fixed(Transform):
    """A first transform of a user's own, without chance, that keeps something."""

    random = False

    def __init__(self, kept: object) -> None:
        self.kept = kept

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return sample


@pytest.mark.parametrize("kept", [threading.Lock(), lambda: None], ids=["lock", "lambda"])
def test_a_transform_that_cannot_be_told_from_others_is_refused(folder: Path, kept: object) -> None:
    made = dataset(folder, transforms=[Fixed(kept), Normalize()])
    with pytest.raises(UserError, match=r"disk_cache_mb: a transform cannot be told .* leave disk_cache_mb out"):
        samples(made)


@pytest.mark.parametrize("kept", [0.999, 0.5, 0.01])
def test_a_pack_that_was_cut_short(
    folder: Path, kept: float, heard: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = samples(dataset(folder))
    pack = pack_of(folder)
    os.truncate(pack, int(pack.stat().st_size * kept))
    assert_same(samples(dataset(folder)), expected)
    assert str(pack) in messages(heard) and "damaged" in messages(heard)
    mended = dataset(folder)
    seen = decoded(mended, monkeypatch)
    assert_same(samples(mended), expected)
    assert seen == []


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_any_damaged_byte_is_found(folder: Path, place: int, heard: pytest.LogCaptureFixture) -> None:
    expected = samples(dataset(folder))
    pack = pack_of(folder)
    content = bytearray(pack.read_bytes())
    # From the start: in the mark of the file and the head of its first record; from the end: in the last pixels.
    content[place] ^= 0x40
    content[-1 - place] ^= 0x40
    pack.write_bytes(content)
    assert_same(samples(dataset(folder)), expected)
    assert "damaged" in messages(heard)


def test_damage_while_it_is_open(folder: Path, heard: pytest.LogCaptureFixture) -> None:
    made = dataset(folder)
    expected = samples(made)
    pack = pack_of(folder)
    with pack.open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"0123456789")
    assert_same(samples(made), expected)
    assert "decoded anew" in messages(heard)
    os.truncate(pack, 700)
    assert_same(samples(made), expected)


def test_one_that_was_mended_by_another_process_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early = dataset(folder)
    expected = samples(early)
    os.truncate(pack_of(folder), 3000)
    mending = dataset(folder)
    for index in (5, 4, 3, 2, 1, 0):  # the records now lie in another order, of which `early` knows nothing
        mending.sample(index, np.random.default_rng(index))
    assert_same(samples(early), expected)
    later = dataset(folder)
    seen = decoded(later, monkeypatch)
    assert_same(samples(later), expected)
    assert seen == []


def test_it_stays_within_its_bound(folder: Path) -> None:
    room = 3000  # bytes; a sample of 14×12 with a soft mask takes 1.5 kB
    made = dataset(folder, disk_cache_mb=room / 2**20)
    assert_same(samples(made), samples(dataset(folder, cached=False)))
    assert 1000 < pack_of(folder).stat().st_size <= room


def test_room_taken_by_samples_that_nobody_wants_is_given_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = {"disk_cache_mb": 9000 / 2**20}
    samples(dataset(folder, **room))  # all six, and the pack is full
    for number in range(COUNT):
        rewrite(folder, number)
    samples(dataset(folder, **room))
    made = dataset(folder, **room)
    seen = decoded(made, monkeypatch)
    samples(made)
    assert len(seen) < COUNT and pack_of(folder).stat().st_size <= 9000


def test_data_sets_of_one_list_with_other_first_transforms_keep_their_samples(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def each() -> list[Dataset]:  # each fills most of its bound
        chains = ([Resize([14, 12]), Normalize()], [Resize([12, 14]), Normalize()])
        return [dataset(folder, transforms=chain, disk_cache_mb=11000 / 2**20) for chain in chains]

    for made in each():
        samples(made)
    for made in each():
        seen = decoded(made, monkeypatch)
        samples(made)
        assert seen == []


def test_a_smaller_bound_than_last_time(folder: Path) -> None:
    samples(dataset(folder))
    assert_same(samples(dataset(folder, disk_cache_mb=0.003)), samples(dataset(folder, cached=False)))
    assert pack_of(folder).stat().st_size <= 0.003 * 2**20


def test_two_processes_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = [run_child(f"for _ in range(20):\n    {USE_ONCE}", folder) for _ in range(2)]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0 and b"damaged" not in errors, errors.decode()
    once = pack_of(folder).stat().st_size
    made = dataset(folder)
    seen = decoded(made, monkeypatch)
    assert_same(samples(made), samples(dataset(folder, cached=False)))
    assert seen == [] and pack_of(folder).stat().st_size == once


def test_what_another_process_adds_meanwhile_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early = dataset(folder)
    early.sample(0, np.random.default_rng(0))
    samples(dataset(folder))
    seen = decoded(early, monkeypatch)
    samples(early)
    assert seen == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"disk_cache_mb": -1}, "disk_cache_mb must be 0 or more, got -1"),
        ({"disk_cache_mb": float("inf")}, "disk_cache_mb must be 0 or more, got inf"),
        ({"disk_cache_mb": 0}, "disk_cache_mb, the room there, is 0"),
        ({"disk_cache_mb": 1e12}, r"disk_cache_mb is 1e\+12, but the disk of .* has room for \d+ MiB"),
    ],
)
def test_wrong_settings(folder: Path, arguments: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        dataset(folder, **arguments).sample(0, np.random.default_rng(0))


def test_a_folder_that_is_a_file(folder: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be used .* disk_cache_dir"):
        dataset(folder, disk_cache_dir=str(folder / "train.txt")).sample(0, np.random.default_rng(0))


def test_a_missing_photo_is_named_as_without_cache(folder: Path) -> None:
    samples(dataset(folder))
    (folder / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png: the file does not exist"):
        dataset(folder).sample(3, np.random.default_rng(0))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up_while_training(folder: Path, heard: pytest.LogCaptureFixture) -> None:
    script = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n" + USE_ONCE
    errors = run_child(script, folder).communicate(timeout=120)[1].decode()
    assert errors.count("no more samples are added") == 1, errors
    assert 1000 < pack_of(folder).stat().st_size < 4000
    assert_same(samples(dataset(folder)), samples(dataset(folder, cached=False)))
    assert messages(heard) == ""
