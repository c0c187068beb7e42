"""Proof that an exported model computes what the trained network computes: both are run on the same inputs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.export.errors import CannotRunHereError, ExportError, ParityError
from paddle_portrait.export.masks import ONE_CLASS_LIMIT, MaskAgreement
from paddle_portrait.export.targets import Limit, limit_of, load_target, open_target, variant_limits_of
from paddle_portrait.export.tracing import reason
from paddle_portrait.export.transforms import normalising_lines
from paddle_portrait.inference import Predictor
from paddle_portrait.inference.deploy_file import DeployFile, TargetFiles
from paddle_portrait.inference.graph_form import GraphForm
from paddle_portrait.inference.outputs import person_probability

if TYPE_CHECKING:
    from paddle import nn

    from paddle_portrait.export.choices import Shape
    from paddle_portrait.preprocess import Preprocess

PARITY_FILE = "parity.json"

_OTHERS = "it is for other processors than this machine's"

_PORTRAITS = 4
_PORTRAIT_HW = (256, 192)
# Where any size goes, networks are tried at these too; encoders need sides that halve five or six times.
_OTHER_SIZES_HW = ((128, 192), (192, 320))


@dataclass
class Trial:
    """An input and the trained network's answer.

    Attributes:
        image: uint8 H×W×3 from which the exported model must make the tensor itself; None for a bare tensor.
        tensor: float32 N×C×h×w, which the trained network saw.
        levels: the same as uint8 N×C×h×w, not normalised; None for an image of which a prior is taken, which has none.
        logits: float32 N×classes×h×w, which it answered.
        network: the trained network, to be asked again in double precision where its rounding decides; None: it is not.
        is_photo: the image is a real photo.
    """

    image: np.ndarray | None
    tensor: np.ndarray
    levels: np.ndarray | None
    logits: np.ndarray
    network: nn.Layer | None = None
    is_photo: bool = False

    def feed(self, form: GraphForm) -> np.ndarray:
        """Return the tensor as a graph of that form takes it."""
        if form.input_dtype == "float32":
            return form.feed(self.tensor)
        assert self.levels is not None  # graphs that normalise take no prior
        return form.feed(self.levels)

    @cached_property
    def exact(self) -> np.ndarray | None:
        """The answer without the rounding of float32; None where the network cannot be run in double precision."""
        return None if self.network is None else exact_logits(self.network, self.tensor)

    def difference(self, output: np.ndarray, output_op: str, limit: float) -> np.ndarray:
        """Return how far the probabilities of a graph's raw output are from the trained network's.

        Where that is over ``limit``, the distance to the network's answer in double precision counts if it is less:
        of a network with steep edges float32 itself is that far from the truth, and another order of the same sums
        is not a fault.
        """
        found = probability_difference(output, output_op, self.logits)
        if found.max() > limit and self.exact is not None:
            found = np.minimum(found, probability_difference(output, output_op, self.exact))
        return found


@dataclass
class TargetParity:
    """One target's entry in ``parity.json``. Differences are between probabilities, so at most 1.

    ``ran`` False means that this machine cannot run the target, for the reason ``why``; ``passed`` is None then, and
    nothing is proved.
    ``limit`` is the most that ``limited`` (``"max_abs_diff"``) may be, or the least (``"mask_iou"``).

    ``mask_iou`` is that of the inputs for which the network's mask has both classes; None: there are none. For the
    others masks agree whatever the answer is, so ``one_class_diff``, the largest difference there, must keep to
    :data:`~paddle_portrait.export.masks.ONE_CLASS_LIMIT` where ``mask_iou`` is limited; a target that gives class
    numbers alone does not pass without a mask of both classes.

    ``photos`` is the number of real photos among the inputs, ``worst_trial`` the place, among all inputs, of the one
    that was answered worst. ``rewrites`` lists what made the graph quicker.
    """

    ran: bool
    passed: bool | None
    limit: float
    limited: str
    max_abs_diff: float | None
    mean_abs_diff: float | None
    mask_iou: float | None
    finite: bool | None
    bytes: int
    operators: dict[str, int]
    runtime: str | None
    one_class_diff: float | None = None
    worst_trial: int | None = None
    photos: int = 0
    rewrites: list[dict[str, Any]] = field(default_factory=list)
    why: str | None = None


def make_trials(
    network: nn.Layer,
    preprocess: Preprocess,
    input_shape: Shape,
    channels: int | None = None,
    photos: Sequence[np.ndarray] = (),
) -> list[Trial]:
    """Run the trained network on generated portraits, on real photos, and on noise.

    Args:
        network: in evaluation mode.
        preprocess: the exported directory's.
        input_shape: N, C, H, W of the graph; where a side is -1, further sizes are tried.
        channels: input channels of the network; None: as many as the graph takes.
        photos: uint8 H×W×3 each. Where the preprocessing brings them to no size, they get that of the portraits.

    Raises:
        ExportError: the network cannot run on such inputs, or answers with something that is not finite.
    """
    from paddle_portrait.data.synthesis import render_portrait

    rng = np.random.default_rng(20)
    portraits = [render_portrait(seed, _PORTRAIT_HW)[0] for seed in range(_PORTRAITS)]
    noise = rng.integers(0, 256, (*_PORTRAIT_HW, 3)).astype(np.uint8)
    trials = []
    shape = (input_shape[0], channels or input_shape[1], *input_shape[2:])
    if preprocess.input_size_hw is None:
        photos = [cv2.resize(photo, _PORTRAIT_HW[::-1], interpolation=cv2.INTER_AREA) for photo in photos]
    for place, image in enumerate([*photos, *portraits, noise]):
        tensor, _ = preprocess(image)
        levels: np.ndarray | None = preprocess.without_normalising()(image)[0].astype(np.uint8)
        if shape[1] > tensor.shape[1]:  # a prior: the predictor gives zeros to a single image
            tensor, levels = np.concatenate([tensor, np.zeros_like(tensor[:, :1])], axis=1), None
        logits = reference_logits(network, tensor)
        trials.append(Trial(image, tensor, levels, logits, network, is_photo=place < len(photos)))
    for size in _noise_shapes(shape, trials[0].tensor.shape):
        tensor, levels = _noise(rng, size, preprocess)
        trials.append(Trial(None, tensor, levels, reference_logits(network, tensor), network))
    return trials


def _noise(rng: np.random.Generator, shape: tuple[int, ...], preprocess: Preprocess) -> tuple[np.ndarray, np.ndarray]:
    """Return random levels, normalised and as they are; a prior among them is taken for a channel of the image."""
    levels = rng.integers(0, 256, shape).astype(np.uint8)
    factor, addend = (np.reshape(values, (1, -1, 1, 1)) for values in normalising_lines(preprocess, shape[1]))
    return (levels * factor + addend).astype(np.float32), levels


def reference_logits(network: nn.Layer, tensor: np.ndarray) -> np.ndarray:
    """Return the trained network's main output for float32 N×C×h×w.

    Raises:
        ExportError: it cannot run at that size, or its output is not finite.
    """
    import paddle

    from paddle_portrait.models.output import as_seg_output

    try:
        with paddle.no_grad():
            logits = as_seg_output(network(paddle.to_tensor(tensor))).logits.numpy()
    except Exception as error:  # whatever the network's own code raises
        raise ExportError(
            f"the trained network cannot run on an input of shape {list(tensor.shape)}: {reason(error)}. "
            "If it is made for one size, give that size: --input_shape H W."
        ) from error
    if not np.isfinite(logits).all():
        raise ExportError(
            f"the trained network's own output is not finite on an input of shape {list(tensor.shape)}: "
            "its weights are damaged or its training diverged. Choose another checkpoint."
        )
    return logits


def exact_logits(network: nn.Layer, tensor: np.ndarray) -> np.ndarray | None:
    """Return the trained network's main output in float64; None where one of its layers knows float32 only."""
    import paddle

    from paddle_portrait.models.output import as_seg_output

    double = copy.deepcopy(network)
    double.to(dtype="float64")
    try:
        with paddle.no_grad():
            logits = as_seg_output(double(paddle.to_tensor(tensor.astype(np.float64)))).logits.numpy()
    except Exception as error:  # whatever the network's own code raises
        logger.debug("the network does not run in double precision: %s", reason(error))
        return None
    return logits if logits.dtype == np.float64 and np.isfinite(logits).all() else None


