"""From a checked config to a trainer that is ready to run."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.config import Config
from paddle_portrait.console import logger
from paddle_portrait.data.checks import cheap_checks
from paddle_portrait.data.datasets.foreign import as_dataset
from paddle_portrait.data.loader import BatchLoader, EvalLoader
from paddle_portrait.engine import distributed
from paddle_portrait.engine.checkpoint import Checkpoint, find_last_good, load_checkpoint, load_weights
from paddle_portrait.engine.environment import describe_environment, warn_of_differences
from paddle_portrait.engine.evaluator import evaluate
from paddle_portrait.engine.history import History
from paddle_portrait.engine.hooks import (
    AverageHook,
    CheckpointHook,
    EmaHook,
    EvaluationHook,
    Hook,
    LogHook,
    ProfilerHook,
    SwaHook,
    VisualDLHook,
)
from paddle_portrait.engine.inferring import PredictOptions, person_probability
from paddle_portrait.engine.other_training import tell_other_training
from paddle_portrait.engine.precision import Precision
from paddle_portrait.engine.pruning import PruneOptions, prune
from paddle_portrait.engine.quantising import start_rounding
from paddle_portrait.engine.run_folder import HISTORY_FILE
from paddle_portrait.engine.schedules import Schedule, build_schedule
from paddle_portrait.engine.trained import pruning_shape
from paddle_portrait.engine.trainer import Trainer
from paddle_portrait.engine.validation_loss import validation_loss
from paddle_portrait.errors import UserError
from paddle_portrait.losses import Objective
from paddle_portrait.models.channels import CHANNELS_FILE, apply_widths
from paddle_portrait.pictures import overlay
from paddle_portrait.registry import DATASETS, MODELS, OPTIMIZERS, TRANSFORMS

CONFIG_FILE = "config.yml"
VISUALDL_FOLDER = "vdl_log"
SAMPLE_PICTURES = 4


@dataclass(frozen=True)
class RunOptions:
    """What a run does beside the config.

    Attributes:
        save_dir: the run's folder.
        do_eval: evaluate on ``val_dataset`` at every save and keep the best model.
        use_vdl: write curves and pictures for VisualDL.
        use_ema: average the weights.
        resume: a checkpoint's folder, ``auto`` for the newest good one in ``save_dir``, or None.
        profiler_options: see :class:`ProfilerHook`; None does not profile.
        freeze: patterns of names, such as ``backbone.*``, of parameters that are not trained.
        quantise: a stage's section of that name: train for int8. None trains in float.
        length: ``{"iters": n}`` or ``{"epochs": n}`` in place of the config's.
        weights: file or checkpoint to start from in place of the network's own start.
        prune: a stage's section of that name: how to prune what the run starts from. None: not at all.
    """

    save_dir: Path
    do_eval: bool = False
    use_vdl: bool = False
    use_ema: bool = False
    resume: str | None = None
    profiler_options: str | None = None
    freeze: tuple[str, ...] = ()
    quantise: Mapping[str, Any] | None = None
    length: Mapping[str, int] | None = None
    weights: str | None = None
    prune: Mapping[str, Any] | None = None


def build_trainer(config: Config, options: RunOptions) -> Trainer:
    """Build everything that ``config`` names, check the data, and restore a checkpoint where one is asked for.

    Raises:
        UserError: the config lacks something, the data are wrong, or the checkpoint does not fit.
    """
    seed = int(config.setting("seed", 0))
    paddle.seed(seed)
    np.random.seed(seed)
    batch_size = _batch_size_per_process(int(config["batch_size"]))
    train_dataset, val_dataset = _build_datasets(config, options, batch_size * distributed.world_size())
    model = MODELS.build_node(config["model"])
    if options.weights is not None:
        load_weights(model, options.weights)
        tell_other_training(config, options.weights, logging.INFO)  # training on at another size is a usual wish
    checkpoint = _checkpoint_to_resume(options)
    _narrow(model, config, options, checkpoint)
    frozen = freeze_parameters(model, options.freeze)
    if options.quantise is not None:
        frozen += start_rounding(model, options.quantise, as_dataset(train_dataset), config, seed)
    objective = Objective.from_config(config.to_dict())
    loader = BatchLoader(
        train_dataset,
        batch_size * distributed.world_size(),
        seed=seed,
        num_workers=int(config.setting("num_workers", 0)),
        rank=distributed.rank(),
        world_size=distributed.world_size(),
        texture=_second_view(config, objective),
        batch_sizes_wh=config.get("train_dataset.batch_sizes_wh", []),
    )
    total = _total_iterations(options.length or config.to_dict(), loader)
    kernel_build = _accelerate(model, config.get("kernels", "auto"))
    schedule = build_schedule(config["lr_scheduler"], total, loader.iterations_per_epoch)
    _check_watching(schedule, objective, options)
    trainer = Trainer(
        model=model,
        objective=objective,
        optimizer=OPTIMIZERS.build_node(config["optimizer"]).create(model, schedule.rate(0)),
        schedule=schedule,
        loader=loader,
        total_iterations=total,
        seed=seed,
        precision=Precision(config.setting("precision", "fp32"), config.setting("amp_level", "O1")),
        frozen_layers=frozen,
    )
    environment = describe_environment(kernel_build)
    trainer.hooks = _build_hooks(config, options, trainer, val_dataset, batch_size, environment)
    if checkpoint is not None:
        warn_of_differences(checkpoint.state.get("environment", {}), environment)
        trainer.restore(checkpoint)
        logger.info("resume: continuing after iteration %d", trainer.iteration)
    return trainer


def _accelerate(model: nn.Layer, wanted: bool | str) -> str:
    """Switch the CPU kernels as the config says; return the name of their build, or ``stock``."""
    kernels.use_kernels("auto" if wanted == "auto" else "on" if wanted else "off")
    if not paddle.get_device().startswith("cpu") or not kernels.kernels_ready():
        return "stock"
    kernels.accelerate(model)
    return kernels.build_key()


def _batch_size_per_process(batch_size: int) -> int:
    processes = distributed.world_size()
    if batch_size % processes:
        raise UserError(
            f"batch_size {batch_size} cannot be shared by {processes} processes. It counts the images of one step "
            f"over all processes: take a multiple of {processes}."
        )
    return batch_size // processes


def _total_iterations(length: Mapping[str, Any], loader: BatchLoader) -> int:
    if length.get("iters") is not None:
        return int(length["iters"])
    return int(length["epochs"]) * loader.iterations_per_epoch


def freeze_parameters(model: nn.Layer, patterns: tuple[str, ...]) -> list[nn.Layer]:
    """Stop the gradients of the parameters whose name matches one of ``patterns`` (``*`` as in file names).

    Returns:
        The norm layers whose parameters are all frozen: their statistics must not move either.

    Raises:
        UserError: a pattern matches nothing.
    """
    names = {name: parameter for name, parameter in model.named_parameters() if not parameter.stop_gradient}
    for pattern in patterns:
        matched = fnmatch.filter(names, pattern)
        if not matched:
            examples = ", ".join(list(names)[:3])
            raise UserError(f"freeze: '{pattern}' matches no parameter of the network. Its first ones: {examples}.")
        for name in matched:
            names[name].stop_gradient = True
    norms = [layer for layer in model.sublayers() if "norm" in type(layer).__name__.lower()]
    return [layer for layer in norms if patterns and all(p.stop_gradient for p in layer.parameters())]


def _build_datasets(config: Config, options: RunOptions, batch_size: int) -> tuple[Any, Any]:
    train_dataset = DATASETS.build_node(config.component("train_dataset"))
    val_dataset = None
    if options.do_eval:
        if config.get("val_dataset") is None:
            raise UserError(f"{config.path}: --do_eval needs a val_dataset, and the config has none.")
        if config.is_final("val_dataset"):
            raise UserError(
                f"{config.where('val_dataset.final')}: val_dataset is marked final: it cannot choose the best model. "
                "Name another split for validation; tools/val.py --final judges this one, once."
            )
        val_dataset = DATASETS.build_node(config.component("val_dataset"))
    cheap_checks(train_dataset, val_dataset, batch_size)
    for section in ("train_dataset", "val_dataset") if options.do_eval else ("train_dataset",):
        for path in sorted(set(_list_files(config.get(section)))):
            logger.info("%s: %s", section, describe_list(path))
    return train_dataset, val_dataset


def _second_view(config: Config, objective: Objective) -> list[Any]:
    """Return the transforms that make the second view of each crop; none where no term looks at it."""
    nodes = config.get("train_dataset.consistency_transforms", []) if objective.needs_textured else []
    return [TRANSFORMS.build_node(node) for node in nodes]


def _list_files(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        own = [str(value) for key, value in node.items() if key in ("train_path", "val_path", "test_path")]
        return own + [path for value in node.values() for path in _list_files(value)]
    if isinstance(node, list):
        return [path for value in node for path in _list_files(value)]
    return []


def describe_list(path: str | Path) -> str:
    """Return a list file's path, number of lines and sha256 sum: what a training can be traced to."""
    content = Path(path).read_bytes()
    lines = sum(bool(line.strip()) for line in content.splitlines())
    return f"{path}, {lines} lines, sha256 {hashlib.sha256(content).hexdigest()}"


