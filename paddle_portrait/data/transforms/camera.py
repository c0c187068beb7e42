"""What a camera and its encoder do to a picture: motion blur, sharpening, compression."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.arguments import number_range, probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.photometric import change_sharpness
from paddle_portrait.registry import TRANSFORMS

_SPLATS_A_PIXEL = 4


@TRANSFORMS.register()
class MotionBlur(Transform):
    """Blur along a line of random length and direction; the label stays.

    Among the augmentations of Prisma's portrait network (blog.prismalabs.ai). The line is centred, so that nothing
    moves.

    Args:
        prob: probability that the transform acts.
        degree: shortest and longest line, in pixels.
    """

    def __init__(self, prob: float = 0.3, degree: Sequence[float] = (3, 15)) -> None:
        self.prob = probability("MotionBlur", "prob", prob)
        self.degree = number_range("MotionBlur", "degree", degree, 1, 1000)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the blurred sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        kernel = motion_kernel(rng.uniform(*self.degree), rng.uniform(0, 180))
        return sample.with_arrays(cv2.filter2D(sample.image, -1, kernel, borderType=cv2.BORDER_REPLICATE), sample.label)


@TRANSFORMS.register()
class RandomSharpness(Transform):
    """Sharpen or smooth by a factor of Pillow's ``ImageEnhance.Sharpness``.

    The default range is that of PortraitNet (github.com/dong-x16/PortraitNet).

    Args:
        prob: probability that the transform acts.
        factor: lowest and highest factor: 0 smooths, 1 leaves the picture as it is, more sharpens.
    """

    def __init__(self, prob: float = 0.5, factor: Sequence[float] = (0.8, 1.2)) -> None:
        self.prob = probability("RandomSharpness", "prob", prob)
        self.factor = number_range("RandomSharpness", "factor", factor, 0, 10)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sharper or smoother sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        return sample.with_arrays(change_sharpness(sample.image, rng.uniform(*self.factor)), sample.label)


@TRANSFORMS.register()
class JpegArtefacts(Transform):
    """Compress as JPEG of low quality and decode again, for networks that see the frames of a compressed stream.

    After Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions" (ICLR 2019).

    Args:
        prob: probability that the transform acts.
        quality: lowest and highest quality, 1..100.
    """

    def __init__(self, prob: float = 0.3, quality: Sequence[float] = (20, 70)) -> None:
        self.prob = probability("JpegArtefacts", "prob", prob)
        self.quality = number_range("JpegArtefacts", "quality", quality, 1, 100)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the compressed sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        quality = round(rng.uniform(*self.quality))
        bgr = cv2.cvtColor(sample.image, cv2.COLOR_RGB2BGR)
        _, code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return sample.with_arrays(cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), sample.label)


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """Return the float32 kernel, of odd size and sum 1, that smears along a centred line.

    Args:
        length: of the line in pixels.
        angle: of the line in degrees.
    """
    half = (length - 1) / 2
    radius = math.ceil(half) + 1
    along = np.linspace(-half, half, max(1, round(length * _SPLATS_A_PIXEL)))
    x = radius + along * math.cos(math.radians(angle))
    y = radius + along * math.sin(math.radians(angle))
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for right in (0, 1):
        for down in (0, 1):
            share = np.abs(1 - right - (x - left)) * np.abs(1 - down - (y - top))
            np.add.at(kernel, (top + down, left + right), share)
    return kernel / kernel.sum()
