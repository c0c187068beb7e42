"""Learning from other networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.losses.kinds import PictureLoss
from paddle_portrait.losses.labels import IGNORE_INDEX, binary_view, masked_mean, person_margin
from paddle_portrait.models.output import as_seg_output
from paddle_portrait.preprocess.pipeline import Preprocess
from paddle_portrait.registry import LOSSES, TEACHERS

_LEAST = 1e-12  # probabilities are kept this far from 0 and 1, so that their logarithms are finite


@TEACHERS.register()
class Teacher:
    """A trained network with the preprocessing that it was trained with; it is only looked at.

    Args:
        model: the network, with the weights to teach (its ``pretrained``).
        transforms: its road from a photo to a tensor, as in ``export.transforms``; its size may be another.
    """

    def __init__(self, model: nn.Layer, transforms: Sequence[object]) -> None:
        self.model = model
        self.preprocess = Preprocess(transforms)
        model.eval()
        for parameter in model.parameters():
            parameter.stop_gradient = True

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return the person's probability, float32 N×H×W, in pictures uint8 N×H×W×3 (RGB)."""
        fitted, geometries = zip(*(self.preprocess.fit(picture) for picture in pixels), strict=True)
        with paddle.no_grad():
            logits = as_seg_output(self.model(paddle.to_tensor(self.preprocess.to_tensor(fitted)))).logits
            if logits.shape[1] > 2:
                raise UserError(f"a teacher tells person from background, but this one has {logits.shape[1]} classes.")
            found = F.sigmoid(person_margin(logits).astype("float32")).numpy()
        return np.stack([geometry.restore(plane) for geometry, plane in zip(geometries, found, strict=True)])


@LOSSES.register()
class DistillationLoss(nn.Layer, PictureLoss):
    """T²·KL(teachers ‖ network) of the person's probability, both softened by the temperature T.

    Source: Hinton et al. 2015. The teachers see the clean crops, as pixels, each through its own preprocessing; of
    several, the mean probability teaches.

    Args:
        teachers: the teachers, each ``{type: Teacher, model: …, transforms: …}``.
        temperature: T, above 0; greater ones look at more than the certain pixels.
        agreement: weigh each pixel by 1 minus the range of the teachers' probabilities: where one is sure of the
            person and another of the background, nothing is learnt.
        ignore_index: class number of labels whose pixels do not count.
    """

    def __init__(
        self,
        teachers: Sequence[Teacher],
        temperature: float = 1.0,
        agreement: bool = True,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        if not teachers:
            raise UserError("DistillationLoss: teachers is empty; give at least one.")
        if not temperature > 0:
            raise UserError(f"DistillationLoss: temperature must be above 0, not {temperature}.")
        self.teachers = list(teachers)
        self.temperature, self.agreement, self.ignore_index = temperature, agreement, ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor, pixels: np.ndarray) -> paddle.Tensor:
        """Return the scalar loss.

        Args:
            logits: float N×1×H×W or N×2×H×W.
            labels: N×H×W; only where they are ignored matters.
            pixels: uint8 N×H×W×3, RGB, what the logits were found for.
        """
        margin, _, valid = binary_view(logits, labels, "DistillationLoss", self.ignore_index)
        opinions = np.stack([teacher(pixels) for teacher in self.teachers]).astype(np.float64)
        target, entropy, weight = (
            paddle.to_tensor(array, dtype=margin.dtype, place=margin.place) for array in self._lesson(opinions)
        )
        margin = margin / self.temperature
        values = F.softplus(margin) - target * margin - entropy
        return self.temperature**2 * masked_mean(values * weight, valid)

    def _lesson(self, opinions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return softened mean, its entropy and the weight of each pixel, for teachers×N×H×W probabilities."""
        mean = _clipped(opinions.mean(axis=0))
        target = _clipped(1.0 / (1.0 + ((1.0 - mean) / mean) ** (1.0 / self.temperature)))
        entropy = -(target * np.log(target) + (1.0 - target) * np.log(1.0 - target))
        weight = 1.0 - np.ptp(opinions, axis=0) if self.agreement else np.ones_like(mean)
        return target, entropy, weight


def _clipped(probability: np.ndarray) -> np.ndarray:
    return np.clip(probability, _LEAST, 1.0 - _LEAST)
