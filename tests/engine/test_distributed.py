"""Two processes train the same network as one, with the same global batch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.engine.checkpoint import load_checkpoint
from paddle_portrait.engine.history import read_history

TOOL = Path(__file__).parents[2] / "tools" / "train.py"

# Batch norm with the statistics of its own share of the batch is the one thing that differs between processes;
# frozen, it is a fixed affine map. No pixel is padded away, so that the mean of two halves is the whole's.
PLAIN = """\
stages: [{name: only, iters: 6, freeze: ['*_batch_norm*']}]
"""


def _train(path, save_dir, *flags):
    done = subprocess.run(
        [sys.executable, str(TOOL), "--config", str(path), "--save_dir", str(save_dir), "--do_eval", *flags],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def config_without_chance_in_size(config_file):
    path = config_file(PLAIN)
    text = path.read_text().replace("    - {type: ResizeStepScaling}\n", "")
    text = text.replace("    - {type: RandomPaddingCrop, crop_size: [32, 32]}\n", "")
    # AdamW divides by the gradients' own size, which makes steps of rounding errors where they are tiny.
    path.write_text(text.replace("{type: AdamW, weight_decay: 0.01, no_decay: [norm, bias]}", "{type: SGD}"))
    return path


def test_two_processes_follow_the_curve_of_one(config_without_chance_in_size, tmp_path):
    _train(config_without_chance_in_size, tmp_path / "one")
    _train(config_without_chance_in_size, tmp_path / "two", "--nproc", "2")
    rows = [read_history(tmp_path / name / "only" / "history.jsonl") for name in ("one", "two")]
    losses = [[row["loss"] for row in one if row["kind"] == "train"] for one in rows]
    scores = [[row["miou"] for row in one if row["kind"] == "eval"] for one in rows]
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-4)
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-2)
    one, two = (load_checkpoint(tmp_path / name / "only" / "iter_6") for name in ("one", "two"))
    assert two.state["environment"]["processes"] == 2
    for name, weights in one.weights.items():
        np.testing.assert_allclose(weights, two.weights[name], atol=5e-3, err_msg=name)


def test_a_batch_that_cannot_be_shared_is_refused(config_file, tmp_path):
    done = subprocess.run(
        [sys.executable, str(TOOL), "--config", str(config_file()), "--save_dir", str(tmp_path), "--nproc", "2",
         "--batch_size", "5"],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "batch_size 5 cannot be shared by 2 processes" in done.stderr + done.stdout
