"""One photo with its label, on its way from the disk to a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    """

    image: np.ndarray
    label: np.ndarray | None = None
    path: str = ""
    label_path: str = ""
    index: int = 0

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.image.shape[0], self.image.shape[1]

    def with_arrays(self, image: np.ndarray, label: np.ndarray | None) -> Sample:
        """Return the same sample with other pixels."""
        return replace(self, image=image, label=label)
