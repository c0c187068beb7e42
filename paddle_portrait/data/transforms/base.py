"""What a transform is, and how a list of them is run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cv2
import numpy as np

from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.errors import UserError
from paddle_portrait.preprocess.geometry import Operation, Padded, Resized, Size, pad, resize
from paddle_portrait.preprocess.pipeline import Preprocess
from paddle_portrait.preprocess.steps import Normalize, Step


class Transform(ABC):
    """Changes a sample; all randomness comes from ``rng``.

    Attributes:
        random: False where the result does not depend on ``rng``; such a transform at the head of a list
            may be cached.
    """

    random = True

    @abstractmethod
    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return a new sample; the arrays of the given one are not written into."""


class StepTransform(Transform):
    """A geometric step of ``preprocess``, applied to image and label."""

    plan: Callable[..., Operation]
    label_padding_value: int = IGNORE

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Apply the step's operation to image and label."""
        operation = self.plan(sample.size_hw, rng)
        label = sample.label
        if label is not None and isinstance(operation, Resized):
            label = resize_label(label, operation.after)
        elif label is not None:
            label = pad_label(label, operation, self.label_padding_value)
        return sample.with_arrays(operation.apply(sample.image), label)


class Pipeline:
    """A list of transforms: per sample all but ``Normalize``, which is done on the whole batch.

    Args:
        transforms: ours, or the installed paddleseg's, which are wrapped.
        channels: 3, or 1 to turn batches grey.
    """

    def __init__(self, transforms: Iterable[Any], channels: int = 3) -> None:
        from paddle_portrait.data.transforms.foreign import as_transform

        listed = list(transforms)
        self.normalize: Normalize | None = None
        if listed and isinstance(listed[-1], Normalize):
            self.normalize = listed.pop()
        if any(isinstance(item, Normalize) for item in listed):
            raise UserError("transforms: Normalize must be the last of the list, and there only once.")
        self.steps: list[Transform] = [as_transform(item) for item in listed]
        self.channels = channels
        self._to_tensor = Preprocess([self.normalize] if self.normalize else [], self.colour)
        fixed = [step.random for step in self.steps]
        self._prefix = fixed.index(True) if True in fixed else len(fixed)

    @property
    def colour(self) -> str:
        """Colour order of the batches: rgb or gray."""
        return "gray" if self.channels == 1 else "rgb"

    def prepare(self, sample: Sample) -> Sample:
        """Run the transforms at the head of the list that do not depend on chance."""
        return self._run(self.steps[: self._prefix], sample, np.random.default_rng(0))

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Run the rest of the list, from the first random transform on."""
        return self._run(self.steps[self._prefix :], sample, rng)

    def to_tensor(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Normalise uint8 H×W×3 images of one size into float32 N×C×H×W."""
        return self._to_tensor.to_tensor(images)

    def preprocess(self) -> Preprocess:
        """Return the same road without labels, for evaluation.

        Raises:
            UserError: a transform is random or cannot be undone.
        """
        steps: list[Step | Normalize] = [*self.steps, *([self.normalize] if self.normalize else [])]  # type: ignore[list-item]
        return Preprocess(steps, self.colour)

    @staticmethod
    def _run(steps: Sequence[Transform], sample: Sample, rng: np.random.Generator) -> Sample:
        for step in steps:
            sample = step(sample, rng)
        return sample


def resize_label(label: np.ndarray, size_hw: Size) -> np.ndarray:
    """Scale a label: nearest pixel centre for class indices, linear for soft labels.

    ``INTER_NEAREST_EXACT`` keeps label and image aligned; plain nearest shifts by up to half a source pixel.
    """
    if label.dtype == np.uint8:
        return resize(label, size_hw, cv2.INTER_NEAREST_EXACT)
    return on_soft_label(
        label,
        lambda values: resize(values, size_hw, cv2.INTER_LINEAR),
        lambda values: resize(values, size_hw, cv2.INTER_NEAREST_EXACT),
    )


def pad_label(label: np.ndarray, operation: Padded, value: float) -> np.ndarray:
    """Add a border of ``value`` to a label."""
    return pad(label, operation.after, operation.offset, value)


def warp_label(label: np.ndarray, matrix: np.ndarray, size_wh: tuple[int, int], value: float) -> np.ndarray:
    """Move a label by an affine matrix (image to result); pixels from outside get ``value``."""

    def warp(values: np.ndarray, flags: int, border: int, fill: float) -> np.ndarray:
        return cv2.warpAffine(values, matrix, size_wh, flags=flags, borderMode=border, borderValue=(fill,) * 4)

    if label.dtype == np.uint8:
        return warp(label, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, value)
    return on_soft_label(
        label,
        lambda values: warp(values, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE, 0),
        lambda values: warp(values, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, value),
        always_nearest=True,
    )


def on_soft_label(
    label: np.ndarray,
    linear: Callable[[np.ndarray], np.ndarray],
    nearest: Callable[[np.ndarray], np.ndarray],
    always_nearest: bool = False,
) -> np.ndarray:
    """Interpolate soft labels without mixing the value of ignored pixels into probabilities.

    ``nearest`` decides which pixels of the result are ignored (value above 1).
    """
    ignored = label > 1
    any_ignored = bool(ignored.any())
    values = linear(np.where(ignored, np.float32(0), label) if any_ignored else label)
    if not any_ignored and not always_nearest:
        return values
    where = nearest(label)
    # A pixel beside an ignored one has no neighbours to mix with: take the nearest value.
    touched = linear(ignored.astype(np.float32)) > 0 if any_ignored else np.zeros(values.shape, bool)
    return np.where(touched | (where > 1), where, values).astype(np.float32)
