"""``tools/train.py``: train a network that a YAML config describes."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paddle_portrait.cli.train_flags import AUTO, OVERRIDES, build_parser
from paddle_portrait.console import logger, run_command, setup_logging
from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    from paddle_portrait.config import Config

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _train(arguments, list(sys.argv[1:] if argv is None else argv)))


def _train(arguments: argparse.Namespace, command: list[str]) -> int:
    from paddle_portrait.config import load_config
    from paddle_portrait.engine import distributed
    from paddle_portrait.engine.run_folder import check_folder
    from paddle_portrait.zoo import config_for

    overrides = {key: getattr(arguments, flag) for flag, key in OVERRIDES.items()}
    config = load_config(config_for(arguments.config, arguments.model_path), arguments.opts, overrides)
    if arguments.print_config:
        print(config.dump_with_sources())
        return 0
    config.require("train")
    if config.setting("data_format", "NCHW") != "NCHW":
        raise UserError("data_format NHWC cannot be trained: the networks and CPU kernels are written for NCHW.")
    save_dir = Path(arguments.save_dir or config.get("train.save_dir", "output"))
    if distributed.is_main():  # before any process joins the others, and so before one of them writes
        resume = arguments.resume_model or config.get("train.resume_model")
        check_folder(save_dir, resume, [str(stage["name"]) for stage in config.get("stages") or []])
    if distributed.world_size() == 1 and arguments.nproc == AUTO:
        return _relaunch_quickest(arguments, config, command, save_dir)
    if distributed.world_size() == 1 and arguments.nproc > 1:
        script = [str(Path(__file__).resolve()), *command]
        return distributed.relaunch(script, arguments.nproc, str(save_dir / "workers"))
    return _run(arguments, config, save_dir)


def _relaunch_quickest(arguments: argparse.Namespace, config: Config, command: list[str], save_dir: Path) -> int:
    from paddle_portrait.engine.layouts import quickest_layout, run_in

    if arguments.resume_model or config.get("train.resume_model"):
        raise UserError(
            "--nproc auto would resume with whatever is quickest now, and only the number of processes that began a "
            "run continues it exactly. Give that number; the run's train.log has it."
        )
    if (arguments.device or "cpu").split(":")[0] != "cpu":
        raise UserError(f"--nproc auto measures CPUs, not --device {arguments.device}. Give the number of processes.")
    setup_logging(None, logging.INFO)
    layout = quickest_layout(command, int(config["batch_size"]))
    script = [str(Path(__file__).resolve()), *command, "--nproc", str(layout.processes)]
    return run_in(layout, script, str(save_dir / "workers"))


def _run(arguments: argparse.Namespace, config: Config, save_dir: Path) -> int:
    from paddle_portrait.engine import distributed
    from paddle_portrait.engine.build import CONFIG_FILE, RunOptions
    from paddle_portrait.engine.environment import choose_device
    from paddle_portrait.engine.stages import train

    choose_device(arguments.device, config.get("global.device"))
    distributed.start()
    main_process = distributed.is_main()
    setup_logging(save_dir / "train.log" if main_process else None, logging.INFO if main_process else logging.WARNING)
    logger.info("command: %s", " ".join(sys.argv))
    if main_process:
        (save_dir / CONFIG_FILE).write_text(config.dump_with_sources(), encoding="utf-8")
        logger.info("config: %s; with all it builds on: %s", config.path, save_dir / CONFIG_FILE)
    options = RunOptions(
        save_dir=save_dir,
        do_eval=arguments.do_eval or bool(config.get("train.do_eval")),
        use_vdl=arguments.use_vdl or bool(config.get("train.use_vdl")),
        use_ema=arguments.use_ema or bool(config.get("train.use_ema")),
        resume=arguments.resume_model or config.get("train.resume_model"),
        profiler_options=arguments.profiler_options or config.get("train.profiler_options"),
        weights=arguments.model_path,
    )
    return INTERRUPTED if train(config, options).stopped_by_signal else 0


if __name__ == "__main__":
    sys.exit(main())
