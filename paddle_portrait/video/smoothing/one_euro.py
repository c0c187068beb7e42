"""The One-Euro filter, pixel by pixel."""

from __future__ import annotations

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.video.smoothing import FILTERS, as_numbers


@FILTERS.register("one_euro")
class OneEuroFilter:
    """A low-pass whose cut-off rises with the speed of the probability; it does not look at the picture.

    Casiez, Roussel, Vogel, "1 € Filter", CHI 2012: ``cutoff = min_cutoff + beta · |speed|``, the speed itself
    low-passed at ``speed_cutoff``.

    Args:
        min_cutoff: Hz, of a probability that stands still; less is steadier.
        beta: Hz for a probability that changes by 1 a second; more is quicker.
        speed_cutoff: Hz.
        rate: frames a second.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(
        self,
        min_cutoff: float | str = 1.0,
        beta: float | str = 2.0,
        speed_cutoff: float | str = 1.0,
        rate: float | str = 30.0,
    ) -> None:
        self._min_cutoff, self._beta, self._speed_cutoff, self._rate = as_numbers(
            "one_euro", min_cutoff=min_cutoff, beta=beta, speed_cutoff=speed_cutoff, rate=rate
        )
        if min(self._min_cutoff, self._speed_cutoff, self._rate) <= 0 or self._beta < 0:
            raise UserError(
                f"temporal filter 'one_euro': min_cutoff={min_cutoff}, speed_cutoff={speed_cutoff} and rate={rate} "
                f"must be above 0, beta={beta} not below."
            )
        self._last: np.ndarray | None = None
        self._raw: np.ndarray | None = None
        self._speed: np.ndarray | None = None

    def __call__(self, frame_rgb: np.ndarray, person_prob: np.ndarray) -> np.ndarray:
        """Return the filtered probability."""
        if self._last is None or self._last.shape != person_prob.shape:
            self._speed = np.zeros_like(person_prob)
            self._last = self._raw = person_prob
            return person_prob
        speed = (person_prob - self._raw) * np.float32(self._rate)
        self._raw = person_prob
        self._speed = self._speed + self._share(self._speed_cutoff) * (speed - self._speed)
        share = self._share(self._min_cutoff + self._beta * np.abs(self._speed))
        self._last = (self._last + share * (person_prob - self._last)).astype(np.float32, copy=False)
        return self._last

    def reset(self) -> None:
        """Forget the frames so far."""
        self._last = self._raw = self._speed = None

    def _share(self, cutoff: np.ndarray | float) -> np.ndarray:
        """Return the share of the new value in a first-order low-pass."""
        turn = np.asarray(2 * np.pi * cutoff / self._rate, np.float32)
        return turn / (turn + np.float32(1))
