"""Trainings of several stages in one config; each has a folder of its own and resumes exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from paddle_portrait.config import Config
from paddle_portrait.console import logger
from paddle_portrait.engine.build import RunOptions, build_trainer
from paddle_portrait.engine.checkpoint import BEST_NAME, find_last_good
from paddle_portrait.engine.trainer import Trainer
from paddle_portrait.errors import UserError


def train(config: Config, options: RunOptions) -> Trainer:
    """Run the training that ``config`` describes, all its stages where it has any; return the last trainer.

    Raises:
        UserError: the config, the data or a checkpoint is wrong.
    """
    config.require("train")
    stages = config.get("stages") or []
    if not stages:
        trainer = build_trainer(config, options)
        trainer.run()
        return trainer
    previous: Path | None = None
    for index, stage in enumerate(stages):
        logger.info("stage %d of %d: %s", index + 1, len(stages), stage["name"])
        stage_options = _stage_options(options, stage, previous)
        trainer = build_trainer(config.for_stage(index), stage_options)
        trainer.run()
        if trainer.stopped_by_signal:
            break
        previous = stage_options.save_dir
    return trainer


def _stage_options(options: RunOptions, stage: Mapping[str, Any], previous: Path | None) -> RunOptions:
    length = {key: int(stage[key]) for key in ("iters", "epochs") if stage.get(key) is not None}
    if len(length) == 2:
        raise UserError(f"stage '{stage['name']}' has both iters and epochs. Give one.")
    if options.resume not in (None, "auto"):
        raise UserError("a training of several stages resumes with --resume_model auto, which finds the right stage.")
    return replace(
        options,
        save_dir=options.save_dir / str(stage["name"]),
        freeze=tuple(stage.get("freeze") or ()),
        quantise=stage.get("quantise"),
        prune=stage.get("prune"),
        length=length or None,
        weights=_start_weights(stage, previous) or options.weights,
    )


def _start_weights(stage: Mapping[str, Any], previous: Path | None) -> str | None:
    """Return the weights that a stage starts from: the previous stage's best or last ones, or a file's."""
    source = str(stage.get("start_from") or "last")
    if source not in ("best", "last"):
        return source
    if previous is None:
        return None
    directory = previous / BEST_NAME if source == "best" else find_last_good(previous)
    if directory is None or not directory.is_dir():
        raise UserError(f"stage '{stage['name']}' starts from the {source} model of '{previous}', which has none.")
    return str(directory)