def _build_hooks(
    config: Config,
    options: RunOptions,
    trainer: Trainer,
    val_dataset: Any,
    batch_size: int,
    environment: dict[str, Any],
) -> list[Hook]:
    main = distributed.is_main()
    history = History(options.save_dir / HISTORY_FILE if main else None)
    interval = int(config.setting("save_interval", 1000))
    log_interval = int(config.setting("log_iters", 10))
    hooks: list[Hook] = []
    average = _average(config, options, trainer)
    if average is not None:
        hooks.append(average)
    hooks.append(LogHook(history, log_interval, batch_size * distributed.world_size(), shown=main))
    if options.do_eval:
        patience = config.get("early_stop.intervals", config.get("train.early_stop_intervals"))
        evaluation = _evaluation(val_dataset, batch_size, config, trainer)
        hooks.append(EvaluationHook(evaluation, interval, options.save_dir, history, average, patience))
    if options.profiler_options and main:
        hooks.append(ProfilerHook(options.profiler_options))
    if options.use_vdl and main:
        pictures = _sample_pictures(val_dataset) if val_dataset is not None else None
        hooks.append(VisualDLHook(options.save_dir / VISUALDL_FOLDER, history, pictures))
    keep = int(config.setting("keep_checkpoint_max", 5))
    facts = {"environment": environment, "config": json.loads(json.dumps(config.to_dict()))}
    return [*hooks, CheckpointHook(options.save_dir, interval, keep, facts)]


