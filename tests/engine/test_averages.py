"""Stochastic weight averaging, learning rates by name and watched losses, in real trainings that are interrupted."""

import numpy as np
import paddle
import pytest

from paddle_portrait.config import load_config
from paddle_portrait.engine.build import HISTORY_FILE, RunOptions, build_trainer
from paddle_portrait.engine.checkpoint import BEST_NAME, load_checkpoint
from paddle_portrait.engine.history import read_history
from paddle_portrait.engine.hooks.base import Hook
from paddle_portrait.errors import UserError

KEY = "conv_bn0._conv.weight"
STATISTIC = "conv_bn0._batch_norm._mean"
ITERS = 12


class _Death(Exception):
    pass


class _DieAfter(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def after_step(self, trainer, step):
        if step.iteration == self.iteration:
            raise _Death


class _Watch(Hook):
    """Remembers a weight and a statistic after each step."""

    def __init__(self):
        self.seen = {}

    def after_step(self, trainer, step):
        state = trainer.model.state_dict()
        self.seen[step.iteration] = {key: state[key].numpy().astype(np.float64) for key in (KEY, STATISTIC)}


def train(path, save_dir, die_after=None, **options):
    trainer = build_trainer(load_config(str(path)), RunOptions(save_dir, resume="auto", **options))
    watch = _Watch()
    trainer.hooks.insert(0, watch)
    if die_after is not None:
        trainer.hooks.append(_DieAfter(die_after))
    try:
        trainer.run()
    except _Death:
        trainer.loader.close()
    return trainer, watch.seen


@pytest.mark.parametrize(
    ("section", "samples"),
    [
        ("swa: {start: 0.5, interval: 1}", [7, 8, 9, 10, 11, 12]),
        ("swa: {start: 0.6, interval: 3}", [9, 12]),
        ("swa: {start: 0.0, interval: 5}", [5, 10, 12]),  # the last one counts, too
        ("swa: {}", [10, 12]),  # 0.75, every epoch of two steps
        ("swa: {start: 0.99}", [12]),
    ],
)
def test_the_deployed_weights_are_the_mean_of_the_samples(config_file, tmp_path, section, samples):
    trainer, seen = train(config_file(f"{section}\n"), tmp_path)
    checkpoint = load_checkpoint(tmp_path / f"iter_{ITERS}")
    for key in (KEY, STATISTIC):
        mean = np.mean([seen[iteration][key] for iteration in samples], axis=0)
        np.testing.assert_allclose(checkpoint.weights[key], mean, rtol=1e-5, atol=1e-7)
        raw = checkpoint.arrays.get(f"raw/{key}", checkpoint.weights[key])
        np.testing.assert_array_equal(raw, trainer.model.state_dict()[key].numpy())


def test_before_its_start_the_raw_weights_are_deployed(config_file, tmp_path):
    _, seen = train(config_file("swa: {start: 0.5}\n"), tmp_path)
    early = load_checkpoint(tmp_path / "iter_6")
    np.testing.assert_array_equal(early.weights[KEY], seen[6][KEY].astype(np.float32))
    assert not [name for name in early.arrays if name.startswith(("raw/", "SwaHook/"))]


def test_the_average_is_what_is_judged(config_file, tmp_path):
    trainer, _ = train(config_file("swa: {start: 0.5, interval: 1}\n"), tmp_path, do_eval=True)
    judged = []
    evaluation = next(hook for hook in trainer.hooks if type(hook).__name__ == "EvaluationHook")
    evaluation.evaluate = lambda model: judged.append(model.state_dict()[KEY].numpy().copy()) or {"miou": 0.0}
    evaluation._figures(trainer)
    np.testing.assert_array_equal(judged[0], load_checkpoint(tmp_path / f"iter_{ITERS}").weights[KEY])


SETTINGS = {
    "swa": "swa: {start: 0.5, interval: 2}\n",
    "rules and amsgrad": "optimizer: {type: AdamW, amsgrad: true, grad_clip_norm: 1.0, decay_by_kind: {norm: 1.0e-4}, "
    "custom_cfg: [{name: 'conv_bn*', lr_mult: 0.1}, {name: depthwise_separable0, lr_mult: 0}]}\n",
    "plateau": "lr_scheduler: {type: ReduceOnPlateau, learning_rate: 0.003, patience: 0, threshold: 0.5, "
    "monitor: loss}\n",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_resumed_run_equals_the_uninterrupted_one(config_file, tmp_path, name):
    path = config_file()
    text = path.read_text()
    section = SETTINGS[name].split(":")[0]
    path.write_text("".join(line for line in text.splitlines(True) if not line.startswith(section)) + SETTINGS[name])
    train(path, tmp_path / "whole", do_eval=True)
    for die_after in (3, 7, 10):
        train(path, tmp_path / "killed", die_after, do_eval=True)
    train(path, tmp_path / "killed", do_eval=True)
    for folder in (f"iter_{ITERS}", BEST_NAME):
        one, other = load_checkpoint(tmp_path / "whole" / folder), load_checkpoint(tmp_path / "killed" / folder)
        for wanted, got in ((one.weights, other.weights), (one.arrays, other.arrays)):
            assert set(wanted) == set(got)
            assert not [key for key in wanted if not np.array_equal(wanted[key], got[key])]
    whole, killed = (read_history(tmp_path / run / HISTORY_FILE) for run in ("whole", "killed"))
    assert [{**row, "speed": 0} for row in whole] == [{**row, "speed": 0} for row in killed]
    if name == "plateau":  # nothing gets better by half: every evaluation but the first halves the rate
        assert whole[-2]["lr"] == pytest.approx(0.003 / 4)


def test_the_watched_loss_is_the_objective_on_the_validation_set(config_file, tmp_path, drawn_people):
    extra = "lr_scheduler: {type: ReduceOnPlateau, learning_rate: 0.003, monitor: loss}\n"
    path = config_file(iters=3)
    lines = [line for line in path.read_text().splitlines(True) if not line.startswith(("lr_sched", "objective"))]
    path.write_text("".join(lines) + "objective: [{type: CrossEntropyLoss}]\n" + extra)
    trainer, _ = train(path, tmp_path / "run", do_eval=True)
    shown = [row["loss"] for row in read_history(tmp_path / "run" / HISTORY_FILE) if row["kind"] == "eval"]

    import cv2

    trainer.model.eval()
    losses = []
    for line in (drawn_people / "val.txt").read_text().splitlines():
        image, mask = (cv2.imread(str(drawn_people / name)) for name in line.split())
        image, mask = cv2.resize(image, (32, 32)), cv2.resize(mask, (32, 32), interpolation=cv2.INTER_NEAREST_EXACT)
        tensor = paddle.to_tensor(((image[None, ..., ::-1] / 127.5 - 1).transpose(0, 3, 1, 2)).astype("float32"))
        logits = trainer.model(tensor)[0].numpy()[0].astype(np.float64)
        margin = (logits[1] - logits[0]) * np.where(mask[..., 0] > 0, 1, -1)
        losses.append(np.log1p(np.exp(-margin)).mean())
    assert shown[-1] == pytest.approx(np.mean(losses), rel=1e-3)


def test_an_average_that_a_resume_adds_starts_at_the_restored_weights(config_file, tmp_path):
    trained, _ = train(config_file(iters=6), tmp_path)
    resumed = build_trainer(load_config(str(config_file())), RunOptions(tmp_path, resume="auto", use_ema=True))
    deployed = resumed.checkpoint().weights
    for key, value in trained.model.state_dict().items():
        np.testing.assert_array_equal(deployed[key], value.numpy(), err_msg=key)


def test_two_averages_are_refused(config_file, tmp_path):
    config = load_config(str(config_file("swa: {start: 0.5}\n")))
    with pytest.raises(UserError, match=r"swa and ema .* only one"):
        build_trainer(config, RunOptions(tmp_path, use_ema=True))


@pytest.mark.parametrize(
    "section", ["swa: {start: 1.0}", "swa: {start: 1.5}", "swa: {begin: 0.5}", "swa: {interval: 0}"]
)
def test_sections_that_make_no_sense(config_file, tmp_path, section):
    with pytest.raises(UserError, match="swa"):
        build_trainer(load_config(str(config_file(f"{section}\n"))), RunOptions(tmp_path))


def test_a_plateau_without_evaluations_is_announced(config_file, tmp_path, caplog):
    path = config_file()
    text = path.read_text().replace("CosineAnnealingDecay", "ReduceOnPlateau")
    path.write_text(text)
    with caplog.at_level("WARNING", logger="paddle_portrait"):
        build_trainer(load_config(str(path)), RunOptions(tmp_path))
    assert "without --do_eval" in caplog.text
