"""Which samples an iteration sees: a pure function of seed, iteration, rank and the sizes of the data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SHUFFLE, _FRACTION, _SIZE = 1, 2, 3  # tell the streams of one seed apart


@dataclass(frozen=True)
class Part:
    """A data set within a concatenation: ``count`` samples, each seen ``weight`` times an epoch."""

    count: int
    weight: float = 1.0

    @property
    def length(self) -> int:
        """Samples that it gives to an epoch; the same for every epoch."""
        return round(self.count * self.weight)


def batch_size_wh(sizes: Sequence[tuple[int, int]], seed: int, iteration: int) -> tuple[int, int]:
    """Return the width and height of the images of an iteration's batch, the same for all processes."""
    return sizes[int(np.random.default_rng([_SIZE, seed, iteration]).integers(len(sizes)))]


def epoch_order(parts: Sequence[Part], seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shuffled sample indices of an epoch, and for each how often it came before in the epoch.

    The whole part of a weight repeats all samples of the part; the fraction draws some without repetition.
    """
    indices, repeats = [], []
    start = 0
    for number, part in enumerate(parts):
        rounds, rest = divmod(part.length, part.count) if part.count else (0, 0)
        drawn = np.random.default_rng([_FRACTION, seed, epoch, number]).permutation(part.count)[:rest]
        all_of_it = np.arange(part.count)
        indices += [start + all_of_it] * rounds + [start + drawn]
        repeats += [np.full(part.count, turn) for turn in range(rounds)] + [np.full(rest, rounds)]
        start += part.count
    order = np.concatenate(indices).astype(np.int64)
    shuffled = np.random.default_rng([_SHUFFLE, seed, epoch]).permutation(len(order))
    return order[shuffled], np.concatenate(repeats).astype(np.int64)[shuffled]