def measure(directory: Path, name: str, trials: Sequence[Trial], output_op: str) -> dict[str, TargetParity]:
    """Run target ``name`` of an exported directory, and its variants, on the trials and compare.

    Returns:
        The target's entry by its name, those of variants by ``name/variant``.

    Raises:
        ExportError: the runtime cannot load or run what was written.
    """
    logger.info("%s: checking it against the trained network", name)
    deploy = DeployFile.read(directory)
    files = deploy.targets[name]
    operators = load_target(name).count_operators(directory, files)
    few = _spread(trials, getattr(load_target(name), "MOST_TRIALS", len(trials)))
    checked = _Checked(directory, deploy, name, few, output_op, dict(sorted(operators.items())))
    found = {name: checked.run(files, limit_of(name))}
    rewrites = getattr(load_target(name), "rewrites", None)
    if rewrites is not None:
        found[name].rewrites = rewrites(directory, files)
    limits = variant_limits_of(name)
    for variant in files.variants:
        entry = files.variant(variant)
        found[f"{name}/{variant}"] = (
            checked.run(entry, limits[variant])
            if variant in limits
            else checked.not_run(entry, limit_of(name), _OTHERS)
        )
    return found


def _spread(trials: Sequence[Trial], most: int) -> Sequence[Trial]:
    """Return at most that many trials, the first and the last among them: portraits and noise."""
    if len(trials) <= most:
        return trials
    return [trials[round(place)] for place in np.linspace(0, len(trials) - 1, most)]


