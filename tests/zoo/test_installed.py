"""A package that was installed has the released models and their configs in itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json
from paddle_portrait import zoo
from paddle_portrait.inference import Predictor
from paddle_portrait.zoo.released import released
names = list(released())
print(json.dumps({
    "default": str(zoo.default_export()),
    "weights": [str(zoo.find_weights(name)) for name in names],
    "configs": [str(zoo.find_config(name)) for name in names],
    "predictor": type(Predictor.load("tiny", backend="onnx")).__name__,
}))
"""


def test_zoo_names_work_without_a_clone(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    built, elsewhere = tmp_path / "built", tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    environment = {**os.environ, "PYTHONPATH": str(built)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    for path in (found["default"], *found["weights"], *found["configs"]):
        assert Path(path).exists() and path.startswith(str(built)), path
    assert found["default"].endswith("lite") and len(found["weights"]) == 19
