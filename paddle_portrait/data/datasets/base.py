"""What every data set is to the loaders."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.data.batch import Batch, check_sizes, outline_band, stack_labels
from paddle_portrait.data.disk_cache import DiskCache, check_settings
from paddle_portrait.data.masks import MaskReader, choose_reader
from paddle_portrait.data.sample import Sample
from paddle_portrait.data.sampling import Part
from paddle_portrait.data.transforms.pipeline import Pipeline
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Geometry, Size
from paddle_portrait.preprocess.image_io import read_image, read_reduced
from paddle_portrait.preprocess.pipeline import Preprocess
from paddle_portrait.preprocess.steps import Normalize

Files = list[tuple[str, str | None]]


@dataclass(frozen=True)
class EvalItem:
    """One photo ready for a network, with its label as it is on the disk.

    Attributes:
        tensor: float32 C×h×w.
        geometry: the way back to the photo's own frame.
        label: H×W of the photo's size, or None.
        path: file of the photo.
    """

    tensor: np.ndarray
    geometry: Geometry
    label: np.ndarray | None
    path: str


class PortraitDataset(ABC):
    """Base of all data sets.

    Attributes:
        pipeline: the transforms.
        num_classes: number of classes.
        edge: whether batches carry the outline.
        files: (photo, mask or None) of each sample.
    """

    pipeline: Pipeline
    num_classes: int
    edge: bool
    files: Files

    def __len__(self) -> int:
        return len(self.files)

    @property
    @abstractmethod
    def soft_labels(self) -> bool:
        """Whether labels are float32 probabilities instead of class indices."""

    @abstractmethod
    def parts(self) -> list[Part]:
        """Return the sizes and weights of what the data set is made of."""

    @abstractmethod
    def load(self, index: int) -> Sample:
        """Return photo and label as they are on the disk."""

    @abstractmethod
    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return a sample after all transforms but ``Normalize``."""

    def check_evaluation(self) -> None:
        """Raise a UserError unless :meth:`eval_item` can undo the transforms."""
        _ = self._preprocess

    def eval_item(self, index: int) -> EvalItem:
        """Return a photo ready for the network, its label untouched."""
        sample = self.load(index)
        with naming(sample.path):
            tensor, geometry = self._preprocess(sample.image)
        return EvalItem(self.pipeline.evaluation_tensor(tensor[0]), geometry, sample.label, sample.path)

    def collate(self, samples: Sequence[Sample], views: Sequence[Sample] = ()) -> Batch:
        """Join samples of one size, and their second views where there are any, into a training batch."""
        check_sizes(samples)
        labels = stack_labels(samples, self.soft_labels)
        return Batch(
            images=self.pipeline.to_tensor(samples),
            labels=labels,
            paths=[sample.path for sample in samples],
            indices=[sample.index for sample in samples],
            textured=self.pipeline.to_tensor(views) if views else None,
            edges=outline_band(labels) if self.edge and labels is not None else None,
            normalize=self.pipeline.normalize or Normalize([0.0], [1.0], max_value=1),
        )

    @cached_property
    def _preprocess(self) -> Preprocess:
        return self.pipeline.preprocess()


