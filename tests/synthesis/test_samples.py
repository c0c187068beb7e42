"""Generated files: data sets that the loader reads, videos that move and sound, the commands around them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddle_portrait.cli.download_data import main
from paddle_portrait.data.synthesis import write_portraits, write_video
from paddle_portrait.data.synthesis.video import melody
from paddle_portrait.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_same_recipe_same_bytes_and_kept(tmp_path: Path) -> None:
    assert write_portraits(tmp_path / "a", 20, 3, (64, 48))
    assert write_portraits(tmp_path / "b", 20, 3, (64, 48))
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    before = (tmp_path / "a" / "train.txt").stat().st_mtime_ns
    assert not write_portraits(tmp_path / "a", 20, 3, (64, 48))
    assert (tmp_path / "a" / "train.txt").stat().st_mtime_ns == before
    assert write_portraits(tmp_path / "a", 18, 4, (64, 48)), "another recipe is written anew"
    assert len(list((tmp_path / "a" / "images").iterdir())) == 18, "pictures of the old recipe are gone"


def test_lists_name_every_pair_once(tmp_path: Path) -> None:
    write_portraits(tmp_path, 40, 0, (64, 48))
    lines = [line for name in ("train", "val", "test") for line in (tmp_path / f"{name}.txt").read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 40
    assert [len((tmp_path / f"{name}.txt").read_text().splitlines()) for name in ("train", "val", "test")] == [32, 4, 4]
    empty = 0
    for line in lines:
        image, mask = (cv2.imread(str(tmp_path / part), cv2.IMREAD_UNCHANGED) for part in line.split(" "))
        assert image.shape == (64, 48, 3) and mask.shape == (64, 48)
        assert set(np.unique(mask)) <= {0, 255}
        assert line.startswith("images/empty_") == (mask.max() == 0)
        empty += mask.max() == 0
    assert empty == 2


def test_soft_masks(tmp_path: Path) -> None:
    write_portraits(tmp_path, 10, 0, (64, 48), soft=True)
    values = np.unique(np.concatenate([cv2.imread(str(p), 0).ravel() for p in (tmp_path / "masks").iterdir()]))
    assert len(values) > 50


def test_an_interrupted_set_is_written_again(tmp_path: Path) -> None:
    write_portraits(tmp_path, 12, 0, (64, 48))
    whole = tree(tmp_path)
    (tmp_path / "generator.json").unlink()
    next((tmp_path / "images").iterdir()).write_bytes(b"half a pict")
    assert write_portraits(tmp_path, 12, 0, (64, 48))
    assert tree(tmp_path) == whole


def test_other_peoples_files_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match="not written by the generator"):
        write_portraits(tmp_path, 12, 0, (64, 48))
    assert (tmp_path / "images" / "holiday.jpg").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("count", "seed", "size", "complaint"),
    [(0, 0, (64, 48), "count"), (9, 0, (64, 48), "count"), (20, -1, (64, 48), "seed"), (20, 0, (8, 48), "size")],
)
def test_numbers_that_give_no_data_set(
    tmp_path: Path, count: int, seed: int, size: tuple[int, int], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        write_portraits(tmp_path / "x", count, seed, size)
    assert not (tmp_path / "x").exists()


def test_video_moves_and_sounds(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "deep" / "clip.mp4"
    write_video(path, seed=1, seconds=1.2, size_hw=(96, 128))
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video)]
    assert len(frames) == 30 and frames[0].shape == (96, 128, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 1.0
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    assert 1.1 < len(sound) / 44100 < 1.4
    assert np.abs(sound).max() > 0.1


def test_melody_changes_its_pitch() -> None:
    tune = melody(1.0)
    first, second = (np.abs(np.fft.rfft(tune[i * 11025 : (i + 1) * 11025])).argmax() * 4 for i in (0, 1))
    assert first == pytest.approx(262, abs=6) and second == pytest.approx(330, abs=6)


def test_command_line_writes_and_keeps(tmp_path: Path) -> None:
    command = ["portraits", "images", "--count", "12", "--size", "48x64", "--out", str(tmp_path)]
    assert main(command) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mini_portraits", "human_image.jpg", "background.jpg"}
    assert json.loads((tmp_path / "mini_portraits" / "generator.json").read_text())["size_hw"] == [64, 48]
    before = tree(tmp_path)
    assert main(command) == 0
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--size", "64"], "--size"),
        (["portrait"], "Did you mean 'portraits'"),
        (["--count", "3"], "count"),
        (["--url", "http://127.0.0.1:9/x.zip"], "--sha256"),
        (["--sha256", "0" * 64], "--url"),
        (["images", "--url", "http://127.0.0.1:9/x", "--sha256", "0" * 64, "--to", "x"], "together"),
    ],
)
def test_command_line_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert complaint in capsys.readouterr().err


def test_script_runs_from_anywhere(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "data" / "download_data.py")]
    done = subprocess.run([*script, "portraits", "--count", "10", "--size", "48x48", "--out", "."], cwd=tmp_path)
    assert done.returncode == 0 and (tmp_path / "mini_portraits" / "test.txt").is_file()


def load_link_script() -> object:
    spec = importlib.util.spec_from_file_location("link_shared_data", ROOT / "data" / "link_shared_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = load_link_script()
    source, out = tmp_path / "source", tmp_path / "out"
    (source / "picsart").mkdir(parents=True)
    (source / "picsart" / "train.txt").write_text("a b\n")
    assert module.main(["--source", str(source), "--out", str(out)]) == 0
    assert (out / "picsart" / "train.txt").read_text() == "a b\n"
    assert not (out / "eg1800").exists()
    assert module.main(["--source", str(source), "--out", str(out)]) == 0
    assert module.main(["--source", str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "--source" in capsys.readouterr().err


def test_copies_where_links_are_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_link_script()
    (tmp_path / "source" / "eg1800").mkdir(parents=True)

    def refuse(*_: object, **__: object) -> None:
        raise OSError("symbolic link privilege not held")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert module.main(["--source", str(tmp_path / "source"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "eg1800").is_dir() and not os.path.islink(tmp_path / "out" / "eg1800")
