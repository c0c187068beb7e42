"""What a transform is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.data.transforms.labels import pad_label, resize_label
from paddle_portrait.preprocess.geometry import Operation, Padded, Resized


class Transform(ABC):
    """Changes a sample; all randomness comes from ``rng``."""

    @property
    def random(self) -> bool:
        """False where the result does not depend on ``rng``; such transforms at the head of a list may be cached."""
        return True

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
        elif label is not None and isinstance(operation, Padded):
            label = pad_label(label, operation, self.label_padding_value)
        return sample.with_arrays(operation.apply(sample.image), label)