class FileDataset(PortraitDataset):
    """Photos and masks in files.

    Args:
        name: the list or data set, for messages.
        files: (photo, mask or None) of each sample.
        pipeline: the transforms.
        num_classes: number of classes.
        ignore_index: mask value that becomes 255, which losses and metrics leave out.
        mask_format: what mask values mean.
        edge: whether batches carry the outline.
        weight: how often an epoch sees each photo.
        cache_mb: memory for decoded photos.
        disk_cache_mb: room on disk for decoded photos.
        disk_cache_dir: folder of that room; None: in the user's cache.
        reduced_decode: decode JPEG photos at 1/2, 1/4 or 1/8 where the first transform makes them that small.
    """

    def __init__(
        self,
        name: str,
        files: Files,
        pipeline: Pipeline,
        num_classes: int,
        ignore_index: int = 255,
        mask_format: str = "auto",
        edge: bool = False,
        weight: float = 1.0,
        cache_mb: float = 0,
        disk_cache_mb: float = 0,
        disk_cache_dir: str | None = None,
        reduced_decode: bool = False,
    ) -> None:
        if not weight > 0:
            raise UserError(f"data set: weight must be over 0, got {weight}.")
        if cache_mb < 0:
            raise UserError(f"data set: cache_mb must be 0 or more, got {cache_mb}.")
        check_settings(disk_cache_mb, disk_cache_dir)
        self.name, self.files, self.pipeline = name, files, pipeline
        self.num_classes, self.ignore_index, self.mask_format = num_classes, ignore_index, mask_format
        self.edge, self.weight = edge, weight
        self.disk_cache_mb, self.disk_cache_dir, self.reduced_decode = disk_cache_mb, disk_cache_dir, reduced_decode
        self._cache = _SampleCache(int(cache_mb * 2**20))
        self._reader: MaskReader | None = None
        self._choosing = threading.Lock()
        self._disk: DiskCache | None = None
        self._opening = threading.Lock()

    @property
    def masks(self) -> MaskReader:
        """How masks are read; decided at the first use, from a sample of them, and said in the log."""
        with self._choosing:
            if self._reader is None:
                files = [label for _, label in self.files if label is not None]
                self._reader = choose_reader(files, self.mask_format, self.num_classes, self.ignore_index)
                if files:
                    logger.info("%s: masks are %s (%s)", self.name, self._reader.describe(), self._reader.reason)
            return self._reader

    @property
    def soft_labels(self) -> bool:
        """Whether labels are float32 probabilities instead of class indices."""
        return self.masks.soft

    def parts(self) -> list[Part]:
        """Return size and weight, for the order of an epoch."""
        return [Part(len(self.files), self.weight)]

    def load(self, index: int) -> Sample:
        """Return photo and label of a line as they are on the disk.

        Raises:
            UserError: a file is missing, damaged, of another size than its partner, or of wrong values.
        """
        image = read_image(self.files[index][0])
        return self._labelled(index, image, (image.shape[0], image.shape[1]))

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return a sample after all transforms but ``Normalize``."""
        self._open_disk_cache()
        with naming(self.files[index][0]):
            prepared = replace(self._prepared(index), another=lambda draw: self._another(index, draw))
            return replace(self.pipeline.augment(prepared, rng), another=None)

    def _labelled(self, index: int, image: np.ndarray, photo_hw: Size) -> Sample:
        """Add the label, which must have the size of the photo as it is on the disk."""
        path, label_path = self.files[index]
        if label_path is None:
            return Sample(image, None, path, "", index)
        label = self.masks.read(label_path)
        if label.shape != photo_hw:
            raise UserError(
                f"{label_path} is height {label.shape[0]}, width {label.shape[1]}, but its photo {path} is height "
                f"{photo_hw[0]}, width {photo_hw[1]} (EXIF orientation applied). Both must have one size."
            )
        return Sample(image, label, path, label_path, index)

    def _prepared(self, index: int) -> Sample:
        return self._cache.get(index, lambda: self._from_disk(index))

    def _from_disk(self, index: int) -> Sample:
        return self._disk.get(index, lambda: self._decoded(index)) if self._disk else self._decoded(index)

    def _decoded(self, index: int) -> Sample:
        if not self.reduced_decode:
            return self.pipeline.prepare(self.load(index))
        image, photo_hw = read_reduced(self.files[index][0], self.pipeline.first_size)
        return self.pipeline.prepare(self._labelled(index, image, photo_hw), photo_hw)

    def _open_disk_cache(self) -> None:
        """Open it at the first use: only then it is known how masks are read, and which transforms come first."""
        if not self.disk_cache_mb or self._disk is not None:
            return
        decoding = (replace(self.masks, reason=""), self.pipeline.fixed_steps, self.reduced_decode)
        with self._opening:
            if self._disk is None:
                self._disk = DiskCache(self.name, self.files, decoding, self.disk_cache_mb, self.disk_cache_dir)

    def _another(self, index: int, rng: np.random.Generator) -> Sample:
        """Draw another sample than ``index``, before all chance; the same where there is no other."""
        steps = int(rng.integers(1, len(self.files))) if len(self.files) > 1 else 0
        return self._prepared((index + steps) % len(self.files))


class naming:
    """Context in which every error names the photo that was worked on."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or self.path in str(error) or not isinstance(error, Exception):
            return
        if isinstance(error, UserError):
            raise UserError(f"{self.path}: {error}") from error
        raise RuntimeError(f"{self.path}: {type(error).__name__}: {error}") from error


class _SampleCache:
    """Samples up to a number of bytes; the first that come stay, for an epoch visits each once anyway."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._samples: dict[int, Sample] = {}
        self._lock = threading.Lock()

    def get(self, index: int, make: Callable[[], Sample]) -> Sample:
        """Return the kept sample, or make it and keep it where there is room."""
        kept = self._samples.get(index)
        if kept is not None:
            return kept
        sample = make()
        size = sample.image.nbytes + (0 if sample.label is None else sample.label.nbytes)
        with self._lock:
            if size <= self._left and index not in self._samples:
                self._left -= size
                self._samples[index] = sample
        return sample
