"""From an exported directory to the same directory with a quantised target, proved to be worth having."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.export.compact import store_compactly
from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.parity import TargetParity
from paddle_portrait.export.publish import staging
from paddle_portrait.export.quantisation.gate import LEAST_INT8_SHARE, Outcome
from paddle_portrait.export.quantisation.graph import constants, simplified
from paddle_portrait.export.quantisation.judging import Judgement, judge, miou_drop
from paddle_portrait.export.quantisation.keep_float import with_float_layers
from paddle_portrait.export.quantisation.learned import split, write_learned
from paddle_portrait.export.quantisation.multiply_adds import int8_share, multiply_adds
from paddle_portrait.export.quantisation.photos import draw_calibration
from paddle_portrait.export.quantisation.placing import compare, place
from paddle_portrait.export.quantisation.schemes import HALF, LEARNED, Scheme, scheme_of
from paddle_portrait.export.quantisation.sensitivity import LayerHarm, keep_worst_in_float, scan
from paddle_portrait.export.targets.onnx import rewrites
from paddle_portrait.export.transforms import normalising_lines
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.backends import open_backend
from paddle_portrait.inference.deploy_file import DeployFile, TargetFiles

if TYPE_CHECKING:
    from onnx import ModelProto
    from paddle import nn

    from paddle_portrait.data.datasets.base import PortraitDataset

AUTO = "auto"
REPORT_FILE = "quantisation.json"
_MODEL_FILE = "model.onnx"
# The scan runs every layer on these: enough to tell the worst ones, few enough to take half a minute.
_SCANNED_PHOTOS = 8


@dataclass(frozen=True)
class Request:
    """What is to be quantised, how, and on which photos.

    Attributes:
        model_dir: an exported directory with the target ``onnx``.
        save_dir: where the result goes: ``model_dir`` itself, or a directory that becomes a copy of it.
        scheme: a key of :data:`~paddle_portrait.export.quantisation.schemes.SCHEMES`.
        calibration: the training set.
        validation: the set that decides whether the result is good enough; never one marked final.
        images: calibration photos of one draw.
        draws: how often calibration photos are drawn; the first draw's file is kept.
        seed: of the draws.
        keep_float: names of convolutions, or ``("auto",)`` for those that the scan finds.
        max_miou_drop: in points, see :class:`Outcome`.
        network: the network itself: one trained for int8 for scheme ``learned``, for the others the one that was
            exported, needed where its graph was rewritten for speed.
    """

    model_dir: Path
    save_dir: Path
    scheme: str
    calibration: PortraitDataset
    validation: PortraitDataset
    images: int = 64
    draws: int = 3
    seed: int = 0
    keep_float: Sequence[str] = (AUTO,)
    max_miou_drop: float = 0.3
    network: nn.Layer | None = None


@dataclass
class _Work:
    """A quantisation under way."""

    request: Request
    scheme: Scheme
    deploy: DeployFile
    floating: ModelProto
    predictor: Predictor
    photos: list[np.ndarray]
    counts: dict[str, int]
    kept_float: list[str] = field(default_factory=list)
    harms: list[LayerHarm] = field(default_factory=list)


@dataclass(frozen=True)
class Attempt:
    """A quantisation that was made and judged, and not yet kept.

    Attributes:
        outcome: what it has come to.
        directories: of each draw's export, whose ``deploy.yaml`` is that of the float one.
        judgements: of the float graph, then of each draw's.
        parity: the first draw's proof, without which it is not kept either.
    """

    outcome: Outcome
    directories: tuple[Path, ...]
    judgements: tuple[Judgement, ...]
    parity: TargetParity


def quantise(request: Request) -> Outcome:
    """Quantise the ONNX target of an exported directory, judge the result, and add it where it is good enough.

    Raises:
        QuantisationError: it is not good enough; nothing was written then.
        ExportError: it cannot be done.
        UserError: the photos are not there, or are ones that models are judged on.
    """
    target = scheme_of(request.scheme).target
    with staging(request.save_dir) as scratch:
        work = _start(request, scratch)
        found = _attempt(work, scratch)
        outcome, directory = found.outcome, found.directories[0]
        logger.info("scheme %s: %s", request.scheme, describe(outcome))
        outcome.require(request.max_miou_drop)
        report = {**outcome.to_dict(), **_origin(request)}
        (directory / target / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        files = TargetFiles(_MODEL_FILE, others=(REPORT_FILE,))
        place(directory / target, files, found.parity, request.model_dir, request.save_dir, scratch)
    return outcome


def _prove(work: _Work, directory: Path, judgement: Judgement) -> TargetParity:
    """Compare the quantised graph with the float one, or with the network that was trained for int8."""
    quantised, network = _predictor(work, directory), work.request.network
    if work.request.scheme != LEARNED or network is None:
        expected = work.predictor.person_at_network_size
        return compare(expected, quantised, work.scheme.target, directory, judgement)

    import paddle

    from paddle_portrait.engine.inferring import person_probability

    return compare(
        lambda tensor: person_probability(network, paddle.to_tensor(_as_network_takes(tensor, work.deploy))),
        quantised,
        work.scheme.target,
        directory,
    )


def _as_network_takes(tensor: np.ndarray, deploy: DeployFile) -> np.ndarray:
    """Return a graph's input as its network wants it: without channels that are ignored, normalised."""
    channels = _network_channels(deploy)
    tensor = tensor[:, :channels]
    if deploy.form.input_dtype == "float32":
        return tensor
    factor, addend = (np.reshape(values, (1, -1, 1, 1)) for values in normalising_lines(deploy.preprocess, channels))
    return (tensor * factor + addend).astype(np.float32)


