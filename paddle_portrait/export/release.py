"""From trained weights to a released model: a small export that is proved, an answer to remember, a table entry."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paddle import nn

from paddle_portrait import zoo
from paddle_portrait.config import Config, load_config
from paddle_portrait.console import logger
from paddle_portrait.engine.trained import input_channels, load_trained
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.export.compact import store_compactly
from paddle_portrait.export.exporter import export_model
from paddle_portrait.export.golden import write_golden
from paddle_portrait.export.parity import TargetParity, make_trials, measure, write_parity
from paddle_portrait.export.publish import publish, staging
from paddle_portrait.export.real_photos import first_photos
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.models.channels import channel_widths
from paddle_portrait.preprocess import Preprocess
from paddle_portrait.zoo.released import TABLE, Released, ReleasedFile, write_entry

LARGEST_FILE = 5_000_000  # bytes of one file
BUDGET = 40_000_000  # bytes of all weights and exports together

_TARGET = "onnx"
_BESIDE_WEIGHTS = ("LICENSE", "NOTICE")


@dataclass(frozen=True)
class ReleasePlan:
    """What is to be released.

    Attributes:
        name: zoo name.
        config: YAML of the network, relative to the repository.
        licence: name of the weights' licence.
        source: where the weights come from: an address, or the command that trained them.
        formats: targets of the export; ONNX is among them, and is what the golden answers are made with.
        output_op: what the exported graph ends in.
    """

    name: str
    config: str
    licence: str
    source: str
    formats: tuple[str, ...] = (_TARGET,)
    output_op: str = "sigmoid"


def release(plan: ReleasePlan, root: Path, table: Path = TABLE, weights_only: bool = False) -> Released:
    """Export the weights of ``root/pretrained_model/NAME`` and enter them in the table.

    Writes ``export_model/NAME`` (its ONNX with fewer bits for weights where that changes no probability by more than
    1e-4) and ``tests/golden/NAME.json`` below ``root``.

    Args:
        plan: what to release.
        root: the repository.
        table: the table of released models.
        weights_only: prove the export, then delete it: whoever wants it makes it from the weights.

    Raises:
        UserError: unknown name, missing files, a file over 5 MB, or an export that does not compute what the weights
            do. Being over the budget together is only warned of.
    """
    if plan.name not in zoo.NAMES:
        raise UserError(describe_unknown("zoo name", plan.name, zoo.NAMES))
    weights = root / "pretrained_model" / plan.name / "model.pdparams"
    folder = root / "export_model" / plan.name
    config = load_config(root / plan.config)
    network = load_trained(config, str(weights))
    if channel_widths(network):
        raise UserError(f"'{weights}' is a pruned network. The zoo's are those that a config alone builds.")
    channels = input_channels(config, Preprocess.from_transforms(config.inference_transforms()))
    report = export_model(network, config, folder, plan.formats, plan.output_op, channels=channels)
    _shrink(network, config, folder, report.targets)
    for name in _BESIDE_WEIGHTS:
        if (weights.parent / name).is_file():
            shutil.copyfile(weights.parent / name, folder / name)
    golden = root / "tests" / "golden" / f"{plan.name}.json"
    write_golden(golden, plan.name, ReleasedFile.of(weights).sha256, Predictor.load(folder, _TARGET, threads=1))
    if weights_only:
        shutil.rmtree(folder)
    _check_sizes(root)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entry = Released(
        config=plan.config,
        licence=plan.licence,
        source=plan.source,
        output_op=plan.output_op,
        weights=ReleasedFile.of(weights),
        export={path.relative_to(folder).as_posix(): ReleasedFile.of(path) for path in files},
    )
    write_entry(plan.name, entry, table)
    return entry


def plan_of(
    name: str,
    config: str | None = None,
    licence: str | None = None,
    source: str | None = None,
    formats: Sequence[str] | None = None,
) -> ReleasePlan:
    """Return the plan for a zoo name; what is not given comes from the recipe that converted it.

    Converted weights are exported to ONNX alone, those trained here as their config's ``export`` says.

    Raises:
        UserError: something is neither given nor in a recipe.
    """
    from paddle_portrait.convert.recipes import all_recipes

    recipe = all_recipes().get(name)
    origin = recipe.origin if recipe is not None else None
    values = {
        "config": config or (recipe.config if recipe is not None else None),
        "licence": licence or (origin.licence if origin is not None else None),
        "source": source or (origin.url if origin is not None else None),
    }
    missing = [f"--{key}" for key, value in values.items() if not value]
    if missing:
        raise UserError(f"no recipe converts '{name}', so say its {' and '.join(missing)}.")
    plan = ReleasePlan(name, str(values["config"]), str(values["licence"]), str(values["source"]))
    if recipe is not None:
        return plan
    export = load_config(plan.config).get("export", {})
    formats = formats or export.get("formats", plan.formats)
    if _TARGET not in formats:
        raise UserError(f"{name}: the formats are {', '.join(formats)}, but a released model needs {_TARGET}, too.")
    return replace(plan, formats=tuple(formats), output_op=export.get("output_op", plan.output_op))


def _shrink(network: nn.Layer, config: Config, folder: Path, proofs: Mapping[str, TargetParity]) -> None:
    """Store the weights of the export's ONNX in fewer bits where that passes the proof; else leave it as it is."""
    deploy = DeployFile.read(folder)
    assert deploy.input_shape is not None  # our own export says it
    count, channels, height, width = deploy.input_shape
    trials = make_trials(network, deploy.preprocess, (count, channels, height, width), photos=first_photos(config))
    assert deploy.output_op is not None
    files = deploy.targets[_TARGET]
    for rounded in (True, False):
        with staging(folder) as directory:
            candidate = directory / "finished"
            shutil.copytree(folder, candidate)
            store_compactly(folder / files.model, candidate / files.model, rounded)
            files.record_sums(candidate)
            deploy.write(candidate)
            proof = measure(candidate, _TARGET, trials, deploy.output_op)[_TARGET]
            if not proof.passed:
                continue
            write_parity(candidate, {**proofs, _TARGET: proof})
            before = (folder / files.model).stat().st_size
            publish(candidate, folder)
            kind = "float16 or bytes" if rounded else "what holds them exactly"
            logger.info("%s: weights kept as %s, %d -> %d bytes", folder.name, kind, before, proof.bytes)
            return


def _check_sizes(root: Path) -> None:
    files = [
        path
        for kind in ("pretrained_model", "export_model")
        for name in zoo.NAMES
        for path in (root / kind / name).rglob("*")
        if path.is_file()
    ]
    large = [path for path in files if path.stat().st_size > LARGEST_FILE]
    if large:
        raise UserError(f"over {LARGEST_FILE / 1e6:g} MB, too large for the repository: {', '.join(map(str, large))}.")
    total = sum(path.stat().st_size for path in files)
    level = logger.warning if total > BUDGET else logger.info
    level("released weights and exports: %.1f of %.0f MB", total / 1e6, BUDGET / 1e6)
