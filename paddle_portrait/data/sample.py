"""One photo with its label, on its way from the disk to a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

IGNORE = 255  # value of label pixels that losses and metrics leave out, in integer and soft labels alike


@dataclass(frozen=True)
class Sample:
    """A photo and its label; transforms return a new one and never write into the arrays.

    Attributes:
        image: uint8 H×W×3, RGB.
        label: None, or H×W: uint8 class indices (0 background, 1 person, 255 ignore), or float32 soft
            labels: the probability of a person in [0, 1], or 255.0 where the pixel is to be ignored.
        path: file of the image, for messages.
        label_path: file of the label, or "".
        index: position in the data set.
        prior: None, or uint8 H×W: where the person was in the frame before (255: surely there), for networks
            that take it as one more channel.
        another: draws another sample of the same data set, as it is on the disk; None outside a data set.
    """

    image: np.ndarray
    label: np.ndarray | None = None
    path: str = ""
    label_path: str = ""
    index: int = 0
    prior: np.ndarray | None = None
    another: Callable[[np.random.Generator], Sample] | None = field(default=None, compare=False, repr=False)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.image.shape[0], self.image.shape[1]

    def with_arrays(self, image: np.ndarray, label: np.ndarray | None) -> Sample:
        """Return the same sample with other pixels in the same places."""
        return replace(self, image=image, label=label)

    def moved(self, image: np.ndarray, label: np.ndarray | None, prior: np.ndarray | None) -> Sample:
        """Return the same sample in another frame."""
        return replace(self, image=image, label=label, prior=prior)
