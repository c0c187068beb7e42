"""tools/check_dataset.py: exit codes, the summary, the JSON and the contact sheet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.cli.check_dataset import main
from paddle_portrait.preprocess import read_image, write_image

ROOT = Path(__file__).resolve().parents[2]


def write_config(
    root: Path, train: list[int], val: list[int], empty: tuple[int, ...] = (), stem: str = "фото "
) -> Path:
    """Write photos of noise, a list for each of two data sets, and a config that names them."""
    for number in {*train, *val}:
        noise = np.random.default_rng(number).integers(0, 256, (60, 50, 3)).astype(np.uint8)
        mask = np.zeros((60, 50), np.uint8)
        if number not in empty:
            mask[20:, 10:40] = 255
        write_image(root / "images" / f"{stem}{number}.png", noise)
        write_image(root / "masks" / f"{number}.png", mask)
    sections = []
    for mode, numbers in (("train", train), ("val", val)):
        lines = "\n".join(f"images/{stem}{number}.png masks/{number}.png" for number in numbers)
        (root / f"{mode}.txt").write_text(lines, encoding="utf-8")
        sections.append(
            f"{mode}_dataset: {{type: Dataset, dataset_root: '{root}', {mode}_path: '{root / mode}.txt', mode: {mode}, "
            "transforms: [{type: Normalize}]}"
        )
    path = root / "config.yml"
    path.write_text("batch_size: 4\n" + "\n".join(sections), encoding="utf-8")
    return path


def test_right_data_exit_with_0_and_leave_sheets_and_a_report(tmp_path, capsys):
    config = write_config(tmp_path, [0, 1, 2, 3], [4, 5])
    code = main(["--config", str(config), "--save_dir", str(tmp_path / "out"), "--json", str(tmp_path / "new/r.json")])
    assert code == 0
    assert "train_dataset: 4 pairs; width 50-50, height 60-60; person 40% of the pixels; 0 errors, 0 warnings" in (
        capsys.readouterr().out
    )
    report = json.loads((tmp_path / "new/r.json").read_text(encoding="utf-8"))
    assert report["ok"] is True
    assert [part["name"] for part in report["reports"]] == [
        "train_dataset",
        "val_dataset",
        "train_dataset and val_dataset",
    ]
    sheet = read_image(tmp_path / "out" / "train_dataset.png")
    assert min(sheet.shape[:2]) > 200
    assert (tmp_path / "out" / "val_dataset.png").is_file()


def test_warnings_alone_exit_with_0(tmp_path, capsys):
    config = write_config(tmp_path, [0, 1, 2, 3], [4, 5], empty=(2,))
    assert main(["--config", str(config)]) == 0
    assert "warning [no_person] 1 of 4 masks hold no person" in capsys.readouterr().out


def test_errors_exit_with_1_and_the_json_holds_every_file(tmp_path, capsys):
    config = write_config(tmp_path, list(range(9)), [20, 21], stem="photo")
    for number in range(6):
        (tmp_path / "masks" / f"{number}.png").unlink()
    assert main(["--config", str(config), "--json", str(tmp_path / "r.json"), "--save_dir", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "error [missing_masks] 6 of 9 masks" in shown
    assert "and 3 more" in shown
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["ok"] is False
    assert len(report["reports"][0]["errors"][0]["files"]) == 6


def test_shared_photos_exit_with_1(tmp_path, capsys):
    config = write_config(tmp_path, [0, 1, 2, 3], [3, 5])
    assert main(["--config", str(config)]) == 1
    assert "error [train_val_overlap] 1 of 2 evaluation images" in capsys.readouterr().out
    assert main(["--config", str(config), "--dataset", "val_dataset"]) == 0


@pytest.mark.parametrize("text", ["", "images/a.png\n"])
def test_a_list_that_cannot_be_opened_does_not_hide_the_other(tmp_path, capsys, text):
    config = write_config(tmp_path, [0, 1, 2, 3], [4, 5])
    (tmp_path / "train.txt").write_text(text, encoding="utf-8")
    assert main(["--config", str(config)]) == 1
    shown = capsys.readouterr().out
    assert "error [cannot_open]" in shown
    assert "train.txt" in shown
    assert "val_dataset: 2 pairs" in shown


def test_the_batch_size_of_the_command_line_counts(tmp_path, capsys):
    config = write_config(tmp_path, [0, 1, 2, 3], [4, 5])
    assert main(["--config", str(config), "--opts", "batch_size=5"]) == 1
    assert "fewer_than_batch" in capsys.readouterr().out


def test_a_config_without_data_is_a_mistake_of_the_user(tmp_path, capsys):
    path = tmp_path / "empty.yml"
    path.write_text("batch_size: 4\n", encoding="utf-8")
    assert main(["--config", str(path)]) == 2
    assert "train_dataset" in capsys.readouterr().err


def test_the_tool_runs_from_anywhere(tmp_path):
    config = write_config(tmp_path, [0, 1, 2, 3], [4, 5])
    command = [sys.executable, str(ROOT / "tools" / "check_dataset.py"), "--config", str(config)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 errors" in done.stdout
