"""Data sets of the installed paddleseg package, made to look like ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from paddle_portrait.data.batch import Batch
from paddle_portrait.data.datasets.base import EvalItem, FileDataset, Files, PortraitDataset
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.sampling import Part
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.foreign import global_randomness_from
from paddle_portrait.data.transforms.pipeline import Pipeline
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Geometry, Resized
from paddle_portrait.preprocess.image_io import read_image
from paddle_portrait.preprocess.steps import Normalize
from paddle_portrait.registry import TRANSFORMS

_COMPOSED = ("transforms", "common_transforms", "transforms1", "transforms2")


def as_dataset(dataset: Any) -> PortraitDataset:
    """Return one of our data sets as it is, a paddleseg one in a wrapper.

    Those that only list files are read by our own code; those with a way of reading of their own
    (EG1800, ADE20K, …) are asked for their samples.

    Raises:
        UserError: it is neither.
    """
    if isinstance(dataset, PortraitDataset):
        return dataset
    if not hasattr(dataset, "file_list") or not hasattr(dataset, "__getitem__"):
        raise UserError(f"{type(dataset).__name__} is no data set that can be loaded: it lists no files.")
    if _reads_like_paddleseg(dataset):
        return FileDataset(
            name=type(dataset).__name__,
            files=_files(dataset),
            pipeline=Pipeline(dataset.transforms.transforms, getattr(dataset, "img_channels", None)),
            num_classes=dataset.num_classes,
            ignore_index=dataset.ignore_index,
            edge=dataset.edge,
        )
    return DictDataset(dataset)


class DictDataset(PortraitDataset):
    """A paddleseg data set that reads and normalises by itself and gives dictionaries of arrays.

    Its samples are made one at a time, because it draws from the process's global generators.

    Args:
        dataset: object with ``file_list`` and ``__getitem__``.
    """

    soft_labels = False

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.num_classes, self.ignore_index = dataset.num_classes, dataset.ignore_index
        self.edge = bool(getattr(dataset, "edge", False))
        self.files = _files(dataset)
        self.pipeline = Pipeline([])  # its own transforms are inside
        for name in _COMPOSED:
            composed = getattr(dataset, name, None)
            if composed is not None:
                composed.transforms = [_as_paddleseg(item) for item in composed.transforms]

    def parts(self) -> list[Part]:
        """Return the size, for the order of an epoch."""
        return [Part(len(self.files))]

    def load(self, index: int) -> Sample:
        """Return the photo as it is on the disk, with the label that the data set gives in evaluation."""
        path, label_path = self.files[index]
        return Sample(read_image(path), self._item(index, _fixed())["label"], path, label_path or "", index)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return a sample whose ``image`` is the finished float32 h×w×C tensor."""
        item = self._item(index, rng)
        return Sample(np.moveaxis(item["img"], 0, -1), item["label"], self.files[index][0], "", index)

    def collate(self, samples: Any, views: Any = ()) -> Batch:
        """Join samples; second views cannot be made, for the images are normalised already."""
        if views:
            raise UserError(f"{type(self.dataset).__name__} cannot give the second view that a loss asks for.")
        return Batch(
            images=np.ascontiguousarray(np.stack([np.moveaxis(sample.image, -1, 0) for sample in samples])),
            labels=np.stack([sample.label for sample in samples]).astype(np.int64),
            paths=[sample.path for sample in samples],
            indices=[sample.index for sample in samples],
        )

    def check_evaluation(self) -> None:
        """Accept everything: the data set keeps the label beside the image by itself."""

    def eval_item(self, index: int) -> EvalItem:
        """Return image and label; predictions are scaled to the label's size."""
        item = self._item(index, _fixed())
        tensor, label = item["img"], item["label"]
        geometry = Geometry(label.shape, (Resized(label.shape, tensor.shape[1:]),))
        return EvalItem(tensor, geometry, label, self.files[index][0])

    def _item(self, index: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        with global_randomness_from(rng):
            item: Mapping[str, Any] = self.dataset[index]
        label = np.asarray(item["label"])
        label = label.reshape(label.shape[-2:])
        if self.ignore_index != 255:
            label = np.where(label == self.ignore_index, 255, label)
        return {"img": np.asarray(item["img"], np.float32), "label": label}


class _InPaddleSeg:
    """One of our transforms as paddleseg calls them: on a dictionary, drawing from numpy's global generator."""

    def __init__(self, transform: Transform | Normalize) -> None:
        self.transform = transform

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        image = np.clip(np.rint(data["img"]), 0, 255).astype(np.uint8)
        if isinstance(self.transform, Normalize):
            return {**data, "img": np.moveaxis(self.transform.apply([image])[0], 0, -1)}
        labelled = "label" in data.get("gt_fields", [])
        label = np.asarray(data["label"], np.uint8) if labelled else None
        rng = np.random.default_rng(np.random.randint(2**31))
        sample = self.transform(Sample(image, label), rng)
        if sample.prior is not None:
            raise UserError("this paddleseg data set has no place for a prior: SimulatePrior needs type: Dataset.")
        changed: dict[str, Any] = {"img": sample.image.astype(np.float32)}
        return {**data, **changed, **({"label": sample.label} if labelled else {})}


def _as_paddleseg(item: Any) -> Any:
    if isinstance(item, Mapping):
        item = TRANSFORMS.build_node(item)
    return _InPaddleSeg(item) if isinstance(item, (Transform, Normalize)) else item


def _reads_like_paddleseg(dataset: Any) -> bool:
    from paddleseg.datasets import Dataset as PaddleSegDataset

    return type(dataset).__getitem__ is PaddleSegDataset.__getitem__


def _files(dataset: Any) -> Files:
    return [(image, mask) for image, mask in dataset.file_list]


def _fixed() -> np.random.Generator:
    return np.random.default_rng(0)
