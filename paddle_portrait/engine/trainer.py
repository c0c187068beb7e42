"""The training loop. Everything around it hangs on hooks; everything that decides the next step is state."""

from __future__ import annotations

import math
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.console import logger
from paddle_portrait.data.batch import Batch
from paddle_portrait.data.loader import BatchLoader
from paddle_portrait.engine import distributed
from paddle_portrait.engine.checkpoint import Checkpoint
from paddle_portrait.engine.hooks.base import Hook
from paddle_portrait.engine.precision import Precision
from paddle_portrait.engine.schedules import Schedule
from paddle_portrait.errors import UserError
from paddle_portrait.models.channels import channel_widths

STOP_SIGNALS = ("SIGINT", "SIGTERM")

ObjectiveFunction = Callable[[Callable[..., Any], Batch], tuple[paddle.Tensor, dict[str, paddle.Tensor]]]


class NonFiniteLossError(UserError):
    """The loss became NaN or infinite; the message names the batch."""


@dataclass(frozen=True)
class Step:
    """What one iteration did.

    Attributes:
        iteration: number of iterations done, this one included.
        loss: total loss of this process's share of the batch.
        parts: unweighted value of each loss term.
        learning_rate: rate with which the weights were updated.
        batch: the images and labels it saw.
        reader_seconds: time spent waiting for the batch.
        seconds: time of the whole iteration.
    """

    iteration: int
    loss: float
    parts: dict[str, float]
    learning_rate: float
    batch: Batch
    reader_seconds: float
    seconds: float


