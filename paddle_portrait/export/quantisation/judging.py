"""What quantisation costs in accuracy: every graph on the same photos, compared image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.console import track
from paddle_portrait.errors import UserError
from paddle_portrait.export.masks import has_both_classes
from paddle_portrait.metrics.boundary import boundary_iou
from paddle_portrait.metrics.region import confusion_matrix, iou_per_class

if TYPE_CHECKING:
    from paddle_portrait.data.datasets.base import PortraitDataset
    from paddle_portrait.inference import Predictor

_RESAMPLES = 2000
_POINTS = 100.0


@dataclass(frozen=True)
class Judgement:
    """One graph's answers to a data set.

    Attributes:
        confusions: int64 N×2×2 for each image; row = label, column = answer.
        boundary_ious: float N.
        overlap: pixels that both this graph and the first one judged call a person, and that either does, in the
            photos where the first one's mask has both classes: one of a single class proves nothing.
    """

    confusions: np.ndarray
    boundary_ious: np.ndarray
    overlap: tuple[int, int]

    @property
    def miou(self) -> float:
        """mIoU of the pixels of all images, in [0, 1]."""
        return float(np.nanmean(iou_per_class(self.confusions.sum(axis=0))))

    @property
    def boundary_iou(self) -> float:
        """Mean of the images' boundary IoU, in [0, 1]."""
        return float(self.boundary_ious.mean())

    @property
    def mask_iou(self) -> float | None:
        """IoU of this graph's masks with those of the first one judged, in [0, 1]; None where none has both classes."""
        return self.overlap[0] / self.overlap[1] if self.overlap[1] else None


def judge(predictors: Mapping[str, Predictor], dataset: PortraitDataset) -> dict[str, Judgement]:
    """Judge every predictor on every labelled photo of ``dataset``; each photo is read and prepared once.

    Args:
        predictors: of one preprocessing; the first is the reference of the masks' overlap.
        dataset: with masks; the photos are taken as they are on the disk.

    Returns:
        A judgement by the predictor's name.
    """
    first = next(iter(predictors.values()))
    confusions: dict[str, list[np.ndarray]] = {name: [] for name in predictors}
    boundaries: dict[str, list[float]] = {name: [] for name in predictors}
    overlaps = {name: np.zeros(2, np.int64) for name in predictors}
    for index in track(range(len(dataset)), "judging"):
        sample = dataset.load(index)
        if sample.label is None:
            raise UserError(f"'{sample.path}' has no mask, so nothing can be judged; name a set with masks.")
        tensor, geometry = first.prepare(sample.image)
        reference: np.ndarray | None = None
        for name, predictor in predictors.items():
            mask = geometry.restore(predictor.person_at_network_size(tensor)[0]) >= 0.5
            reference = mask if reference is None else reference
            confusions[name].append(confusion_matrix(mask, sample.label))
            boundaries[name].append(boundary_iou(mask, sample.label))
            if has_both_classes(reference):
                overlaps[name] += [int((mask & reference).sum()), int((mask | reference).sum())]
    return {
        name: Judgement(
            np.stack(confusions[name]),
            np.array(boundaries[name]),
            (int(overlaps[name][0]), int(overlaps[name][1])),
        )
        for name in predictors
    }


@dataclass(frozen=True)
class Drop:
    """How much mIoU is lost, in points of a hundred; negative where something was won.

    Attributes:
        mean: over the draws of calibration photos.
        low: lower end of the 95 % interval over the images.
        high: its upper end.
        of_draws: each draw's own.
    """

    mean: float
    low: float
    high: float
    of_draws: tuple[float, ...]


def miou_drop(floating: Judgement, quantised: Sequence[Judgement], seed: int = 0) -> Drop:
    """Return what quantisation costs, with a paired bootstrap: images are drawn anew, the same for all graphs.

    Args:
        floating: the float graph's judgement.
        quantised: those of the same graph quantised with several draws of calibration photos.
        seed: of the bootstrap.
    """
    count = len(floating.confusions)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1.0 / count), size=_RESAMPLES)
    drops = np.stack([_mious(floating, times) - _mious(one, times) for one in quantised]).mean(axis=0)
    own = tuple(_POINTS * (floating.miou - one.miou) for one in quantised)
    low, high = np.percentile(_POINTS * drops, [2.5, 97.5])
    return Drop(float(np.mean(own)), float(low), float(high), own)


def _mious(judgement: Judgement, times: np.ndarray) -> np.ndarray:
    """Return the mIoU of every resample; ``times`` is how often each image is in it, resamples×N."""
    sums = (times @ judgement.confusions.reshape(len(judgement.confusions), -1)).reshape(-1, 2, 2)
    return np.array([np.nanmean(iou_per_class(confusion)) for confusion in sums])
