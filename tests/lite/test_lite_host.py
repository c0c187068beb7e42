"""deploy/lite: the runner on this machine, and the folder that a phone's program is given."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.preprocess import read_image, write_image

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    """Return a program of deploy/lite as a module."""
    spec = importlib.util.spec_from_file_location(f"deploy_lite_{name}", ROOT / f"deploy/lite/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with two pictures."""
    for seed in (1, 2):
        write_image(tmp_path / f"photos/{seed}.png", render_portrait(seed, (96, 80))[0])
    return tmp_path / "photos"


def test_pictures_and_folders(exported: Path, photos: Path, tmp_path: Path, capsys) -> None:
    run = script("run").main
    common = ["--model", str(exported), "--effect", "color", "--save_dir", str(tmp_path / "out")]
    assert run([str(photos), *common, "--effect_options", "color=0,255,0"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"1.jpg", "2.jpg"}
    assert "2 of 2 pictures" in capsys.readouterr().out
    single = ["--model", str(exported), "--effect", "cutout", "--save_dir", str(tmp_path / "single")]
    assert run([str(photos / "1.png"), *single]) == 0
    cut_out = cv2.imread(str(tmp_path / "single/1.png"), cv2.IMREAD_UNCHANGED)
    assert cut_out.shape == (96, 80, 4)
    write_image(tmp_path / "behind.png", np.full((30, 50, 3), 200, np.uint8))
    replaced = ["--model", str(exported), "--effect", "replace", "--background", str(tmp_path / "behind.png")]
    assert run([str(photos / "1.png"), *replaced, "--save_dir", str(tmp_path / "replaced")]) == 0
    assert read_image(tmp_path / "replaced/1.jpg").shape == (96, 80, 3)


def test_videos(exported: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="videos need PyAV")
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 80, 96, "yuv420p"
        for shift in range(4):
            picture = np.roll(render_portrait(1, (96, 80))[0], shift, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    flags = ["--model", str(exported), "--effect", "blur", "--save_dir", str(tmp_path / "out")]
    assert script("run").main([str(tmp_path / "in.mp4"), *flags]) == 0
    with av.open(str(tmp_path / "out/in.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4


def test_the_folder_for_a_phone(exported: Path, tmp_path: Path, capsys) -> None:
    package = script("package").main
    write_image(tmp_path / "beach.png", np.zeros((20, 30, 3), np.uint8))
    flags = ["--to", str(tmp_path / "assets"), "--variant", "arm_fp16", "--background", str(tmp_path / "beach.png")]
    assert package([str(exported), *flags]) == 0
    held = tmp_path / "assets"
    assert {path.name for path in held.iterdir()} == {"model.nb", "deploy.json", "background.jpg"}
    assert (held / "model.nb").read_bytes() == (exported / "paddlelite/arm_fp16.nb").read_bytes()
    assert json.loads((held / "deploy.json").read_text())["Deploy"]["output_op"] == "softmax"
    assert package([str(exported), "--variant", "gpu"]) == 2
    assert "no variant 'gpu'; it has: x86, arm" in capsys.readouterr().err


def test_an_export_without_paddle_lite(tmp_path: Path, capsys) -> None:
    export = ROOT / "export_model/mediapipe_selfie_general"
    assert script("package").main([str(export), "--to", str(tmp_path / "assets")]) == 2
    assert "holds no paddlelite target" in capsys.readouterr().err
    write_image(tmp_path / "photo.png", np.zeros((8, 8, 3), np.uint8))
    assert script("run").main([str(tmp_path / "photo.png"), "--model", str(export)]) == 2
    assert "this export has no 'paddlelite' target" in capsys.readouterr().err
    assert not (tmp_path / "assets").exists()
