"""Several data sets as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from paddle_portrait.data.datasets.base import EvalItem, PortraitDataset
from paddle_portrait.data.datasets.foreign import as_dataset
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.sampling import Part
from paddle_portrait.data.transforms.pipeline import Pipeline
from paddle_portrait.errors import UserError
from paddle_portrait.registry import DATASETS


@DATASETS.register()
class ConcatDataset(PortraitDataset):
    """Joins data sets; each one's ``weight`` says how often an epoch sees its photos.

    Where the labels of one are soft, the batches of all have soft labels.

    Args:
        datasets: what is joined.
        transforms: for the data sets that give none of their own.

    Raises:
        UserError: no data set, or they differ in num_classes or ``Normalize``.
    """

    def __init__(self, datasets: Sequence[Any], transforms: Sequence[Any] = ()) -> None:
        if not datasets:
            raise UserError("ConcatDataset: datasets is empty; give at least one.")
        self.datasets = [as_dataset(dataset) for dataset in datasets]
        if transforms:
            for dataset in self.datasets:
                if not dataset.pipeline.steps and dataset.pipeline.normalize is None:
                    asked = dataset.pipeline
                    dataset.pipeline = Pipeline(transforms, asked.channels if asked.prior else None)
        self.pipeline = self.datasets[0].pipeline
        _check_alike(self.datasets)
        self.num_classes, self.edge = self.datasets[0].num_classes, self.datasets[0].edge
        self.files = [entry for dataset in self.datasets for entry in dataset.files]
        self._ends = list(accumulate(len(dataset) for dataset in self.datasets))

    @property
    def soft_labels(self) -> bool:
        """Whether any data set has soft labels."""
        return any([dataset.soft_labels for dataset in self.datasets])

    def parts(self) -> list[Part]:
        """Return sizes and weights, for the order of an epoch."""
        return [part for dataset in self.datasets for part in dataset.parts()]

    def load(self, index: int) -> Sample:
        """Return photo and label as they are on the disk (see :meth:`Dataset.load`)."""
        dataset, inner = self._find(index)
        return replace(dataset.load(inner), index=index)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return a sample after its data set's transforms."""
        dataset, inner = self._find(index)
        return replace(dataset.sample(inner, rng), index=index)

    def check_evaluation(self) -> None:
        """Raise a UserError unless every data set's transforms can be undone."""
        for dataset in self.datasets:
            dataset.check_evaluation()

    def eval_item(self, index: int) -> EvalItem:
        """Return a photo ready for the network (see :meth:`PortraitDataset.eval_item`)."""
        dataset, inner = self._find(index)
        return dataset.eval_item(inner)

    def _find(self, index: int) -> tuple[PortraitDataset, int]:
        number = bisect_right(self._ends, index)
        return self.datasets[number], index - (self._ends[number - 1] if number else 0)


def _check_alike(datasets: Sequence[PortraitDataset]) -> None:
    first = datasets[0]
    for number, other in enumerate(datasets[1:], 1):
        for what, a, b in (
            ("num_classes", first.num_classes, other.num_classes),
            ("edge", first.edge, other.edge),
            ("Normalize", _normalization(first), _normalization(other)),
            ("channels of the images (a prior counts as one)", first.pipeline.channels, other.pipeline.channels),
        ):
            if a != b:
                raise UserError(f"ConcatDataset: datasets[0] and datasets[{number}] differ in {what}: {a} and {b}.")


def _normalization(dataset: PortraitDataset) -> tuple[Any, ...] | None:
    normalize = dataset.pipeline.normalize
    return None if normalize is None else (normalize.mean, normalize.std, normalize.colour, normalize.max_value)