@dataclass(frozen=True)
class _Checked:
    """A target of an exported directory, under proof."""

    directory: Path
    deploy: DeployFile
    name: str
    trials: Sequence[Trial]
    output_op: str
    operators: dict[str, int]

    def not_run(self, files: TargetFiles, limit: Limit, why: str) -> TargetParity:
        """Return the entry of files that nothing here runs."""
        size = self._bytes(files)
        return TargetParity(False, None, *limit, None, None, None, None, size, self.operators, None, why=why)

    def run(self, files: TargetFiles, limit: Limit) -> TargetParity:
        """Compare the answers of ``files`` with the trained network's."""
        try:
            backend = open_target(self.name, self.directory, files)
        except CannotRunHereError as error:
            logger.warning("target %s was written but not checked: %s", self.name, error)
            return self.not_run(files, limit, str(error))
        predictor = Predictor(self.directory, self.deploy, self.name, backend)
        differences, finite, masks = [], True, MaskAgreement()
        for trial in self.trials:
            output = _answer(predictor, trial, self.deploy.form)
            finite = finite and bool(np.isfinite(output).all())
            differences.append(trial.difference(output, self.output_op, limit.value).ravel())
            expected, found = person_probability(trial.logits, "none"), person_probability(output, self.output_op)
            masks.add(expected, found, float(differences[-1].max()), soft=self.output_op != "argmax")
        worst = max(float(values.max()) for values in differences)
        return TargetParity(
            ran=True,
            passed=finite and limit.is_kept(worst, masks),
            limit=limit.value,
            limited=limit.measure,
            max_abs_diff=worst,
            mean_abs_diff=float(np.concatenate(differences).mean()),
            mask_iou=masks.iou,
            finite=finite,
            bytes=self._bytes(files),
            operators=self.operators,
            runtime=predictor.runtime,
            one_class_diff=masks.one_class_diff,
            worst_trial=_worst(differences, limit),
            photos=sum(trial.is_photo for trial in self.trials),
        )

    def _bytes(self, files: TargetFiles) -> int:
        return sum((self.directory / file).stat().st_size for file in files.own_names())


def _worst(differences: Sequence[np.ndarray], limit: Limit) -> int:
    """Return the place of the trial that speaks most against a target; a mask hangs on many pixels, not on one."""
    measure = np.max if limit.measure == "max_abs_diff" else np.mean
    return int(np.argmax([measure(values) for values in differences]))


