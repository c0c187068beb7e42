"""The ablation: what counts as a gain, which runs are to come, and that docs/recipes.md says what was measured."""

from __future__ import annotations

import importlib
import json
import math
import shutil
import sys
from pathlib import Path

import pytest

from paddle_portrait.config import load_config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

table, ablation = (importlib.import_module(name) for name in ("_ablation_table", "ablation"))

RESULTS = ROOT / "benchmarks" / "results" / "ablation.json"


def runs(*values: float) -> dict[str, dict[str, float]]:
    """Return one measure of the seeds 0, 1, ..."""
    return {str(seed): {"miou": value} for seed, value in enumerate(values)}


def test_a_gain_is_the_mean_of_the_paired_differences_with_its_standard_error() -> None:
    gain = table.paired_gain(runs(0.71, 0.82, 0.63), runs(0.70, 0.80, 0.60, 0.10), "miou")
    assert gain.pairs == 3
    assert gain.mean == pytest.approx(0.02)
    assert gain.error == pytest.approx(0.01 / math.sqrt(3))


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ((0.71, 0.72, 0.73), "helps"),  # 0.02 ± 0.0058
        ((0.70, 0.72, 0.70), "no"),  # 0.0067 ± 0.0067
        ((0.70, 0.70, 0.70), "no"),
        ((0.69, 0.68, 0.67), "hurts"),
        ((0.90,), "open"),
    ],
)
def test_only_a_gain_beyond_twice_its_standard_error_helps(row: tuple[float, ...], verdict: str) -> None:
    assert table.paired_gain(runs(*row), runs(0.70, 0.70, 0.70), "miou").verdict == verdict


def test_each_row_gets_a_seed_before_any_row_gets_the_next() -> None:
    plan = ablation.planned(["baseline", "boundary", "all"])
    assert plan[:6] == [(row, seed) for seed in (0, 1) for row in ("baseline", "boundary", "all")]
    assert plan[9:] == [("baseline", 3), ("all", 3), ("baseline", 4), ("all", 4)]


def test_a_run_is_repeated_only_when_its_config_has_changed() -> None:
    plan = ablation.planned(["boundary"])
    rows = {"boundary": {"seeds": {"0": {"config_sum": "now"}, "1": {"config_sum": "before"}}}}
    assert ablation.missing(plan, rows, {"boundary": "now"}) == [("boundary", 1), ("boundary", 2)]


@pytest.mark.parametrize("row", [row for row in ablation.ROWS if ablation.config_file(row).is_file()])
def test_a_row_differs_from_the_baseline_in_its_recipe_alone(row: str) -> None:
    base, config = (load_config(ablation.config_file(name)).to_dict() for name in ("baseline", row))
    assert {key for key in base if config[key] != base[key]} <= {"train_dataset", "objective"}
    last = [config["train_dataset"]["transforms"][-7:], base["train_dataset"]["transforms"][-7:]]
    assert last[0] == last[1]


def test_the_page_says_what_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "recipes.md"
    shutil.copyfile(table.PAGE, page)
    table.write_page(json.loads(RESULTS.read_text(encoding="utf-8"))["figures"], page)
    assert page.read_text(encoding="utf-8") == table.PAGE.read_text(encoding="utf-8")


def test_results_are_of_the_configs_as_they_are() -> None:
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["figures"]["rows"]
    for row, entry in rows.items():
        now = ablation.fingerprint(load_config(ablation.config_file(row)))
        assert {run["config_sum"] for run in entry["seeds"].values()} == {now}, f"{row}: run benchmarks/ablation.py"


def test_a_page_without_the_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "recipes.md"
    page.write_text("# Recipes\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="must hold the lines"):
        table.write_page({"setting": {}, "rows": {}}, page)
    assert page.read_text(encoding="utf-8") == "# Recipes\n"
