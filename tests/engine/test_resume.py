"""Interrupted and resumed equals uninterrupted: weights, optimizer, averages, every logged figure, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.config import load_config
from paddle_portrait.engine.build import HISTORY_FILE, RunOptions, build_trainer
from paddle_portrait.engine.checkpoint import BEST_NAME, load_checkpoint
from paddle_portrait.engine.history import read_history
from paddle_portrait.engine.hooks.base import Hook
from paddle_portrait.engine.stages import train
from paddle_portrait.errors import UserError

TOOL = Path(__file__).parents[2] / "tools" / "train.py"
ITERS = 12  # two batches an epoch; checkpoints and evaluations every 3


class _Death(Exception):
    """Stands for SIGKILL: nothing after it in the process counts."""


class _DieAfter(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def after_step(self, trainer, step):
        if step.iteration == self.iteration:
            raise _Death


def run(path, save_dir, die_after=None, die_first=False, **options):
    """Train as ``tools/train.py`` does; die after an iteration, before or after the hooks that save."""
    trainer = build_trainer(
        load_config(str(path)), RunOptions(Path(save_dir), do_eval=True, use_ema=True, resume="auto", **options)
    )
    if die_after is not None:
        trainer.hooks.insert(0 if die_first else len(trainer.hooks), _DieAfter(die_after))
    try:
        trainer.run()
    except _Death:
        trainer.loader.close()


def assert_same_run(one, other):
    """Compare the last checkpoints, the best models and the records of two runs, but for times."""
    for name in (f"iter_{ITERS}", BEST_NAME):
        first, second = load_checkpoint(Path(one) / name), load_checkpoint(Path(other) / name)
        for got, wanted in ((first.weights, second.weights), (first.arrays, second.arrays)):
            assert set(got) == set(wanted)
            assert not [key for key in wanted if not np.array_equal(got[key], wanted[key])]
        assert _progress(first.state) == _progress(second.state)
    assert _figures(one) == _figures(other)


def _progress(state):
    hooks = {name: value for name, value in state["hooks"].items() if name != _DieAfter.__name__}
    return {key: value for key, value in state.items() if key not in ("config", "environment")} | {"hooks": hooks}


def _figures(save_dir):
    rows = read_history(Path(save_dir) / HISTORY_FILE)
    assert any(row["kind"] == "eval" for row in rows)
    return [{key: value for key, value in row.items() if key != "speed"} for row in rows]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Where the uninterrupted run of a set-up is kept, by the set-up's name."""
    return tmp_path_factory.mktemp("uninterrupted")


# First iteration, mid-epoch, an epoch's end, after an evaluation; the same before their step was recorded.
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("die_after", "die_first"), [(1, False), (5, False), (8, False), (9, False), (9, True), (11, True)]
)
def test_a_resumed_run_equals_the_uninterrupted_one(
    config_file, tmp_path, uninterrupted, workers, die_after, die_first
):
    path = config_file(f"num_workers: {workers}\n")
    reference = uninterrupted / str(workers)
    if not reference.exists():
        run(path, reference)
    run(path, tmp_path / "run", die_after, die_first)
    run(path, tmp_path / "run")
    assert_same_run(tmp_path / "run", reference)


def test_workers_do_not_change_the_run(config_file, tmp_path):
    run(config_file("num_workers: 0\n"), tmp_path / "none")
    run(config_file("num_workers: 2\n"), tmp_path / "two")
    assert_same_run(tmp_path / "none", tmp_path / "two")


def test_best_model_can_be_resumed(config_file, tmp_path):
    path = config_file()
    run(path, tmp_path / "whole")
    best = load_checkpoint(tmp_path / "whole" / BEST_NAME).state["iteration"]
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    trainer = build_trainer(
        load_config(str(path)),
        RunOptions(tmp_path / "again", do_eval=True, use_ema=True, resume=str(tmp_path / "again" / BEST_NAME)),
    )
    assert trainer.iteration == best
    trainer.run()
    assert_same_run(tmp_path / "again", tmp_path / "whole")


