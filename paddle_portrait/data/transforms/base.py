"""What a transform is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.data.transforms.moving import pad_sample, resize_sample
from paddle_portrait.preprocess.geometry import Operation, Resized


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
        """Apply the step's operation to image, label and prior."""
        operation = self.plan(sample.size_hw, rng)
        if isinstance(operation, Resized):
            return resize_sample(sample, operation.after, operation.interp)
        return pad_sample(sample, operation, self.label_padding_value)
