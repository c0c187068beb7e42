"""Judges a network on a data set: metrics at each label's own size, in total and image by image."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.console import track
from paddle_portrait.engine import distributed
from paddle_portrait.engine.inferring import PredictOptions, class_probabilities, person_of
from paddle_portrait.errors import UserError
from paddle_portrait.metrics import BoundaryMetrics, CheckerboardMetrics, FlickerMetrics, MatteMetrics, RegionMetrics

if TYPE_CHECKING:
    import paddle

    from paddle_portrait.data.batch import Batch
    from paddle_portrait.data.datasets.base import PortraitDataset
    from paddle_portrait.data.loader import LoadableDataset
    from paddle_portrait.data.sample import Sample
    from paddle_portrait.preprocess.geometry import Geometry

Row = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """One image's answer, in the forms that metrics take (their ``takes``).

    Attributes:
        classes: predicted class, H×W of the label's size.
        probability: the person's, float32 H×W of the label's size.
        network_probability: the person's, float32 h×w as the network gave it.
    """

    classes: np.ndarray
    probability: np.ndarray
    network_probability: np.ndarray


JudgedRow = tuple[Row, Judged, np.ndarray]


@dataclass
class EvalReport:
    """What an evaluation found.

    Attributes:
        metrics: the accumulated metrics, by name; empty before the first image.
        rows: one mapping an image: ``index, path`` and its own values, in the order of the data set.
        seconds: wall time.
        network_seconds: the part of it that was spent in the network.
    """

    metrics: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    seconds: float = 0.0
    network_seconds: float = 0.0

    @property
    def summary(self) -> dict[str, float]:
        """The set's figures: ``miou, person_iou, person_iou_mean, pixel_accuracy, images, boundary_iou, mae``…"""
        joined: dict[str, float] = {}
        for metric in self.metrics.values():
            joined.update(metric.result())
        return joined

    def state_dict(self) -> dict[str, Any]:
        """Return plain arrays, lists and numbers, to be sent between processes."""
        return {
            "metrics": {name: metric.state_dict() for name, metric in self.metrics.items()},
            "rows": [dict(row) for row in self.rows],
            "seconds": self.seconds,
            "network_seconds": self.network_seconds,
        }

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add another process's share of the same evaluation, as its :meth:`state_dict` gave it."""
        sums = state["metrics"]
        if sums and not self.metrics:
            self.metrics = default_metrics(len(sums["region"]["confusion"]))
        for name, values in sums.items():
            other = copy.deepcopy(self.metrics[name])
            other.load_state_dict(values)
            self.metrics[name].merge(other)
        self.rows = sorted([*self.rows, *state["rows"]], key=lambda row: row["index"])
        self.seconds = max(self.seconds, state["seconds"])
        self.network_seconds = max(self.network_seconds, state["network_seconds"])


def evaluate(
    model: paddle.nn.Layer,
    dataset: LoadableDataset,
    batch_size: int = 1,
    num_workers: int = 0,
    predict_options: PredictOptions | None = None,
    progress: bool = True,
    rank: int = 0,
    world_size: int = 1,
    sequence: bool = False,
) -> EvalReport:
    """Judge ``model`` on every labelled image of ``dataset``.

    The probabilities are brought back bilinearly to each image's original size, then cut: at 0.5 for two
    classes, at the largest for more. Neither ``batch_size`` nor ``num_workers`` changes the result beyond the
    rounding of the network. Each layer is left in the mode (training or evaluation) in which it was. Memory
    holds a few batches at a time.

    Args:
        model: network with two or more classes, or one logit of the person.
        dataset: a data set with labels, ours or paddleseg's, whose transforms are deterministic.
        batch_size: largest number of images a step; images of different tensor size go one by one.
        num_workers: threads that read images.
        predict_options: flips, scales, sliding windows.
        progress: show a progress bar.
        rank: this process's share of the images, of ``world_size``; :func:`joined` joins the shares.
        world_size: number of processes that share the images.
        sequence: also judge the flicker: neighbours of the list that lie in one folder are frames of one clip.

    Raises:
        UserError: the set is empty, an image has no label, a label has another size than its image, the
            network's answer is not finite, or a sequence is to be shared by processes.
    """
    from paddle_portrait.data.loader import EvalLoader

    if len(dataset) == 0:
        raise UserError("there is nothing to evaluate: the data set's list is empty.")
    if sequence and world_size > 1:
        raise UserError("flicker compares neighbouring frames, so a sequence is judged in one process.")
    report = EvalReport()
    flicker = FlickerMetrics() if sequence else None
    started = time.perf_counter()
    with closing(EvalLoader(dataset, batch_size, num_workers, rank, world_size)) as loader:
        rows = _rows(report, model, loader, predict_options or PredictOptions())
        if flicker is not None:
            rows = _with_flicker(rows, flicker, loader.dataset)
        shown = track(rows, "evaluating", total=len(loader)) if progress else rows
        report.rows = [row for row, _, _ in shown]
    if flicker is not None:
        report.metrics["flicker"] = flicker
    report.seconds = time.perf_counter() - started
    return report