def _average(config: Config, options: RunOptions, trainer: Trainer) -> AverageHook | None:
    use_ema, swa = options.use_ema or config.get("ema") is not None, config.get("swa")
    if use_ema and swa is not None:
        raise UserError(
            f"{config.where('swa')}: swa and ema (or --use_ema) are two averages, and only one can be deployed. Leave "
            "one out; 'ema: null' drops that of a base file."
        )
    if use_ema:
        return EmaHook(trainer.model, float(config.get("ema.decay", 0.999)))
    if swa is None:
        return None
    interval = swa.get("interval") or trainer.loader.iterations_per_epoch
    return SwaHook(trainer.model, float(swa.get("start", 0.75)), int(interval))


def _check_watching(schedule: Schedule, objective: Objective, options: RunOptions) -> None:
    """Refuse or announce a schedule that watches what this run does not give it."""
    if schedule.monitor is not None and not options.do_eval:
        logger.warning(
            "the learning rate waits for %s, but without --do_eval there is none: it stays", schedule.monitor
        )
    if schedule.monitor == "loss" and objective.needs_textured:
        raise UserError(
            "lr_scheduler.monitor: loss is the objective on the validation set, and this objective looks at a second "
            "view of each crop, which there is in training only. Watch miou instead."
        )


def _evaluation(
    val_dataset: Any, batch_size: int, config: Config, trainer: Trainer
) -> Callable[[nn.Layer], Mapping[str, float]]:
    workers = int(config.setting("num_workers", 0))
    options = PredictOptions(**config.evaluation_options())

    def evaluate_network(model: nn.Layer) -> Mapping[str, float]:
        figures = evaluate(model, val_dataset, batch_size, workers, options, progress=False).summary
        if trainer.schedule.monitor == "loss":
            figures["loss"] = validation_loss(model, trainer.objective, as_dataset(val_dataset), batch_size)
        return figures

    return evaluate_network


def _sample_pictures(dataset: Any) -> Callable[[nn.Layer], list[np.ndarray]]:
    """Return a function that overlays the network's mask on the first images of ``dataset``."""

    def draw(model: nn.Layer) -> list[np.ndarray]:
        pictures = []
        for batch in islice(EvalLoader(dataset, batch_size=1), SAMPLE_PICTURES):
            probabilities = person_probability(model, batch.to_tensors().images)
            for index, geometry, probability in zip(batch.indices, batch.geometries or (), probabilities, strict=True):
                pictures.append(overlay(dataset.load(index).image, geometry.restore(probability)))
        return pictures

    return draw


def _checkpoint_to_resume(options: RunOptions) -> Checkpoint | None:
    if options.resume is None:
        return None
    directory = find_last_good(options.save_dir) if options.resume == "auto" else Path(options.resume)
    if directory is None:
        logger.info("resume: no checkpoint in '%s' yet, so the run starts from its beginning", options.save_dir)
        return None
    logger.info("resume: from '%s'", directory)
    return load_checkpoint(directory)


def _narrow(model: nn.Layer, config: Config, options: RunOptions, checkpoint: Checkpoint | None) -> None:
    """Give the network the channels of the checkpoint that the run continues, or prune it where the run begins so."""
    if checkpoint is not None:
        apply_widths(model, checkpoint.widths, f"{CHANNELS_FILE} of the checkpoint")
    elif options.prune is not None:
        how = {key: value for key, value in options.prune.items() if value is not None}
        shape = pruning_shape(config, how.pop("size", None))
        logger.info(prune(model, shape, PruneOptions(**how)).summary())
