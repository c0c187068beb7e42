"""Light that falls unevenly, or hardly at all."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.arguments import number_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.photometric import LEVELS, as_table
from paddle_portrait.registry import TRANSFORMS

_COARSE = 4  # shades are drawn at a quarter of the size: they are soft anyway


@TRANSFORMS.register()
class RandomShade(Transform):
    """Let a soft-edged shade fall over a part of the picture, as Prisma's authors simulated it.

    Source: "Real-time portrait segmentation on smartphones" (blog.prismalabs.ai), which names shade simulation and
    gives no recipe; polygon, softness and defaults here are ours.

    Args:
        prob: probability that the transform acts.
        darkness: least and most light that the shade takes away, 0..1.
        softness: narrowest and widest edge of the shade, as a share of the long side.
    """

    def __init__(
        self, prob: float = 0.5, darkness: Sequence[float] = (0.2, 0.6), softness: Sequence[float] = (0.01, 0.15)
    ) -> None:
        self.prob = probability("RandomShade", "prob", prob)
        self.darkness = number_range("RandomShade", "darkness", darkness, 0, 1)
        self.softness = number_range("RandomShade", "softness", softness, 0, 1)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the shaded sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        height, width = sample.size_hw
        coarse = max(2, height // _COARSE), max(2, width // _COARSE)
        light = np.ones(coarse, np.float32)
        corners = (rng.uniform(-0.3, 1.3, (int(rng.integers(3, 7)), 2)) * coarse[::-1]).astype(np.int32)
        cv2.fillPoly(light, [corners], (1 - rng.uniform(*self.darkness),))
        light = cv2.GaussianBlur(light, (0, 0), 0.1 + rng.uniform(*self.softness) * max(coarse))
        light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
        shaded = cv2.multiply(sample.image, cv2.merge([light] * 3), dtype=cv2.CV_8U)
        return sample.with_arrays(shaded, sample.label)


@TRANSFORMS.register()
class LowLight(Transform):
    """Take the picture at night: darken it along a gamma curve and add the grain of a camera's high gain.

    After LLNet (Lore, Akintayo and Sarkar, Pattern Recognition 61, 2017), which darkens by a gamma and adds Gaussian
    noise; the noise here also grows with the root of the light, as that of photons does.

    Args:
        prob: probability that the transform acts.
        gamma: lowest and highest exponent; 1 leaves the tones as they are.
        gain: least and most light that remains, as a factor after the gamma.
        noise: lowest and highest deviation of the grain at full light, in levels of 0..255.
    """

    def __init__(
        self,
        prob: float = 0.3,
        gamma: Sequence[float] = (1.5, 3.0),
        gain: Sequence[float] = (0.5, 1.0),
        noise: Sequence[float] = (3, 15),
    ) -> None:
        self.prob = probability("LowLight", "prob", prob)
        self.gamma = number_range("LowLight", "gamma", gamma, 1, 10)
        self.gain = number_range("LowLight", "gain", gain, 0.01, 1)
        self.noise = number_range("LowLight", "noise", noise, 0, 100)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the dark sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        light = (LEVELS / 255) ** np.float32(rng.uniform(*self.gamma)) * np.float32(rng.uniform(*self.gain))
        dark = as_table(light * 255)
        read_noise, photon_noise = 0.3, 0.7  # shares of the deviation; only the second depends on the light
        deviation = (rng.uniform(*self.noise) * (read_noise + photon_noise * np.sqrt(light))).astype(np.float32)
        grain = rng.standard_normal(sample.image.shape, dtype=np.float32) * cv2.LUT(sample.image, deviation)
        return sample.with_arrays(cv2.add(cv2.LUT(sample.image, dark), grain, dtype=cv2.CV_8U), sample.label)