def joined(report: EvalReport) -> EvalReport:
    """Join the shares of all processes of this run; each gets the whole. All must call it."""
    if distributed.world_size() == 1:
        return report
    import paddle.distributed as dist

    states: list[dict[str, Any]] = []
    dist.all_gather_object(states, report.state_dict())
    whole = EvalReport()
    for state in states:
        whole.merge(state)
    return whole


def _rows(
    report: EvalReport, model: paddle.nn.Layer, loader: Iterable[Batch], options: PredictOptions
) -> Iterator[JudgedRow]:
    """Judge image by image, adding to the metrics of ``report``."""
    for batch in loader:
        before = time.perf_counter()
        probabilities = class_probabilities(model, batch.to_tensors().images, options)
        report.network_seconds += time.perf_counter() - before
        if not report.metrics:
            report.metrics = default_metrics(probabilities.shape[1])
        items = zip(batch.indices, batch.paths, batch.geometries or [], batch.labels, probabilities, strict=True)
        for index, path, geometry, label, answer in items:
            _check_label(path, geometry, label)
            judged = judge(answer, geometry, path)
            row: Row = {"index": int(index), "path": str(path)}
            for metric in report.metrics.values():
                row.update(metric.update(getattr(judged, metric.takes), label))
            yield row, judged, label


def _with_flicker(rows: Iterator[JudgedRow], flicker: FlickerMetrics, dataset: PortraitDataset) -> Iterator[JudgedRow]:
    """Add to each row how its frame differs from the one before it in the same folder."""
    clip = None
    for row, judged, label in rows:
        folder = Path(row["path"]).parent
        if folder != clip:
            flicker.start_clip()
        clip = folder
        row.update(flicker.update(dataset.load(row["index"]).image, judged.probability, label))
        yield row, judged, label


def default_metrics(num_classes: int) -> dict[str, Any]:
    """Return the metrics of an evaluation, empty, by name."""
    return {
        "region": RegionMetrics(num_classes),
        "boundary": BoundaryMetrics(),
        "matte": MatteMetrics(),
        "checkerboard": CheckerboardMetrics(),
    }


def judge(probabilities: np.ndarray, geometry: Geometry, path: str = "the image") -> Judged:
    """Bring one image's class probabilities, float32 (classes, h, w), to the image's size and cut them.

    Raises:
        UserError: a probability is not finite; ``path`` names the image.
    """
    if not np.isfinite(probabilities).all():
        raise UserError(f"the network's answer for '{path}' is not finite: its weights are damaged or diverged.")
    network_probability = person_of(probabilities[None])[0]
    probability = geometry.restore(network_probability)
    if len(probabilities) == 2:
        classes = probability >= 0.5
    else:
        classes = np.argmax([geometry.restore(one) for one in probabilities], axis=0)
    return Judged(classes, probability, network_probability)


def judge_one(
    model: paddle.nn.Layer, dataset: PortraitDataset, index: int, options: PredictOptions | None = None
) -> tuple[Sample, Judged]:
    """Return one sample of ``dataset`` as it is on the disk, and the network's answer to it."""
    import paddle

    item = dataset.eval_item(index)
    probabilities = class_probabilities(model, paddle.to_tensor(item.tensor[None]), options)
    return dataset.load(index), judge(probabilities[0], item.geometry, item.path)


def _check_label(path: str, geometry: Geometry, label: np.ndarray | None) -> None:
    if label is None:
        raise UserError(f"'{path}' has no label, so nothing can be judged; give a list with masks.")
    if label.shape != geometry.original_hw:
        raise UserError(
            f"the mask of '{path}' is {label.shape[1]}x{label.shape[0]} (width x height), its image "
            f"{geometry.original_hw[1]}x{geometry.original_hw[0]}: they must be the same size. "
            "tools/check_dataset.py finds all such files."
        )


def worst_first(rows: Sequence[Row], key: str = "person_iou") -> list[Row]:
    """Return the rows by rising ``key``; rows of equal value keep the order of the set, NaN comes last."""
    return sorted(rows, key=lambda row: (np.isnan(row[key]), row[key]))
