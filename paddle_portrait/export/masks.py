"""Agreement of masks: what it proves of a graph with fewer bits, and where it proves nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Half of the way from a certain class to an undecided pixel.
ONE_CLASS_LIMIT = 0.25
# Of the pixels: a class that has fewer is as good as not there.
_LEAST_SHARE = 0.01


def has_both_classes(mask: np.ndarray) -> bool:
    """Tell whether person and background each have at least a hundredth of a mask's pixels."""
    return _LEAST_SHARE <= float(mask.mean()) <= 1 - _LEAST_SHARE


@dataclass
class MaskAgreement:
    """How far masks agree, summed over answers.

    The IoU says something only where the expected mask has both classes. Of one that is all background, or all
    person, every answer on the same side of 0.5 has the same mask, however wrong it is: there the probabilities
    themselves are compared, and may differ by :data:`ONE_CLASS_LIMIT`. Class numbers that agree on one class prove
    nothing.

    Attributes:
        overlap: pixels that both masks call a person, where the expected one has both classes.
        union: pixels that either does, of the same answers.
        one_class_diff: largest difference of probability in the other answers, in [0, 1]; None: there were none.
        proved: whether any answer was a proof.
    """

    overlap: int = 0
    union: int = 0
    one_class_diff: float | None = None
    proved: bool = False

    @property
    def iou(self) -> float | None:
        """IoU of the masks that have both classes, in [0, 1]; None where there were none."""
        return self.overlap / self.union if self.union else None

    def add(self, expected: np.ndarray, found: np.ndarray, difference: float, soft: bool = True) -> None:
        """Count one answer.

        Args:
            expected: float N×h×w, the person's probability as it should be.
            found: the same as it is.
            difference: the largest difference of the two, in [0, 1].
            soft: whether ``found`` are probabilities; False: class numbers.
        """
        wanted, mask = expected > 0.5, found > 0.5
        if has_both_classes(wanted):
            self.overlap += int((wanted & mask).sum())
            self.union += int((wanted | mask).sum())
            self.proved = True
        else:
            self.one_class_diff = max(difference, self.one_class_diff or 0.0)
            self.proved |= soft

    def is_kept(self, least_iou: float) -> bool:
        """Tell whether anything was proved, and nothing spoke against it."""
        keeps_iou = self.iou is None or self.iou >= least_iou
        return self.proved and keeps_iou and (self.one_class_diff or 0.0) <= ONE_CLASS_LIMIT