class Trainer:
    """Trains a network for a number of iterations.

    All randomness of iteration k is drawn from (seed, k, process), and the schedule is a function of k, so a
    run that is resumed from a checkpoint continues bit for bit on the CPU.

    Args:
        model: the network.
        objective: called with (network, batch), returns the total loss and each term's value.
        optimizer: Paddle optimizer over the network's parameters.
        schedule: learning rate by iteration.
        loader: endless batches, a function of the iteration.
        total_iterations: length of the run.
        hooks: called in order before the run, after each step and after the run.
        seed: seed of all randomness in the network.
        precision: mixed precision; default is plain float32.
        frozen_layers: layers that stay in evaluation mode.
    """

    def __init__(
        self,
        model: nn.Layer,
        objective: ObjectiveFunction,
        optimizer: paddle.optimizer.Optimizer,
        schedule: Schedule,
        loader: BatchLoader,
        total_iterations: int,
        hooks: Sequence[Hook] = (),
        seed: int = 0,
        precision: Precision | None = None,
        frozen_layers: Sequence[nn.Layer] = (),
    ) -> None:
        self.model = model
        self.objective = objective
        self.optimizer = optimizer
        self.schedule = schedule
        self.loader = loader
        self.total_iterations = total_iterations
        self.hooks = list(hooks)
        self.seed = seed
        self.precision = precision or Precision()
        self.frozen_layers = list(frozen_layers)
        self.iteration = 0
        self.stop_reason: str | None = None
        self._network = paddle.DataParallel(model) if distributed.world_size() > 1 else model

    def run(self) -> None:
        """Train from the current iteration to the end, or until a hook, Ctrl-C or SIGTERM stops the run."""
        self.loader.start_iteration = self.iteration
        for hook in self.hooks:
            hook.before_run(self)
        with self._stop_on_signals():
            batches = iter(self.loader)
            while self.iteration < self.total_iterations and not self._should_stop():
                step = self._step(batches)
                for hook in self.hooks:
                    hook.after_step(self, step)
        self.loader.close()
        for hook in self.hooks:
            hook.after_run(self)

    def stop(self, reason: str) -> None:
        """End the run after the current iteration."""
        self.stop_reason = self.stop_reason or reason

    @property
    def stopped_by_signal(self) -> bool:
        """Whether Ctrl-C or SIGTERM ended the run."""
        return self.stop_reason in STOP_SIGNALS

    def _should_stop(self) -> bool:
        if distributed.any_process(self.stop_reason is not None):
            self.stop("another process stopped")
            return True
        return False

    def _step(self, batches: Iterator[Batch]) -> Step:
        started = time.perf_counter()
        batch = next(batches).to_tensors()
        loaded = time.perf_counter()
        seed_iteration(self.seed, self.iteration, distributed.rank())
        learning_rate = self.schedule.rate(self.iteration)
        self.optimizer.set_lr(learning_rate)
        self._enter_training_mode()
        with self.precision.context():
            loss, parts = self.objective(self._network, batch)
        value = float(loss.item())
        if not math.isfinite(value):
            raise NonFiniteLossError(self._describe_non_finite(batch, value, parts))
        self.precision.update(loss, self.optimizer)
        self.iteration += 1
        return Step(
            iteration=self.iteration,
            loss=value,
            parts={name: float(part.item()) for name, part in parts.items()},
            learning_rate=learning_rate,
            batch=batch,
            reader_seconds=loaded - started,
            seconds=time.perf_counter() - started,
        )

    def _enter_training_mode(self) -> None:
        self.model.train()
        for layer in self.frozen_layers:
            layer.eval()

    def _describe_non_finite(self, batch: Batch, value: float, parts: dict[str, paddle.Tensor]) -> str:
        terms = ", ".join(f"{name} {float(part.item()):g}" for name, part in parts.items())
        return (
            f"the loss became {value} at iteration {self.iteration + 1} ({terms}); the weights were not updated. "
            f"The batch: {', '.join(batch.paths)}. Look at these images and masks, lower lr_scheduler.learning_rate, "
            "or set optimizer.grad_clip_norm; then resume with --resume_model auto."
        )

    @contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end the run after the current iteration; a second Ctrl-C ends it at once."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self.stop_reason is not None:
                raise KeyboardInterrupt
            self.stop(signal.Signals(number).name)
            logger.info("%s: finishing the iteration and saving", signal.Signals(number).name)

        previous = {signal.Signals[name]: signal.signal(signal.Signals[name], on_signal) for name in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def checkpoint(self) -> Checkpoint:
        """Return everything that decides the next step.

        The weights are those to deploy: a hook that averages weights puts the average in their place and
        keeps the raw ones among the arrays.
        """
        weights = {name: value.numpy() for name, value in self.model.state_dict().items()}
        arrays = {f"optimizer/{name}": value for name, value in optimizer_arrays(self.model, self.optimizer).items()}
        for hook in self.hooks:
            arrays.update({f"{hook.name}/{name}": value for name, value in hook.arrays().items()})
            weights = hook.deployed_weights(weights)
        arrays.update({f"raw/{name}": value for name, value in self._raw_weights(weights).items()})
        state = {
            "iteration": self.iteration,
            "seed": self.seed,
            "schedule": self.schedule.state_dict(),
            "precision": self.precision.state_dict(),
            "hooks": {hook.name: hook.state_dict() for hook in self.hooks},
        }
        return Checkpoint(weights, arrays, state, channel_widths(self.model))

    def _raw_weights(self, deployed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        current = {name: value.numpy() for name, value in self.model.state_dict().items()}
        return {name: value for name, value in current.items() if not np.array_equal(value, deployed[name])}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from ``checkpoint``, which :meth:`checkpoint` of a run of the same config gave.

        Raises:
            UserError: the checkpoint belongs to another network.
        """
        weights = {**checkpoint.weights, **_under(checkpoint.arrays, "raw/")}
        own = self.model.state_dict()
        if set(weights) != set(own):
            different = sorted(set(weights) ^ set(own))
            raise UserError(
                f"the checkpoint belongs to another network: {len(different)} keys differ, first {different[0]}. "
                "Resume with the config that started the run, or start anew with model.pretrained."
            )
        self.model.set_state_dict({name: paddle.to_tensor(array) for name, array in weights.items()})
        restore_optimizer(self.model, self.optimizer, _under(checkpoint.arrays, "optimizer/"))
        state = checkpoint.state
        self.iteration = int(state["iteration"])
        self.schedule.load_state_dict(state["schedule"])
        self.precision.load_state_dict(state["precision"])
        for hook in self.hooks:
            hook.load_state_dict(state["hooks"].get(hook.name, {}), _under(checkpoint.arrays, f"{hook.name}/"))


def seed_iteration(seed: int, iteration: int, process: int) -> None:
    """Seed Paddle, NumPy and Python from (seed, iteration, process): no generator's state needs saving."""
    mixed = int(np.random.SeedSequence([seed, iteration, process]).generate_state(1)[0])
    paddle.seed(mixed)
    np.random.seed(mixed)
    random.seed(mixed)


def optimizer_arrays(model: nn.Layer, optimizer: paddle.optimizer.Optimizer) -> dict[str, np.ndarray]:
    """Return the optimizer's slots as arrays, named ``<parameter's key>@<slot>``.

    Paddle names slots after a counter of all layers ever built in the process; keys survive the process.
    """
    keys = {parameter.name: key for key, parameter in model.named_parameters()}
    arrays: dict[str, np.ndarray] = {}
    for name, value in optimizer.state_dict().items():
        owner = next((parameter for parameter in keys if name.startswith(f"{parameter}_")), None)
        if owner is not None:
            arrays[f"{keys[owner]}@{name[len(owner) + 1 :]}"] = value.numpy()
    return arrays


def restore_optimizer(model: nn.Layer, optimizer: paddle.optimizer.Optimizer, arrays: dict[str, np.ndarray]) -> None:
    """Put back what :func:`optimizer_arrays` gave."""
    names = {key: parameter.name for key, parameter in model.named_parameters()}
    state: dict[str, paddle.Tensor] = {}
    for name, value in arrays.items():
        key, slot = name.rsplit("@", 1)
        tensor = paddle.to_tensor(value)
        tensor.name = f"{names[key]}_{slot}"
        state[tensor.name] = tensor
    if state:
        optimizer.set_state_dict(state)


def _under(arrays: Any, prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}
