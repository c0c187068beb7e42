"""``tools/bg_replace.py``: PP-HumanSeg's flags, what they do, and what is said when they cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="videos need PyAV")

from paddle_portrait.cli.bg_replace import main  # noqa: E402
from paddle_portrait.cli.bg_replace_flags import build_parser  # noqa: E402
from paddle_portrait.preprocess import read_image, write_image  # noqa: E402


def run(network: Path, *arguments: object) -> int:
    """Run the command line with PP-HumanSeg's way of naming a model."""
    return main(["--config", str(network / "deploy.yaml"), *map(str, arguments)])


def test_every_flag_of_pp_humanseg_is_taken() -> None:
    line = (
        "--config d.yaml --img_path a --video_path b --bg_img_path c --bg_video_path d --background_video_path d "
        "--use_optic_flow --use_post_process --soft_predict --input_shape 224 398 --vertical_screen --save_dir e "
        "--test_speed"
    )
    assert build_parser().parse_args(line.split()).input_shape == [224, 398]


def test_a_video_before_a_picture_and_before_a_video(clips, red_network: Path) -> None:
    source, green = clips.square(count=6, sound="aac"), clips.picture()
    moving = clips.write(clips.folder / "blue.mp4", [np.full((48, 80, 3), (20, 30, 210), np.uint8)] * 2)
    for number, (flag, behind) in enumerate((("--bg_img_path", green), ("--background_video_path", moving))):
        target = clips.folder / f"{number}.mp4"
        assert run(red_network, "--video_path", source, flag, behind, "--output", target, "--test_speed") == 0
        after = clips.facts(target)
        assert len(after.times) == 6
        assert after.sound == clips.facts(source).sound
        expected = clips.green if number == 0 else (20, 30, 210)
        assert np.abs(after.pictures[5][5, 100].astype(int) - expected).max() < 14


def test_without_a_background_it_is_white_and_results_are_named_after_their_inputs(clips, red_network: Path) -> None:
    sources = [clips.square("a.mp4", count=3), clips.square("b.mp4", count=3)]
    flags = [part for source in sources for part in ("--video_path", source)]
    assert run(red_network, *flags, "--save_dir", clips.folder / "out") == 0
    for name in ("a.mp4", "b.mp4"):
        assert clips.facts(clips.folder / "out" / name).pictures[0][5, 5].min() > 245


def test_pictures_are_drawn_too_and_a_broken_one_is_reported(clips, red_network: Path, capsys) -> None:
    folder = clips.folder / "photos"
    for step in range(3):
        write_image(folder / f"{step}.png", clips.scene(step))
    (folder / "broken.jpg").write_bytes(b"no picture")
    save = ["--save_dir", clips.folder / "out"]
    assert run(red_network, "--img_path", folder, "--bg_video_path", clips.square(count=2), *save) == 1
    assert "3 of 4" in capsys.readouterr().out
    assert run(red_network, "--img_path", folder / "0.png", "--effect", "cutout", *save) == 0
    alpha = read_rgba(clips.folder / "out" / "0.png")[..., 3]
    top, left = clips.square_at(0)
    assert alpha[top + 16, left + 16] > 250
    assert alpha[5, 5] < 5


def read_rgba(path: Path) -> np.ndarray:
    """Read a PNG with its transparency, by Pillow."""
    from PIL import Image

    return np.asarray(Image.open(path))


def test_post_process_removes_what_is_not_near_a_sure_person(clips, red_network: Path) -> None:
    picture = clips.scene(0)
    picture[80:83, 140:143] = clips.red  # a speck
    write_image(clips.folder / "speck.png", picture)
    common = ["--img_path", clips.folder / "speck.png", "--effect", "color", "--effect_options", "color=20,200,30"]
    assert run(red_network, *common, "--output", clips.folder / "plain.png") == 0
    assert run(red_network, *common, "--use_post_process", "--output", clips.folder / "clean.png") == 0
    plain, clean = (read_image(clips.folder / name).astype(int) for name in ("plain.png", "clean.png"))
    assert plain[81, 141, 0] > 100
    assert np.abs(clean[81, 141] - clips.green).max() < 6
    assert np.abs(clean[48, 16] - clips.red).max() < 6


def test_no_soft_predict_cuts_masks(clips, red_network: Path) -> None:
    write_image(clips.folder / "a.png", clips.scene(0))
    common = ["--img_path", clips.folder / "a.png", "--effect", "cutout"]
    shades = {}
    for name, flags in (("soft", ["--soft_predict"]), ("hard", ["--no-soft_predict"])):
        assert run(red_network, *common, *flags, "--output", clips.folder / f"{name}.png") == 0
        shades[name] = set(np.unique(read_rgba(clips.folder / f"{name}.png")[..., 3]).tolist())
    assert shades["hard"] == {0, 255}
    assert len(shades["soft"]) > 4


def test_the_input_of_the_network_can_be_resized_and_turned(clips, tmp_path: Path, capsys) -> None:
    flexible = clips.network(tmp_path / "flexible", ("h", "w"))
    common = ["--video_path", clips.square(count=2), "--output", tmp_path / "out.mp4"]
    assert run(flexible, *common, "--input_shape", 24, 40) == 0
    assert run(flexible, *common, "--input_shape", 1, 3, 24, 40, "--vertical_screen") == 0
    fixed = clips.network(tmp_path / "fixed", (48, 80))
    for flags in (["--input_shape", 24, 40], ["--vertical_screen"]):
        assert run(fixed, *common, *flags) == 2
        assert "--input_shape" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--video_path", "no_such.mp4"], "does not exist"),
        (["--video_path", "IN", "--img_path", "a.png"], "--img_path"),
        (["--video_path", "IN", "--bg_img_path", "a", "--bg_video_path", "b"], "give one"),
        (["--video_path", "IN", "--bg_img_path", "nope.jpg"], "--bg_img_path: 'nope.jpg' does not exist"),
        (["--img_path", "a.png", "--bg_video_path", "nope.mp4"], "--bg_video_path: 'nope.mp4' does not exist"),
        (["--video_path", "IN", "--effect", "replace"], "background"),
        (["--video_path", "IN", "--effect", "replicate"], "replace"),
        (["--video_path", "IN", "--output", "IN"], "is an input"),
        (["--video_path", "IN", "--output", "a.mp4", "--output", "b.mp4"], "2 times"),
        (["--video_path", "IN", "--model", "x"], "give one"),
        (["--video_path", "IN", "--smoothing", "no_such"], "no_such"),
        (["--video_path", "IN", "--input_shape", "7"], "H W"),
        (["--video_path", "IN", "--video_path", "IN", "--stream", "pipe:1"], "--tile"),
        (["--camera", "91"], "camera 91"),
    ],
)
def test_mistakes_are_told(clips, red_network: Path, capsys, monkeypatch, flags, message) -> None:
    monkeypatch.chdir(clips.folder)
    clips.square("in.mp4", count=2)
    assert run(red_network, *[flag.replace("IN", "in.mp4") for flag in flags]) == 2
    assert message in capsys.readouterr().err


def test_a_camera_is_opened_when_nothing_is_named(red_network: Path, capsys) -> None:
    if Path("/dev/video0").exists():
        pytest.skip("there is a camera here")
    assert run(red_network) == 2
    assert "camera 0" in capsys.readouterr().err
