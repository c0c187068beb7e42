"""A few training steps under the clock, for ``tools/train.py --nproc auto``: nothing is kept but their time.

    python train_trial.py RESULT.json FLAGS OF tools/train.py…

The flags' weights and overrides hold; of a training in stages the first one is tried.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from paddle_portrait.cli.train_flags import OVERRIDES, build_parser
from paddle_portrait.console import run_command
from paddle_portrait.engine.layouts import TRIAL_STEPS, WARM_UP_STEPS


def main(result: Path, flags: list[str]) -> int:
    """Run the steps; the first process writes the result. Return the exit code."""
    return run_command(lambda: _try(result, flags))


def _try(result: Path, flags: list[str]) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.engine import distributed
    from paddle_portrait.engine.build import RunOptions, build_trainer
    from paddle_portrait.engine.environment import choose_device
    from paddle_portrait.engine.hooks import Hook
    from paddle_portrait.engine.trainer import Step, Trainer
    from paddle_portrait.zoo import config_for

    class Stopwatch(Hook):
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def after_step(self, trainer: Trainer, step: Step) -> None:
            self.seconds.append(step.seconds)

    arguments = build_parser().parse_args(flags)
    overrides = {key: getattr(arguments, flag) for flag, key in OVERRIDES.items()}
    config = load_config(config_for(arguments.config, arguments.model_path), arguments.opts, overrides)
    choose_device(arguments.device, config.get("global.device"))
    distributed.start()
    stage = (config.get("stages") or [{}])[0]
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(
            Path(folder),
            freeze=tuple(stage.get("freeze") or ()),
            quantise=stage.get("quantise"),
            length={"iters": TRIAL_STEPS},
            weights=arguments.model_path,
        )
        trainer = build_trainer(config.for_stage(0) if stage else config, options)
        stopwatch = Stopwatch()
        trainer.hooks = [stopwatch]
        trainer.run()
    if distributed.is_main():
        median = statistics.median(stopwatch.seconds[WARM_UP_STEPS:])
        result.write_text(json.dumps({"seconds_a_step": median}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
