"""The augmentations of PortraitNet (Zhang et al., Computers & Graphics 80, 2019; github.com/dong-x16/PortraitNet)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms import photometric as colours
from paddle_portrait.data.transforms.arguments import Range, not_negative, number_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.moving import flip_sample
from paddle_portrait.data.transforms.spatial import RandomAffine
from paddle_portrait.preprocess.steps import size_pair
from paddle_portrait.registry import TRANSFORMS

_STEPS = 10  # PortraitNet draws its factors in steps of 0.1


@TRANSFORMS.register()
class PortraitDeformation(Transform):
    """PortraitNet's deformation: one affine map into the network's frame, then a mirror.

    The photo's centre comes to the frame's, it is stretched to the frame (by the mean of both ratios) times a random
    scale, and turned about a point up to a quarter of the frame's height off the centre.

    Args:
        size: width, height of the result.
        max_rotation: largest angle in degrees, either way.
        scale: lowest and highest scale; PortraitNet takes 1.5 to 2.0 for pictures without people.
        centre_offset: largest distance of the centre of rotation, a share of the height, either way.
        flip_prob: probability of the mirror.
        im_padding_value: value of uncovered pixels of the image, 0..255.
        label_padding_value: value of uncovered pixels of the label. PortraitNet counts them as background, for its
            photos are padded with the same grey in evaluation; 255 leaves them out.
    """

    def __init__(
        self,
        size: Sequence[int] = (224, 224),
        max_rotation: float = 45,
        scale: Sequence[float] = (0.5, 1.5),
        centre_offset: float = 0.25,
        flip_prob: float = 0.5,
        im_padding_value: float = 128,
        label_padding_value: int = 0,
    ) -> None:
        name = "PortraitDeformation"
        self.size = size_pair(name, "size", size)
        self.scale = number_range(name, "scale", scale, 0.01, 100)
        self.flip_prob = probability(name, "flip_prob", flip_prob)
        self._affine = RandomAffine(
            self.size,
            probability(name, "centre_offset", centre_offset) * self.size[1],
            not_negative(name, "max_rotation", max_rotation),
            *self.scale,
            im_padding_value,
            label_padding_value,
        )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Move image and label by one matrix, then mirror both or neither."""
        moved = self._affine(sample, rng)
        return flip_sample(moved, 1) if rng.random() < self.flip_prob else moved


@TRANSFORMS.register()
class PortraitTexture(Transform):
    """PortraitNet's texture set: colours, blur and noise, each with probability ``prob``.

    Colours change in the order saturation, brightness, contrast, sharpness, by factors of Pillow's ``ImageEnhance``
    in steps of 0.1; blur is 30 % gaussian, 30 % median, 40 % box of 3 or 5 pixels. It makes the second view that
    PortraitNet's consistency loss compares with the first (``consistency_transforms``).

    Args:
        prob: probability of each of the three.
        saturation: lowest and highest factor.
        brightness: lowest and highest factor.
        contrast: lowest and highest factor.
        sharpness: lowest and highest factor.
        max_sigma: largest deviation of the Gaussian noise, in levels of 0..255.
    """

    def __init__(
        self,
        prob: float = 0.5,
        saturation: Sequence[float] = (0.4, 1.6),
        brightness: Sequence[float] = (0.4, 1.6),
        contrast: Sequence[float] = (0.6, 1.4),
        sharpness: Sequence[float] = (0.8, 1.2),
        max_sigma: float = 10,
    ) -> None:
        name = "PortraitTexture"
        self.prob = probability(name, "prob", prob)
        self.saturation = number_range(name, "saturation", saturation, 0, 10)
        self.brightness = number_range(name, "brightness", brightness, 0, 10)
        self.contrast = number_range(name, "contrast", contrast, 0, 10)
        self.sharpness = number_range(name, "sharpness", sharpness, 0, 10)
        self.max_sigma = not_negative(name, "max_sigma", max_sigma)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample in other colours; its label stays."""
        image = sample.image
        if rng.random() < self.prob:
            image = colours.change_saturation(image, _factor(self.saturation, rng))
            image = colours.change_brightness(image, _factor(self.brightness, rng))
            image = colours.change_contrast(image, _factor(self.contrast, rng))
            image = colours.change_sharpness(image, _factor(self.sharpness, rng))
        if rng.random() < self.prob:
            image = colours.blur(image, colours.draw_blur(rng), int(rng.choice((3, 5))))
        if rng.random() < self.prob:
            image = colours.add_noise(image, self.max_sigma, rng)
        return sample.with_arrays(image, sample.label)


def _factor(bounds: Range, rng: np.random.Generator) -> float:
    low, high = (round(bound * _STEPS) for bound in bounds)
    return int(rng.integers(low, high + 1)) / _STEPS
