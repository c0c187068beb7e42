"""``pip install .`` brings the whole package, released models included, and commands that start."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("setup.py", "pyproject.toml", "requirements.txt", "README.md", "LICENSE", "MANIFEST.in")
FOLDERS = ("configs", "export_model", "pretrained_model")
USE_THE_ZOO = """
import json
from paddle_portrait import zoo
from paddle_portrait.inference import Predictor
from paddle_portrait.zoo.released import released
found = [find(name) for name in released() for find in (zoo.find_weights, zoo.find_config)]
Predictor.load("tiny", backend="onnx")
print(json.dumps([str(path) for path in (zoo.default_export(), *found)]))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, so that the checkout stays clean; return the folder that would be installed."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "paddle_portrait", copy / "paddle_portrait", ignore=shutil.ignore_patterns("__pycache__"))
    for name in FOLDERS:
        (copy / name).symlink_to(ROOT / name)
    (copy / "out").mkdir()
    build = ["setup.py", "-q", "build", "--build-lib", "out", "egg_info", "--egg-base", "out"]
    done = subprocess.run([sys.executable, *build], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return copy / "out"


def test_the_installed_package_holds_every_file(built: Path) -> None:
    git = ["git", "ls-files", "paddle_portrait"]
    listing = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode or not listing.stdout:
        pytest.skip("not a git checkout")
    missing = [name for name in listing.stdout.splitlines() if (ROOT / name).is_file() and not (built / name).is_file()]
    assert not missing


def test_console_commands_are_callable(built: Path) -> None:
    entry_points = ConfigParser()
    entry_points.read(built / "paddle_portrait.egg-info" / "entry_points.txt", encoding="utf-8")
    commands = dict(entry_points["console_scripts"])
    assert set(commands) == {f"paddle-portrait-{name}" for name in ("train", "val", "predict", "export", "serve")}
    for target in commands.values():
        module, function = target.split(":")
        with pytest.raises(SystemExit) as stopped:
            getattr(importlib.import_module(module), function)(["--help"])
        assert stopped.value.code == 0


def test_zoo_names_work_without_a_clone(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    environment = {**os.environ, "PYTHONPATH": str(built)}
    command = [sys.executable, "-c", USE_THE_ZOO]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    paths = json.loads(ran.stdout.splitlines()[-1])
    assert len(paths) == 1 + 2 * 19 and paths[0].endswith("lite")
    for path in paths:
        assert Path(path).exists() and path.startswith(str(built)), path
