"""Modules of the page, run in Node: preprocessing is Python's to the last bit; heads are found."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddle_portrait.preprocess import Preprocess

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "deploy" / "paddlejs"
NORMALIZE = {"type": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
ROADS = {
    "smaller": [{"type": "Resize", "target_size": [96, 72]}, NORMALIZE],
    "larger": [{"type": "Resize", "target_size": [256, 300]}, {"type": "Normalize", "mean": [0.0], "std": [1.0]}],
    "same": [{"type": "Resize", "target_size": [131, 97]}, NORMALIZE],
    "half": [{"type": "ResizeByLong", "long_size": 64},
             {"type": "PaddingByAspectRatio", "aspect_ratio": 1.0}, NORMALIZE],
    "padded": [{"type": "Resize", "target_size": [100, 120], "keep_ratio": True},
               {"type": "Padding", "target_size": [128, 128], "im_padding_value": 127.5}, NORMALIZE],
    "bgr": [{"type": "ResizeByShort", "short_size": 90, "max_size": 100},
            {"type": "Normalize", "mean": [0.0], "std": [1.0], "colour": "bgr"}],
    "gray": [{"type": "LimitLong", "max_long": 120}, {"type": "Normalize", "colour": "gray"}],
    "divisor": [{"type": "Resize", "target_size": [100, 70], "size_divisor": 32}, NORMALIZE],
    "twice": [{"type": "Resize", "target_size": [80, 60]}, {"type": "LimitLong", "max_long": 50}, NORMALIZE],
}  # fmt: skip


def ask(node: str, **job: Any) -> dict[str, Any]:
    """Return what the modules answer."""
    done = subprocess.run(
        [node, str(HERE / "run_module.mjs")], input=json.dumps(job), capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def floats(data: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(data), "<f4")


@pytest.mark.parametrize("road", ROADS)
def test_preprocessing_is_that_of_python(node: str, road: str) -> None:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (97, 131, 3), dtype=np.uint8)
    preprocess = Preprocess.from_transforms(ROADS[road])
    tensor, geometry = preprocess(picture)
    answer = rng.random(tensor.shape[2:], dtype=np.float32)
    rgba = np.dstack([picture, np.full((97, 131), 255, np.uint8)])
    found = ask(node, kind="preprocess", description=preprocess.to_dict(), rgba=text(rgba), height=97, width=131,
                map=text(answer))  # fmt: skip
    assert found["shape"] == list(tensor.shape)
    assert np.array_equal(floats(found["values"]), tensor.ravel())
    assert np.abs(floats(found["restored"]) - geometry.restore(answer).ravel()).max() < 5e-5


def _figure(height: int, width: int, middle: int) -> np.ndarray:
    """Return the silhouette of a head of 40 rows from row 30 on, a neck of 12, and shoulders."""
    alpha = np.zeros((height, width), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    alpha[((rows - 50) / 20) ** 2 + ((columns - middle) / 16) ** 2 <= 1] = 255
    alpha[(rows >= 66) & (rows < 80) & (np.abs(columns - middle) < 8)] = 255
    alpha[(rows >= 80) & (np.abs(columns - middle) < 45)] = 255
    return alpha


def test_an_id_photo_is_cut_around_the_head(node: str) -> None:
    found = ask(node, kind="head", alpha=text(_figure(200, 160, 70)), height=200, width=160, ratio=35 / 45)
    head, crop = found["head"], found["crop"]
    assert 30 <= head["top"] <= 32
    assert 64 <= head["bottom"] <= 82
    assert abs(head["middle"] - 70) < 1
    assert crop["y"] < head["top"] < head["bottom"] < crop["y"] + crop["height"]
    assert abs(crop["x"] + crop["width"] / 2 - 70) < 1
    assert abs(crop["width"] / crop["height"] - 35 / 45) < 1e-6
    nobody = ask(node, kind="head", alpha=text(np.zeros((20, 20), np.uint8)), height=20, width=20, ratio=1)
    assert nobody["head"] is None


def test_the_list_of_controls_is_true_and_complete() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.py"))
    readme = (PAGE / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(test_\w+)`", readme))
    assert listed <= set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    controls = re.findall(
        r'<(?:button|input(?! type="file")|select)\b[^>]*\bid="([\w-]+)"', (PAGE / "index.html").read_text("utf-8")
    )
    assert len(controls) > 25
    assert [name for name in controls if not re.search(rf"[#\"]{name}(?![\w-])", tests)] == []
