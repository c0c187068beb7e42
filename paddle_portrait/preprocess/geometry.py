"""What a preprocessing did to the frame of an image, and its exact undoing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Resized:
    """The frame was scaled from ``before`` to ``after``; ``interp`` is an OpenCV constant."""

    before: Size
    after: Size
    interp: int = cv2.INTER_LINEAR

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return the scaled image (the image itself where the size stays)."""
        return resize(image, self.after, self.interp)


@dataclass(frozen=True)
class Padded:
    """The frame grew from ``before`` to ``after``, its old upper left corner at ``offset`` (top, left)."""

    before: Size
    after: Size
    offset: Size = (0, 0)
    value: float = 127.5

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return the image with a border of ``value``."""
        return pad(image, self.after, self.offset, self.value)


Operation = Resized | Padded


@dataclass(frozen=True)
class Geometry:
    """The way from an image's frame to a tensor's frame.

    Attributes:
        original_hw: size of the image as read.
        operations: what was done, in order.
    """

    original_hw: Size
    operations: tuple[Operation, ...] = ()

    @property
    def input_hw(self) -> Size:
        """Size of the tensor that the network sees."""
        return self.operations[-1].after if self.operations else self.original_hw

    def restore(self, prob: np.ndarray) -> np.ndarray:
        """Bring a map of the network's frame back to the frame of the image.

        Borders are cut off exactly; then one bilinear resize (none where the sizes are equal).

        Args:
            prob: float32 array h×w of the size of the network's input.

        Returns:
            float32 array H×W of the image's size.
        """
        if prob.shape != self.input_hw:
            raise ValueError(f"restore takes a map of the network's input size {self.input_hw}, got {prob.shape}")
        restored, size = np.asarray(prob, np.float32), self.input_hw
        for operation in reversed(self.operations):
            if isinstance(operation, Padded):
                restored = resize(restored, size)  # scalings pile up in `size`, so that one resize undoes them all
                top, left = operation.offset
                restored = restored[top : top + operation.before[0], left : left + operation.before[1]]
            size = operation.before
        return np.ascontiguousarray(resize(restored, size))


def resize(image: np.ndarray, size_hw: Size, interp: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Return ``image`` scaled to ``size_hw``; the image itself where it has that size."""
    if image.shape[:2] == size_hw:
        return image
    return cv2.resize(image, (size_hw[1], size_hw[0]), interpolation=interp)


def pad(image: np.ndarray, size_hw: Size, offset: Size, value: float) -> np.ndarray:
    """Return ``image`` on a ground of ``value``, its upper left corner at ``offset`` (top, left)."""
    bottom, right = size_hw[0] - image.shape[0] - offset[0], size_hw[1] - image.shape[1] - offset[1]
    if not any((*offset, bottom, right)):
        return image
    return cv2.copyMakeBorder(image, offset[0], bottom, offset[1], right, cv2.BORDER_CONSTANT, value=(value,) * 4)
