"""Several networks' answers to one photo: where they agree, their mean is a label worth learning from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from paddle_portrait.errors import UserError

Teacher = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Limits:
    """When a photo's label is kept.

    Attributes:
        agreement: least IoU that the masks (probability above one half) of any two teachers must have, in (0, 1].
        least_person: least share of the photo that the person must cover, in [0, 1].
        most_person: greatest share.
    """

    agreement: float = 0.9
    least_person: float = 0.02
    most_person: float = 0.95

    def __post_init__(self) -> None:
        if not 0.0 < self.agreement <= 1.0:
            raise UserError(f"agreement is an IoU above 0 and up to 1, not {self.agreement}.")
        if not 0.0 <= self.least_person < self.most_person <= 1.0:
            raise UserError(
                f"the person's share must lie between two numbers from 0 to 1, the smaller first, not "
                f"{self.least_person} and {self.most_person}."
            )


@dataclass(frozen=True)
class Opinion:
    """What the teachers say of a photo together.

    Attributes:
        probability: mean of their person probabilities, float32 H×W.
        pairs: IoU of the masks of each two teachers; 1 where both see nobody.
    """

    probability: np.ndarray
    pairs: dict[tuple[str, str], float]

    @property
    def agreement(self) -> float:
        """The least IoU of two teachers."""
        return min(self.pairs.values())

    @property
    def person_share(self) -> float:
        """The share of the photo that the mean calls a person."""
        return float(np.mean(self.probability > 0.5))

    def objection(self, limits: Limits) -> str | None:
        """Return why the label is not kept, or None where it is."""
        first, second = min(self.pairs, key=lambda pair: self.pairs[pair])
        if self.agreement < limits.agreement:
            return f"{first} and {second} disagree: IoU {self.agreement:.3f}"
        if self.person_share < limits.least_person:
            return f"the person covers too little: {self.person_share:.3f}"
        if self.person_share > limits.most_person:
            return f"the person covers too much: {self.person_share:.3f}"
        return None


def mirrored(teacher: Teacher) -> Teacher:
    """Return a teacher that answers with the mean over a photo and its mirror image."""

    def both_ways(image_rgb: np.ndarray) -> np.ndarray:
        turned = teacher(np.ascontiguousarray(image_rgb[:, ::-1]))[:, ::-1]
        return (teacher(image_rgb) + turned) / np.float32(2)

    return both_ways


def compare(answers: Mapping[str, np.ndarray]) -> Opinion:
    """Return the joint opinion of two or more teachers.

    Args:
        answers: the person probability of each by its name, float32 H×W in [0, 1].
    """
    masks = {name: answer > 0.5 for name, answer in answers.items()}
    pairs = {(one, other): _iou(masks[one], masks[other]) for one, other in combinations(masks, 2)}
    return Opinion(np.asarray(np.mean(list(answers.values()), axis=0, dtype=np.float32)), pairs)


def soft_mask(probability: np.ndarray) -> np.ndarray:
    """Return a probability in [0, 1] as uint8 of 0 to 255, rounded."""
    return cv2.convertScaleAbs(probability, alpha=255.0)


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    union = int(np.count_nonzero(one | other))
    return int(np.count_nonzero(one & other)) / union if union else 1.0
