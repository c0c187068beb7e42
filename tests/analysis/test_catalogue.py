"""docs/models.json and docs/models.md are what the networks, and the recorded measurements, say today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from paddle_portrait.analysis.catalogue import as_page, count, measured, read_list
from paddle_portrait.config import load_config
from paddle_portrait.errors import UserError
from paddle_portrait.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {entry["name"]: entry for entry in read_list()}
ROWS = {row["name"]: row for row in json.loads((ROOT / "docs/models.json").read_text(encoding="utf-8"))}
RENEW = "renew it: python tools/analyze_model.py --all"


@pytest.mark.parametrize("name", ENTRIES)
def test_counts_are_current(name: str) -> None:
    config = load_config(ROOT / ENTRIES[name]["config"])
    if config["model.type"] not in MODELS.own_names():
        pytest.importorskip("paddleseg")
    counted = count(ENTRIES[name]["config"])
    assert counted == {key: ROWS[name][key] for key in counted}, RENEW


@pytest.mark.parametrize("name", [name for name in ENTRIES if ENTRIES[name].get("authors_params")])
def test_they_are_the_authors_counts(name: str) -> None:
    authors = ENTRIES[name]["authors_params"]
    assert ROWS[name][authors["counts"]] == authors["value"]


def test_the_page_and_the_measured_columns_are_current() -> None:
    assert list(ROWS) == list(ENTRIES), RENEW
    for name, entry in ENTRIES.items():
        row = ROWS[name]
        assert row["measured"] == measured(entry), f"{name}: {RENEW}"
        assert (row["published"], row["network"]) == (entry.get("published"), entry["network"]), RENEW
        assert row["measured"] is None or (ROOT / row["measured"]["file"]).is_file()
    assert (ROOT / "docs/models.md").read_text(encoding="utf-8") == as_page(list(ROWS.values())), RENEW


def test_every_folder_of_configs_has_a_row() -> None:
    folders = {path.parent.name for path in ROOT.glob("configs/[!_]*/*.yml")}
    listed = {Path(entry["config"]).parent.name for entry in ENTRIES.values()}
    # PaddleSeg's own names, and recipes of the zoo, for networks that are listed.
    assert folders - listed <= {"pp_humanseg_lite", "zoo"}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"phone": "1 ms"}, r"unknown \['phone'\]"), ({"config": None}, r"missing \['config'\]"), ({}, "2 times")],
)
def test_a_wrong_list_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    good = {"name": "a", "network": "A", "config": "a.yml"}
    wrong = {key: value for key, value in {**good, **change}.items() if value is not None}
    path = tmp_path / "models.yml"
    path.write_text(yaml.safe_dump([wrong] if change else [good, wrong]), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_list(path)
