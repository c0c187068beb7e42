"""Random colours, blur and noise for training: the label stays as it is, the image stays uint8."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.arguments import not_negative, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.registry import TRANSFORMS

LEVELS = np.arange(256, dtype=np.float32)
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # the kernel of Pillow's SMOOTH filter


@TRANSFORMS.register()
class RandomDistort(Transform):
    """Change brightness, contrast, saturation, sharpness and hue, in random order, each with its probability.

    A range r draws a factor from 1 - r .. 1 + r (as Pillow's ``ImageEnhance`` takes it); the hue is shifted by
    up to ``hue_range`` of 256 steps of the circle.

    Args:
        brightness_range: range of the brightness factor.
        brightness_prob: probability of a change of brightness.
        contrast_range: range of the contrast factor.
        contrast_prob: probability of a change of contrast.
        saturation_range: range of the saturation factor.
        saturation_prob: probability of a change of saturation.
        hue_range: largest shift of the hue.
        hue_prob: probability of a change of hue.
        sharpness_range: range of the sharpness factor.
        sharpness_prob: probability of a change of sharpness.
    """

    def __init__(
        self,
        brightness_range: float = 0.5,
        brightness_prob: float = 0.5,
        contrast_range: float = 0.5,
        contrast_prob: float = 0.5,
        saturation_range: float = 0.5,
        saturation_prob: float = 0.5,
        hue_range: float = 18,
        hue_prob: float = 0.5,
        sharpness_range: float = 0.5,
        sharpness_prob: float = 0,
    ) -> None:
        self.brightness_range, self.brightness_prob = brightness_range, brightness_prob
        self.contrast_range, self.contrast_prob = contrast_range, contrast_prob
        self.saturation_range, self.saturation_prob = saturation_range, saturation_prob
        self.hue_range, self.hue_prob = hue_range, hue_prob
        self.sharpness_range, self.sharpness_prob = sharpness_range, sharpness_prob
        for name in ("brightness", "contrast", "saturation", "hue", "sharpness"):
            probability("RandomDistort", f"{name}_prob", getattr(self, f"{name}_prob"))
            not_negative("RandomDistort", f"{name}_range", getattr(self, f"{name}_range"))

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with other colours."""
        changes: list[tuple[float, float, float, Callable[[np.ndarray, float], np.ndarray]]] = [
            (self.brightness_prob, 1, self.brightness_range, change_brightness),
            (self.contrast_prob, 1, self.contrast_range, change_contrast),
            (self.saturation_prob, 1, self.saturation_range, change_saturation),
            (self.sharpness_prob, 1, self.sharpness_range, change_sharpness),
            (self.hue_prob, 0, self.hue_range, shift_hue),
        ]
        image = sample.image
        for number in rng.permutation(len(changes)):
            prob, middle, spread, change = changes[number]
            if rng.random() < prob:
                image = change(image, rng.uniform(middle - spread, middle + spread))
        return sample.with_arrays(image, sample.label)


@TRANSFORMS.register()
class RandomBlur(Transform):
    """Blur with probability ``prob``, by a window of 3, 5, 7 or 9 pixels.

    Args:
        prob: probability.
        blur_type: gaussian, median, blur (box), or random (one of the three).
    """

    _TYPES = ("gaussian", "median", "blur", "random")

    def __init__(self, prob: float = 0.1, blur_type: str = "gaussian") -> None:
        self.prob = probability("RandomBlur", "prob", prob)
        if blur_type not in self._TYPES:
            raise UserError(f"RandomBlur: {describe_unknown('blur_type', str(blur_type), self._TYPES)}")
        self.blur_type = blur_type

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the blurred sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        window = min(9, int(rng.integers(3, 10)) // 2 * 2 + 1)
        kind = self.blur_type
        if kind == "random":
            kind = draw_blur(rng)
        return sample.with_arrays(blur(sample.image, kind, window), sample.label)


@TRANSFORMS.register()
class RandomNoise(Transform):
    """Add Gaussian noise with probability ``prob``; its deviation is drawn from 0..``max_sigma`` levels."""

    def __init__(self, prob: float = 0.5, max_sigma: float = 10.0) -> None:
        self.prob = probability("RandomNoise", "prob", prob)
        self.max_sigma = not_negative("RandomNoise", "max_sigma", max_sigma)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the noisy sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        return sample.with_arrays(add_noise(sample.image, self.max_sigma, rng), sample.label)


def draw_blur(rng: np.random.Generator) -> str:
    """Draw a kind of blur as PortraitNet does: 30 % gaussian, 30 % median, 40 % box."""
    return ("gaussian", "median", "blur")[int(np.searchsorted((0.3, 0.6), rng.random(), side="right"))]


def blur(image: np.ndarray, kind: str, window: int) -> np.ndarray:
    """Blur by a window of odd size: ``gaussian``, ``median``, or ``blur`` (box)."""
    if kind == "gaussian":
        return cv2.GaussianBlur(image, (window, window), 0)
    if kind == "median":
        return cv2.medianBlur(image, window)
    return cv2.blur(image, (window, window))


def add_noise(image: np.ndarray, max_sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise whose deviation is drawn from 0..``max_sigma`` levels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.random() * max_sigma)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def change_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply all levels by ``factor``."""
    return cv2.LUT(image, as_table(LEVELS * factor))


def change_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Move all levels away from (factor > 1) or towards the mean grey of the image."""
    mean = round(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0])
    return cv2.LUT(image, as_table((LEVELS - mean) * factor + mean))


def change_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Move all pixels away from (factor > 1) or towards their grey."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)


def change_sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """Move the image away from (factor > 1) or towards its smoothed copy."""
    smooth = cv2.filter2D(image, -1, _SMOOTH, borderType=cv2.BORDER_REPLICATE)
    return cv2.addWeighted(image, factor, smooth, 1 - factor, 0)


def shift_hue(image: np.ndarray, steps: float) -> np.ndarray:
    """Turn the hue by ``steps`` of 256 around the circle."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(steps) % 256)  # uint8 wraps as the circle does
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def as_table(levels: np.ndarray) -> np.ndarray:
    """Round and clip float levels into a uint8 table for ``cv2.LUT``."""
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
