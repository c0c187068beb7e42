"""The export: settle what is wanted, write every target, prove each one, and only then let it be seen."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.export.choices import Shape, settle_input_shape
from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.left_out import leave_out_wrong_variants
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.export.parity import TargetParity, Trial, measure, require_passed, write_parity
from paddle_portrait.export.publish import publish, staging
from paddle_portrait.export.real_photos import first_photos
from paddle_portrait.export.targets import PADDLE_FORMATS, check_formats, check_refusals
from paddle_portrait.export.transforms import fit_transforms
from paddle_portrait.inference.deploy_file import DeployFile
from paddle_portrait.preprocess import Preprocess

if TYPE_CHECKING:
    from paddle import nn

    from paddle_portrait.config import Config


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        save_dir: the exported directory.
        output_op: what the graphs end in.
        input_shape: N, C, H, W; -1 where any size goes.
        targets: proof and size of every target, by its name.
    """

    save_dir: Path
    output_op: str
    input_shape: Shape
    targets: dict[str, TargetParity]


def export_model(
    model: nn.Layer,
    source: Config | Sequence[Mapping[str, Any]],
    save_dir: str | Path,
    formats: Sequence[str] = ("paddle",),
    output_op: str = "argmax",
    input_shape: Sequence[int] | None = None,
    channels: int | None = None,
    options: ExportOptions | None = None,
) -> ExportReport:
    """Export a trained network, checked against itself.

    Args:
        model: the trained network; it is left as it was.
        source: a config, whose validation transforms are taken, and two photos of its validation set for the proof
            where they are here; or such a list of transforms.
        save_dir: the directory to make; an earlier export there is replaced, other files stay.
        formats: names of targets. The first Paddle format lies at the top, the others in folders of their name.
        output_op: ``"argmax"``, ``"softmax"``, ``"sigmoid"`` (person only) or ``"none"`` (logits).
        options: the whole form of the graph, in place of ``output_op`` alone.
        input_shape: ``(H, W)`` or ``(N, C, H, W)``, -1 for any size; None: the size that the transforms end
            in, else any. A fixed size other than that of the transforms' Resize changes that Resize.
        channels: input channels of the network; None: those of the images. One more makes the last one the prior.

    Returns:
        The report, whose contents are also in ``parity.json``.

    Raises:
        ExportError: a target cannot be written or run.
        ParityError: a target differs from the trained network by more than 1e-4 in probability.
        UserError: an argument is wrong. In all three cases nothing is left behind.
    """
    from paddle_portrait.engine.inferring import eval_mode
    from paddle_portrait.models.fake_quantisation import quantised_layers

    check_formats(formats)
    if quantised_layers(model):
        raise ExportError(
            "these weights were trained for int8, which no format here computes. Add them to an export of the same "
            "network in float: python tools/quantize.py --scheme learned --model_dir DIR --model_path CHECKPOINT "
            "--config CONFIG"
        )
    options = options or ExportOptions(output_op)
    save_dir = Path(save_dir)
    deploy, channels = _plan(source, options, input_shape, channels)
    with eval_mode(model), staging(save_dir) as directory:
        finished = directory / "finished"
        finished.mkdir()
        job = _job(model, source, options, deploy, channels, directory / "scratch")
        targets = _write_and_prove(job, deploy, formats, finished)
        publish(finished, save_dir)
    for name, entry in targets.items():
        logger.info("exported %s: %s", name, describe(entry))
    return ExportReport(save_dir, options.output_op, job.input_shape, targets)


def prove_each(
    model: nn.Layer,
    source: Config | Sequence[Mapping[str, Any]],
    formats: Sequence[str],
    options: ExportOptions,
    input_shape: Sequence[int] | None = None,
    channels: int | None = None,
) -> dict[str, TargetParity | UserError]:
    """Export a network to each format for itself, keep nothing, and tell how each fared.

    Args:
        model, source, formats, options, input_shape, channels: as in :func:`export_model`.

    Returns:
        By format (and ``format/variant``): its proof, passed or not, or the error that kept it from being written.

    Raises:
        UserError: an argument is wrong, or the network itself cannot run.
    """
    from paddle_portrait.engine.inferring import eval_mode

    deploy, channels = _plan(source, options, input_shape, channels)
    results: dict[str, TargetParity | UserError] = {}
    with eval_mode(model), tempfile.TemporaryDirectory(prefix="proof-") as folder:
        job = _job(model, source, options, deploy, channels, Path(folder) / "scratch")
        trials = _trials(job, deploy)
        for name in formats:
            directory = Path(folder) / name
            directory.mkdir()
            try:
                check_refusals(job, [name])
                deploy.targets = {name: job.place(name, directory, "")}
                deploy.write(directory)
                results |= measure(directory, name, trials, job.output_op)
            except UserError as error:
                results[name] = error
    return results