def _network_channels(deploy: DeployFile) -> int:
    return deploy.preprocess.channels + int(deploy.takes_prior)


def attempt(request: Request, scratch: Path) -> Attempt:
    """Quantise and judge, good enough or not; what is written lies below ``scratch``, an empty directory."""
    return _attempt(_start(request, scratch), scratch)


def _attempt(work: _Work, scratch: Path) -> Attempt:
    graphs = _quantised(work, scratch)
    directories = tuple(scratch / f"draw_{draw}" for draw in range(len(graphs)))
    judgements = judge(
        {"float": work.predictor} | {one.name: _predictor(work, one) for one in directories}, work.request.validation
    )
    outcome = _outcome(work, graphs[0], directories[0], tuple(judgements.values()))
    if outcome.faults(work.request.max_miou_drop) and work.scheme.in_int8 and not work.harms:
        harms = scan(graphs[0], work.floating, work.photos[:_SCANNED_PHOTOS], work.counts)
        outcome = replace(outcome, harms=harms)
    floating, first, *others = judgements.values()
    return Attempt(outcome, directories, (floating, first, *others), _prove(work, directories[0], first))


def describe(outcome: Outcome) -> str:
    """Return one line about a quantisation for people."""
    drop = outcome.drop
    parts = [
        f"{outcome.bytes / 1000:.0f} kB ({outcome.file_share:.0%} of float)",
        "no mask with both classes" if outcome.mask_iou is None else f"mask IoU with float {outcome.mask_iou:.4f}",
        f"loses {drop.mean:.2f} points of mIoU (95 % interval {drop.low:.2f} to {drop.high:.2f})",
    ]
    if outcome.int8_share is not None:
        parts.append(f"{outcome.int8_share:.1%} of the multiply-adds in int8")
    if outcome.kept_float:
        parts.append(f"in float: {', '.join(outcome.kept_float)}")
    return "; ".join(parts)


def _start(request: Request, scratch: Path) -> _Work:
    scheme = scheme_of(request.scheme)
    deploy = DeployFile.read(request.model_dir)
    if "onnx" not in deploy.targets:
        raise ExportError(
            f"'{request.model_dir}' holds no ONNX target, which quantising starts from; it has: "
            f"{', '.join(deploy.targets)}. Export it again with --format onnx."
        )
    files = deploy.targets["onnx"]
    backend = open_backend("onnx", request.model_dir, files, threads=1)
    predictor = Predictor(request.model_dir, deploy, "onnx", backend)
    photos = draw_calibration(request.calibration, predictor, request.images, request.seed)
    floating = simplified(_layer_by_layer(request, deploy, scratch))
    return _Work(request, scheme, deploy, floating, predictor, photos, multiply_adds(floating, photos[0]))


def _layer_by_layer(request: Request, deploy: DeployFile, scratch: Path) -> Path:
    """Return a graph with the layers as trained: quantisers do not know them again in one rewritten for speed."""
    files = deploy.targets["onnx"]
    learned = request.scheme == LEARNED
    if not learned and not rewrites(request.model_dir, files):
        return request.model_dir / files.model
    if request.network is None and learned:
        raise ExportError("scheme learned needs the trained network: --model_path CHECKPOINT --config CONFIG.")
    if request.network is None:
        raise ExportError(
            f"the ONNX graph of '{request.model_dir}' was rewritten for speed, and quantising needs its layers as they "
            "were trained. Name the network, --model_path CHECKPOINT --config CONFIG, or export it with --rewrites off."
        )
    return _export_plain(split(request.network)[0] if learned else request.network, deploy, scratch)


