"""A fault of a runtime is one that a short program shows without this project."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "runtime_faults"
PROGRAMS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_it_is_short_listed_and_independent(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    compile(text, str(path), "exec")
    assert len(text.splitlines()) <= 30
    assert "paddle_portrait" not in text
    assert f"`{path.name}`" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_there_are_some() -> None:
    assert PROGRAMS
