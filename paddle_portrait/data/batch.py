"""Several samples as the arrays that a network and its losses take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Geometry
from paddle_portrait.preprocess.steps import Normalize

_RADIUS = 2
_offsets = np.arange(-_RADIUS, _RADIUS + 1)
_DISC = (_offsets[:, None] ** 2 + _offsets**2 <= _RADIUS**2).astype(np.uint8)


@dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        images: float32 N×C×H×W, normalised.
        labels: int64 N×H×W class indices (255: ignore) or float32 N×H×W soft labels (255.0: ignore); None
            without labels. In evaluation a list of N arrays at the sizes of their own files.
        paths: files of the images.
        indices: positions in the data set.
        textured: float32 N×C×H×W, the same crops in other colours, or None.
        edges: int64 N×H×W, 1 within two pixels of the person's outline, or None.
        geometries: in evaluation, the way back to each image's own frame.
        normalize: in training, what made ``images`` of pixels, where that is known.
    """

    images: Any
    labels: Any
    paths: list[str]
    indices: list[int]
    textured: Any = None
    edges: Any = None
    geometries: list[Geometry] | None = None
    normalize: Normalize | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def to_tensors(self) -> Batch:
        """Return the same batch with Paddle tensors for the arrays (lists of labels stay numpy).

        On a CPU the tensors share the arrays' memory: nothing is copied between the loader and the step.
        """
        names = ("images", "labels", "textured", "edges")
        arrays = {name: getattr(self, name) for name in names}
        return replace(self, **{k: _tensor(v) for k, v in arrays.items() if isinstance(v, np.ndarray)})

    def pixels(self) -> np.ndarray:
        """Return the images as they were before ``Normalize``: uint8 N×H×W×3, RGB.

        Raises:
            UserError: that is not known, or the colours are gone.
        """
        if self.normalize is None:
            raise UserError(
                "a loss looks at the pictures themselves, but this data set normalises them on its own, in a way "
                "that cannot be undone. Use type: Dataset."
            )
        if self.normalize.colour == "gray":
            raise UserError("a loss looks at the pictures' colours, but Normalize made them grey (colour: gray).")
        return self.normalize.undo(np.asarray(self.images)[:, :3])


def _tensor(array: np.ndarray) -> Any:
    """Return a tensor on the current device, of the array's own memory if possible: nobody else may write there."""
    import paddle

    if paddle.get_device() == "cpu" and array.flags.c_contiguous and array.flags.writeable:
        return paddle.utils.dlpack.from_dlpack(array)
    return paddle.to_tensor(array)


def stack_labels(samples: Sequence[Sample], soft: bool) -> np.ndarray | None:
    """Join the labels of one size: float32 where ``soft`` (integer ones become 0.0, 1.0 and 255.0), else int64."""
    labels = [sample.label for sample in samples if sample.label is not None]
    if len(labels) != len(samples):
        return None
    return np.stack(labels).astype(np.float32 if soft else np.int64)


def outline_band(labels: np.ndarray) -> np.ndarray:
    """Mark the pixels no further than two pixels from the person's outline.

    Args:
        labels: N×H×W class indices or soft labels.

    Returns:
        int64 N×H×W: 1 in the band, 0 elsewhere, 255 where the label is ignored.
    """
    bands = np.empty(labels.shape, np.int64)
    for label, band in zip(labels, bands, strict=True):
        ignored = label == IGNORE
        person = (label > 0.5) & ~ignored
        near_person = cv2.dilate(person.astype(np.uint8), _DISC)
        near_ground = cv2.dilate((~person & ~ignored).astype(np.uint8), _DISC)
        band[:] = np.where(ignored, IGNORE, near_person & near_ground)
    return bands


def check_sizes(samples: Sequence[Sample]) -> None:
    """Raise a UserError that names two files unless all samples have one size."""
    first = samples[0]
    for sample in samples:
        if sample.size_hw != first.size_hw:
            raise UserError(
                f"after the transforms {first.path} is {_size(first)} and {sample.path} is {_size(sample)}, "
                "but a batch needs one size. End the transforms with RandomPaddingCrop, Padding or a Resize "
                "without keep_ratio, before Normalize."
            )


def _size(sample: Sample) -> str:
    return f"height {sample.size_hw[0]}, width {sample.size_hw[1]}"