def _export_plain(plain: nn.Layer, deploy: DeployFile, scratch: Path) -> Path:
    """Export a network in float, layer by layer, with input and output as they were exported; return the ONNX file."""
    from paddle_portrait.export.exporter import export_model
    from paddle_portrait.export.options import ExportOptions

    assert deploy.input_shape is not None and deploy.output_op is not None  # our own exports say both
    folder, form, channels = scratch / "plain", deploy.form, _network_channels(deploy)
    options = ExportOptions(
        deploy.output_op,
        bit_packed=form.bit_packed,
        flatten_output=form.flat,
        pad_input_channels=form.input_channels,
        upsample_in_graph=form.upsampling is None,
        normalise_in_graph=form.input_dtype == "uint8",
        rewrites=False,
    )
    count, _, height, width = deploy.input_shape
    export_model(
        plain,
        deploy.transforms,
        folder,
        ("onnx",),
        input_shape=(count, channels, height, width),
        channels=channels,
        options=options,
    )
    return folder / "onnx" / _MODEL_FILE


def _quantised(work: _Work, scratch: Path) -> list[ModelProto]:
    """Return the quantised graph of every draw, and write it below ``scratch`` as an export of its own."""
    request, scheme = work.request, work.scheme
    graphs = []
    for draw in range(request.draws if scheme.calibrated else 1):
        photos = work.photos
        if draw:
            photos = draw_calibration(request.calibration, work.predictor, request.images, request.seed + draw)
        graph = _one_graph(work, photos, scratch)
        if draw == 0:
            graph = _choose_float_layers(work, graph)
        elif work.kept_float:
            graph = with_float_layers(graph, work.floating, work.kept_float)
        _write(graph, work, scratch / f"draw_{draw}")
        graphs.append(graph)
    return graphs


def _one_graph(work: _Work, photos: Sequence[np.ndarray], scratch: Path) -> ModelProto:
    import onnx

    if work.request.scheme == LEARNED:
        assert work.request.network is not None  # _start saw to it
        return write_learned(work.floating, split(work.request.network)[1])
    if work.request.scheme == HALF:
        plain, half = scratch / "float.onnx", scratch / "half.onnx"
        onnx.save(work.floating, str(plain))
        store_compactly(plain, half, rounded=True)
        return onnx.load(str(half))
    assert work.scheme.quantise is not None
    return work.scheme.quantise(work.floating, photos)


def _choose_float_layers(work: _Work, graph: ModelProto) -> ModelProto:
    """Bring layers of the first draw's graph back to float: those named, or those that the scan finds."""
    wanted = list(work.request.keep_float)
    if not work.scheme.in_int8:
        return graph
    if wanted == [AUTO]:
        sample = work.photos[:_SCANNED_PHOTOS]
        graph, work.kept_float, work.harms = keep_worst_in_float(
            graph, work.floating, sample, work.counts, LEAST_INT8_SHARE
        )
        return graph
    unknown = [name for name in wanted if name not in work.counts]
    if unknown:
        raise ExportError(
            f"--keep_float {unknown[0]}: no convolution of that name. There are: {', '.join(work.counts)}."
        )
    work.kept_float = wanted
    return with_float_layers(graph, work.floating, wanted) if wanted else graph


def _write(graph: ModelProto, work: _Work, directory: Path) -> None:
    import onnx

    target = work.scheme.target
    (directory / target).mkdir(parents=True)
    onnx.save(graph, str(directory / target / _MODEL_FILE))


def _predictor(work: _Work, directory: Path) -> Predictor:
    """Load a quantised graph with the preprocessing of the float one."""
    target = work.scheme.target
    backend = open_backend(target, directory, TargetFiles(f"{target}/{_MODEL_FILE}"), threads=1)
    return Predictor(directory, work.deploy, target, backend)


def _outcome(work: _Work, graph: ModelProto, directory: Path, judgements: Sequence[Judgement]) -> Outcome:
    floating, *quantised = judgements
    return Outcome(
        scheme=work.request.scheme,
        drop=miou_drop(floating, quantised, work.request.seed),
        int8_share=int8_share(work.counts, graph) if work.scheme.in_int8 else None,
        bytes=(directory / work.scheme.target / _MODEL_FILE).stat().st_size,
        float_bytes=work.floating.ByteSize(),
        parameters=sum(array.size for array in constants(work.floating).values() if array.dtype == np.float32),
        kept_float=work.kept_float,
        harms=work.harms,
        mask_iou=min((one.mask_iou for one in quantised if one.mask_iou is not None), default=None),
    )


def _origin(request: Request) -> dict[str, Any]:
    return {
        "calibration": {"images": request.images, "draws": request.draws, "seed": request.seed},
        "judged_on": {"images": len(request.validation)},
        "max_miou_drop_points": request.max_miou_drop,
    }
