"""The loop and what hangs on it, on real networks and data."""

import numpy as np
import paddle
import pytest

from paddle_portrait.config import load_config
from paddle_portrait.engine.build import HISTORY_FILE, RunOptions, build_trainer, describe_list
from paddle_portrait.engine.checkpoint import BEST_NAME, load_checkpoint
from paddle_portrait.engine.history import read_history
from paddle_portrait.engine.hooks.profiling import parse_profiler_options
from paddle_portrait.engine.trainer import NonFiniteLossError
from paddle_portrait.errors import UserError


def trainer_for(path, save_dir, **options):
    return build_trainer(load_config(str(path)), RunOptions(save_dir, **options))


def test_training_learns(config_file, tmp_path):
    trainer_for(config_file(iters=60), tmp_path, do_eval=True).run()
    rows = read_history(tmp_path / HISTORY_FILE)
    losses = [row["loss"] for row in rows if row["kind"] == "train"]
    scores = [row["miou"] for row in rows if row["kind"] == "eval"]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert max(scores) > scores[0] + 0.1


def test_history_means_are_over_the_interval(config_file, tmp_path):
    trainer = trainer_for(config_file(iters=5), tmp_path)
    seen = []
    original = trainer._step
    trainer._step = lambda batches: seen.append(original(batches)) or seen[-1]
    trainer.run()
    rows = read_history(tmp_path / HISTORY_FILE)
    assert [row["iteration"] for row in rows] == [2, 4, 5]
    assert rows[0]["loss"] == np.mean([seen[0].loss, seen[1].loss])
    assert rows[2]["loss"] == seen[4].loss
    assert rows[1]["CrossEntropyLoss@logits"] == np.mean([step.parts["CrossEntropyLoss@logits"] for step in seen[2:4]])


def test_best_model_is_the_best_evaluation(config_file, tmp_path):
    trainer_for(config_file(iters=18), tmp_path, do_eval=True).run()
    scores = {row["iteration"]: row["miou"] for row in read_history(tmp_path / HISTORY_FILE) if row["kind"] == "eval"}
    best = load_checkpoint(tmp_path / BEST_NAME).state
    assert scores[best["iteration"]] == max(scores.values())
    assert best["hooks"]["EvaluationHook"]["best_score"] == max(scores.values())


def test_a_loss_that_is_not_finite_stops_and_names_the_batch(config_file, tmp_path):
    trainer = trainer_for(config_file(), tmp_path)
    trainer.model.conv_bn0._conv.weight.set_value(paddle.full([36, 3, 3, 3], float("nan")))
    before = {name: value.numpy() for name, value in trainer.model.state_dict().items()}
    with pytest.raises(NonFiniteLossError, match=r"nan at iteration 1 .*\.jpg.*learning_rate"):
        trainer.run()
    weight = "depthwise_separable0.piontwise_conv._conv.weight"
    np.testing.assert_array_equal(trainer.model.state_dict()[weight].numpy(), before[weight])


def test_early_stop_ends_the_run_and_a_resume_does_not_go_on(config_file, tmp_path):
    path = config_file("early_stop: {intervals: 2}\n", iters=90)
    for _ in range(2):
        trainer = trainer_for(path, tmp_path, do_eval=True, resume="auto")
        trainer.schedule.learning_rate = 0.0
        trainer.schedule.after.learning_rate = 0.0  # nothing can become better
        trainer.hooks[1].evaluate = lambda model: {"miou": 0.5}
        trainer.run()
        assert "early stop" in trainer.stop_reason
        assert trainer.iteration == 9


def test_ema_is_the_running_average_and_what_is_deployed(config_file, tmp_path):
    trainer = trainer_for(config_file("ema: {decay: 0.5}\n", iters=3), tmp_path)
    key = "conv_bn0._conv.weight"
    average = trainer.model.state_dict()[key].numpy().astype(np.float64)
    original = trainer._step

    def step_and_average(batches):
        nonlocal average
        step = original(batches)
        keep = min(0.5, (1 + step.iteration) / (10 + step.iteration))
        average = keep * average + (1 - keep) * trainer.model.state_dict()[key].numpy()
        return step

    trainer._step = step_and_average
    trainer.run()
    checkpoint = load_checkpoint(tmp_path / "iter_3")
    np.testing.assert_allclose(checkpoint.weights[key], average, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(checkpoint.arrays[f"raw/{key}"], trainer.model.state_dict()[key].numpy())


def test_visualdl_gets_every_row_once_also_after_a_resume(config_file, tmp_path):
    from visualdl import LogReader

    path = config_file(iters=6)
    for _ in range(2):
        trainer_for(path, tmp_path, do_eval=True, use_vdl=True, resume="auto").run()
    (log,) = (tmp_path / "vdl_log").glob("*.log")
    reader = LogReader(file_path=str(log))
    assert [point.id for point in reader.get_data("scalar", "train/loss")] == [2, 4, 6]
    assert [point.id for point in reader.get_data("scalar", "eval/miou")] == [3, 6]


def test_pictures_of_samples_reach_visualdl(config_file, tmp_path):
    from visualdl import LogReader

    trainer_for(config_file(iters=3), tmp_path, do_eval=True, use_vdl=True).run()
    (log,) = (tmp_path / "vdl_log").glob("*.log")
    assert LogReader(file_path=str(log)).get_tags()["image"] == [f"samples/{index}" for index in range(4)]


def test_profiler_writes_a_trace(config_file, tmp_path):
    options = f"batch_range=[2,3];profile_path={tmp_path / 'profile'}"
    trainer_for(config_file(iters=4), tmp_path / "run", profiler_options=options).run()
    assert list((tmp_path / "profile").glob("*.json"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("batch_rang=[1,2]", "Did you mean 'batch_range'"),
        ("batch_range=3", r"must be \[first,last\]"),
        ("batch_range=[9,3]", "2 ≤ first ≤ last"),
    ],
)
def test_profiler_options_that_are_wrong_say_so(options, message):
    with pytest.raises(UserError, match=message):
        parse_profiler_options(options)


@pytest.mark.parametrize(
    ("extra", "options", "message"),
    [
        ("precision: fp16\n", {}, "needs a GPU"),
        ("stages: [{name: a, iters: 2, freeze: ['backbone.*']}]\n", {}, "matches no parameter"),
    ],
)
def test_what_cannot_be_trained_is_refused(config_file, tmp_path, extra, options, message):
    from paddle_portrait.engine.stages import train

    with pytest.raises(UserError, match=message):
        train(load_config(str(config_file(extra))), RunOptions(tmp_path, **options))


def test_a_list_is_described_by_its_sum_and_length(tmp_path):
    (tmp_path / "list.txt").write_text("a.jpg a.png\n\nb.jpg b.png\n")
    assert "2 lines, sha256 " in describe_list(tmp_path / "list.txt")


def test_training_works_without_paddleseg(config_file, tmp_path):
    """PP-HumanSeg-Lite, its losses, data and trainer are ours: an uninstalled paddleseg changes nothing."""
    import subprocess
    import sys

    script = (
        "import sys, importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name.split('.')[0] == 'paddleseg' else real(name, *a)\n"
        "sys.modules['paddleseg'] = None\n"
        "from paddle_portrait.cli.train import main\n"
        f"command = ['--config', {str(config_file(iters=3))!r}, '--save_dir', {str(tmp_path / 'run')!r}, '--do_eval']\n"
        "sys.exit(main(command))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "run" / BEST_NAME / "model.pdparams").is_file()
