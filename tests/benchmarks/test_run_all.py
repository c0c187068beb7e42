"""`make bench` runs every benchmark that runs by itself, and one that fails stops no other."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
run_all = importlib.import_module("run_all")

# They need arguments, or are parts of others.
NOT_ALONE = {"accuracy", "one_epoch", "peer_loop", "run_all", "zoo_training"}


def test_none_is_forgotten() -> None:
    there = {path.stem for path in BENCHMARKS.glob("*.py") if not path.name.startswith("_")}
    assert set(run_all.BENCHMARKS) == there - NOT_ALONE
    page = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    assert [name for name in there if f"`python benchmarks/{name}.py" not in page and name not in NOT_ALONE] == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository in which kernel_ops fails, effects_cost and growth work, and growth's photos are missing."""
    (tmp_path / "benchmarks").mkdir()
    shutil.copy(BENCHMARKS / "run_all.py", tmp_path / "benchmarks")
    for name, code in (("effects_cost", 0), ("kernel_ops", 3), ("growth", 0)):
        script = f"import sys, pathlib; pathlib.Path('{name}.ran').touch(); sys.exit({code})"
        (tmp_path / "benchmarks" / f"{name}.py").write_text(script)
    return tmp_path


def run(project: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/run_all.py", *names]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def ran(project: Path) -> set[str]:
    return {path.stem for path in project.glob("*.ran")}


def test_one_that_fails_stops_no_other_and_is_named_at_the_end(project: Path) -> None:
    (project / "data/mini_portraits").mkdir(parents=True)
    done = run(project, "growth", "effects_cost", "kernel_ops")
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "failed: kernel_ops"
    assert ran(project) == {"effects_cost", "kernel_ops", "growth"}


def test_one_whose_photos_are_missing_is_left_out_with_the_remedy(project: Path) -> None:
    done = run(project, "growth", "effects_cost")
    assert done.returncode == 1 and ran(project) == {"effects_cost"}
    assert "left out: growth: data/mini_portraits is missing (python data/download_data.py)" in done.stdout


def test_all_is_well(project: Path) -> None:
    done = run(project, "effects_cost")
    assert done.returncode == 0 and ran(project) == {"effects_cost"}


def test_a_misspelt_name(project: Path) -> None:
    done = run(project, "efects_cost")
    assert done.returncode == 2 and "no benchmark: efects_cost; there are effects_cost" in done.stderr
