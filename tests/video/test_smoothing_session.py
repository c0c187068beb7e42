"""Temporal filters, skipped frames and remembering networks in whole runs: streams, cuts, frames and their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.cli.bg_replace import main
from paddle_portrait.effects import build_effect
from paddle_portrait.errors import UserError
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.video.session import VideoJob, VideoSession
from paddle_portrait.video.smoothing import FILTERS


def lit(picture: np.ndarray, behind: tuple[int, int, int]) -> np.ndarray:
    """Return where a picture is not of the background's colour."""
    return np.abs(picture.astype(int) - behind).sum(axis=2) > 120


def textured(left: int, seed: int) -> np.ndarray:
    """Return a red square with a pattern before a pattern, so that its motion can be followed."""
    patterns = np.random.default_rng(seed).integers(0, 60, (2, 12, 20, 3), np.uint8)
    behind, front = (np.kron(pattern, np.ones((8, 8, 1), np.uint8)) for pattern in patterns)
    picture = behind + np.uint8(20 if seed % 2 else 120)
    picture[32:72, left : left + 40] = (230, 20, 20) - front[:40, :40] // (4, 3, 3)
    return picture.astype(np.uint8)


@pytest.mark.parametrize("flags", [[], ["--use_optic_flow"], ["--smoothing", "exponential"], ["--every", "3"]])
def test_every_mask_is_drawn_on_its_own_frame(clips, red_network: Path, flags: list[str]) -> None:
    places = [16 + 4 * step for step in range(10)]
    source = clips.write(clips.folder / "in.mp4", [textured(left, 2) for left in places])
    target = clips.folder / "out.mp4"
    line = ["--model", str(red_network), "--video_path", str(source), "--output", str(target), *flags]
    assert main([*line, "--effect", "color", "--effect_options", "color=20,200,30"]) == 0
    pictures = clips.facts(target).pictures
    assert len(pictures) == len(places)
    for left, picture in zip(places, pictures, strict=True):
        seen = np.flatnonzero(lit(picture, clips.green)[40:64].mean(axis=0) > 0.5)
        assert abs(seen.min() - left) <= 5 and abs(seen.max() - (left + 39)) <= 5


def test_a_cut_resets_the_filter_of_its_stream_alone(clips, red_network: Path) -> None:
    made = []

    class Watched:
        def __init__(self) -> None:
            self.events: list[str] = []
            made.append(self.events)

        def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
            self.events.append("frame")
            return person_prob

        def reset(self) -> None:
            self.events.append("reset")

    FILTERS.register("watched")(Watched)
    try:
        one, other = [textured(20, 1)] * 3, [textured(100, 2)] * 2
        sources = [clips.write(clips.folder / "cut.mp4", one + other), clips.write(clips.folder / "still.mp4", one)]
        job = VideoJob(Predictor.load(red_network), build_effect("color"), list(map(str, sources)), smoothing="watched")
        job.outputs = [clips.folder / "a.mp4", clips.folder / "b.mp4"]
        VideoSession(job).run()
    finally:
        del FILTERS._factories["watched"]
    frames = ["frame"] * 3
    assert sorted(filter(None, made), key=len) == [["reset", *frames], ["reset", *frames, "reset", "frame", "frame"]]


@pytest.fixture
def clinging_network(red_network: Path) -> Path:
    """Return a network for which a person stays a person: it is fed with its last mask and believes it."""
    import onnx
    from onnx import numpy_helper

    path = red_network / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    weights = numpy_helper.to_array(model.graph.initializer[0])
    clinging = np.concatenate([weights, np.full((1, 1, 1, 1), 30, np.float32)], axis=1)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(clinging, "w"))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    onnx.save(model, str(path))
    deploy = DeployFile.read(red_network)
    deploy.takes_prior, deploy.input_shape = True, [-1, 4, 48, 80]
    deploy.write(red_network)
    return red_network


def test_a_network_is_fed_with_its_last_mask_until_a_cut(clips, clinging_network: Path) -> None:
    pictures = [textured(10, 1)] * 2 + [textured(60, 1)] * 2 + [textured(110, 2)] * 2
    source = clips.write(clips.folder / "in.mp4", pictures)
    effect = build_effect("color", color=clips.green)
    job = VideoJob(Predictor.load(clinging_network), effect, [str(source)])
    job.outputs = [clips.folder / "out.mp4"]
    VideoSession(job).run()
    shown = [lit(picture, clips.green) for picture in clips.facts(job.outputs[0]).pictures]
    assert shown[0][40:64, 20:40].all() and not shown[0][40:64, 70:90].any()
    assert shown[3][40:64, 20:40].all() and shown[3][40:64, 70:90].all()
    assert not shown[4][40:64, :100].any() and shown[4][40:64, 120:140].all()


@pytest.mark.parametrize(
    ("options", "told"),
    [({"every": 0}, "every 0"), ({"every": 2, "low_latency": True}, "--low_latency"), ({"smoothing": "flow"}, "flow")],
)
def test_what_cannot_be_is_told_before_anything_is_written(clips, red_network: Path, options: dict, told: str) -> None:
    job = VideoJob(Predictor.load(red_network), build_effect("color"), [str(clips.square(count=2))], **options)
    job.outputs = [clips.folder / "out.mp4"]
    with pytest.raises(UserError, match=told):
        VideoSession(job)
