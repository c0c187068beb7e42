"""Learning-rate schedules: pure functions of the step, so that a resume has nothing to restore.

Only :class:`ReduceOnPlateau` remembers something, and gives it as a state dict. Names and arguments are
Paddle's, as PaddleSeg's configs use them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from paddle_portrait.errors import UserError
from paddle_portrait.registry import SCHEDULES


class Schedule:
    """A learning rate by step.

    Attributes:
        learning_rate: the rate at which the schedule starts.
        monitor: figure of the evaluations that :meth:`observe` wants; None wants nothing.
    """

    monitor: str | None = None

    def __init__(self, learning_rate: float) -> None:
        if not learning_rate >= 0:
            raise UserError(f"lr_scheduler.learning_rate must be 0 or more, not {learning_rate}.")
        self.learning_rate = learning_rate

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        raise NotImplementedError

    def observe(self, score: float) -> None:
        """Take note of the figure ``monitor`` of an evaluation. Most schedules do not care."""

    def state_dict(self) -> dict[str, Any]:
        """Return what :meth:`observe` has changed, JSON-able."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave."""


@SCHEDULES.register()
class ConstantRate(Schedule):
    """The same rate at every step."""

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        return self.learning_rate


@SCHEDULES.register()
class PolynomialDecay(Schedule):
    """(lr − end_lr)·(1 − step/decay_steps)^power + end_lr; ``decay_steps`` defaults to the run's length."""

    def __init__(
        self, learning_rate: float, decay_steps: int | None = None, end_lr: float = 0.0, power: float = 0.9
    ) -> None:
        super().__init__(learning_rate)
        self.decay_steps, self.end_lr, self.power = decay_steps or 1, end_lr, power

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        left = 1.0 - min(step, self.decay_steps) / self.decay_steps
        return (self.learning_rate - self.end_lr) * left**self.power + self.end_lr


@SCHEDULES.register()
class CosineAnnealingDecay(Schedule):
    """Half a cosine from lr to ``eta_min`` over ``T_max`` steps (default: the run's length), then flat.

    Source: SGDR, Loshchilov and Hutter 2017, without restarts.
    """

    def __init__(self, learning_rate: float, T_max: int | None = None, eta_min: float = 0.0) -> None:
        super().__init__(learning_rate)
        self.T_max, self.eta_min = T_max or 1, eta_min

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        share = min(step, self.T_max) / self.T_max
        return self.eta_min + (self.learning_rate - self.eta_min) * (1.0 + math.cos(math.pi * share)) / 2.0


