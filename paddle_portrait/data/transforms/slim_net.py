"""The augmentations of Slim-Net and of the MobileNetV3 network with transition blocks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.arguments import number_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.curves import apply_tables
from paddle_portrait.data.transforms.moving import crop_sample, flip_sample
from paddle_portrait.data.transforms.photometric import LEVELS, as_table
from paddle_portrait.registry import TRANSFORMS


@TRANSFORMS.register()
class SlimNetAugmentation(Transform):
    """Brightness, contrast, saturation, a crop and a mirror, each with probability ``prob``.

    The set of the tf.data loaders of github.com/anilsathyan7/Portrait-Segmentation (Slim-Net, MobilenetV3), with two
    things put right: there the window was drawn for image and mask separately, here it is one window; and there the
    brightness moved by 0.1 of 255 levels, which nobody sees, here by that share of the whole range. Contrast and
    saturation only fall, as there. A resize to the network's size belongs behind it.

    Args:
        prob: probability of each of the five.
        brightness: largest shift, a share of the range of tones, either way.
        contrast: lowest and highest factor about the mean of each channel.
        saturation: lowest and highest factor, at most 1.
        crop: share of width and height that the window keeps.
    """

    def __init__(
        self,
        prob: float = 0.5,
        brightness: float = 0.1,
        contrast: Sequence[float] = (0.1, 0.8),
        saturation: Sequence[float] = (0.1, 0.8),
        crop: float = 0.8,
    ) -> None:
        name = "SlimNetAugmentation"
        self.prob = probability(name, "prob", prob)
        self.brightness = probability(name, "brightness", brightness)
        self.contrast = number_range(name, "contrast", contrast, 0, 10)
        self.saturation = number_range(name, "saturation", saturation, 0, 1)
        self.crop = probability(name, "crop", crop)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the changed sample: another size where it was cropped."""
        acts = rng.random(5) < self.prob
        image = sample.image
        if acts[0]:
            image = cv2.LUT(image, as_table(LEVELS + 255 * rng.uniform(-self.brightness, self.brightness)))
        if acts[1]:
            factor = rng.uniform(*self.contrast)
            image = apply_tables(image, [as_table((LEVELS - m) * factor + m) for m in cv2.mean(image)[:3]])
        if acts[2]:
            factor = rng.uniform(*self.saturation)
            value = cv2.cvtColor(np.max(image, axis=2), cv2.COLOR_GRAY2RGB)  # HSV's value: S falls, H and V stay
            image = cv2.addWeighted(image, factor, value, 1 - factor, 0)
        result = sample.with_arrays(image, sample.label)
        if acts[3]:
            result = self._window(result, rng)
        return flip_sample(result, 1) if acts[4] else result

    def _window(self, sample: Sample, rng: np.random.Generator) -> Sample:
        height, width = sample.size_hw
        inner_height, inner_width = max(1, round(height * self.crop)), max(1, round(width * self.crop))
        top = int(rng.integers(0, height - inner_height + 1))
        left = int(rng.integers(0, width - inner_width + 1))
        return crop_sample(sample, slice(top, top + inner_height), slice(left, left + inner_width))
