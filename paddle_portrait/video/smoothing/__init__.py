"""Temporal filters: what steadies a mask from frame to frame.

A filter is registered by name with ``@FILTERS.register("name")`` in a module of this folder that is listed in
``FILTERS``; ``FILTERS.build("name", **options)`` makes one. Every stream has a filter of its own, reset at cuts
(:mod:`.steady`). A network that is fed with its own last mask needs none: ``Predictor.stream()`` carries that mask.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.registry import Registry

FILTERS = Registry(
    "temporal filter",
    tuple(f"paddle_portrait.video.smoothing.{module}" for module in ("optic_flow", "exponential", "one_euro")),
)


def as_numbers(name: str, **values: float | str) -> list[float]:
    """Return the options of the filter ``name`` as numbers; a command line gives them as texts.

    Raises:
        UserError: one is no number.
    """
    numbers = []
    for option, value in values.items():
        try:
            numbers.append(float(value))
        except ValueError:
            raise UserError(f"temporal filter '{name}': {option}={value} must be a number.") from None
    return numbers


class TemporalFilter(Protocol):
    """What stands between the network and the compositor of one stream."""

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        """Return the steadied probability of a frame.

        Args:
            frame_rgb: uint8 h×w×3, the frame at the size at which the network saw it.
            person_prob: float32 h×w in [0, 1], the network's answer to that very frame.

        Returns:
            float32 h×w; it may be ``person_prob`` itself, and never belongs to another frame.
        """
        ...

    def reset(self) -> None:
        """Forget the frames so far: another clip begins, the picture's size or the scene has changed."""
        ...


@FILTERS.register("none")
class NoFilter:
    """Every frame for itself."""

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        """Return ``person_prob``."""
        return person_prob

    def reset(self) -> None:
        """There is nothing to forget."""
