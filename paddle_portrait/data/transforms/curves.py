"""Curves of tones, as photo editors have them: uint8 tables, a few microseconds each."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms.arguments import probability
from paddle_portrait.data.transforms.base import Transform
from paddle_portrait.data.transforms.photometric import LEVELS, as_table
from paddle_portrait.registry import TRANSFORMS

_BRIGHTER = (0, 70, 140, 210, 256)
_DARKER = (0, 30, 80, 120, 192)
_AT = (0, 64, 128, 192, 256)
_KNOTS = np.linspace(0, 255, 5)


@TRANSFORMS.register()
class WarmCoolFilter(Transform):
    """Warm or cool the light: red and blue along opposite curves, then the saturation along that of red.

    The curves are those with which the authors of github.com/anilsathyan7/Portrait-Segmentation enlarged their
    training set offline: through (0, 64, 128, 192, 256) they lead to (0, 70, 140, 210, 256) or (0, 30, 80, 120, 192).

    Args:
        prob: probability that the transform acts.
        warm_prob: probability of the warm filter, else the cool one.
    """

    def __init__(self, prob: float = 0.5, warm_prob: float = 0.5) -> None:
        self.prob = probability("WarmCoolFilter", "prob", prob)
        self.warm_prob = probability("WarmCoolFilter", "warm_prob", warm_prob)
        self._brighter, self._darker = curve_table(_AT, _BRIGHTER), curve_table(_AT, _DARKER)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the warmer or cooler sample, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        is_warm = rng.random() < self.warm_prob
        red, blue = (self._brighter, self._darker) if is_warm else (self._darker, self._brighter)
        hsv = cv2.cvtColor(apply_tables(sample.image, [red, np.arange(256, dtype=np.uint8), blue]), cv2.COLOR_RGB2HSV)
        hsv[..., 1] = cv2.LUT(hsv[..., 1], red)
        return sample.with_arrays(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), sample.label)


@TRANSFORMS.register()
class RandomCurve(Transform):
    """Bend the tones along a random rising curve, as Prisma's authors did for their portrait network.

    Source: "Real-time portrait segmentation on smartphones" (blog.prismalabs.ai), which names curve adjustment
    among its augmentations and gives no numbers; the defaults here are ours.

    Args:
        prob: probability that the transform acts.
        strength: largest shift of a knot of the curve, as a share of the range of tones.
        channels_prob: probability that red, green and blue get a curve each, which also shifts the colours.
    """

    def __init__(self, prob: float = 0.5, strength: float = 0.15, channels_prob: float = 0.3) -> None:
        self.prob = probability("RandomCurve", "prob", prob)
        self.strength = probability("RandomCurve", "strength", strength)
        self.channels_prob = probability("RandomCurve", "channels_prob", channels_prob)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the sample with other tones, or the sample as it is."""
        if rng.random() >= self.prob:
            return sample
        if rng.random() < self.channels_prob:
            return sample.with_arrays(apply_tables(sample.image, [self._draw(rng) for _ in range(3)]), sample.label)
        return sample.with_arrays(cv2.LUT(sample.image, self._draw(rng)), sample.label)

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        knots = _KNOTS + rng.uniform(-1, 1, len(_KNOTS)) * self.strength * 255
        return curve_table(_KNOTS, np.maximum.accumulate(np.clip(knots, 0, 255)))


def apply_tables(image: np.ndarray, tables: Sequence[np.ndarray]) -> np.ndarray:
    """Look the channels of a uint8 H×W×3 image up in one table each."""
    return cv2.LUT(image, np.ascontiguousarray(np.stack(tables, axis=-1)[None])).reshape(image.shape)


def curve_table(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the uint8 table of the smooth curve through points of rising ``x``; where they rise, so does the curve.

    A cubic through each pair of neighbours with the slopes of Fritsch and Butland (SIAM J. Sci. Stat. Comput. 5,
    1984): the harmonic mean of both sides, 0 at turning points, so that the curve never overshoots.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    steps = np.diff(x)
    slopes = np.diff(y) / steps
    before, after = slopes[:-1], slopes[1:]
    rising = before * after > 0
    inner = np.zeros(len(before))
    inner[rising] = 2 * before[rising] * after[rising] / (before[rising] + after[rising])
    tangents = np.concatenate([slopes[:1], inner, slopes[-1:]])
    piece = np.clip(np.searchsorted(x, LEVELS, side="right") - 1, 0, len(steps) - 1)
    t = (LEVELS - x[piece]) / steps[piece]
    rise = y[piece + 1] - y[piece]
    left, right = tangents[piece] * steps[piece], tangents[piece + 1] * steps[piece]
    return as_table(y[piece] + t * (left + t * (3 * rise - 2 * left - right + t * (left + right - 2 * rise))))