@SCHEDULES.register()
class StepDecay(Schedule):
    """lr·gamma^(step // step_size)."""

    def __init__(self, learning_rate: float, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(learning_rate)
        self.step_size, self.gamma = step_size, gamma

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        return self.learning_rate * self.gamma ** (step // self.step_size)


@SCHEDULES.register()
class MultiStepDecay(Schedule):
    """lr·gamma^(number of milestones reached)."""

    def __init__(self, learning_rate: float, milestones: Sequence[int], gamma: float = 0.1) -> None:
        super().__init__(learning_rate)
        self.milestones, self.gamma = tuple(milestones), gamma

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        return self.learning_rate * self.gamma ** sum(step >= milestone for milestone in self.milestones)


@SCHEDULES.register("ReduceOnPlateau")
class ReduceOnPlateau(Schedule):
    """Multiplies the rate by ``factor`` after ``patience`` evaluations in a row without a better score.

    Args:
        learning_rate: the rate to start with.
        mode: ``"max"`` where a greater score is better, ``"min"`` where a smaller one is; None is ``"min"`` for a
            loss and ``"max"`` for the others.
        factor: what a plateau multiplies the rate with.
        patience: evaluations without a better score that are borne; the next one lowers the rate. Keras lowers it at
            the last of ``patience``: its 5 is 4 here, as in Paddle and PyTorch.
        threshold: by how much a score must be better to count.
        min_lr: the rate never falls below.
        monitor: figure that is watched: ``loss``, the objective on the validation set, or one of the evaluation's.
    """

    def __init__(
        self,
        learning_rate: float,
        mode: Literal["min", "max"] | None = None,
        factor: float = 0.5,
        patience: int = 10,
        threshold: float = 1e-4,
        min_lr: float = 0.0,
        monitor: Literal["miou", "person_iou", "person_iou_mean", "boundary_iou", "pixel_accuracy", "loss"] = "miou",
    ) -> None:
        super().__init__(learning_rate)
        self.monitor = monitor
        self.mode = mode or ("min" if monitor == "loss" else "max")
        self.factor, self.patience = factor, patience
        self.threshold, self.min_lr = threshold, min_lr
        self._state: dict[str, Any] = {"rate": learning_rate, "best": None, "bad": 0}

    def rate(self, step: int) -> float:
        """Return the current learning rate."""
        return float(self._state["rate"])

    def observe(self, score: float) -> None:
        """Count a validation score, and lower the rate when patience ends."""
        score = score if self.mode == "max" else -score
        best = self._state["best"]
        if best is None or score > best + self.threshold:
            self._state.update(best=score, bad=0)
            return
        self._state["bad"] += 1
        if self._state["bad"] > self.patience:
            self._state.update(rate=max(self._state["rate"] * self.factor, self.min_lr), bad=0)

    def state_dict(self) -> dict[str, Any]:
        """Return rate, best score and patience used."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave."""
        self._state = dict(state)


class Wrapped(Schedule):
    """A schedule around another, ``after``, which does the observing."""

    def __init__(self, after: Schedule) -> None:
        super().__init__(after.learning_rate)
        self.after, self.monitor = after, after.monitor

    def observe(self, score: float) -> None:
        """Pass a validation score on."""
        self.after.observe(score)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule within."""
        return self.after.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave."""
        self.after.load_state_dict(state)


class LinearWarmup(Wrapped):
    """Rises linearly from ``start_lr`` over the first ``steps`` steps, then follows ``after`` from its step 0."""

    def __init__(self, after: Schedule, steps: int, start_lr: float) -> None:
        super().__init__(after)
        self.steps, self.start_lr = steps, start_lr

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        if step < self.steps:
            return self.start_lr + (self.after.learning_rate - self.start_lr) * step / self.steps
        return self.after.rate(step - self.steps)


class ByEpoch(Wrapped):
    """Follows ``after`` with epochs for steps: the rate changes from epoch to epoch only."""

    def __init__(self, after: Schedule, steps_per_epoch: int) -> None:
        super().__init__(after)
        self.steps_per_epoch = steps_per_epoch

    def rate(self, step: int) -> float:
        """Return the learning rate of the 0-based ``step``."""
        return self.after.rate(step // self.steps_per_epoch)


def build_schedule(node: Mapping[str, Any], total_steps: int, steps_per_epoch: int = 1) -> Schedule:
    """Build the schedule of a config's ``lr_scheduler`` section for a run of ``total_steps`` steps.

    ``warmup_iters`` and ``warmup_start_lr`` put a linear warm-up before any schedule; a schedule without a
    length of its own (``decay_steps``, ``T_max``) ends with the run. With ``by_epoch`` all lengths are epochs, but for
    the warm-up's.
    """
    reserved = ("type", "warmup_iters", "warmup_start_lr", "by_epoch")
    arguments = {key: value for key, value in node.items() if key not in reserved}
    by_epoch, warmup = bool(node.get("by_epoch", False)), int(node.get("warmup_iters", 0))
    length = max(1, (total_steps - warmup) // (steps_per_epoch if by_epoch else 1))
    accepted = inspect.signature(SCHEDULES.get(node["type"])).parameters
    for key in ("decay_steps", "T_max"):
        if key in accepted and arguments.get(key) is None:
            arguments[key] = length
    schedule = SCHEDULES.build(node["type"], **arguments)
    if by_epoch:
        schedule = ByEpoch(schedule, steps_per_epoch)
    return LinearWarmup(schedule, warmup, float(node.get("warmup_start_lr", 0.0))) if warmup else schedule
