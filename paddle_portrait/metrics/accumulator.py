"""What all accumulated metrics share: sums that can be saved, restored and added."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

IGNORE_INDEX = 255

_Own = TypeVar("_Own", bound="Accumulator")


class Accumulator:
    """A metric over a set of images, kept as named sums.

    Everything that a metric remembers is a sum over images, so the parts of a set that several
    processes have judged are joined by adding their states, in any order.
    """

    def __init__(self, **zeros: np.ndarray) -> None:
        self._sums: dict[str, np.ndarray] = zeros

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return a copy of the sums, by name."""
        return {name: value.copy() for name, value in self._sums.items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Replace the sums by those of ``state``.

        Raises:
            ValueError: names or shapes are not those of this metric.
        """
        expected = {name: value.shape for name, value in self._sums.items()}
        found = {name: np.shape(value) for name, value in state.items()}
        if expected != found:
            raise ValueError(f"{type(self).__name__} cannot take the state {found}; it keeps {expected}")
        self._sums = {name: np.array(value, self._sums[name].dtype) for name, value in state.items()}

    def merge(self: _Own, other: _Own) -> None:
        """Add what ``other`` has seen, as if this metric had seen it too."""
        ours = self.state_dict()
        self.load_state_dict(other.state_dict())  # checks that the two are of one kind
        for name, value in ours.items():
            self._sums[name] += value


def counter(*shape: int) -> np.ndarray:
    """Return integer zeros for an :class:`Accumulator`."""
    return np.zeros(shape, np.int64)


def total(*shape: int) -> np.ndarray:
    """Return float64 zeros for an :class:`Accumulator`."""
    return np.zeros(shape, np.float64)


def mean_of(sum_: np.ndarray, count: np.ndarray) -> float:
    """Return ``sum_ / count``, or NaN where nothing was counted."""
    return float(sum_ / count) if count > 0 else float("nan")


def check_same_shape(first: np.ndarray, second: np.ndarray, what: str = "prediction and label") -> None:
    """Raise a ValueError with both shapes unless they are equal."""
    if np.shape(first) != np.shape(second):
        raise ValueError(f"{what} differ in shape: {np.shape(first)} and {np.shape(second)}")


def hard_label(label: np.ndarray, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """Return ``label`` as classes: a soft one is cut at 0.5, ignored pixels stay ``ignore_index``.

    Args:
        label: integers or bool, returned as they are; or float in [0, 1], where the value
            ``ignore_index`` marks pixels to leave out.
    """
    label = np.asarray(label)
    if label.dtype.kind != "f":
        return label
    classes = (label >= 0.5).astype(np.uint8)
    classes[label == ignore_index] = ignore_index
    return classes


def valid_pixels(label: np.ndarray, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """Return the bool map of pixels that count: all but those labelled ``ignore_index``."""
    if label.dtype == bool:
        return np.ones(label.shape, bool)
    return label != ignore_index
