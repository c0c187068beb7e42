"""Region metrics: how well the areas of prediction and label agree, pixel for pixel."""

from __future__ import annotations

import numpy as np

from paddle_portrait.metrics.accumulator import (
    IGNORE_INDEX,
    Accumulator,
    check_same_shape,
    counter,
    hard_label,
    mean_of,
    total,
    valid_pixels,
)
from paddle_portrait.registry import METRICS


def confusion_matrix(
    pred: np.ndarray, label: np.ndarray, num_classes: int = 2, ignore_index: int = IGNORE_INDEX
) -> np.ndarray:
    """Count pixels by their labelled and predicted class.

    Args:
        pred: integer or bool classes, any shape.
        label: integer or bool classes of the same shape; or soft, float in [0, 1], cut at 0.5.
        num_classes: number of classes.
        ignore_index: label of pixels that do not count.

    Returns:
        int64 (num_classes, num_classes); row = label, column = prediction.

    Raises:
        ValueError: the shapes differ, or a class is not in [0, num_classes).
    """
    check_same_shape(pred, label)
    label = hard_label(label, ignore_index)
    valid = valid_pixels(label, ignore_index)
    truth, guess = label[valid].astype(np.uint16), np.asarray(pred)[valid].astype(np.uint16)
    for name, classes in (("label", truth), ("prediction", guess)):
        if classes.size and classes.max() >= num_classes:
            raise ValueError(f"{name} holds class {classes.max()}, but there are {num_classes}, counted from 0")
    pairs = np.bincount(truth * np.uint16(num_classes) + guess, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes).astype(np.int64)


def iou_per_class(confusion: np.ndarray) -> np.ndarray:
    """Return intersection over union of each class; NaN for one in neither prediction nor label.

    Jaccard index, Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010.
    """
    intersection = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - intersection
    return np.divide(intersection, union, out=np.full(len(union), np.nan), where=union > 0)


def image_person_iou(confusion: np.ndarray) -> float:
    """Return the person IoU of one image from its confusion matrix; every class but 0 is person.

    Where neither prediction nor label has a person, the answer was right: 1.
    """
    intersection = int(confusion[1:, 1:].sum())
    union = int(confusion.sum()) - int(confusion[0, 0])
    return intersection / union if union else 1.0


@METRICS.register()
class RegionMetrics(Accumulator):
    """mIoU, person IoU and pixel accuracy over a set of images.

    - ``miou``: mean of the classes' IoU, each from pixels accumulated over the whole set, as in
      mmseg and PaddleSeg. A class that occurs neither in labels nor in predictions has no IoU and does
      not enter the mean (PaddleSeg counts it as 0).
    - ``person_iou``: the person's IoU from accumulated pixels: large people weigh more.
    - ``person_iou_mean``: the person's IoU of each image, averaged: every image weighs the same. An
      image with a person in neither label nor prediction counts 1.
    - ``pixel_accuracy``: share of right pixels.

    With more than two classes every class but 0 is "person" for the two person figures.
    Pixels labelled ``ignore_index`` are left out everywhere.
    """

    takes = "classes"

    def __init__(self, num_classes: int = 2, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(confusion=counter(num_classes, num_classes), images=counter(), person_iou=total())
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def update(self, pred: np.ndarray, label: np.ndarray) -> dict[str, float]:
        """Add one image or a stack of them.

        Args:
            pred: H×W or N×H×W classes, integer or bool.
            label: the same shape; classes, or soft labels in [0, 1].

        Returns:
            For one image its own ``miou, person_iou, pixel_accuracy``; for a stack their means.
        """
        if np.ndim(pred) == 3:
            check_same_shape(pred, label)
            rows = [self.update(one, truth) for one, truth in zip(pred, label, strict=True)]
            return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]} if rows else {}
        confusion = confusion_matrix(pred, label, self.num_classes, self.ignore_index)
        person_iou = image_person_iou(confusion)
        self._sums["confusion"] += confusion
        self._sums["images"] += 1
        self._sums["person_iou"] += person_iou
        return {
            "miou": _mean_of_present(iou_per_class(confusion)),
            "person_iou": person_iou,
            "pixel_accuracy": mean_of(np.trace(confusion), confusion.sum()),
        }

    def result(self) -> dict[str, float]:
        """Return ``miou, person_iou, person_iou_mean, pixel_accuracy, images``; NaN where nothing was seen."""
        confusion = self._sums["confusion"]
        foreground = confusion.sum() - confusion[0, 0]
        return {
            "miou": _mean_of_present(iou_per_class(confusion)),
            "person_iou": mean_of(confusion[1:, 1:].sum(), foreground),
            "person_iou_mean": mean_of(self._sums["person_iou"], self._sums["images"]),
            "pixel_accuracy": mean_of(np.trace(confusion), confusion.sum()),
            "images": int(self._sums["images"]),
        }


def _mean_of_present(ious: np.ndarray) -> float:
    present = ious[~np.isnan(ious)]
    return float(present.mean()) if present.size else float("nan")
