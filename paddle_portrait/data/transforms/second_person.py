"""A second person, copied in from another sample of the data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.arguments import number_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.compositing import CutOut, cut_out, label_over
from paddle_portrait.errors import UserError
from paddle_portrait.registry import TRANSFORMS


@TRANSFORMS.register()
class RandomSecondPerson(Transform):
    """Copy the person of another sample beside, before or behind the first one; both are person in the label.

    After "Simple copy-paste is a strong data augmentation" (Ghiasi et al., CVPR 2021), with the edges and the light
    of :class:`RandomBackground`. The other sample is drawn from the same data set and comes as it is on the disk
    (with the transforms at the head of the list that leave nothing to chance).

    Args:
        prob: probability of a second person.
        scale_range: smallest and largest height of the second photo, as a share of the first's height.
        behind_prob: probability that the second person stands behind the first.
        light_match: up to which share the second person's colours move towards those of the picture, 0..1.
    """

    def __init__(
        self,
        prob: float = 0.3,
        scale_range: Sequence[float] = (0.6, 1.1),
        behind_prob: float = 0.5,
        light_match: float = 0.5,
    ) -> None:
        name = "RandomSecondPerson"
        self.prob = probability(name, "prob", prob)
        self.scale_range = number_range(name, "scale_range", scale_range, 0.05, 10)
        self.behind_prob = probability(name, "behind_prob", behind_prob)
        self.light_match = probability(name, "light_match", light_match)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a second person, or the sample as it is.

        Raises:
            UserError: a sample has no label, or this one does not come from a data set that gives others.
        """
        if rng.random() >= self.prob:
            return sample
        if sample.another is None:
            raise UserError(
                "RandomSecondPerson needs other samples of the data set, and this one comes from none that gives "
                "them: use the data set 'Dataset' of this package."
            )
        first, second = cut_out(sample, "RandomSecondPerson"), cut_out(sample.another(rng), "RandomSecondPerson")
        if rng.random() < 0.5:
            second = second.mirrored()
        second = second.scaled(self._factor(first, second, rng))
        left = _place(first, second, rng)
        if left is None:
            return sample
        (height, width), top = first.size_hw, first.size_hw[0] - second.size_hw[0]
        placed = second.on_canvas((height, width), top, left)
        picture = placed.lit_like(sample.image, rng.random() * self.light_match).over(sample.image)
        if rng.random() >= self.behind_prob:
            return sample.with_arrays(picture, label_over(placed.label, first.label))
        return sample.with_arrays(first.over(picture), label_over(first.label, placed.label))

    def _factor(self, first: CutOut, second: CutOut, rng: np.random.Generator) -> float:
        """Return the scale of the second photo; a head that is cut off stays at the upper edge."""
        share = rng.uniform(*self.scale_range)
        return (max(1.0, share) if second.cut_off_at()[2] else share) * first.size_hw[0] / second.size_hw[0]


def _place(first: CutOut, second: CutOut, rng: np.random.Generator) -> int | None:
    """Return the left end of the second photo, so that no side that cuts its person off is seen; None: no place."""
    at_left, at_right, _ = second.cut_off_at()
    width, own = first.size_hw[1], second.size_hw[1]
    lowest = width - own if at_right else -own // 2
    highest = 0 if at_left else width - own // 2
    return int(rng.integers(lowest, highest + 1)) if lowest <= highest else None