def require_passed(targets: dict[str, TargetParity], first_wrong: Mapping[str, str | None]) -> None:
    """Raise ParityError when a target was run and is not the trained network.

    Args:
        targets: what was measured.
        first_wrong: by target, the first layer that it gets wrong, where that is known.
    """
    failed = [
        f"{name}: {describe_fault(entry)}"
        + ("" if entry.finite else "; its output is not finite")
        + (f"; the first layer that departs is '{first_wrong[name]}'" if first_wrong.get(name) else "")
        for name, entry in targets.items()
        if entry.passed is False
    ]
    if failed:
        raise ParityError(
            "the exported model does not compute what the trained network computes, and was not kept. "
            + "; ".join(failed)
            + ". Another --format may be right, or replace the operator that the converter gets wrong."
        )


def describe_fault(entry: TargetParity) -> str:
    """Return in words by how much a target is over its limit."""
    if entry.limited == "max_abs_diff":
        return f"largest difference in probability {entry.max_abs_diff:.3g}, allowed {entry.limit:g}"
    if entry.mask_iou is not None and entry.mask_iou < entry.limit:
        return f"IoU of the masks {entry.mask_iou:.4f}, at least {entry.limit:g} is asked for"
    if (entry.one_class_diff or 0.0) > ONE_CLASS_LIMIT:
        return (
            f"largest difference in probability {entry.one_class_diff:.3g} where the mask has one class only, "
            f"allowed {ONE_CLASS_LIMIT:g}"
        )
    if entry.mask_iou is None:
        return (
            "no input gives a mask with both classes, so class numbers prove nothing; "
            "probabilities would (--output_op sigmoid), or weights that know a person"
        )
    return f"IoU of the masks {entry.mask_iou:.4f}"


def write_parity(directory: Path, targets: dict[str, TargetParity]) -> None:
    """Write ``parity.json``."""
    content = {"targets": {name: asdict(entry) for name, entry in targets.items()}}
    (directory / PARITY_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def probability_difference(output: np.ndarray, output_op: str, logits: np.ndarray) -> np.ndarray:
    """Return how far a raw output is from the trained network's logits, as differences of probability.

    Of class numbers, only wrong ones differ: by half of what the chosen class lacks to the likeliest one, which
    for two classes is the distance of the person probability from 0.5. What is not finite differs by 1.
    """
    expected = _probabilities(logits)
    if output_op == "argmax":
        classes = output.reshape(output.shape[0], 1, *output.shape[-2:])
        chosen = np.take_along_axis(expected, classes.astype(np.int64), axis=1)
        return (expected.max(axis=1, keepdims=True) - chosen) / 2
    if output_op == "sigmoid":
        found, expected = output[:, 0], person_probability(logits, "none")
    else:
        found = _probabilities(output) if output_op == "none" else output
    return np.nan_to_num(np.abs(found.astype(np.float64) - expected), nan=1.0, posinf=1.0)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Return float64 N×classes×h×w softmax, of a single channel both classes by its sigmoid."""
    values = logits.astype(np.float64)
    if values.shape[1] == 1:
        values = np.concatenate([np.zeros_like(values), values], axis=1)
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _answer(predictor: Predictor, trial: Trial, form: GraphForm) -> np.ndarray:
    """Return the exported model's output in its plain form."""
    # An image goes through the predictor's own preprocessing, which is under proof as well.
    tensor = trial.feed(form) if trial.image is None else predictor.prepare(trial.image)[0]
    try:
        return predictor.answer(tensor)
    except Exception as error:  # every runtime has its own exception types
        raise ExportError(
            f"target {predictor.backend_name} was written but cannot run on an input of shape {list(tensor.shape)}: "
            f"{reason(error)}"
        ) from error


def _noise_shapes(input_shape: Shape, usual: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    count, channels, height, width = input_shape
    fixed = tuple(given if given > 0 else common for given, common in zip(input_shape, usual, strict=True))
    yield fixed
    if height == -1 or width == -1:
        for other_h, other_w in _OTHER_SIZES_HW:
            yield fixed[0], channels, other_h if height == -1 else height, other_w if width == -1 else width
    if count == -1:
        yield 2, *fixed[1:]
