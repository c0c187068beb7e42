"""``tools/train.py``: train a network that a YAML config describes."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.console import logger, run_command, setup_logging
from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    from paddle_portrait.config import Config

INTERRUPTED = 130

# Flag -> key of the config that it sets.
_OVERRIDES = {
    "iters": "iters",
    "batch_size": "batch_size",
    "learning_rate": "lr_scheduler.learning_rate",
    "save_interval": "save_interval",
    "log_iters": "log_iters",
    "num_workers": "num_workers",
    "keep_checkpoint_max": "keep_checkpoint_max",
    "early_stop_intervals": "early_stop.intervals",
    "seed": "seed",
    "precision": "precision",
    "amp_level": "amp_level",
    "data_format": "data_format",
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Train a portrait segmentation network.")
    add = parser.add_argument
    add("--config", required=True, help="YAML config")
    add("--save_dir", default=None, help="folder of checkpoints, log and curves (default: output)")
    add("--iters", type=int, help="iterations to train")
    add("--batch_size", type=int, help="images of one step, over all processes")
    add("--learning_rate", type=float, help="learning rate at the start")
    add("--save_interval", type=int, help="iterations between checkpoints and evaluations (default: 1000)")
    add("--log_iters", type=int, help="iterations between log lines (default: 10)")
    add("--num_workers", type=int, help="threads that load data; 0 loads between the steps (default: 0)")
    add("--keep_checkpoint_max", type=int, help="checkpoints to keep beside the best (default: 5)")
    add("--early_stop_intervals", type=int, help="evaluations without a better mIoU after which to stop")
    add("--seed", type=int, help="seed of all randomness (default: 0)")
    add("--do_eval", action="store_true", help="evaluate at every save, and keep the best model")
    add("--use_vdl", action="store_true", help="write curves and sample pictures for VisualDL")
    add("--use_ema", action="store_true", help="average the weights; evaluate and keep the average")
    add("--resume_model", metavar="DIR|auto", help="continue from a checkpoint; auto: the newest good one in save_dir")
    add("--device", help="cpu, gpu, gpu:N (default: a GPU where Paddle drives one, else the CPU)")
    add("--precision", choices=["fp32", "fp16", "bf16"], help="mixed precision needs a GPU (default: fp32)")
    add("--amp_level", choices=["O1", "O2"], help="O1: operators of a list, O2: the whole network (default: O1)")
    add("--data_format", choices=["NCHW", "NHWC"], help="memory layout; only NCHW can be trained")
    add("--profiler_options", help="profile some iterations, such as 'batch_range=[10,20];profile_path=profile'")
    add("--nproc", type=int, default=1, help="processes to train in, on this machine (default: 1)")
    add("--print_config", action="store_true", help="print the config with the source of each value, and stop")
    add("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _train(arguments, list(sys.argv[1:] if argv is None else argv)))


def _train(arguments: argparse.Namespace, command: list[str]) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.engine import distributed

    overrides = {key: getattr(arguments, flag) for flag, key in _OVERRIDES.items()}
    config = load_config(arguments.config, arguments.opts, overrides)
    if arguments.print_config:
        print(config.dump_with_sources())
        return 0
    config.require("train")
    if config.setting("data_format", "NCHW") != "NCHW":
        raise UserError("data_format NHWC cannot be trained: the networks and CPU kernels are written for NCHW.")
    save_dir = Path(arguments.save_dir or config.get("train.save_dir", "output"))
    if save_dir.exists() and not save_dir.is_dir():
        raise UserError(f"--save_dir {save_dir} is a file. Name a folder; nothing was deleted.")
    if arguments.nproc > 1 and distributed.world_size() == 1:
        return _relaunch(arguments.nproc, command, save_dir)
    return _run(arguments, config, save_dir)


def _relaunch(processes: int, command: list[str], save_dir: Path) -> int:
    from paddle_portrait.engine import distributed

    return distributed.relaunch([str(Path(__file__).resolve()), *command], processes, str(save_dir / "workers"))


def _run(arguments: argparse.Namespace, config: Config, save_dir: Path) -> int:
    from paddle_portrait.engine import distributed
    from paddle_portrait.engine.build import RunOptions
    from paddle_portrait.engine.environment import choose_device
    from paddle_portrait.engine.stages import train

    choose_device(arguments.device, config.get("global.device"))
    distributed.start()
    main_process = distributed.is_main()
    setup_logging(save_dir / "train.log" if main_process else None, logging.INFO if main_process else logging.WARNING)
    logger.info("command: %s", " ".join(sys.argv))
    logger.info("config:\n%s", config.dump_with_sources())
    options = RunOptions(
        save_dir=save_dir,
        do_eval=arguments.do_eval or bool(config.get("train.do_eval")),
        use_vdl=arguments.use_vdl or bool(config.get("train.use_vdl")),
        use_ema=arguments.use_ema or bool(config.get("train.use_ema")),
        resume=arguments.resume_model or config.get("train.resume_model"),
        profiler_options=arguments.profiler_options or config.get("train.profiler_options"),
    )
    return INTERRUPTED if train(config, options).stopped_by_signal else 0


if __name__ == "__main__":
    sys.exit(main())
