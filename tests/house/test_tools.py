"""Every tool answers --help without Paddle, and is as thin as promised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = sorted((ROOT / "tools").glob("*.py"))
FOLDERS = ("data", "pretrained_model", "export_model", "benchmarks")
SCRIPTS = [*TOOLS, *(path for folder in FOLDERS for path in sorted((ROOT / folder).glob("[!_]*.py")))]

# Stands in for Paddle on sys.path: importing it on the way to --help is what makes a help slow.
NO_PADDLE = "raise ImportError('--help imports paddle')"


def run(arguments: list[str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with a paddle that cannot be imported."""
    (tmp_path / "paddle.py").write_text(NO_PADDLE, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_answers_from_any_folder_and_needs_no_paddle(script: Path, tmp_path: Path) -> None:
    done = run([str(script), "--help"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")


@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.stem)
def test_an_unknown_flag_is_refused_by_name(tool: Path, tmp_path: Path) -> None:
    done = run([str(tool), "--no_such_flag"], tmp_path)
    assert done.returncode == 2
    assert "--no_such_flag" in done.stderr or "required" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.stem)
def test_tools_are_thin(tool: Path) -> None:
    command_line = ROOT / "paddle_portrait" / "cli" / tool.name
    for path in (tool, command_line):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 100, f"{path}: move logic into the library"