def _plan(
    source: Config | Sequence[Mapping[str, Any]],
    options: ExportOptions,
    input_shape: Sequence[int] | None,
    channels: int | None,
) -> tuple[DeployFile, int]:
    """Return the ``deploy.yaml`` to be, without targets, and the network's input channels."""
    transforms = list(source) if isinstance(source, Sequence) else source.inference_transforms()
    preprocess = Preprocess.from_transforms(transforms)
    channels = channels or preprocess.channels
    shape = settle_input_shape(input_shape, preprocess.input_size_hw, channels)
    takes_prior = _takes_prior(channels, preprocess.channels)
    options.check_shape(shape, preprocess.channels, takes_prior)
    transforms = fit_transforms(transforms, shape)
    deploy = DeployFile(
        preprocess=Preprocess.from_transforms(transforms),
        targets={},
        transforms=[dict(node) for node in transforms],
        input_shape=[shape[0], options.pad_input_channels or channels, *shape[2:]],
        output_op=options.output_op,
        output_dtype=options.output_dtype,
        takes_prior=takes_prior,
    )
    return deploy, channels


def _job(
    model: nn.Layer,
    source: Config | Sequence[Mapping[str, Any]],
    options: ExportOptions,
    deploy: DeployFile,
    channels: int,
    scratch: Path,
) -> ExportJob:
    assert deploy.input_shape is not None  # our own plan says it
    count, width, *sides = deploy.input_shape
    photos = () if isinstance(source, Sequence) else first_photos(source)
    return ExportJob(model, options, (count, width, sides[0], sides[1]), scratch, deploy.preprocess, channels, photos)


def _trials(job: ExportJob, deploy: DeployFile) -> list[Trial]:
    """Run the network, and note in ``deploy`` what that tells of the graph's form."""
    from paddle_portrait.export.graph import check_output_op

    check_output_op(job.output_op, job.trials[0].logits.shape[1])
    deploy.form = job.form
    return job.trials


def _write_and_prove(
    job: ExportJob, deploy: DeployFile, formats: Sequence[str], directory: Path
) -> dict[str, TargetParity]:
    check_refusals(job, formats)
    trials = _trials(job, deploy)
    top = next((name for name in formats if name in PADDLE_FORMATS), None)
    for name in formats:
        deploy.targets[name] = job.place(name, directory, "" if name == top else name)
    if top is not None:  # PaddleSeg's keys name the files at the top
        deploy.targets = {top: deploy.targets.pop(top), **deploy.targets}
    deploy.write(directory)
    results: dict[str, TargetParity] = {}
    for name in formats:
        found = measure(directory, name, trials, job.output_op)
        results |= leave_out_wrong_variants(name, directory, deploy, found)
    require_passed(results, _first_wrong_layers(job, results, trials))
    write_parity(directory, results)
    return results


def _first_wrong_layers(
    job: ExportJob, results: Mapping[str, TargetParity], trials: Sequence[Trial]
) -> dict[str, str | None]:
    """Return, by each target that failed, the first layer that it gets wrong."""
    failed = [name for name, entry in results.items() if entry.passed is False and "/" not in name]
    if not failed:
        return {}
    from paddle_portrait.export.departure import first_departing_layer

    places = {name: results[name].worst_trial or 0 for name in failed}
    return {name: first_departing_layer(job, name, trials[place].tensor) for name, place in places.items()}


def _takes_prior(network_channels: int, image_channels: int) -> bool:
    if network_channels in (image_channels, image_channels + 1):
        return network_channels == image_channels + 1
    raise ExportError(
        f"the network takes {network_channels} channels, the preprocessing makes {image_channels}. "
        f"Allowed: {image_channels}, or {image_channels + 1} where the last is the previous frame's mask."
    )


def describe(entry: TargetParity) -> str:
    """Return one line about a target for people."""
    size = f"{entry.bytes / 1e6:.2f} MB, {sum(entry.operators.values())} operators"
    if not entry.ran:
        return f"{size}, not checked on this machine"
    return f"{size}, differs by {entry.max_abs_diff:.1e} at most (limit {entry.limit:g}) in {entry.runtime}"
