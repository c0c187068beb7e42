"""Two processes train the same network as one, with the same global batch."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.engine.checkpoint import load_checkpoint
from paddle_portrait.engine.distributed import run_within
from paddle_portrait.engine.history import read_history
from paddle_portrait.engine.layouts import layouts

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


@pytest.mark.parametrize(
    ("batch_size", "cores", "expected"),
    [
        (8, 2, [(1, 1), (1, 2), (2, 1)]),
        (6, 2, [(1, 1), (1, 2)]),  # three images a process are too few for batch norm
        (9, 2, [(1, 1), (1, 2)]),
        (4, 1, [(1, 1)]),
        (16, 4, [(1, 1), (1, 4), (2, 1), (2, 2), (4, 1)]),
    ],
)
def test_layouts_use_all_cores_or_one_thread_each(batch_size, cores, expected):
    assert [(one.processes, one.threads) for one in layouts(batch_size, cores)] == expected


def test_auto_tries_every_layout_and_trains_in_the_quickest(config_file, tmp_path):
    done = subprocess.run(
        [sys.executable, str(TOOL), "--config", str(config_file()), "--save_dir", str(tmp_path / "run"), "--nproc",
         "auto", "--batch_size", "8", "--iters", "2"],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = re.findall(r"--nproc auto: (\d) x (\d) threads: [\d.]+ images a second( \(taken\))?", done.stderr)
    assert {(int(one), int(other)) for one, other, _ in told} == {
        (layout.processes, layout.threads) for layout in layouts(8, os.cpu_count())
    }
    taken = [(int(one), other) for one, other, mark in told if mark]
    environment = load_checkpoint(tmp_path / "run" / "iter_2").state["environment"]
    assert taken == [(environment["processes"], environment["threads"])]


# Two children in sessions of their own, as Paddle's launcher starts its ranks; each counts on.
_LAUNCHER = r"""
import subprocess, sys
rank = "import sys, time\nwhile True:\n    print('x', flush=True, file=open(sys.argv[1], 'a'))\n    time.sleep(0.05)"
ranks = [subprocess.Popen([sys.executable, "-c", rank, file], start_new_session=True) for file in sys.argv[1:]]
for one in ranks:
    one.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="descendants are found in /proc")
def test_a_trial_over_its_time_is_ended_with_all_its_ranks(tmp_path):
    ranks = [tmp_path / "0", tmp_path / "1"]
    with pytest.raises(subprocess.TimeoutExpired):
        run_within(5, [sys.executable, "-c", _LAUNCHER, *map(str, ranks)], dict(os.environ))
    sizes = [rank.stat().st_size for rank in ranks]
    time.sleep(0.5)
    assert [rank.stat().st_size for rank in ranks] == sizes


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--resume_model", "auto"], "only the number of processes that began a run continues it exactly"),
        (["--device", "gpu:0"], "measures CPUs"),
        (["--opts", "train_dataset.train_path=none.txt"], "no trial of .* steps succeeded(.|\n)*none.txt"),
    ],
)
def test_what_auto_cannot_decide_is_told(config_file, tmp_path, flags, message):
    command = [sys.executable, str(TOOL), "--config", str(config_file()), "--save_dir", str(tmp_path / "run")]
    done = subprocess.run([*command, "--nproc", "auto", *flags], capture_output=True, text=True)
    assert done.returncode != 0 and re.search(message, done.stderr), done.stderr[-3000:]
    assert "Traceback" not in done.stderr
