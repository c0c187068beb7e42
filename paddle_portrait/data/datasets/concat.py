"""Several data sets as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from paddle_portrait.data.datasets.list_file import Dataset
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.sampling import Part
from paddle_portrait.data.transforms.base import Pipeline
from paddle_portrait.errors import UserError
from paddle_portrait.registry import DATASETS


@DATASETS.register()
class ConcatDataset:
    """Joins data sets; each one's ``weight`` says how often an epoch sees its photos.

    Where the labels of one are soft, the batches of all have soft labels.

    Args:
        datasets: what is joined.
        transforms: for the data sets that give none of their own.

    Raises:
        UserError: no data set, or they differ in num_classes, channels or ``Normalize``.
    """

    def __init__(self, datasets: Sequence[Dataset], transforms: Sequence[Any] = ()) -> None:
        if not datasets:
            raise UserError("ConcatDataset: datasets is empty; give at least one.")
        self.datasets = list(datasets)
        if transforms:
            for dataset in self.datasets:
                if not dataset.pipeline.steps and dataset.pipeline.normalize is None:
                    dataset.pipeline = Pipeline(transforms, dataset.pipeline.channels)
        self.pipeline = self.datasets[0].pipeline
        _check_alike(self.datasets)
        self.num_classes, self.ignore_index = self.datasets[0].num_classes, self.datasets[0].ignore_index
        self.mode, self.edge = self.datasets[0].mode, self.datasets[0].edge
        self._ends = list(accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def files(self) -> list[tuple[str, str | None]]:
        """(image, mask) of all data sets, in order."""
        return [entry for dataset in self.datasets for entry in dataset.files]

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

    def _find(self, index: int) -> tuple[Dataset, int]:
        number = bisect_right(self._ends, index)
        return self.datasets[number], index - (self._ends[number - 1] if number else 0)


def _check_alike(datasets: Sequence[Dataset]) -> None:
    first = datasets[0]
    for number, other in enumerate(datasets[1:], 1):
        for what, a, b in (
            ("num_classes", first.num_classes, other.num_classes),
            ("img_channels", first.pipeline.channels, other.pipeline.channels),
            ("edge", first.edge, other.edge),
            ("Normalize", _normalization(first), _normalization(other)),
        ):
            if a != b:
                raise UserError(f"ConcatDataset: datasets[0] and datasets[{number}] differ in {what}: {a} and {b}.")


def _normalization(dataset: Dataset) -> tuple[Any, Any] | None:
    normalize = dataset.pipeline.normalize
    return None if normalize is None else (normalize.mean, normalize.std)
