"""Semantic connectivity: a person in one piece should be found in one piece."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.losses.labels import (
    IGNORE_INDEX,
    binary_view,
    check_sizes,
    class_targets,
    hard_labels,
    is_binary,
    valid_pixels,
)
from paddle_portrait.registry import LOSSES


@LOSSES.register()
class SemanticConnectivityLoss(nn.Layer):
    """1 − connectivity of what is predicted with what is labelled, mean over the classes of an image and images.

    Source: PP-HumanSeg (Chu et al., WACV workshops 2022) and PaddleSeg's loss of this name. For each class that the
    image's label holds, prediction (argmax) and label are taken apart into 8-connected components. A labelled
    component scores the mean IoU with the predicted components that touch it; the connectivity is the sum of the
    scores over the number of labelled components and of predicted ones that touch none. A class of which nothing
    is found costs 1 and the share of the picture that was missed.

    Where PaddleSeg's code counts pixels of the argmax, so that nothing can be learnt from it, pixels here count by
    their probability: a component's area is the sum of its pixels' probabilities, and one that touches nothing
    counts as much as their mean. So every wrong pixel has a gradient. All components count, at full resolution. A
    certain and right prediction costs 0. Soft labels are cut at 0.5.

    Args:
        ignore_index: class number of pixels that belong to no component.
    """

    def __init__(self, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits (one channel counts as two) and N×H×W labels."""
        predicted, own, target = self._read(logits, labels)
        truth = np.where(valid_pixels(labels, self.ignore_index).numpy() > 0, self._classes(logits, labels), -1)
        match = match_components(np.where(truth < 0, -1, predicted.numpy()), truth)
        weights, missed = (
            paddle.to_tensor(array, dtype=own.dtype, place=own.place) for array in (match.group_weights, match.missed)
        )
        loss = weights.sum() + (missed * (1.0 - target)).sum()
        return loss - (weights * _connectivity(own.flatten(), match)).sum() if match.pair_cells.size else loss

    def _read(self, logits: paddle.Tensor, labels: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        """Return, each N×H×W: the predicted class, its probability, and the probability of the right class."""
        if is_binary(logits):
            hard = hard_labels(labels, self.ignore_index)
            margin, person, _ = binary_view(logits, hard, "SemanticConnectivityLoss", self.ignore_index)
            predicted = (margin > 0).astype("int64")
            side = 2.0 * predicted.astype(margin.dtype) - 1.0
            return predicted, F.sigmoid(margin * side), F.sigmoid(margin * (2.0 * person - 1.0))
        check_sizes(logits, labels)
        probabilities = F.softmax(logits, axis=1)
        targets = class_targets(labels, logits.shape[1], self.ignore_index).astype(probabilities.dtype)
        return logits.argmax(axis=1), probabilities.max(axis=1), (probabilities * targets).sum(axis=1)

    def _classes(self, logits: paddle.Tensor, labels: paddle.Tensor) -> np.ndarray:
        return (hard_labels(labels, self.ignore_index) if is_binary(logits) else labels).numpy()


@dataclass(frozen=True)
class Matching:
    """Which predicted components touch which labelled ones, over a batch.

    A *cell* is what one predicted component has in common with one labelled component of its class, or its rest;
    every pixel is in one. A *group* is a class that an image's label holds. All arrays are int64 or float64.

    Attributes:
        cell_of_pixel: N·H·W.
        component_of_cell: the predicted component of each cell; 0 gathers the pixels outside of all.
        component_sizes: number of pixels of each predicted component.
        pair_cells: the cells of a predicted and a labelled component.
        pair_groups: the group of each pair.
        pair_sizes: number of pixels of the pair's labelled component.
        pair_shares: one over the number of predicted components that touch the pair's labelled one.
        lone: predicted components that touch no labelled one of their group.
        lone_groups: the group of each of them.
        places: number of labelled components of each group.
        group_weights: what each group counts in the batch's loss; the sum is 1.
        missed: N×H×W, what each pixel costs that was missed with all of its class.
    """

    cell_of_pixel: np.ndarray
    component_of_cell: np.ndarray
    component_sizes: np.ndarray
    pair_cells: np.ndarray
    pair_groups: np.ndarray
    pair_sizes: np.ndarray
    pair_shares: np.ndarray
    lone: np.ndarray
    lone_groups: np.ndarray
    places: np.ndarray
    group_weights: np.ndarray
    missed: np.ndarray


def match_components(predicted: np.ndarray, truth: np.ndarray) -> Matching:
    """Match the 8-connected components of two maps of classes.

    Args:
        predicted: int N×H×W, −1 outside of all classes.
        truth: likewise.
    """
    height, width = truth.shape[1:]
    found, found_labels = _components(predicted)
    true, true_labels = _components(truth)
    groups, true_groups = np.unique(true_labels[1:], return_inverse=True)
    cells, cell_of_pixel = _unique_in_runs((found * len(true_labels) + np.where(predicted == truth, true, 0)).ravel())
    component, labelled = np.divmod(cells, len(true_labels))
    pairs = np.flatnonzero((component > 0) & (labelled > 0))
    pair_true = labelled[pairs]
    pair_groups = true_groups[pair_true - 1]
    is_lone = np.isin(found_labels, groups)
    is_lone[component[pairs]] = False
    images = groups // _CLASSES
    group_weights = 1.0 / (np.bincount(images)[images] * len(np.unique(images)))
    is_missed = np.bincount(pair_groups, minlength=len(groups)) == 0
    costs = (is_missed * group_weights / (height * width))[true_groups]
    return Matching(
        cell_of_pixel=cell_of_pixel,
        component_of_cell=component,
        component_sizes=np.bincount(found.ravel(), minlength=len(found_labels)),
        pair_cells=pairs,
        pair_groups=pair_groups,
        pair_sizes=np.bincount(true.ravel())[pair_true],
        pair_shares=1.0 / np.bincount(pair_true)[pair_true],
        lone=np.flatnonzero(is_lone),
        lone_groups=np.searchsorted(groups, found_labels[is_lone]),
        places=np.bincount(true_groups, minlength=len(groups)),
        group_weights=group_weights,
        missed=np.concatenate([[0.0], costs])[true],
    )


def _connectivity(own: paddle.Tensor, match: Matching) -> paddle.Tensor:
    """Return each group's connectivity, from the probability of the predicted class, float N·H·W."""

    def tensor(array: np.ndarray) -> paddle.Tensor:
        return paddle.to_tensor(array, place=own.place, dtype=own.dtype if array.dtype.kind == "f" else "int64")

    groups = len(match.places)
    components, pairs = tensor(match.component_of_cell), tensor(match.pair_cells)
    areas = _sums(own, tensor(match.cell_of_pixel), components.shape[0])
    component_areas = _sums(areas, components, len(match.component_sizes))
    shared = paddle.gather(areas, pairs)
    whole = paddle.gather(component_areas, paddle.gather(components, pairs))
    iou = shared / (whole + tensor(match.pair_sizes.astype(float)) - shared)
    scores = _sums(tensor(match.pair_shares) * iou, tensor(match.pair_groups), groups)
    places = tensor(match.places.astype(float))
    if match.lone.size:
        sizes = tensor(match.component_sizes[match.lone].astype(float))
        places += _sums(paddle.gather(component_areas, tensor(match.lone)) / sizes, tensor(match.lone_groups), groups)
    return scores / places


_CLASSES = 256  # more than any label holds: image number and class in one number


def _components(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the 8-connected components of N×H×W classes 1, 2, …; 0 lies outside of all.

    Returns:
        The map of numbers, and for each number its image and class in one; −1 for number 0.
    """
    numbers = np.zeros(classes.shape, np.int64)
    labels = [np.array([-1])]
    start = 0
    for image, (plane, target) in enumerate(zip(classes, numbers, strict=True)):
        for value in np.flatnonzero(np.bincount(plane[plane >= 0], minlength=1)):
            count, parts = cv2.connectedComponents((plane == value).astype(np.uint8), connectivity=8)
            target += np.where(parts > 0, parts + start, 0)
            labels.append(np.full(count - 1, image * _CLASSES + value))
            start += count - 1
    return numbers, np.concatenate(labels)


def _unique_in_runs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``np.unique(keys, return_inverse=True)``, sorting one value of each run of equal ones."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    values, inverse = np.unique(keys[starts], return_inverse=True)
    return values, np.repeat(inverse, np.diff(starts, append=keys.size))


def _sums(values: paddle.Tensor, index: paddle.Tensor, count: int) -> paddle.Tensor:
    """Return float ``count``: the sums of the values that have the same index."""
    return paddle.scatter_nd_add(paddle.zeros([count], values.dtype), index.unsqueeze(1), values)
