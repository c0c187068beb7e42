"""Every table of docs/ that a benchmark makes is the one that its result file gives."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

MADE = re.compile(
    r"<!-- begin: made by benchmarks/(\w+)\.py(?:, (\w+))? -->\n(.*?)\n?"
    r"<!-- end: made by benchmarks/\1\.py(?:, \2)? -->",
    re.DOTALL,
)
TABLES = [
    (page.name, script, f"{part}_table" if part else "table", text)
    for page in sorted((ROOT / "docs").glob("*.md"))
    for script, part, text in MADE.findall(page.read_text(encoding="utf-8"))
    if script != "ablation"  # has a test of its own
]


def test_no_marker_is_left_open() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert text.count("<!-- begin: made by benchmarks/") == len(MADE.findall(text)), page.name


@pytest.mark.parametrize(("page", "script", "table", "text"), TABLES, ids=["-".join(entry[:3]) for entry in TABLES])
def test_the_table_is_that_of_the_results(page: str, script: str, table: str, text: str) -> None:
    module = importlib.import_module(script)
    make = getattr(module, table)
    if inspect.signature(make).parameters:
        file = BENCHMARKS / "results" / f"{getattr(module, 'NAME', script)}.json"
        figures = json.loads(file.read_text(encoding="utf-8"))["figures"]
        made = make(figures)
    else:
        made = make()
    assert text == made, f"run: python benchmarks/{script}.py"


def test_nothing_is_above_the_machines_peak() -> None:
    lines = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").splitlines()
    shares, column = [], None
    for line in lines:
        cells = line.split("|")
        if " of the peak " in cells:
            column = cells.index(" of the peak ")
        elif len(cells) < 2:
            column = None
        elif column is not None and cells[column].strip().endswith("%"):
            shares.append(int(cells[column].strip("% ")))
    assert len(shares) > 20 and max(shares) <= 100


def test_growth_keeps_no_copy_of_what_others_measured() -> None:
    figures = json.loads((BENCHMARKS / "results" / "growth.json").read_text(encoding="utf-8"))["figures"]
    assert set(figures) == {"training", "prediction"}


def test_every_result_names_its_command_and_that_command_is_here() -> None:
    for file in sorted((BENCHMARKS / "results").glob("*.json")):
        entry = json.loads(file.read_text(encoding="utf-8"))
        assert {"command", "date", "commit", "machine", "figures"} <= set(entry), file.name
        script = re.search(r"\S+\.py", entry["command"])
        assert script and (ROOT / script.group()).is_file(), f"{file.name}: {entry['command']}"
        assert not re.search(r"\s/", entry["command"]), f"{file.name}: a path that only this machine has"
