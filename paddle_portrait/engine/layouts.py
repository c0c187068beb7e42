"""``--nproc auto``: in how many processes, of how many threads each, this machine trains a config quickest."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paddle_portrait.console import logger, track
from paddle_portrait.engine.distributed import launch_command, run_within
from paddle_portrait.errors import UserError

LEAST_IMAGES = 4
"""Images a process must have: batch norm's statistics over fewer are too noisy to choose them unasked."""

TRIAL_STEPS, WARM_UP_STEPS = 12, 4
_TRIAL_SECONDS = 900


@dataclass(frozen=True)
class Layout:
    """How a training is spread over the cores.

    Attributes:
        processes: that share each batch.
        threads: of each process.
    """

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads} threads"


def layouts(batch_size: int, cores: int) -> list[Layout]:
    """Return what is worth trying: process counts that divide the batch, with all cores used, or one thread each."""
    counts = [
        count
        for count in range(1, cores + 1)
        if batch_size % count == 0 and (count == 1 or batch_size // count >= LEAST_IMAGES)
    ]
    return [Layout(count, threads) for count in counts for threads in sorted({1, cores // count})]


def quickest_layout(flags: Sequence[str], batch_size: int) -> Layout:
    """Train a few steps in every layout and return the one with most images a second.

    Args:
        flags: of ``tools/train.py``; config, weights and overrides are taken from them.
        batch_size: images of one step, over all processes.

    Raises:
        UserError: not one layout could be tried; the message has what the first one said.
    """
    choices = layouts(batch_size, os.cpu_count() or 1)
    speeds: dict[Layout, float] = {}
    told = ""
    for layout in track(choices, "--nproc auto", unit="trial"):
        try:
            speeds[layout] = batch_size / seconds_a_step(flags, layout)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            reason = str(getattr(error, "stderr", None) or error).strip()
            logger.warning("--nproc auto: %s cannot be tried: %s", layout, reason.splitlines()[-1])
            told = told or reason
    if not speeds:
        raise UserError(f"--nproc auto: no trial of {TRIAL_STEPS} steps succeeded. The first one said:\n{told[-2000:]}")
    best = max(speeds, key=lambda layout: speeds[layout])
    for layout, speed in speeds.items():
        logger.info("--nproc auto: %s: %.1f images a second%s", layout, speed, " (taken)" if layout == best else "")
    return best


def seconds_a_step(flags: Sequence[str], layout: Layout) -> float:
    """Return the median time of a training step in a layout, measured in processes of their own.

    Raises:
        subprocess.SubprocessError: the trial failed or took a quarter of an hour.
        ValueError, OSError: it left no result.
    """
    script = Path(__file__).resolve().parents[1] / "cli" / "train_trial.py"
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "seconds.json"
        command, environment = launch_command(
            [str(script), str(result), *flags], layout.processes, str(Path(folder) / "workers"), layout.threads
        )
        run_within(_TRIAL_SECONDS, command, environment)
        return float(json.loads(result.read_text(encoding="utf-8"))["seconds_a_step"])


def run_in(layout: Layout, script: Sequence[str], log_dir: str) -> int:
    """Run ``python script…`` in a layout; return its exit code."""
    command, environment = launch_command(script, layout.processes, log_dir, layout.threads)
    return subprocess.call(command, env=environment)
