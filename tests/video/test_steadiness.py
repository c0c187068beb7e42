"""Judging the masks of videos: what is flicker, what is late, and that a frozen mask wins nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.cli.val_video import main
from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import write_image
from paddle_portrait.report.clips import Clip, cut_clip, fast_move_clip, labelled_clip
from paddle_portrait.report.steadiness import ClipMasks, Setup, Steadiness, frames_late, setups_of, table
from paddle_portrait.video.smoothing import FILTERS

SIZE_HW = (60, 100)


def disc(left: float) -> np.ndarray:
    """Return the mask of a disc."""
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    return (np.hypot(x - left, y - 30) < 15).astype(np.float32)


def still_clip(labels: list[np.ndarray], **events: int) -> Clip:
    """Return a clip whose pictures do not move, so that figures can be computed by hand."""
    frame = np.random.default_rng(0).integers(0, 255, (*SIZE_HW, 3), np.uint8)
    return Clip("still", [frame] * len(labels), labels, events)


def test_steadiness_by_hand() -> None:
    truth = disc(40)
    flicker = truth.copy()
    flicker[:10] = 0.5
    figures = Steadiness(still_clip([truth] * 3)).judge([truth, flicker, truth])
    share = 10 / SIZE_HW[0]
    assert figures["warping_error"] == pytest.approx(0.25 * share, rel=0.02)
    assert figures["dtssd"] == pytest.approx(0.5 * share**0.5, rel=0.02)
    assert figures["messddt"] == pytest.approx(0.25 * share, rel=0.02)
    assert figures["mae"] == pytest.approx(0.5 * share / 3, rel=0.02)
    assert figures["person_iou"] == 1.0
    without = Steadiness(Clip("still", still_clip([truth] * 2).frames)).judge([truth, flicker])
    assert set(without) == {"warping_error", "mask_instability"}


def test_frames_on_both_sides_of_a_cut_are_not_compared() -> None:
    dark, bright = np.full((*SIZE_HW, 3), 20, np.uint8), np.full((*SIZE_HW, 3), 220, np.uint8)
    clip = Clip("cut", [dark, dark, bright, bright])
    figures = Steadiness(clip).judge([disc(20), disc(20), disc(80), disc(80)])
    assert figures == {"warping_error": 0.0, "mask_instability": 0.0}


def test_late_frames_are_counted_from_the_event_on_and_a_frozen_mask_is_late_in_all() -> None:
    truths = [disc(20)] * 3 + [disc(80)] * 5
    clip = still_clip(truths, cut=3)
    assert frames_late(clip, truths, truths, "cut") == 0
    assert frames_late(clip, truths[:1] * 8, truths, "cut") == 5
    two_behind = [truths[0]] * 2 + truths[:-2]
    assert frames_late(clip, two_behind, truths, "cut") == 2
    assert frames_late(clip, truths, [np.zeros(SIZE_HW, np.float32)] * 8, "cut") is None


class Frozen:
    """Shows the first mask of a stream for ever, cuts or not."""

    def __init__(self) -> None:
        self._first: np.ndarray | None = None

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        self._first = person_prob if self._first is None else self._first
        return self._first

    def reset(self) -> None:
        """Never."""


class Knowing:
    """Stands for a network that is right about everything it was told."""

    takes_prior = False

    def __init__(self, clip: Clip) -> None:
        self._truths = {frame.tobytes(): label for frame, label in zip(clip.frames, clip.labels, strict=True)}

    def seen_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        return size_hw

    def __call__(self, frame_rgb: np.ndarray) -> np.ndarray:
        return self._truths[frame_rgb.tobytes()]


@pytest.mark.parametrize("make_clip", [cut_clip, fast_move_clip])
def test_on_made_up_clips_filters_are_hardly_late_and_a_frozen_mask_always(make_clip) -> None:
    clip = make_clip()
    ((event, first),) = clip.events.items()
    source = ClipMasks(Knowing(clip), clip)  # type: ignore[arg-type]
    setups = {setup.name: setup for setup in setups_of(FILTERS.own_names(), {})}
    alone = source.masks(setups["none"])
    late = {name: frames_late(clip, source.masks(setup), alone, event) for name, setup in setups.items()}
    late["frozen"] = frames_late(clip, source.masks(Setup("frozen", Frozen)), alone, event)
    assert late.pop("frozen") == len(clip.frames) - first
    assert late.pop("none") == 0
    assert max(late.values()) <= (0 if event == "cut" else 9), late


def test_the_command_judges_a_labelled_clip(tmp_path: Path, capsys, red_network: Path) -> None:
    for number in range(3):
        image, alpha = render_portrait(5, (96, 128))
        write_image(tmp_path / "clip/images" / f"{number}.png", image)
        write_image(tmp_path / "clip/masks" / f"{number}.png", (alpha * 255).astype(np.uint8))
    line = ["--model", str(red_network), "--sequence", str(tmp_path / "clip"), "--save_dir", str(tmp_path / "out")]
    assert main([*line, "--smoothing", "exponential", "--smoothing_options", "keep=0.5", "--every", "2"]) == 0
    clips = json.loads((tmp_path / "out/report.json").read_text("utf-8"))["clips"]
    assert set(clips) == {"clip", "cut", "fast_move"}
    assert set(clips["clip"]) == {"none", "exponential", "none, every 2", "exponential, every 2"}
    assert {"dtssd", "messddt", "person_iou", "mae"} <= set(clips["clip"]["none"])
    assert "| clip | exponential |" in capsys.readouterr().out
    assert main([*line, "--smoothing", "exponential", "one_euro", "--smoothing_options", "keep=0.5"]) == 2
    (tmp_path / "clip/masks/1.png").unlink()
    with pytest.raises(UserError, match=r"1\.png"):
        labelled_clip(tmp_path / "clip", 9)
    with pytest.raises(UserError, match="no images"):
        labelled_clip(tmp_path, 9)


def test_a_table_has_a_dash_where_there_is_no_figure() -> None:
    lines = table({"cut": {"none": {"late": {"cut": None}}}, "talk": {"none": {"mae": 0.25}}}).splitlines()
    assert lines[2].endswith("| – | – |") and "| 0.25000 | – |" in lines[3]
