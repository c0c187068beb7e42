"""Schedules equal Paddle's own, and are functions of the step."""

import paddle
import pytest

from paddle_portrait.engine.schedules import build_schedule
from paddle_portrait.errors import UserError
from paddle_portrait.registry import SCHEDULES

CASES = {
    "ConstantRate": ({"learning_rate": 0.1}, lambda: None),
    "PolynomialDecay": (
        {"learning_rate": 0.1, "end_lr": 0.001, "power": 0.9},
        lambda: paddle.optimizer.lr.PolynomialDecay(0.1, decay_steps=20, end_lr=0.001, power=0.9),
    ),
    "CosineAnnealingDecay": (
        {"learning_rate": 0.1, "eta_min": 0.01},
        lambda: paddle.optimizer.lr.CosineAnnealingDecay(0.1, T_max=20, eta_min=0.01),
    ),
    "StepDecay": (
        {"learning_rate": 0.1, "step_size": 6, "gamma": 0.5},
        lambda: paddle.optimizer.lr.StepDecay(0.1, step_size=6, gamma=0.5),
    ),
    "MultiStepDecay": (
        {"learning_rate": 0.1, "milestones": [4, 9], "gamma": 0.3},
        lambda: paddle.optimizer.lr.MultiStepDecay(0.1, milestones=[4, 9], gamma=0.3),
    ),
    "ReduceOnPlateau": ({"learning_rate": 0.1}, lambda: None),
}


def test_every_schedule_has_a_case():
    assert set(CASES) == set(SCHEDULES.own_names())


@pytest.mark.parametrize("name", CASES)
def test_rates_equal_paddles(name):
    arguments, make_paddles = CASES[name]
    schedule, theirs = build_schedule({"type": name, **arguments}, total_steps=20), make_paddles()
    for step in range(20):
        expected = theirs() if theirs else 0.1
        assert schedule.rate(step) == pytest.approx(expected, rel=1e-9, abs=1e-12), step
        if theirs:
            theirs.step()


def test_warm_up_rises_to_the_schedule_and_shortens_it():
    node = {"type": "PolynomialDecay", "learning_rate": 1.0, "power": 1.0, "warmup_iters": 5, "warmup_start_lr": 0.5}
    schedule = build_schedule(node, total_steps=15)
    assert [schedule.rate(step) for step in (0, 1, 5, 10, 15)] == pytest.approx([0.5, 0.6, 1.0, 0.5, 0.0])


def test_plateau_lowers_the_rate_after_patience_and_survives_a_resume():
    node = {"type": "ReduceOnPlateau", "learning_rate": 0.8, "factor": 0.5, "patience": 1, "min_lr": 0.3}
    schedule = build_schedule(node, 100)
    rates = []
    for index, score in enumerate([0.5, 0.6, 0.6, 0.55, 0.6, 0.5, 0.7, 0.1, 0.1]):
        if index == 3:  # continued by another process
            state = schedule.state_dict()
            schedule = build_schedule(node, 100)
            schedule.load_state_dict(state)
        schedule.observe(score)
        rates.append(schedule.rate(index))
    assert rates == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.3, 0.3, 0.3, 0.3])


def test_plateau_on_a_loss_waits_for_smaller_values():
    schedule = build_schedule({"type": "ReduceOnPlateau", "learning_rate": 1.0, "mode": "min", "patience": 0}, 100)
    for loss in (0.9, 0.8, 0.7):
        schedule.observe(loss)
    assert schedule.rate(3) == 1.0
    schedule.observe(0.75)
    assert schedule.rate(4) == 0.5


def test_a_negative_rate_is_refused():
    with pytest.raises(UserError, match=r"learning_rate must be 0 or more, not -0\.1"):
        build_schedule({"type": "ConstantRate", "learning_rate": -0.1}, 10)


def test_plateau_watches_a_loss_downwards_and_scores_upwards():
    def rate_after(scores, **arguments):
        schedule = build_schedule({"type": "ReduceOnPlateau", "learning_rate": 1.0, "patience": 0, **arguments}, 100)
        for score in scores:
            schedule.observe(score)
        return schedule.rate(0)

    falling = [0.9, 0.8, 0.7]
    assert rate_after(falling, monitor="loss") == 1.0
    assert rate_after(falling, monitor="miou") == 0.25
    assert rate_after(falling, monitor="boundary_iou", mode="min") == 1.0


def test_epochs_for_steps_is_portrait_nets_decay():
    node = {"type": "StepDecay", "learning_rate": 0.001, "step_size": 20, "gamma": 0.95, "by_epoch": True}
    schedule = build_schedule(node, total_steps=39 * 100, steps_per_epoch=39)
    for epoch in range(100):
        for step in (39 * epoch, 39 * epoch + 38):
            assert schedule.rate(step) == pytest.approx(0.001 * 0.95 ** (epoch // 20), rel=1e-12)


def test_by_epoch_the_length_of_a_schedule_is_in_epochs_and_the_warm_up_in_steps():
    node = {"type": "PolynomialDecay", "learning_rate": 1.0, "power": 1.0, "by_epoch": True, "warmup_iters": 4}
    schedule = build_schedule(node, total_steps=24, steps_per_epoch=5)
    assert [schedule.rate(step) for step in (2, 4, 8, 9, 23)] == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.25])


def test_wrapped_plateaus_are_observed_and_restored():
    node = {"type": "ReduceOnPlateau", "learning_rate": 1.0, "patience": 0, "monitor": "loss", "by_epoch": True}
    schedule = build_schedule({**node, "warmup_iters": 2}, 100, 10)
    assert schedule.monitor == "loss"
    schedule.observe(0.5)
    schedule.observe(0.5)
    again = build_schedule({**node, "warmup_iters": 2}, 100, 10)
    again.load_state_dict(schedule.state_dict())
    assert again.rate(50) == 0.5
