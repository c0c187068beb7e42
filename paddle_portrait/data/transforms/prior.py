"""The mask of the frame before, made up from the label: training of networks for video on single photos."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from paddle_portrait.data.sample import IGNORE, Sample
from paddle_portrait.data.transforms.arguments import number_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.distortion import Distortion, draw_distortion
from paddle_portrait.data.transforms.labels import on_soft_label
from paddle_portrait.errors import UserError
from paddle_portrait.registry import TRANSFORMS


@TRANSFORMS.register()
class SimulatePrior(Transform):
    """Give the sample a prior: an empty one, or the label as it may have been one frame before.

    The frame before differs by a motion blur, an affine, a perspective and a thin-plate map, each with probability
    ``step_prob``: either image and label are changed and the prior is the label as it was, or the prior alone is.
    As PortraitNet trains its video model (github.com/dong-x16/PortraitNet, ``prior_prob``); the hair network of
    MediaPipe (Tkachenka et al., 2019, arXiv:1907.06740) uses the same idea. Batches carry the prior as one more
    channel, 0..1, behind the normalised ones; in prediction the probability of the last frame takes its place.

    Where PortraitNet brings a blurred image back to full contrast because its kernels lose light, these do not lose
    any. The blur is in pixels, so this transform belongs behind the resize to the network's size.

    Args:
        empty_prob: probability of an empty prior, as on the first frame of a video.
        move_image_prob: probability that image and label are changed and not the prior.
        step_prob: probability of each of the four changes.
        jitter: how far corners move, as a share of width and height; at most 0.25, or maps would fold.
        degree: shortest and longest line of the motion blur, in pixels.
    """

    def __init__(
        self,
        empty_prob: float = 0.5,
        move_image_prob: float = 0.5,
        step_prob: float = 0.5,
        jitter: float = 0.05,
        degree: Sequence[float] = (5, 30),
    ) -> None:
        name = "SimulatePrior"
        self.empty_prob = probability(name, "empty_prob", empty_prob)
        self.move_image_prob = probability(name, "move_image_prob", move_image_prob)
        self.step_prob = probability(name, "step_prob", step_prob)
        self.jitter = probability(name, "jitter", jitter, most=0.25)
        self.degree = number_range(name, "degree", degree, 1, 1000)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with a prior; its image and label may have moved together.

        Raises:
            UserError: the sample has no label to make a prior from, or one of more than two classes.
        """
        if sample.label is None:
            raise UserError("SimulatePrior makes the prior from the label, and this photo has none.")
        if np.any((sample.label > 1) & (sample.label != IGNORE)):
            raise UserError("SimulatePrior knows background and person alone; this label has more classes.")
        if rng.random() < self.empty_prob:
            return sample.moved(sample.image, sample.label, np.zeros(sample.size_hw, np.uint8))
        prior = _as_prior(sample.label)
        distortion = draw_distortion(rng, sample.size_hw, self.jitter, self.degree, self.step_prob)
        if rng.random() < self.move_image_prob:
            return sample.moved(distortion.apply(sample.image), _distort_label(sample.label, distortion), prior)
        return sample.moved(sample.image, sample.label, distortion.apply(prior))


def _as_prior(label: np.ndarray) -> np.ndarray:
    """Return a label as uint8 probabilities; ignored pixels count as not known."""
    share = np.where(label == IGNORE, 0, np.minimum(label, 1))
    return np.rint(share * 255).astype(np.uint8)


def _distort_label(label: np.ndarray, distortion: Distortion) -> np.ndarray:
    """Blur and move a label; the person of class indices is where at least half of the light comes from."""
    moved = on_soft_label(
        label.astype(np.float32), distortion.apply, lambda values: distortion.move(values, cv2.INTER_NEAREST)
    )
    if label.dtype != np.uint8:
        return moved
    return np.where(moved == IGNORE, IGNORE, moved >= 0.5).astype(np.uint8)