@pytest.mark.parametrize("workers", [0, 2])
def test_sigkill_of_the_real_command_at_any_moment(config_file, tmp_path, workers):
    path = config_file(f"num_workers: {workers}\n")
    run(path, tmp_path / "whole")
    rng = np.random.default_rng(workers)
    save_dir = tmp_path / "killed"
    command = [sys.executable, str(TOOL), "--config", str(path), "--do_eval", "--use_ema", "--resume_model", "auto"]
    for kill_when in ("iter: 2/", f"iter: {6 + workers}/"):
        process = subprocess.Popen(
            [*command, "--save_dir", str(save_dir)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for line in process.stderr:
            if kill_when in line:
                time.sleep(float(rng.uniform(0, 0.15)))  # within the next steps, evaluations or saves
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
    subprocess.run([*command, "--save_dir", str(save_dir)], check=True, capture_output=True)
    assert_same_run(save_dir, tmp_path / "whole")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a child")
def test_ctrl_c_saves_and_says_so(config_file, tmp_path):
    path = config_file(iters=100000)
    process = subprocess.Popen(
        [sys.executable, str(TOOL), "--config", str(path), "--save_dir", str(tmp_path / "run")],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "iter: 4/" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    assert process.wait() == 130
    assert "SIGINT: finishing the iteration and saving" in rest
    stopped_at = int(rest.rsplit("saved ", 1)[1].split("iter_")[1].split()[0])
    assert load_checkpoint(tmp_path / "run" / f"iter_{stopped_at}").state["iteration"] == stopped_at


def test_stages_resume_exactly_in_the_right_stage(config_file, tmp_path):
    stages = (
        "stages:\n"
        "  - {name: head, iters: 4, freeze: ['block*', 'conv_bn*']}\n"
        "  - {name: all, iters: 5, start_from: best, overrides: {lr_scheduler: {learning_rate: 0.001}}}\n"
    )
    path = config_file(stages)
    options = RunOptions(tmp_path / "whole", do_eval=True, use_ema=True, resume="auto")
    train(load_config(str(path)), options)
    start = load_checkpoint(tmp_path / "whole" / "head" / "iter_4").weights
    assert read_history(tmp_path / "whole" / "all" / HISTORY_FILE)[0]["lr"] < 0.003
    trainer = build_trainer(load_config(str(path)).for_stage(0), RunOptions(tmp_path / "fresh"))
    fresh = {name: value.numpy() for name, value in trainer.model.state_dict().items()}
    frozen = [name for name in fresh if name.startswith(("block", "conv_bn"))]
    assert not [name for name in frozen if not np.array_equal(fresh[name], start[name])]
    assert any(not np.array_equal(fresh[name], start[name]) for name in set(fresh) - set(frozen))

    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    for name in ("iter_5", BEST_NAME):
        shutil.rmtree(tmp_path / "again" / "all" / name)
    train(load_config(str(path)), RunOptions(tmp_path / "again", do_eval=True, use_ema=True, resume="auto"))
    one, other = (load_checkpoint(tmp_path / run_name / "all" / "iter_5") for run_name in ("again", "whole"))
    assert not [key for key in one.weights if not np.array_equal(one.weights[key], other.weights[key])]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no checkpoint at"),
        (lambda folder: folder.mkdir(), "half-written, or not a checkpoint"),
    ],
)
def test_an_explicit_checkpoint_that_is_none_is_an_error(config_file, tmp_path, make, message):
    make(tmp_path / "iter_5")
    with pytest.raises(UserError, match=message):
        build_trainer(load_config(str(config_file())), RunOptions(tmp_path, resume=str(tmp_path / "iter_5")))


def test_a_changed_environment_is_said_on_resume(config_file, tmp_path, caplog):
    path = config_file()
    run(path, tmp_path / "run", die_after=4)
    state_file = tmp_path / "run" / "iter_3" / "training_state.json"
    from paddle_portrait.engine.checkpoint import Checkpoint, save_checkpoint

    saved = load_checkpoint(tmp_path / "run" / "iter_3")
    state = {**saved.state, "environment": {**saved.state["environment"], "processes": 8}}
    save_checkpoint(tmp_path / "run" / "iter_3", Checkpoint(saved.weights, saved.arrays, state))
    assert json.loads(state_file.read_text())["environment"]["processes"] == 8
    with caplog.at_level("WARNING", logger="paddle_portrait"):
        build_trainer(load_config(str(path)), RunOptions(tmp_path / "run", do_eval=True, use_ema=True, resume="auto"))
    assert "processes was '8' when the checkpoint was saved and is '1' now" in caplog.text
